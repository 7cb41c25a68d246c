//! The whole distribution of a campaign's response times, a panel for each point: what a median does not tell.

use model::campaign::Phase;
use model::histogram::{self, Histogram};

use super::panels::log_axis;
use super::provenance::of_measured;
use super::{finding, spectrum};
use crate::format;
use crate::plots::axis::Axis;
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::lines::Series;
use crate::rounds::metrics::{BUSY_RESPONSE, RESPONSE};
use crate::rounds::{Analysis, CandidateAnalysis, GroupAnalysis, Metric, PointAnalysis, Unit, distinct};

/// A campaign of more points than this has no such figure: there the points are lines.
const POINTS: usize = 8;
/// Panels side by side.
const ABREAST: usize = 2;

/// The distributions at the light and the busy rate.
pub fn distributions(analysis: &Analysis<'_>) -> Vec<Figure> {
    let phases = [(Phase::Light, "light", &RESPONSE), (Phase::Busy, "busy", &BUSY_RESPONSE)];
    phases.into_iter().filter_map(|(phase, name, metric)| of_phase(analysis, phase, name, metric)).collect()
}

fn of_phase(analysis: &Analysis<'_>, phase: Phase, name: &str, metric: &Metric) -> Option<Figure> {
    if analysis.points.len() > POINTS {
        return None;
    }
    let drawn = |point| Some((point, series(point, phase))).filter(|(_, series)| !series.is_empty());
    let all: Vec<(&PointAnalysis<'_>, Vec<Series>)> = analysis.points.iter().filter_map(drawn).collect();
    let every: Vec<Series> = all.iter().flat_map(|(_, series)| series.clone()).collect();
    let xs = every.iter().flat_map(|series| series.points.iter().map(|point| point.x));
    let axes = (Axis::of_percentiles(xs), log_axis(&every, Unit::Nanoseconds));
    let panels: Vec<Panel> =
        all.iter().map(|(point, series)| panel(point, phase, series.clone(), axes)).collect();
    let points: Vec<&PointAnalysis<'_>> = all.iter().map(|(point, _)| *point).collect();
    let figure = Figure {
        name: format!("distribution-{name}"),
        title: finding::of(analysis, &[metric], &points),
        subtitle: format!(
            "Response time at the {name} rate, by percentile, of all slices of all starts together"
        ),
        legend: distinct(every.iter().map(|series| series.mechanism.clone())),
        rows: rows(panels),
        caption: notes(&points, phase),
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

/// Rows of as many panels; where the last is not full, one below the other is as wide.
fn rows(panels: Vec<Panel>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for panel in panels {
        match rows.last_mut().filter(|row| row.panels.len() < ABREAST) {
            Some(row) => row.panels.push(panel),
            None => rows.push(Row { heading: None, panels: vec![panel] }),
        }
    }
    rows
}

fn panel(point: &PointAnalysis<'_>, phase: Phase, series: Vec<Series>, (x, y): (Axis, Axis)) -> Panel {
    let rate = point.groups.first().and_then(|group| match phase {
        Phase::Busy => group.busy_per_s,
        _ => group.light_per_s,
    });
    let rate = rate.map(|rate| format!(", {} requests/s", format::nominal_rate(rate))).unwrap_or_default();
    let mut panel = spectrum::panel(&(format::place_in_short(point.point) + &rate), series);
    // All points have the same axes, so that they can be compared.
    if let Body::Lines(lines) = &mut panel.body {
        (lines.x, lines.y) = (x, y);
    }
    panel
}

/// The line of each candidate at a point that sustains the rate and has samples enough.
fn series(point: &PointAnalysis<'_>, phase: Phase) -> Vec<Series> {
    let of_candidate = |(group, candidate): (&GroupAnalysis<'_>, &CandidateAnalysis<'_>)| {
        let at = group.candidates.iter().position(|one| std::ptr::eq(one, candidate))?;
        let is_sustained = candidate.saturation(Some(phase)).is_none();
        let line = spectrum::line(candidate.name, &merged(group, phase, at)).filter(|_| is_sustained)?;
        Some(Series { label: String::new(), ..line })
    };
    point.rows().into_iter().filter_map(of_candidate).collect()
}

fn merged(group: &GroupAnalysis<'_>, phase: Phase, candidate: usize) -> Histogram {
    let mut merged = histogram::empty();
    for (value_ns, count) in group.durations(phase, candidate) {
        merged.saturating_record_n(value_ns, count);
    }
    merged
}

fn notes(points: &[&PointAnalysis<'_>], phase: Phase) -> Vec<String> {
    let mut notes = vec![
        "Without the requests that met a gap of the generator's own clock. A percentile needs 100 samples beyond it. Lines have no \
         intervals: those of p90 and p99 are in the tables. The order of the legend is no ranking."
            .to_owned(),
    ];
    let left_out: Vec<String> = points
        .iter()
        .filter_map(|point| {
            let rows = point.rows().into_iter().map(|(_, candidate)| candidate);
            let saturated = rows.filter(|one| one.saturation(Some(phase)).is_some());
            let names: Vec<&str> = saturated.map(|one| one.name).collect();
            let place = format::place_in_short(point.point);
            (!names.is_empty()).then(|| format!("{} at {place}", format::and(&names)))
        })
        .collect();
    if !left_out.is_empty() {
        notes.push(format!("Saturated, and so not drawn: {}.", left_out.join("; ")));
    }
    notes
}
