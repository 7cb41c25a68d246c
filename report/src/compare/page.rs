//! A comparison in words: as a table on a terminal, and as Markdown for a pull request or the summary of a CI job.

use super::told_apart;
use crate::figure;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use super::{missing, place};
use crate::format;
use crate::markdown::escaped;
use crate::statistics::{Interval, Ratio, Summary, Verdict};
use model::schema::{
    Compared, ComparedCampaign, ComparedRatio, ComparedTotal, ComparedVerdict, Comparison, MainFigure, Share,
};

/// Ratios of one figure from which on a common shift of all is told.
const RATIOS_FOR_SHIFT: usize = 8;
/// Share of them on one side of 1 that is called a shift, and how far their median must be from 1.
const SHIFT_SHARE: f64 = 0.9;
const SHIFT_SIZE: f64 = 0.03;

/// The comparison on a terminal. Ends with a newline.
pub fn text(comparison: &Comparison) -> String {
    let mut lines: Vec<String> = [("BASE", &comparison.base), ("NEW ", &comparison.new)]
        .map(|(side, campaign)| format!("{side} {}", about(campaign)))
        .into();
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADING);
    rows(comparison).into_iter().for_each(|row| {
        table.add_row(row);
    });
    lines.extend(table.lines().map(|line| line.trim_end().to_owned()));
    lines.extend(comparison.totals.iter().map(total));
    lines.extend(notes(comparison));
    lines.extend(missing::lines(&comparison.missing));
    lines.push(outcome(comparison));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The comparison as Markdown: what came of it, what was told apart, and all the rest folded away. Ends with a newline.
