//! Ratios to the reference at each point, and of the reference's twin.

use super::finding;
use super::provenance::of_measured;
use crate::format;
use crate::plots::chart::{Body, Figure, Row};
use crate::plots::ratios::{Column, Dot, Ratios};
use crate::rounds::analysis::{MAIN, MARGIN};
use crate::rounds::{
    Analysis, Better, CandidateAnalysis, Comparison, GroupAnalysis, Metric, PointAnalysis, Shown, answer,
    table,
};

/// Points in a figure.
const POINTS: usize = 8;
/// Points in a figure that has a row for each.
const ROWS: usize = 40;

const READING: &str = "Dot: ratio. Line: its 95% interval, which holds for all candidates of a point at once. Coloured: the interval excludes 1. \
     Grey: it does not; filled grey: it lies within ±2%, the grey band. Filled arrow: beyond the axis, with its number. Open arrow: saturated, no \
     value. Hollow and coloured: a bound, since the generator was full, or a cost at a rate that is missed.";

/// Candidates that are drawn at a point, each with its group and what it is named.
type Drawn<'a, 'b> = Vec<(&'b GroupAnalysis<'a>, &'b CandidateAnalysis<'a>, String)>;

/// All candidates against the reference, a panel for each point; several figures where there are many.
pub fn ratios(analysis: &Analysis<'_>) -> Vec<Figure> {
    let points: Vec<&PointAnalysis<'_>> =
        analysis.points.iter().filter(|point| point.groups.iter().any(has_ratios)).collect();
    let figures = points.chunks(POINTS).enumerate();
    figures.filter_map(|(at, points)| of_points(analysis, numbered("ratios", at), points)).collect()
}

/// The name of a figure, of which there may be several.
fn numbered(name: &str, at: usize) -> String {
    if at == 0 { name.to_owned() } else { format!("{name}-{}", at + 1) }
}

fn has_ratios(group: &GroupAnalysis<'_>) -> bool {
    let mut candidates = group.candidates.iter();
    candidates.any(|candidate| MAIN.iter().any(|metric| candidate.comparison(metric).is_some()))
}

