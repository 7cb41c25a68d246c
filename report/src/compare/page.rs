//! A comparison in words: on a terminal, and as Markdown for a pull request or the summary of a CI job.

use model::schema::{Compared, ComparedCampaign, ComparedFigure, ComparedVerdict, Comparison, Point, Share};

use super::gate::undecided;
use super::judge::is_difference;
use super::missing::{self, place};
use crate::format;
use crate::grid::{self, Cell, Column, Grid, Tone};
use crate::rounds::analysis::{MAIN, MARGIN};
use crate::rounds::{Metric, distinct, grouped};

/// Differences of other figures that are shown on a terminal.
const DIFFERENCES: usize = 12;

/// The comparison on a terminal. Ends with a newline.
pub fn text(comparison: &Comparison) -> String {
    let sides = sides(comparison).join("\n");
    let others: Vec<&Compared> = differences(comparison).into_iter().filter(|one| !one.decides).collect();
    let mut parts = vec![format!("{sides}\n"), table(comparison).text()];
    if !others.is_empty() {
        let shown = &others[..others.len().min(DIFFERENCES)];
        parts.push("\nOther figures that differ, and decide nothing:\n".to_owned() + &list(shown).text());
        if let left @ 1.. = others.len() - shown.len() {
            parts.push(format!("… and {left} more, all in --json\n"));
        }
    }
    let mut lines = notes(comparison);
    lines.extend(missing::lines(&comparison.missing));
    lines.push(outcome(comparison));
    parts.push(format!("\n{}\n", lines.join("\n")));
    parts.concat()
}

