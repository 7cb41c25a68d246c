//! The table that `muxbench run` prints.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::agreement::Agreement;
use crate::analysis::{Analysis, Capacity, Measured, PointAnalysis, Row, Standing};
use crate::crossover;
use crate::format;
use crate::map::{MARKS, Map};
use crate::ranking;
use crate::statistics::REPEATS_FOR_INTERVAL;
use crate::warnings;
use model::schema::{Campaign, Cell, CellStatus, Point};

/// The table, and below it what a reader must know: cells that do not count, how the figures came
/// about, and the machine. Ends with a newline.
pub fn render(analysis: &Analysis<'_>) -> String {
    let mut out = String::new();
    if analysis.points.is_empty() {
        out.push_str("no points: nothing was planned\n");
    } else {
        let table = table(analysis);
        out.extend(table.lines().map(|line| line.trim_end().to_owned() + "\n"));
    }
    if let Some(map) = Map::of(analysis) {
        out.push_str("\nby median response, the winner of each point and what it is ahead of the next by:\n");
        out.push_str(&map.text());
        let _ = writeln!(out, "{MARKS}");
    }
    for crossing in overtaking(analysis) {
        let _ = writeln!(out, "{crossing}");
    }
    for line in legend(analysis).into_iter().chain(problems_in_short(analysis)).chain(provenance(analysis)) {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{line}");
    }
    out
}

fn table(analysis: &Analysis<'_>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "connections\n× active",
        "mechanism",
        "response\np50",
        "response\np99",
        "capacity\nechoes/s",
        "server\nµs/echo",
        "p50 against\nthe best",
        "p99\nagainst",
        "server\nagainst",
    ]);
    for at in &analysis.points {
        // One table row a point, a line a mechanism: comfy-table rules off every row.
        let column = |text: &dyn Fn(&Row) -> String| at.rows.iter().map(text).collect::<Vec<_>>().join("\n");
        table.add_row([
            heading(at),
            column(&|row| row.mechanism.clone()),
            column(&|row| duration(&row.p50)),
            column(&|row| duration(&row.p99)),
            column(&|row| capacity(row.capacity.as_ref())),
            column(&|row| microseconds(&row.cpu)),
            column(&|row| standing(&row.p50.standing)),
            column(&|row| standing_in_short(&row.p99.standing)),
            column(&|row| standing_in_short(&row.cpu.standing)),
        ]);
    }
    for column in 2..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn heading(at: &PointAnalysis) -> String {
    let mut lines = vec![place(&at.point), at.point.sweep.clone()];
    lines.extend(format::particulars(&at.point));
    lines.join("\n")
}

/// A point in short: `10k × 10`.
fn place(point: &Point) -> String {
    format!("{} × {}", format::count(point.connections.into()), format::count(point.active.into()))
}

/// `35.1 µs ±2%`: the figure, and how far the interval of the repeats' median reaches.
pub(crate) fn duration(measured: &Measured) -> String {
    let Some(value_ns) = measured.value_ns else { return format::ABSENT.to_owned() };
    let interval = measured.summary.and_then(|summary| summary.interval);
    let spread = interval.map(|interval| format!(" ±{}", format::percent(interval.relative_half_width())));
    format::duration_ns(value_ns) + &spread.unwrap_or_default()
}

/// `7.02`: a duration in microseconds without its unit, for a column whose heading has it.
pub(crate) fn microseconds(measured: &Measured) -> String {
    measured.value_ns.map_or_else(|| format::ABSENT.to_owned(), |ns| format::three_digits(ns / 1e3))
}

/// `142k`, or `≥ 120k` where only a lower bound is known.
pub(crate) fn capacity(capacity: Option<&Capacity>) -> String {
    capacity.map_or_else(
        || format::ABSENT.to_owned(),
        |capacity| {
            let bound = if capacity.lower_bound { "≥ " } else { "" };
            bound.to_owned() + &format::rate(capacity.per_s.median)
        },
    )
}

/// `winner`, `tie`, or how far behind the best: `1.8× (1.7–1.9)`.
pub(crate) fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Behind(ratio) | Standing::Trailing(ratio) => format::ratio(ratio),
        other => standing_in_short(other),
    }
}

/// As [`standing`], without the interval.
fn standing_in_short(standing: &Standing) -> String {
    match standing {
        Standing::Winner => "winner".to_owned(),
        Standing::Tie(_) => "tie".to_owned(),
        Standing::Behind(ratio) => format::ratio_alone(ratio),
        Standing::Leading => "best?".to_owned(),
        Standing::Trailing(ratio) => format::ratio_alone(ratio) + " ?",
        Standing::Alone | Standing::Absent => format::ABSENT.to_owned(),
    }
}