pub fn markdown(comparison: &Comparison) -> String {
    let different =
        |compared: &Compared| matches!(compared.verdict, ComparedVerdict::Better | ComparedVerdict::Worse);
    let mut told_apart: Vec<&Compared> =
        comparison.comparisons.iter().filter(|compared| different(compared)).collect();
    // What is worse by more than was allowed first, then what is worse.
    told_apart.sort_by_key(|compared| (!compared.fails, compared.verdict == ComparedVerdict::Better));
    let mut paragraphs = vec![format!("**{}**", escaped(&outcome(comparison)))];
    let list = |lines: Vec<String>| {
        lines.iter().map(|line| format!("- {}", escaped(line))).collect::<Vec<_>>().join("\n")
    };
    if !comparison.missing.is_empty() {
        paragraphs.push(list(missing::lines(&comparison.missing)));
    }
    if !told_apart.is_empty() {
        let heading = "| contender | connections × active | figure | BASE | NEW | NEW/BASE | |\n\
                       | --- | --- | --- | ---: | ---: | ---: | --- |";
        let rows = told_apart.into_iter().map(difference);
        paragraphs.push([heading.to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n"));
    }
    paragraphs.push(list(comparison.totals.iter().map(total).collect()));
    paragraphs.push(list(notes(comparison)));
    let row = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let every = rows(comparison).into_iter().map(|cells| row(&cells.map(|cell| escaped(&cell))));
    let all = [row(&HEADING.map(str::to_owned)), "| --- | --- | --- | --- | --- | --- |".to_owned()];
    paragraphs.push(format!(
        "<details><summary>All figures, NEW/BASE</summary>\n\n{}\n\n</details>",
        all.into_iter().chain(every).collect::<Vec<_>>().join("\n")
    ));
    let sides = [("BASE", &comparison.base), ("NEW", &comparison.new)]
        .map(|(side, campaign)| format!("- {side}: {}", escaped(&about(campaign))));
    paragraphs.push(sides.join("\n"));
    paragraphs.join("\n\n") + "\n"
}

const HEADING: [&str; 6] = [
    "connections × active",
    "contender",
    "response p50",
    "response p99",
    "capacity",
    "server processor time",
];

/// A row a contender and point, with the verdict and the ratio of each figure.
fn rows(comparison: &Comparison) -> Vec<[String; 6]> {
    let of_one = comparison.comparisons.chunk_by(|a, b| (&a.contender, &a.point) == (&b.contender, &b.point));
    of_one
        .map(|figures| {
            let of = |wanted: MainFigure| {
                let found = figures.iter().find(|compared| compared.figure == wanted);
                found.map_or_else(|| format::ABSENT.to_owned(), cell)
            };
            let [p50, p99, capacity, cpu] = MainFigure::ALL.map(of);
            let point = figures.first().map(|first| place(&first.point)).unwrap_or_default();
            let contender = figures.first().map(|first| first.contender.clone()).unwrap_or_default();
            [point, contender, p50, p99, capacity, cpu]
        })
        .collect()
}

/// `worse 1.52× (1.40–1.61)`, `tie 1.01×`, or a dash where nothing can be said.
fn cell(compared: &Compared) -> String {
    let Some(ratio) = compared.ratio.map(|ratio| as_ratio(&ratio)) else { return format::ABSENT.to_owned() };
    match compared.verdict {
        ComparedVerdict::NotComparable => format::ABSENT.to_owned(),
        ComparedVerdict::Tie => format!("tie {}", format::ratio_alone(&ratio)),
        ComparedVerdict::Better | ComparedVerdict::Worse => {
            let exclamation = if compared.fails { " !" } else { "" };
            format!("{} {}{exclamation}", word(compared.verdict), format::ratio(&ratio))
        }
    }
}

/// One row of Markdown about a figure that was told apart.
fn difference(compared: &Compared) -> String {
    let side = |side: Option<model::schema::ComparedSide>| {
        side.map_or_else(|| format::ABSENT.to_owned(), |side| value(side.median, compared.figure))
    };
    let ratio =
        compared.ratio.map_or_else(|| format::ABSENT.to_owned(), |ratio| format::ratio(&as_ratio(&ratio)));
    let verdict = if compared.fails { "**worse than allowed**" } else { word(compared.verdict) };
    format!(
        "| {} | {} | {} | {} | {} | {ratio} | {verdict} |",
        escaped(&compared.contender),
        escaped(&place(&compared.point)),
        figure::words(compared.figure),
        side(compared.base),
        side(compared.new),
    )
}

fn value(value: f64, figure: MainFigure) -> String {
    match figure {
        MainFigure::Capacity => format!("{}/s", format::rate(value)),
        MainFigure::ResponseP50 | MainFigure::ResponseP99 | MainFigure::ServerCpu => {
            format::duration_ns(value)
        }
    }
}

fn word(verdict: ComparedVerdict) -> &'static str {
    match verdict {
        ComparedVerdict::Better => "better",
        ComparedVerdict::Worse => "worse",
        ComparedVerdict::Tie => "tie",
        ComparedVerdict::NotComparable => "not comparable",
    }
}

/// The ratio as the other tables print theirs.
fn as_ratio(ratio: &ComparedRatio) -> Ratio {
    let ComparedRatio { value, low, high } = *ratio;
    let interval = Interval { median: value, low, high };
    let summary = Summary { median: value, interval: Some(interval), repeats: 0 };
    Ratio { summary, verdict: Verdict::of(Some(interval)) }
}

/// `many-idle-few-active of 2026-01-02T03:04:05Z, 6 repeats, bench-01, Linux 6.18 (results/a/campaign.json)`.
fn about(campaign: &ComparedCampaign) -> String {
    let ComparedCampaign { source, scenario, started, host, kernel, repeats, .. } = campaign;
    let repeats = format::plural(*repeats as usize, "repeat");
    format!("{scenario} of {started}, {repeats}, {host}, Linux {kernel} ({source})")
}

/// `response p50: 1 worse, 0 better, 22 ties, 1 not comparable; the median ratio is 1.01×`.
fn total(total: &ComparedTotal) -> String {
    let ComparedTotal { figure, better, worse, ties, not_comparable, median_ratio, .. } = total;
    let ties = format::plural(*ties as usize, "tie");
    let ratio = median_ratio.map(|ratio| format!("; the median ratio is {ratio:.2}×")).unwrap_or_default();
    format!(
        "{}: {worse} worse, {better} better, {ties}, {not_comparable} not comparable{ratio}",
        figure::words(*figure)
    )
}

/// What a reader must know besides.
fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(yardstick) = &comparison.relative_to {
        notes.push(format!("each figure is divided by that of {yardstick} in the same repeat: what the machine did to both cancels out"));
    }
    notes.push(
        "ratios are NEW/BASE, with the 95% interval of two independent samples (Hodges and Lehmann, Mann and Whitney); tie: it covers 1"
            .to_owned(),
    );
    notes.extend(chance(comparison));
    for (side, campaign) in [("BASE", &comparison.base), ("NEW", &comparison.new)] {
        notes.extend(campaign.told_apart.as_ref().map(|share| agreement(side, share)));
    }
    if comparison.relative_to.is_none() {
        notes.extend(MainFigure::ALL.into_iter().filter_map(|figure| shift(comparison, figure)));
    }
    notes.extend(comparison.warnings.iter().map(|warning| format!("warning: {warning}")));
    notes.extend(obstacles(comparison));
    notes.extend(comparison.not_paired.iter().cloned());
    notes
}

