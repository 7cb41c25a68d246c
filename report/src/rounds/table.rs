//! The figures of a campaign as tables, of which each is a [`Grid`].

use stats::Relation;

use super::analysis::{
    Analysis, CandidateAnalysis, Comparison, GroupAnalysis, MAIN, MARGIN, PointAnalysis, Shown,
};
use super::distinct;
use super::headline::leaders;
use super::metrics::{METRICS, Metric, UTILISATION};
use super::saturation::{Overload, Saturated};
use crate::format;
use crate::grid::{Cell, Column, Grid, Tone};

/// Points beside each other in a [short](short) table.
const ABREAST: usize = 2;
/// Names in a cell before the rest is counted.
const NAMES: usize = 3;

/// Every figure of every candidate at every point, with all intervals.
pub fn full(analysis: &Analysis<'_>) -> Grid {
    of(analysis, &METRICS.iter().collect::<Vec<_>>())
}

/// Those of `metrics` that were measured, of every candidate at every point, with all intervals.
pub fn of(analysis: &Analysis<'_>, metrics: &[&Metric]) -> Grid {
    let mut columns = vec![Column::words("point"), Column::words("candidate")];
    let metrics: Vec<&Metric> =
        metrics.iter().copied().filter(|metric| is_measured(analysis, metric)).collect();
    for metric in &metrics {
        columns.push(Column::numbers(format!("{} (low–high)", metric.name)));
        if metric.has_ratio() {
            columns.push(Column::numbers("ratio (low–high)"));
        }
    }
    let row = |point: &PointAnalysis<'_>, group: &GroupAnalysis<'_>, candidate: &CandidateAnalysis<'_>| {
        let mut cells: Vec<Cell> = vec![heading(point, group).into(), candidate.name.into()];
        for metric in &metrics {
            cells.push(match candidate.shown(metric) {
                Shown::Saturated(saturated) => Cell::from(saturation(saturated)).with(Tone::Muted),
                shown => Cell::from(value(metric, &shown, true)).sorted_by(figure_of(&shown)),
            });
            if metric.has_ratio() {
                cells.push(ratio(candidate.comparison(metric)));
            }
        }
        cells
    };
    let rows = analysis.points.iter().flat_map(|point| {
        let rows = point.rows().into_iter().map(|(group, candidate)| row(point, group, candidate));
        rows.collect::<Vec<_>>()
    });
    Grid { rows: rows.collect(), columns }
}

/// A row for each candidate of each point, with values and ratios.
pub fn long(analysis: &Analysis<'_>) -> Grid {
    let mut columns = vec![Column::words("point"), Column::words("candidate")];
    for metric in MAIN {
        columns.extend([Column::numbers(title(metric)), Column::words("\nratio (low–high)")]);
    }
    columns.push(Column::numbers("\nuse"));
    let mut rows = Vec::new();
    for point in &analysis.points {
        for (at, (group, candidate)) in point.rows().into_iter().enumerate() {
            let place = if at == 0 { heading(point, group) } else { String::new() };
            let mut cells: Vec<Cell> = vec![place.into(), candidate.name.into()];
            for metric in MAIN {
                cells.extend(match candidate.shown(metric) {
                    Shown::Saturated(Saturated { answered_per_s, rate_per_s, .. }) => {
                        let of = format!("{} requests/s", answered_of(*answered_per_s, *rate_per_s));
                        ["saturated:".into(), of.into()]
                    }
                    shown => [value(metric, &shown, false).into(), ratio(candidate.comparison(metric))],
                });
            }
            cells.push(value(&UTILISATION, &candidate.shown(&UTILISATION), false).into());
            rows.push(cells);
        }
    }
    Grid { columns, rows }
}