/// Who overtakes whom, a sentence each; where there is a map to be crossed, also that nobody does.
pub(crate) fn overtaking(analysis: &Analysis<'_>) -> Vec<String> {
    let crossings = crossover::crossings(analysis.campaign);
    if crossings.is_empty() && Map::of(analysis).is_some() {
        return vec!["no mechanism overtakes another, by intervals that leave 1 out".to_owned()];
    }
    crossings.iter().map(|crossing| crossing.sentence()).collect()
}

/// How the figures came about.
pub(crate) fn legend(analysis: &Analysis<'_>) -> Vec<String> {
    let campaign = analysis.campaign;
    let repeats = campaign.repeats() as usize;
    let load = &campaign.plan.scenario.load;
    let mut lines = Vec::new();
    if campaign.quick {
        lines.push("quick run: wide intervals".to_owned());
    }
    if !campaign.complete {
        lines.push("interrupted: not every planned cell was measured".to_owned());
    }
    let rate = match campaign.plan.points.iter().any(|point| point.rate_per_s.is_some()) {
        true => "the rate of the point".to_owned(),
        false => format!("{} requests/s", format::nominal_rate(load.rate_per_s)),
    };
    lines.push(format!(
        "response at {rate} (open loop, from the intended instant); capacity and server processor time in closed loop"
    ));
    lines.push(if repeats < REPEATS_FOR_INTERVAL {
        format!("{}: too few for intervals, so nothing is called a winner or a tie", format::plural(repeats, "repeat"))
    } else {
        let caveat = format::interval_caveat(repeats).map(|text| format!(" ({text})")).unwrap_or_default();
        format!("intervals: 95% of the median of {repeats} repeats{caveat}; tie: the interval of the ratio covers 1")
    });
    lines.extend(ranking::sentences(campaign));
    lines.extend(Agreement::of(campaign).map(|agreement| agreement.sentence()));
    lines.extend(warnings::of(campaign));
    lines.extend(decisions(campaign));
    lines
}

/// Why repeats ended, and what was left out, with the reason.
fn decisions(campaign: &Campaign) -> impl Iterator<Item = String> {
    let stopped = campaign.stopped.as_ref().map(|stopped| {
        format!("stopped after {}: {}", format::plural(stopped.repeats as usize, "repeat"), stopped.because)
    });
    let left_out = campaign
        .plan
        .scenario
        .excludes
        .iter()
        .map(|exclude| format!("left out: {}", format::exclude(exclude)));
    stopped.into_iter().chain(left_out)
}

/// The cells that do not count, a line for each reason: where many cells fail they fail for the same few.
pub(crate) fn problems_in_short(analysis: &Analysis<'_>) -> Vec<String> {
    let cells = &analysis.campaign.cells;
    let mut reasons: Vec<(String, usize, String)> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.status != CellStatus::Valid) {
        for reason in &cell.reasons {
            // Two reasons that differ in their figures are the same reason.
            let kind: String = reason.chars().filter(|character| !character.is_ascii_digit()).collect();
            match reasons.iter_mut().find(|(known, ..)| *known == kind) {
                Some((_, count, _)) => *count += 1,
                None => reasons.push((kind, 1, problem(cell, reason, cells))),
            }
        }
    }
    reasons.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    let lines = reasons.into_iter().map(|(_, count, first)| match count {
        1 => first,
        _ => format!("{first} (and {} more like this)", count - 1),
    });
    let invalid = cells.iter().filter(|cell| cell.status != CellStatus::Valid).count();
    let heading = (invalid > 0).then(|| format!("{invalid} of {} cells do not count:", cells.len()));
    heading.into_iter().chain(lines).collect()
}

/// The cells that do not count, a line each.
pub(crate) fn problems(analysis: &Analysis<'_>) -> Vec<String> {
    let cells = &analysis.campaign.cells;
    cells
        .iter()
        .filter(|cell| cell.status != CellStatus::Valid)
        .map(|cell| problem(cell, &cell.reasons.join("; "), cells))
        .collect()
}