fn of_points(analysis: &Analysis<'_>, name: String, points: &[&PointAnalysis<'_>]) -> Option<Figure> {
    let measured = |metric: &&'static Metric| {
        let mut groups = points.iter().flat_map(|point| &point.groups);
        groups.any(|group| group.candidates.iter().any(|one| one.comparison(metric).is_some()))
    };
    let metrics: Vec<(&Metric, bool)> =
        MAIN.into_iter().filter(measured).map(|metric| (metric, is_wide(metric, points))).collect();
    let row = |point: &&PointAnalysis<'_>| {
        let drawn = drawn(point);
        let columns = metrics.iter().map(|(metric, is_wide)| column(point, &drawn, metric, *is_wide));
        let rows =
            drawn.iter().map(|(_, candidate, name)| (name.clone(), candidate.name.to_owned())).collect();
        row_of(place(point), Ratios { rows, columns: columns.collect(), margin: MARGIN })
    };
    let what: Vec<&Metric> = metrics.iter().map(|(metric, _)| *metric).collect();
    let figure = Figure {
        name,
        title: finding::of(analysis, &what, points),
        subtitle: format!(
            "Ratios to {}, formed within rounds; “again” is a second server of the same kind, in which nothing differs",
            analysis.campaign.plan.reference
        ),
        rows: points.iter().map(row).collect(),
        caption: vec![READING.to_owned()],
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

fn row_of(heading: String, ratios: Ratios) -> Row {
    Row { heading: Some(heading), ..Row::of("", Body::Ratios(ratios)) }
}

/// `10,000 connections, 10 active, 1k requests/s`.
fn place(point: &PointAnalysis<'_>) -> String {
    let rate =
        point.groups.first().and_then(|group| group.light_per_s).filter(|_| point.point.rate_per_s.is_none());
    let rate = rate.map(|rate| format!(", at {} requests/s", format::nominal_rate(rate)));
    format::place(point.point) + &rate.unwrap_or_default()
}

/// All but the references; candidates of one name in several groups are numbered.
fn drawn<'a, 'b>(point: &'b PointAnalysis<'a>) -> Drawn<'a, 'b> {
    let all = point.groups.iter().enumerate().flat_map(|(number, group)| {
        let others = group.candidates.iter().enumerate().filter(|(at, _)| *at != group.reference);
        others.map(move |(_, candidate)| (number, group, candidate))
    });
    let all: Vec<_> = all.collect();
    let named = |(number, group, candidate): &(usize, &'b GroupAnalysis<'a>, &'b CandidateAnalysis<'a>)| {
        let is_alone = all.iter().filter(|(.., other)| other.name == candidate.name).count() == 1;
        let number = if is_alone { String::new() } else { format!(" ({})", number + 1) };
        (*group, *candidate, candidate.name.to_owned() + &number)
    };
    all.iter().map(named).collect()
}

fn is_wide(metric: &Metric, points: &[&PointAnalysis<'_>]) -> bool {
    let candidates = points.iter().flat_map(|point| &point.groups).flat_map(|group| &group.candidates);
    let compared = candidates.filter_map(|one| one.comparison(metric));
    Column::needs_width(&compared.flat_map(Comparison::ends).collect::<Vec<_>>())
}

/// `response p50 (← better)`.
fn heading(metric: &Metric) -> String {
    match metric.better {
        Better::Lower => format!("{} (← better)", metric.name),
        Better::Higher => format!("{} (better →)", metric.name),
    }
}

fn column(point: &PointAnalysis<'_>, drawn: &Drawn<'_, '_>, metric: &Metric, is_wide: bool) -> Column {
    let mut column = Column { heading: heading(metric), is_wide, ratios: Vec::new() };
    for (_, candidate, name) in drawn {
        let hover = format!("{name}, {}: {}", format::place(point.point), metric.name);
        column.ratios.push(dot(&column, metric, candidate, &hover));
    }
    column
}

fn dot(column: &Column, metric: &Metric, candidate: &CandidateAnalysis<'_>, hover: &str) -> Option<Dot> {
    match candidate.shown(metric) {
        Shown::Saturated(saturated) => Some(Dot {
            compared: None,
            is_bound: false,
            note: "saturated".to_owned(),
            hover: format!("{hover} {}", table::saturation(saturated)),
        }),
        Shown::Figure(figure) => {
            let is_missed = candidate.saturation(metric.phase).is_some();
            let mut dot = value(column, metric, figure.comparison.as_ref()?, is_missed);
            let value = format::quantity(metric.unit, figure.value);
            let missed = if is_missed { ", saturated" } else { "" };
            dot.hover = format!("{hover} {value}, {}{missed}", dot.hover);
            Some(dot)
        }
        Shown::Absent => None,
    }
}

/// A ratio; its text on hovering is what it says.
fn value(column: &Column, metric: &Metric, compared: &Comparison, is_missed: bool) -> Dot {
    let is_full = compared.generator_full;
    let [number, ..] = compared.texts();
    let far = (!column.holds(compared.ratio)).then(|| format!("{number}×"));
    let words = [far, is_full.then(|| "full".to_owned()), is_missed.then(|| "sat.".to_owned())];
    Dot {
        compared: Some(*compared),
        is_bound: is_full || is_missed,
        note: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
        hover: answer::relation(metric, compared),
    }
}

/// The reference against its twin, where nothing else is measured: ratios, and whether the halves of slices agree. Otherwise none.
pub fn twin(analysis: &Analysis<'_>) -> Vec<Figure> {
    let is_pair = |group: &GroupAnalysis<'_>| group.candidates.len() == 2 && group.twin.is_some();
    let points: Vec<&PointAnalysis<'_>> =
        analysis.points.iter().filter(|point| !point.groups.is_empty()).collect();
    if points.is_empty() || !points.iter().all(|point| point.groups.iter().all(is_pair)) {
        return Vec::new();
    }
    let figures = points.chunks(ROWS).enumerate();
    figures.filter_map(|(at, points)| of_pairs(analysis, numbered("twin", at), points)).collect()
}

/// The ratio of a twin by a metric, and how it is named on hovering.
type OfTwin<'a> = &'a dyn Fn(&PointAnalysis<'_>, &Metric) -> Option<Comparison>;

fn of_pairs(analysis: &Analysis<'_>, name: String, points: &[&PointAnalysis<'_>]) -> Option<Figure> {
    let reference = &analysis.campaign.plan.reference;
    let twin = model::schema::twin_of(reference);
    let of_twin = |point: &PointAnalysis<'_>, metric: &Metric| {
        let group = point.groups.first()?;
        group.candidates[group.twin?].comparison(metric).copied()
    };
    let of_halves = |point: &PointAnalysis<'_>, metric: &Metric| {
        let halves = point.groups.first()?.halves.iter().find(|halves| halves.metric.key == metric.key)?;
        halves.ratios.first().map(|(_, compared)| *compared)
    };
    let rows: Vec<(String, String)> =
        points.iter().map(|point| (format::place_in_short(point.point), twin.clone())).collect();
    let row = |heading: &str, of: OfTwin<'_>| {
        let columns: Vec<Column> = MAIN
            .iter()
            .filter(|metric| points.iter().any(|point| of(point, metric).is_some()))
            .map(|metric| column_of_points(points, metric, of))
            .collect();
        let ratios = Ratios { rows: rows.clone(), columns, margin: MARGIN };
        (!ratios.columns.is_empty()).then(|| row_of(heading.to_owned(), ratios))
    };
    let shown = MAIN.iter().flat_map(|metric| points.iter().filter_map(|point| of_twin(point, metric)));
    let shown: Vec<Comparison> = shown.collect();
    let differing = shown.iter().filter(|compared| compared.is_difference()).count();
    let rows = [
        row(&format!("A second {reference} over the first"), &of_twin),
        row("The same, second half of slices over the first half", &of_halves),
    ];
    let figure = Figure {
        name,
        title: format!(
            "{reference} differs from itself in {differing} of {} ratios, where nothing differs",
            shown.len()
        ),
        subtitle: "Ratios of two servers of the same kind at each point, formed within rounds".to_owned(),
        rows: rows.into_iter().flatten().collect(),
        caption: vec![READING.to_owned()],
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

fn column_of_points(points: &[&PointAnalysis<'_>], metric: &Metric, of: OfTwin<'_>) -> Column {
    let mut column = Column { heading: metric.name.to_owned(), is_wide: false, ratios: Vec::new() };
    for point in points {
        let dot = of(point, metric).map(|compared| {
            let dot = value(&column, metric, &compared, false);
            Dot { hover: format!("{}: {} {}", format::place(point.point), metric.name, dot.hover), ..dot }
        });
        column.ratios.push(dot);
    }
    column
}