/// A row for each candidate of two points: of the reference values, of the others the intervals of their ratios.
pub fn short(analysis: &Analysis<'_>) -> Grid {
    let mut columns = vec![Column::words("candidate")];
    for _ in 0..ABREAST {
        columns.extend(["response", "throughput", "CPU/request"].map(Column::words));
        columns.push(Column::numbers("use"));
    }
    let mut rows = Vec::new();
    for points in analysis.points.chunks(ABREAST) {
        let headings = points.iter().flat_map(|point| {
            let rate = point.groups.first().and_then(|group| group.light_per_s);
            let rate = rate.map(|rate| format!("at {}/s", format::nominal_rate(rate))).unwrap_or_default();
            let place = Cell::from(format::place_in_short(point.point)).with(Tone::Strong);
            [place, Cell::from(rate).with(Tone::Strong), Cell::default(), Cell::default()]
        });
        rows.push([Cell::default()].into_iter().chain(headings).collect());
        let names = distinct(points.iter().flat_map(PointAnalysis::rows).map(|(_, one)| one.name));
        for name in names {
            let cells = points.iter().flat_map(|point| short_cells(point.candidate(name)));
            rows.push([Cell::from(name)].into_iter().chain(cells).collect());
        }
    }
    Grid { columns, rows }
}

fn short_cells(candidate: Option<&CandidateAnalysis<'_>>) -> [Cell; 4] {
    let Some(candidate) = candidate else { return [(); 4].map(|()| format::ABSENT.into()) };
    let [response, throughput, cpu] =
        MAIN.map(|metric| match (candidate.shown(metric), candidate.comparison(metric)) {
            (Shown::Saturated(Saturated { answered_per_s, rate_per_s, .. }), _) => {
                format!("sat. {}/{}", format::rate(*answered_per_s), format::nominal_rate(*rate_per_s)).into()
            }
            (_, Some(comparison)) => {
                let [_, low, high] = comparison.texts();
                let full = if comparison.generator_full { " full" } else { "" };
                marked(comparison, format!("{low}–{high}{full}"))
            }
            (shown, None) => value(metric, &shown, false).into(),
        });
    [response, throughput, cpu, value(&UTILISATION, &candidate.shown(&UTILISATION), false).into()]
}

/// A row for each point with those that lead, in at most `lines` lines.
pub fn shortest(analysis: &Analysis<'_>, lines: usize) -> Grid {
    let title = |metric: &Metric| Column::words(format!("{}:\nunbeaten", metric.name));
    let columns = [Column::words("\npoint")].into_iter().chain(MAIN.map(title));
    let columns = columns.chain([Column::words("saturated,\nlight rate")]).collect();
    let row = |point: &PointAnalysis<'_>| {
        let place = point.groups.first().map_or_else(String::new, |group| heading(point, group));
        let leading = MAIN.map(|metric| Cell::from(leading(metric, point)));
        let is_saturated = |(_, candidate): &(_, &CandidateAnalysis<'_>)| candidate.light.is_some();
        let saturated: Vec<&str> =
            point.rows().into_iter().filter(is_saturated).map(|(_, one)| one.name).collect();
        [Cell::from(place)].into_iter().chain(leading).chain([named(&saturated).into()]).collect()
    };
    let mut rows: Vec<Vec<Cell>> = analysis.points.iter().map(row).collect();
    let most = lines.saturating_sub(2).max(2);
    if rows.len() > most {
        let left = rows.len() - (most - 1);
        rows.truncate(most - 1);
        rows.push(vec![format!("… and {left} more points").into()]);
    }
    Grid { columns, rows }
}

/// Those that lead at a point, and how the first of them compares with the reference.
fn leading(metric: &Metric, point: &PointAnalysis<'_>) -> String {
    let names = leaders(metric, point);
    let best = names.first().and_then(|name| point.candidate(name));
    let compared = best.and_then(|one| one.comparison(metric)).filter(|one| one.is_difference());
    let ratio = compared.map(|one| {
        let [_, low, high] = one.texts();
        format!(" {low}–{high}")
    });
    named(&names) + &ratio.unwrap_or_default()
}

pub(super) fn named(names: &[&str]) -> String {
    match names {
        [] => format::ABSENT.to_owned(),
        some if some.len() <= NAMES => some.join(", "),
        many => format!("{} + {} more", many[..NAMES - 1].join(", "), many.len() + 1 - NAMES),
    }
}

