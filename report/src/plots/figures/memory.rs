//! The costs of a connection: its memory, and to open and to close it.

use super::finding;
use super::provenance::of_measured;
use crate::format;
use crate::plots::axis::Axis;
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::lines::{Mark, Series, SeriesPoint};
use crate::plots::rows::Rows;
use crate::rounds::{
    Analysis, CandidateAnalysis, METRICS, Metric, PointAnalysis, Shown, Unit, answer, table,
};

/// User space and kernel in one bar, where the most connections are held.
pub fn memory(analysis: &Analysis<'_>) -> Option<Figure> {
    let metric = METRICS.iter().find(|metric| metric.phase.is_none() && metric.unit == Unit::Bytes)?;
    let at = largest(analysis, metric)?;
    let bar = |candidate: &CandidateAnalysis<'_>| {
        let memory = candidate.memory?;
        let value = table::value(metric, &candidate.shown(metric), true);
        let compared = candidate.comparison(metric).map(|compared| answer::relation(metric, compared));
        let [user, kernel] = [memory.user, memory.kernel].map(|bytes| format::quantity(Unit::Bytes, bytes));
        let compared_text = compared.map(|text| format!(", {text}")).unwrap_or_default();
        let hover = format!(
            "{}, {}: {value}{compared_text}; user space {user}, kernel {kernel}",
            candidate.name,
            format::place(at.point)
        );
        let part = |y| SeriesPoint { x: 1.0, y, interval: None, mark: Mark::Solid, hover: hover.clone() };
        let points = [memory.user, memory.kernel].map(part).into();
        Some(Series { mechanism: candidate.name.to_owned(), label: value, points })
    };
    let series: Vec<Series> = at.rows().into_iter().filter_map(|(_, candidate)| bar(candidate)).collect();
    let totals = series.iter().map(|bar| bar.points.iter().map(|part| part.y.max(0.0)).sum());
    let body = Body::Rows(Rows {
        title: "bytes per connection".to_owned(),
        axis: Axis { low: 0.0, ..Axis::from_zero(totals, metric.unit) },
        series,
        parts: Some(["server, user space", "kernel, both ends"]),
    });
    let figure = Figure {
        name: "memory".to_owned(),
        title: finding::of(analysis, &[metric], &[at]),
        subtitle: format!("Memory per connection at {}; less is better", format::place(at.point)),
        rows: vec![Row::of("", body)],
        caption: vec![
            "Growth while the connections were opened: resident memory of the server, and slabs of the kernel. In parentheses: 95% interval of the sum."
                .to_owned(),
        ],
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

/// The costs of opening and of closing a connection, where the most are held.
pub fn setup(analysis: &Analysis<'_>) -> Option<Figure> {
    let of_starts = METRICS.iter().filter(|metric| metric.phase.is_none() && metric.unit != Unit::Bytes);
    let metrics: Vec<&Metric> = of_starts.filter(|metric| largest(analysis, metric).is_some()).collect();
    let at = largest(analysis, metrics.first()?)?;
    let panel = |metric: &&Metric| {
        let series: Vec<Series> =
            at.rows().into_iter().filter_map(|(_, candidate)| dot(at, candidate, metric)).collect();
        let axis = super::panels::log_axis(&series, metric.unit);
        let title = format!("{} (logarithmic)", metric.name);
        Panel { heading: metric.name.to_owned(), body: Body::Rows(Rows { title, axis, series, parts: None }) }
    };
    let row = |pair: &[&Metric]| Row { heading: None, panels: pair.iter().map(panel).collect() };
    let figure = Figure {
        name: "setup".to_owned(),
        title: finding::of(analysis, &metrics, &[at]),
        subtitle: format!("Opening and closing connections at {}; less is better", format::place(at.point)),
        rows: metrics.chunks(2).map(row).collect(),
        caption: vec!["Dot: level over the starts. Line: its 95% interval.".to_owned()],
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

fn dot(at: &PointAnalysis<'_>, candidate: &CandidateAnalysis<'_>, metric: &Metric) -> Option<Series> {
    let figure = candidate.figure(metric).filter(|figure| figure.value > 0.0)?;
    let value = table::value(metric, &Shown::Figure(figure), true);
    let point = SeriesPoint {
        x: 1.0,
        y: figure.value,
        interval: figure.interval.map(|ends| (ends.low, ends.high)).filter(|(low, _)| *low > 0.0),
        mark: Mark::Solid,
        hover: format!("{}, {}: {} {value}", candidate.name, format::place(at.point), metric.name),
    };
    let label = format::quantity(metric.unit, figure.value);
    Some(Series { mechanism: candidate.name.to_owned(), label, points: vec![point] })
}

/// The point with the most connections at which a metric is known.
fn largest<'a, 'b>(analysis: &'b Analysis<'a>, metric: &Metric) -> Option<&'b PointAnalysis<'a>> {
    let has =
        |at: &&PointAnalysis<'_>| at.rows().iter().any(|(_, candidate)| candidate.figure(metric).is_some());
    // The first of several.
    analysis.points.iter().filter(has).rev().max_by_key(|at| at.point.connections)
}
