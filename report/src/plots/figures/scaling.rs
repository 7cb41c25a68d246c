//! Figures along what a campaign's sweeps vary.

use super::course::{Dimension, Facet, at_most, points_of};
use super::finding;
use super::panels::{self, fd_setsize, is_drawable};
use super::provenance::{file_name, of_measured};
use crate::format;
use crate::plots::axis::Axis;
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::lines::{Lines, Mark, Series, SeriesPoint};
use crate::rounds::analysis::MAIN;
use crate::rounds::metrics::{CPU, RESPONSE, UTILISATION};
use crate::rounds::{Analysis, Better, CandidateAnalysis, Metric, PointAnalysis, Shown, distinct, table};
use model::schema::Sweep;

/// The metrics that are drawn along offered rates: closed-loop throughput is the same at all of them.
const ALONG_RATES: [&Metric; 3] = [&RESPONSE, &CPU, &UTILISATION];

/// A figure for each sweep that varies anything.
pub fn scaling(analysis: &Analysis<'_>) -> Vec<Figure> {
    let sweeps = &analysis.campaign.plan.scenario.sweeps;
    sweeps.iter().filter_map(|sweep| of_sweep(analysis, sweep)).collect()
}

fn of_sweep(analysis: &Analysis<'_>, sweep: &Sweep) -> Option<Figure> {
    let dimension = Dimension::of(analysis, sweep);
    let all = dimension.facets(analysis, sweep);
    let varying = |facet: &Facet<'_>| facet.points.iter().any(|(x, _)| *x != facet.points[0].0);
    let all: Vec<Facet<'_>> = all.into_iter().filter(varying).collect();
    let facets = at_most(all.clone());
    let metrics = if dimension == Dimension::Rate { ALONG_RATES } else { MAIN };
    let rows = rows(dimension, &facets, &metrics);
    let points = points_of(&facets);
    let fixed = match &facets[..] {
        [facet] => format!(", {}", facet.fixed),
        _ => String::new(),
    };
    let figure = Figure {
        name: format!("scaling-{}", file_name(&sweep.name)),
        title: finding::of(analysis, &metrics, &points),
        subtitle: format!("{}: over {}{fixed}", sweep.name, dimension.words()),
        legend: drawn(&points),
        caption: rates(dimension, &points).into_iter().chain(notes(&rows, &all, &facets)).collect(),
        rows,
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

/// The light rates, where they differ along a line that is not one of rates: response and CPU time then compare within a point.
fn rates(dimension: Dimension, points: &[&PointAnalysis<'_>]) -> Option<String> {
    let rate = |point: &&PointAnalysis<'_>| point.groups.first()?.light_per_s;
    let mut rates: Vec<f64> = points.iter().filter_map(rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let places = |wanted: f64| {
        let met = points.iter().filter(|point| rate(point) == Some(wanted));
        let names: Vec<String> = met.map(|point| format::place_in_short(point.point)).collect();
        format::and(&names)
    };
    let at = |rate: &f64| format!("{} requests/s at {}", format::nominal_rate(*rate), places(*rate));
    (dimension != Dimension::Rate && rates.len() > 1).then(|| {
        let all: Vec<String> = rates.iter().map(at).collect();
        format!("The light rate differs, {}: compare response and CPU time within a point.", all.join("; "))
    })
}

/// The candidates at `points`, in the order of the plan.
pub fn drawn(points: &[&PointAnalysis<'_>]) -> Vec<String> {
    distinct(points.iter().flat_map(|point| point.rows()).map(|(_, candidate)| candidate.name.to_owned()))
}

/// The notes on how to read `rows` of `facets`, which are those of `all` that are drawn.
pub fn notes(rows: &[Row], all: &[Facet<'_>], facets: &[Facet<'_>]) -> Vec<String> {
    let lines = || {
        rows.iter().flat_map(|row| &row.panels).filter_map(|panel| match &panel.body {
            Body::Lines(lines) => Some(lines),
            _ => None,
        })
    };
    let has = |mark: Mark| {
        lines()
            .flat_map(|lines| &lines.series)
            .flat_map(|series| &series.points)
            .any(|point| point.mark == mark)
    };
    let mut notes = vec!["Upright line: 95% interval. The order of the legend is no ranking.".to_owned()];
    if has(Mark::Saturated) {
        notes.push("Open arrow: saturated at that rate, so that there is no value.".to_owned());
    }
    if has(Mark::Hollow) {
        notes.push(
            "Hollow: a lower bound, since the generator was full too, or a cost at a rate that is missed."
                .to_owned(),
        );
    }
    notes.extend(lines().any(|lines| !lines.rules.is_empty()).then(panels::rule_note));
    let is_drawn = |facet: &&Facet<'_>| facets.iter().any(|drawn| drawn.fixed == facet.fixed);
    let missing: Vec<&str> =
        all.iter().filter(|facet| !is_drawn(facet)).map(|facet| facet.fixed.as_str()).collect();
    if !missing.is_empty() {
        notes.push(format!("Not drawn, but in the tables: {}.", format::and(&missing)));
    }
    notes
}

/// A row of panels for each facet, a panel for each metric; panels of one metric have one scale. A metric of which nothing is known is
/// left out.
pub fn rows(dimension: Dimension, facets: &[Facet<'_>], metrics: &[&Metric]) -> Vec<Row> {
    let all: Vec<Vec<Vec<Series>>> =
        metrics.iter().map(|metric| facets.iter().map(|facet| series_of(facet, metric)).collect()).collect();
    let is_several = facets.len() > 1;
    let row = |(at, facet): (usize, &Facet<'_>)| {
        let drawn = metrics.iter().zip(&all).filter(|(_, facets)| !facets[at].is_empty());
        let panels = drawn.map(|(metric, facets)| {
            let y = Axis::holding(panels::extent(facets.iter().flatten()), metric.unit);
            panel(dimension, metric, facets[at].clone(), y)
        });
        Row { heading: is_several.then(|| facet.fixed.clone()), panels: panels.collect() }
    };
    facets.iter().enumerate().map(row).filter(|row| !row.panels.is_empty()).collect()
}

fn panel(dimension: Dimension, metric: &Metric, series: Vec<Series>, y: Axis) -> Panel {
    let better = match metric.better {
        Better::Lower => "less is better",
        Better::Higher => "more is better",
    };
    let measured = panels::measured(&series);
    let lines = Lines {
        x_title: dimension.title().to_owned(),
        x: dimension.axis(measured.iter().copied()),
        y,
        rules: if dimension == Dimension::Connections { fd_setsize(&series) } else { Vec::new() },
        measured,
        series,
    };
    Panel { heading: format!("{} ({better})", metric.name), body: Body::Lines(lines) }
}

/// The line of each candidate; those of which nothing is known are left out.
fn series_of(facet: &Facet<'_>, metric: &Metric) -> Vec<Series> {
    let series = |name: String| {
        let point = |(x, at): &(f64, &PointAnalysis<'_>)| point(*x, at, at.candidate(&name)?, metric);
        let points: Vec<SeriesPoint> = facet.points.iter().filter_map(point).collect();
        (!points.is_empty()).then(|| Series { mechanism: name, label: String::new(), points })
    };
    drawn(&points_of(std::slice::from_ref(facet))).into_iter().filter_map(series).collect()
}

fn point(
    x: f64,
    at: &PointAnalysis<'_>,
    candidate: &CandidateAnalysis<'_>,
    metric: &Metric,
) -> Option<SeriesPoint> {
    let place = format!("{}, {}: {}", candidate.name, format::place(at.point), metric.name);
    match candidate.shown(metric) {
        Shown::Saturated(saturated) => {
            let hover = format!("{place} {}", table::saturation(saturated));
            Some(SeriesPoint { x, y: f64::NAN, interval: None, mark: Mark::Saturated, hover })
        }
        Shown::Figure(figure) => {
            let is_missed = candidate.saturation(metric.phase).is_some();
            let interval = figure.interval.map(|ends| (ends.low, ends.high));
            Some(SeriesPoint {
                x,
                y: figure.value,
                interval: interval.filter(|(low, high)| is_drawable(*low) && is_drawable(*high)),
                mark: if figure.is_lower_bound || is_missed { Mark::Hollow } else { Mark::Solid },
                hover: format!("{place} {}", table::value(metric, &candidate.shown(metric), true)),
            })
            .filter(|point| is_drawable(point.y))
        }
        Shown::Absent => None,
    }
}