/// The meaning of the marks in a table.
pub fn legend(analysis: &Analysis<'_>) -> String {
    let rows = || analysis.points.iter().flat_map(PointAnalysis::rows).map(|(_, candidate)| candidate);
    let is_saturated = rows().any(|one| one.light.is_some());
    let is_full = rows()
        .flat_map(|one| MAIN.map(|metric| one.comparison(metric)))
        .flatten()
        .any(|one| one.generator_full);
    let reference = &analysis.campaign.plan.reference;
    let margin = format::percent(MARGIN);
    let mut parts = vec![
        "Connections × active".to_owned(),
        format!("ratios to {reference}: = equal within {margin}, ~ not distinguishable"),
    ];
    parts.extend(is_full.then(|| "full: generator too".to_owned()));
    parts.extend(is_saturated.then(|| "sat.: answered/offered".to_owned()));
    // Where room is short the end is cut, so what explains itself comes last.
    parts.push("use: CPU share".to_owned());
    parts.join("; ") + "."
}

fn is_measured(analysis: &Analysis<'_>, metric: &Metric) -> bool {
    let mut rows = analysis.points.iter().flat_map(PointAnalysis::rows);
    rows.any(|(_, candidate)| candidate.shown(metric) != Shown::Absent)
}

/// The title of a column, in two lines.
fn title(metric: &Metric) -> String {
    match metric.name.split_once(" per ").or_else(|| metric.name.split_once(' ')) {
        Some((first, second)) if metric.name.contains(" per ") => format!("{first}\nper {second}"),
        Some((first, second)) => format!("{first}\n{second}"),
        None => format!("\n{}", metric.name),
    }
}

/// A point and its light rate: `10k × 10 at 1k/s`.
pub fn heading(point: &PointAnalysis<'_>, group: &GroupAnalysis<'_>) -> String {
    let rate = group.light_per_s.map(|rate| format!(" at {}/s", format::nominal_rate(rate)));
    format::place_in_short(point.point) + &rate.unwrap_or_default()
}

/// A figure, with its interval if asked: `35.1 µs (34.9–35.4)`.
pub fn value(metric: &Metric, shown: &Shown<'_>, with_interval: bool) -> String {
    let Shown::Figure(figure) = shown else { return format::ABSENT.to_owned() };
    let bound = if figure.is_lower_bound { "≥ " } else { "" };
    let text = match figure.interval.filter(|_| with_interval) {
        Some(interval) => format::quantity_and_ends(metric.unit, figure.value, interval.low, interval.high),
        None => format::quantity(metric.unit, figure.value),
    };
    format!("{bound}{text}")
}

fn figure_of(shown: &Shown<'_>) -> Option<f64> {
    let Shown::Figure(figure) = shown else { return None };
    Some(figure.value)
}

/// A ratio with its interval and the mark of what that says.
pub fn ratio(comparison: Option<&Comparison>) -> Cell {
    let Some(comparison) = comparison else { return format::ABSENT.into() };
    let [ratio, low, high] = comparison.ends();
    let full = if comparison.generator_full { ", generator full" } else { "" };
    marked(comparison, format::ratio_with_ends(ratio, low, high) + full).sorted_by(Some(ratio))
}

/// A ratio with the mark of its relation.
fn marked(comparison: &Comparison, text: String) -> Cell {
    match comparison.relation {
        Relation::Below | Relation::Above => text.into(),
        Relation::Equal => Cell::from(format!("={text}")).with(Tone::Muted),
        Relation::NotDistinguishable => Cell::from(format!("~{text}")).with(Tone::Muted),
    }
}

/// Saturation in words: `saturated: 812 of 1k requests/s`, with its sign where the rate is not missed.
pub fn saturation(saturated: &Saturated) -> String {
    let Saturated { answered_per_s, rate_per_s, why } = saturated;
    let text = format!("saturated: {} requests/s", answered_of(*answered_per_s, *rate_per_s));
    match why {
        Overload::MissesRate => text,
        Overload::ResponseGrows(factor) => {
            format!("{text}, response grows {}× in a slice", format::three_digits(*factor))
        }
        Overload::NearThroughput(share) => format!("{text}, {} of its throughput", format::percent(*share)),
    }
}

fn answered_of(answered_per_s: f64, rate_per_s: f64) -> String {
    format!("{} of {}", format::rate(answered_per_s), format::nominal_rate(rate_per_s))
}