/// The comparison as Markdown: what came of it, what differs, and all the rest folded away. Ends with a newline.
pub fn markdown(comparison: &Comparison) -> String {
    let bullets = |lines: Vec<String>| {
        lines.iter().map(|line| format!("- {}\n", grid::markdown(line))).collect::<String>()
    };
    let differences = differences(comparison);
    let parts = [
        format!("**{}**\n", grid::markdown(&outcome(comparison))),
        bullets(missing::lines(&comparison.missing)),
        if differences.is_empty() { String::new() } else { list(&differences).markdown() },
        bullets(notes(comparison)),
        format!(
            "<details><summary>Response, throughput and CPU time, NEW/BASE</summary>\n\n{}\n</details>\n",
            table(comparison).markdown()
        ),
        bullets(sides(comparison).to_vec()),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A figure that was compared, in a line: `poll at 10k × 10 (idle-scaling): throughput 0.91 (0.89–0.93)`.
pub fn line(compared: &Compared) -> String {
    let Compared { candidate, point, metric, .. } = compared;
    let name = Metric::of_key(metric).map_or(metric.as_str(), |metric| metric.name);
    format!("{candidate} at {}: {name} {}", place(point), change(compared))
}

/// A row for each candidate and point, with the figures that decide; at the end of each point its reference, of which drift is not cancelled.
fn table(comparison: &Comparison) -> Grid {
    let columns = [Column::words("point"), Column::words("candidate")].into_iter();
    let columns = columns.chain(MAIN.map(|metric| Column::words(format!("{}, NEW/BASE", metric.name))));
    let all = || comparison.comparisons.iter();
    let references_last =
        all().filter(|one| one.drift_cancelled).chain(all().filter(|one| !one.drift_cancelled));
    let row = |(candidate, point): (&str, &Point)| {
        let own = all().filter(|one| one.candidate == candidate && one.point == *point);
        let figure = |metric: &Metric| own.clone().find(|of| of.metric == metric.key);
        let cells = MAIN.map(|metric| figure(metric).map_or_else(|| format::ABSENT.into(), cell));
        let is_candidate = own.clone().any(|one| one.drift_cancelled);
        let name = if is_candidate { "" } else { " (reference, drift not cancelled)" };
        let row = [Cell::from(place(point)), Cell::from(format!("{candidate}{name}"))];
        row.into_iter().chain(cells).collect()
    };
    let whose = references_last.map(|one| (one.candidate.as_str(), &one.point));
    Grid { columns: columns.collect(), rows: distinct(whose).into_iter().map(row).collect() }
}

/// `worse: 1.52 (1.40–1.61)`, `=1.00 (0.99–1.01)`, or a dash where nothing can be said.
fn cell(compared: &Compared) -> Cell {
    let text = change(compared);
    match compared.verdict {
        _ if !compared.drift_cancelled => Cell::from(text).with(Tone::Muted),
        ComparedVerdict::Better => format!("better: {text}").into(),
        ComparedVerdict::Worse if compared.fails => Cell::from(format!("worse: {text} !")).with(Tone::Strong),
        ComparedVerdict::Worse => format!("worse: {text}").into(),
        ComparedVerdict::Equal => Cell::from(format!("={text}")).with(Tone::Muted),
        ComparedVerdict::NotDistinguishable => Cell::from(format!("~{text}")).with(Tone::Muted),
        ComparedVerdict::NotComparable => format::ABSENT.into(),
    }
}

/// The ratio with its interval, or what is said in its place.
fn change(compared: &Compared) -> String {
    match (&compared.ratio, &compared.reason) {
        (Some(ratio), reason) if reason.is_none() || !compared.drift_cancelled => {
            format::ratio_with_ends(ratio.value, ratio.low, ratio.high)
        }
        (_, Some(reason)) => reason.clone(),
        (_, None) => format::ABSENT.to_owned(),
    }
}

/// The figures by which the two differ: worse than allowed first, then worse, then better; those that decide before others.
fn differences(comparison: &Comparison) -> Vec<&Compared> {
    let mut different: Vec<&Compared> =
        comparison.comparisons.iter().filter(|one| is_difference(one)).collect();
    different.sort_by_key(|one| (!one.fails, !one.decides, one.verdict == ComparedVerdict::Better));
    different
}

/// A row for each figure.
fn list(compared: &[&Compared]) -> Grid {
    let words = ["point", "candidate", "figure"].map(Column::words).into_iter();
    let numbers = ["BASE", "NEW", "NEW/BASE"].map(Column::numbers);
    let row = |one: &&Compared| {
        let metric = Metric::of_key(&one.metric);
        let value = |side: Option<ComparedFigure>| match (side, metric) {
            (Some(figure), Some(metric)) => {
                let bound = if figure.is_lower_bound { "≥ " } else { "" };
                format!("{bound}{}", format::quantity(metric.unit, figure.value))
            }
            _ => format::ABSENT.to_owned(),
        };
        let word = match one.verdict {
            _ if one.fails => Cell::from("worse than allowed").with(Tone::Strong),
            ComparedVerdict::Better => "better".into(),
            _ => "worse".into(),
        };
        let name = metric.map_or(one.metric.as_str(), |metric| metric.name);
        let texts = [
            place(&one.point),
            one.candidate.clone(),
            name.to_owned(),
            value(one.base),
            value(one.new),
            change(one),
        ];
        texts.into_iter().map(Cell::from).chain([word]).collect()
    };
    Grid {
        columns: words.chain(numbers).chain([Column::words("")]).collect(),
        rows: compared.iter().map(row).collect(),
    }
}

/// The two campaigns that were compared, a line each:
/// `BASE many-idle-few-active of 2026-01-02T03:04:05Z, bench-01, Linux 6.18 (results/a/campaign.json)`.
fn sides(comparison: &Comparison) -> [String; 2] {
    [("BASE", &comparison.base), ("NEW", &comparison.new)].map(|(side, campaign)| {
        let ComparedCampaign { source, scenario, started, host, kernel, .. } = campaign;
        format!("{side:<4} {scenario} of {started}, {host}, Linux {kernel} ({source})")
    })
}

/// The notes that a reader needs besides the table.
fn notes(comparison: &Comparison) -> Vec<String> {
    let reference = &comparison.new.reference;
    let margin = format::percent(MARGIN);
    let mut notes = vec![format!(
        "each candidate's ratio to {reference}, NEW over BASE, so that the host's drift cancels; intervals hold together at each point (95%); \
         = equal within {margin}, ~ not distinguishable"
    )];
    let twins = [
        ("between the campaigns", comparison.twin),
        ("within BASE", comparison.base.twin),
        ("within NEW", comparison.new.twin),
    ];
    let twins: Vec<String> =
        twins.into_iter().filter_map(|(place, share)| Some(twin(place, &share?))).collect();
    if !twins.is_empty() {
        notes.push(format!("twin of the reference, which is the same: told apart {}", twins.join(", ")));
    }
    notes.extend(comparison.warnings.iter().map(|warning| format!("warning: {warning}")));
    notes.extend(obstacles(comparison));
    notes.extend(comparison.only_in_new.iter().cloned());
    notes
}

/// `in 3 of 80 families within BASE`.
fn twin(place: &str, share: &Share) -> String {
    format!("in {} of {} families {place}", share.hits, share.cases)
}

/// The reasons for which figures that decide have no verdict, each once with how many it concerns.
fn obstacles(comparison: &Comparison) -> Vec<String> {
    let is_open = |one: &&Compared| one.decides && one.verdict == ComparedVerdict::NotComparable;
    let without = comparison.comparisons.iter().filter(is_open);
    let reasons = without.filter_map(|one| Some(((one.metric.as_str(), one.reason.as_deref()?), one)));
    let line = |((metric, reason), cases): ((&str, &str), Vec<&Compared>)| {
        let name = Metric::of_key(metric).map_or(metric, |metric| metric.name);
        format!("not comparable: {name} in {}: {reason}", format::plural(cases.len(), "case"))
    };
    grouped(reasons).into_iter().map(line).collect()
}

/// The outcome of the comparison, in a sentence.
pub fn outcome(comparison: &Comparison) -> String {
    of_figures(comparison) + &missing::summary(&comparison.missing)
}

/// The outcome of the figures that both have and that decide, in a clause.
fn of_figures(comparison: &Comparison) -> String {
    let deciding = || comparison.comparisons.iter().filter(|one| one.decides);
    let count = |verdict| deciding().filter(|one| one.verdict == verdict).count();
    let compared = deciding().count() - count(ComparedVerdict::NotComparable);
    let failed = deciding().filter(|one| one.fails).count();
    let undecided = undecided(&comparison.comparisons);
    let figures = format::plural(compared, "figure");
    match comparison.fail_above {
        _ if compared == 0 => "no figure could be compared".to_owned(),
        Some(_) if failed == 0 && !undecided.is_empty() => {
            format!("no figure could be compared of {}", format::and(&undecided))
        }
        Some(most) => {
            let worse = if failed == 0 { "none".to_owned() } else { failed.to_string() };
            let verb = if failed > 1 { "are" } else { "is" };
            format!("{worse} of {figures} {verb} surely worse by more than {}", format::share(most))
        }
        None => format!(
            "of {figures}: {} worse, {} better, {} equal, {} not distinguishable",
            count(ComparedVerdict::Worse),
            count(ComparedVerdict::Better),
            count(ComparedVerdict::Equal),
            count(ComparedVerdict::NotDistinguishable),
        ),
    }
}