/// How many of the comparisons chance alone would call a difference.
fn chance(comparison: &Comparison) -> Option<String> {
    let told_apart = told_apart(comparison)?;
    let [share, low, high] = [told_apart.share(), told_apart.low, told_apart.high].map(format::percent);
    Some(format!(
        "told apart in {} of {}, {share} (95% interval {low}–{high}); of two campaigns of the same thing chance alone \
         gives up to 5%, here about {:.0}",
        told_apart.hits,
        format::plural(told_apart.cases, "comparison"),
        (0.05 * told_apart.cases as f64).ceil(),
    ))
}

fn agreement(side: &str, share: &Share) -> String {
    format!(
        "A/A within {side}: a contender was told apart from itself in {} of {} comparisons (95% interval {}–{})",
        share.hits,
        share.cases,
        format::percent(share.low),
        format::percent(share.high)
    )
}

/// That nearly all contenders moved the same way, which is what a machine does and hardly a change of one of them.
fn shift(comparison: &Comparison, figure: MainFigure) -> Option<String> {
    let ratios: Vec<f64> = comparison
        .comparisons
        .iter()
        .filter(|compared| compared.figure == figure && compared.verdict != ComparedVerdict::NotComparable)
        .filter_map(|compared| Some(compared.ratio?.value))
        .collect();
    let contender = |compared: &Compared| compared.contender != comparison.comparisons[0].contender;
    let several = comparison.comparisons.iter().any(contender);
    let above = ratios.iter().filter(|ratio| **ratio > 1.0).count();
    let most = above.max(ratios.len() - above);
    let median = crate::statistics::median(&ratios)?;
    let is_shift = several
        && ratios.len() >= RATIOS_FOR_SHIFT
        && most as f64 >= SHIFT_SHARE * ratios.len() as f64
        && (median - 1.0).abs() > SHIFT_SIZE;
    let side = if above == most { "above" } else { "below" };
    is_shift.then(|| {
        format!(
            "{}: {most} of {} ratios are {side} 1, {median:.2}× in the median: rather the machine changed than each of them; \
             --relative-to NAME compares with a contender of the same campaign",
            figure::words(figure),
            ratios.len()
        )
    })
}

/// Why some figures have no verdict: each reason once, with how many it concerns.
fn obstacles(comparison: &Comparison) -> Vec<String> {
    let mut reasons: Vec<(MainFigure, &str, usize)> = Vec::new();
    for compared in &comparison.comparisons {
        let Some(reason) = compared.reason.as_deref() else { continue };
        match reasons.iter_mut().find(|(figure, known, _)| (*figure, *known) == (compared.figure, reason)) {
            Some((.., count)) => *count += 1,
            None => reasons.push((compared.figure, reason, 1)),
        }
    }
    reasons
        .into_iter()
        .map(|(figure, reason, count)| {
            format!(
                "not comparable: {} at {}: {reason}",
                figure::words(figure),
                format::plural(count, "place")
            )
        })
        .collect()
}

/// What came of it, in a sentence.
pub fn outcome(comparison: &Comparison) -> String {
    match missing::summary(&comparison.missing) {
        missing if missing.is_empty() => of_figures(comparison),
        missing => format!("{}; NEW measured less than BASE: it lacks {missing}", of_figures(comparison)),
    }
}

/// The outcome of the figures that both have, in a clause.
fn of_figures(comparison: &Comparison) -> String {
    let failed = comparison.failed();
    let compared = comparison.compared();
    match comparison.fail_above {
        _ if compared == 0 => "no figure could be compared".to_owned(),
        Some(_) if failed == 0 && !comparison.undecided().is_empty() => {
            format!("no figure could be compared of {}", format::and(&comparison.undecided()))
        }
        None => {
            let sum = |of: fn(&ComparedTotal) -> u64| comparison.totals.iter().map(of).sum::<u64>();
            format!(
                "of {compared} figures {} are worse, {} better and {} tied",
                sum(|total| total.worse),
                sum(|total| total.better),
                sum(|total| total.ties)
            )
        }
        Some(most) if failed == 0 => {
            format!("none of {compared} figures is worse by more than {}", format::share(most))
        }
        Some(most) => {
            format!("{failed} of {compared} figures are worse by more than {}", format::share(most))
        }
    }
}