fn problem(cell: &Cell, reason: &str, all: &[Cell]) -> String {
    let word = if cell.status == CellStatus::Failed { "failed" } else { "invalid" };
    let same = |other: &&Cell| {
        (&other.mechanism, &other.point, other.repeat) == (&cell.mechanism, &cell.point, cell.repeat)
    };
    let replaced = all.iter().filter(same).any(|other| other.status == CellStatus::Valid);
    let reason = if reason.is_empty() { "no reason given" } else { reason };
    format!(
        "{word}: {} at {} ({}), repeat {}, attempt {}: {}{}",
        cell.mechanism,
        place(&cell.point),
        [vec![cell.point.sweep.clone()], format::particulars(&cell.point)].concat().join(", "),
        cell.repeat + 1,
        cell.attempt + 1,
        // A reason with a line break in it would no longer be one line.
        reason.replace('\n', " "),
        if replaced { " (measured again, valid)" } else { "" },
    )
}

/// The machine and what repeats the run.
fn provenance(analysis: &Analysis<'_>) -> Vec<String> {
    let campaign = analysis.campaign;
    let environment = &campaign.environment;
    vec![format!(
        "{}: {}, Linux {}; seed {}, {}, muxbench {}",
        environment.host,
        environment.processor,
        environment.kernel,
        campaign.plan.seed,
        format::plural(campaign.repeats() as usize, "repeat"),
        campaign.muxbench_version,
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Shape, point};

    fn printed(campaign: &Campaign) -> String {
        render(&Analysis::of(campaign).expect("sound histograms"))
    }

    #[test]
    fn the_table_has_a_group_a_point_and_a_line_a_mechanism() {
        let text = render(testing::analysis());
        for expected in ["10k × 10", "1k × 1k", "epoll-lt", "µs ±", "≥ 1", "tie", "winner", "× ("] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
        assert!(
            text.contains("bench-01: AMD EPYC 7R13 Processor, Linux 6.8.0-45-generic; seed 42, 5 repeats")
        );
        let widest = text.lines().filter(|line| line.contains('│')).map(|line| line.chars().count()).max();
        assert!(widest.expect("lines") <= 120, "{widest:?}\n{text}");
    }

    #[test]
    fn cells_that_do_not_count_are_named_with_their_reasons() {
        let mut campaign = testing::realistic();
        testing::spoil(&mut campaign, 1, CellStatus::Invalid, "the generator was late\nby 1 ms");
        testing::spoil(&mut campaign, 2, CellStatus::Failed, "the server was killed");
        let mut again = campaign.cells[1].clone();
        (again.attempt, again.status) = (1, CellStatus::Valid);
        campaign.cells.push(again);
        let text = printed(&campaign);
        let late = "invalid: poll at 10 × 10 (idle-scaling), repeat 1, attempt 1: the generator was late by 1 ms (measured again, valid)\n";
        assert!(text.contains(late), "{text}");
        let killed =
            "failed: epoll-lt at 10 × 10 (idle-scaling), repeat 1, attempt 1: the server was killed\n";
        assert!(text.contains(killed), "{text}");
    }

    #[test]
    fn a_quick_run_says_so() {
        let mut campaign = testing::realistic_of(&["poll"]);
        campaign.quick = true;
        assert!(printed(&campaign).contains("quick run: wide intervals"));
    }

    #[test]
    fn one_repeat_claims_neither_winner_nor_tie() {
        let points = [point("idle-scaling", 100, 10)];
        let campaign = testing::campaign(&["a", "b"], &points, 1, |mechanism, _, _| Shape {
            p50_ns: if mechanism == "a" { 1e4 } else { 2e4 },
            ..Shape::default()
        });
        let text = printed(&campaign);
        assert!(text.contains("2.0× (1 repeat)"), "{text}");
        assert!(text.contains("1 repeat: too few for intervals"), "{text}");
        assert!(!text.contains("┆ winner") && !text.contains("┆ tie"), "{text}");
    }

    #[test]
    fn absent_percentiles_print_a_dash() {
        let campaign = testing::campaign(&["a"], &[point("idle-scaling", 1, 1)], 3, |_, _, _| Shape {
            samples: 300,
            ..Shape::default()
        });
        let text = printed(&campaign);
        assert!(
            text.lines()
                .any(|line| line.contains("35.0 µs") && line.contains("┆            – ┆")
                    || line.contains("– ")),
            "{text}"
        );
    }

    #[test]
    fn campaigns_without_anything_in_them_still_print() {
        let nothing = testing::campaign(&[], &[], 0, |_, _, _| Shape::default());
        assert!(printed(&nothing).contains("nothing was planned"));
        let mut unmeasured = testing::realistic();
        unmeasured.cells.clear();
        unmeasured.complete = false;
        assert!(printed(&unmeasured).contains("interrupted"));
    }
}
