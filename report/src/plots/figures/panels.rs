//! From facets and measures to panels.

use super::course::{Dimension, Facet};
use super::measure::{Measure, number};
use crate::analysis::{Analysis, PointAnalysis, Row};
use crate::cells;
use crate::format;
use crate::line;
use crate::plots::axis::{Axis, Unit};
use crate::plots::chart::{self, Body, Panel};
use crate::plots::dots::Dots;
use crate::plots::lines::{Lines, Mark, Series, SeriesPoint};
use crate::statistics::median;
use model::schema::{Cell, CellStatus};

/// The first connection beyond what glibc's `fd_set` holds.
pub const FD_SETSIZE: f64 = 1024.0;

/// A row of panels for each facet, one panel a measure; panels of what is compared by eye have one scale. A measure that
/// nothing is known of is left out.
pub fn rows(
    analysis: &Analysis<'_>,
    dimension: Dimension,
    facets: &[Facet<'_>],
    measures: &[Measure],
) -> Vec<chart::Row> {
    let drawn: Vec<Vec<(Measure, Vec<Series>)>> = facets
        .iter()
        .map(|facet| {
            let of = |measure: &Measure| (*measure, series_of(analysis, facet, *measure));
            measures.iter().map(of).filter(|(_, series)| !series.is_empty()).collect()
        })
        .collect();
    let axis = |measure: Measure| {
        let alike = drawn.iter().flatten().filter(|(other, _)| other.shares_scale_with(measure));
        axis_of(alike.flat_map(|(_, series)| series), measure)
    };
    let is_several = facets.len() > 1;
    let row = |(facet, panels): (&Facet<'_>, &Vec<(Measure, Vec<Series>)>)| chart::Row {
        heading: is_several.then(|| facet.fixed.clone()),
        panels: panels
            .iter()
            .map(|(measure, series)| panel(dimension, *measure, series.clone(), axis(*measure)))
            .collect(),
    };
    facets.iter().zip(&drawn).filter(|(_, panels)| !panels.is_empty()).map(row).collect()
}

fn panel(dimension: Dimension, measure: Measure, series: Vec<Series>, y: Axis) -> Panel {
    let heading = measure.heading().to_owned();
    let xs = || series.iter().flat_map(|series| series.points.iter().map(|point| point.x));
    let varies = xs().any(|x| Some(x) != xs().next());
    let body = if varies {
        let x = dimension.axis(xs());
        let rules = if dimension == Dimension::Connections { fd_setsize(&series) } else { Vec::new() };
        Body::Lines(Lines { x_title: dimension.title().to_owned(), x, y, series, rules })
    } else {
        let scale = if measure.may_be_nothing() { "" } else { " (logarithmic)" };
        let title = format!("{}{scale}", measure.heading());
        // The name stands at the other end of its row.
        let value = |series: &Series| series.label.replacen(&label(&series.mechanism, ""), "", 1);
        let series = series.into_iter().map(|series| Series { label: value(&series), ..series }).collect();
        Body::Dots(Dots { title, axis: y, series })
    };
    Panel { heading, body }
}

/// The line of each contender, in the order of the plan; those that have nothing are left out.
fn series_of(analysis: &Analysis<'_>, facet: &Facet<'_>, measure: Measure) -> Vec<Series> {
    let mut names: Vec<&str> = analysis.campaign.plan.scenario.contenders().collect();
    for row in facet.points.iter().flat_map(|(_, at)| &at.rows) {
        if !names.contains(&row.mechanism.as_str()) {
            names.push(&row.mechanism);
        }
    }
    names
        .into_iter()
        .filter_map(|name| {
            let row = |at: &'_ PointAnalysis| at.rows.iter().position(|row| row.mechanism == name);
            let points: Vec<SeriesPoint> = facet
                .points
                .iter()
                .filter_map(|(x, at)| point(analysis, (*x, *at, &at.rows[row(at)?]), measure))
                .collect();
            let mut series = Series { mechanism: name.to_owned(), label: String::new(), points };
            series.label = label_of(analysis, facet, &series, measure);
            (!series.points.is_empty()).then_some(series)
        })
        .collect()
}

/// The point of one contender: valid, or as it was measured where nothing valid is.
fn point(
    analysis: &Analysis<'_>,
    (x, at, row): (f64, &PointAnalysis, &Row),
    measure: Measure,
) -> Option<SeriesPoint> {
    let place = format!("{}, {}", row.mechanism, line::place(&at.point));
    let valid = cells::valid(analysis.campaign, &at.point, &row.mechanism);
    let Some((y, summary)) = measure.shown(row, &valid) else {
        return invalid(analysis, (x, at, row), measure, &place);
    };
    let interval = summary.and_then(|summary| summary.interval);
    let range = interval
        .map(|ends| format!(" ({}–{})", number(ends.low, measure.unit()), number(ends.high, measure.unit())));
    let hover =
        format!("{place}: {} {}{}", measure.short(), number(y, measure.unit()), range.unwrap_or_default());
    let mark = if row.attempts.lost_repeats > 0 { Mark::Hollow } else { Mark::Solid };
    let band = interval.map(|ends| (ends.low, ends.high));
    let band = band.filter(|(low, high)| is_drawable(*low, measure) && is_drawable(*high, measure));
    is_drawable(y, measure).then_some(SeriesPoint { x, y, band, mark, hover })
}

/// What the attempts that do not count measured, at a point that has no others.
fn invalid(
    analysis: &Analysis<'_>,
    (x, at, row): (f64, &PointAnalysis, &Row),
    measure: Measure,
    place: &str,
) -> Option<SeriesPoint> {
    let is_one = |cell: &&Cell| {
        cell.status == CellStatus::Invalid && cell.mechanism == row.mechanism && cell.point == at.point
    };
    let cells: Vec<&Cell> = analysis.campaign.cells.iter().filter(is_one).collect();
    let y = median(&cells.iter().filter_map(|cell| measure.of(cell)).collect::<Vec<_>>())?;
    let reason = cells.iter().flat_map(|cell| &cell.reasons).next();
    let hover = format!(
        "{place}: not valid ({}); {} {}",
        reason.map_or("no reason given", String::as_str),
        measure.short(),
        number(y, measure.unit())
    );
    // A point that has valid cells, but too few samples in them for this measure, is no invalid one.
    let is_invalid = row.attempts.valid == 0 && is_drawable(y, measure);
    is_invalid.then_some(SeriesPoint { x, y, band: None, mark: Mark::Invalid, hover })
}

/// `epoll-lt 46.5 µs`; a capacity that is only a lower bound says so.
fn label_of(analysis: &Analysis<'_>, facet: &Facet<'_>, series: &Series, measure: Measure) -> String {
    let Some(end) = series.end() else { return series.mechanism.clone() };
    if end.mark == Mark::Invalid {
        return label(&series.mechanism, "not valid");
    }
    let is_bound = || {
        let cells = facet.points.iter().filter(|(x, _)| *x == end.x);
        let mut cells =
            cells.flat_map(|(_, at)| cells::valid(analysis.campaign, &at.point, &series.mechanism));
        !cells.all(|cell| cell.capacity.as_ref().is_some_and(|phase| phase.is_capacity))
    };
    let bound = if measure == Measure::Capacity && is_bound() { "≥ " } else { "" };
    label(&series.mechanism, &format!("{bound}{}", number(end.y, measure.unit())))
}

/// What stands at the end of a line.
pub fn label(mechanism: &str, value: &str) -> String {
    format!("{mechanism} {value}")
}

/// Whether a value has a place on the measure's axis.
fn is_drawable(value: f64, measure: Measure) -> bool {
    value.is_finite() && (value > 0.0 || (value == 0.0 && measure.may_be_nothing()))
}

fn axis_of<'a>(series: impl Iterator<Item = &'a Series>, measure: Measure) -> Axis {
    let values = extent(series);
    if measure.may_be_nothing() {
        Axis::from_zero(values, measure.unit())
    } else {
        Axis::holding(values, measure.unit())
    }
}

/// All that an axis has to hold.
pub fn extent<'a>(series: impl Iterator<Item = &'a Series>) -> Vec<f64> {
    let points = series.flat_map(|series| &series.points);
    let ends = |point: &SeriesPoint| {
        let (low, high) = point.band.unwrap_or((point.y, point.y));
        [point.y, low, high]
    };
    points.flat_map(ends).collect()
}

/// The logarithmic axis of what is drawn.
pub fn log_axis(series: &[Series], unit: Unit) -> Axis {
    Axis::holding(extent(series.iter()), unit)
}

/// The vertical line at FD_SETSIZE, where select is drawn beyond it.
pub fn fd_setsize(series: &[Series]) -> Vec<(f64, &'static str)> {
    let shown = series.iter().any(|series| series.mechanism == "select");
    let mut points = series.iter().flat_map(|series| &series.points);
    let crossed = points.any(|point| point.x > FD_SETSIZE);
    if shown && crossed { vec![(FD_SETSIZE, "FD_SETSIZE 1024")] } else { Vec::new() }
}

/// A line of the caption about descriptors beyond FD_SETSIZE, where select is drawn with any: along connections a vertical line
/// says where they begin.
pub fn fd_setsize_note(rows: &[chart::Row], facets: &[Facet<'_>]) -> Option<String> {
    let bodies = || rows.iter().flat_map(|row| &row.panels).map(|panel| &panel.body);
    let has_rule = bodies().any(|body| matches!(body, Body::Lines(lines) if !lines.rules.is_empty()));
    if has_rule {
        return Some(rule_note());
    }
    let has_select = bodies().any(|body| match body {
        Body::Lines(Lines { series, .. }) | Body::Dots(Dots { series, .. }) => {
            series.iter().any(|series| series.mechanism == "select")
        }
        Body::Fields(_) | Body::Heat(_) => false,
    });
    let beyond: Vec<u32> = facets
        .iter()
        .flat_map(|facet| &facet.points)
        .map(|(_, at)| at.point.connections)
        .filter(|connections| f64::from(*connections) > FD_SETSIZE)
        .collect();
    let least = beyond.iter().min().filter(|_| has_select)?;
    Some(format!(
        "select with {} connections and more is beyond FD_SETSIZE (1024), where glibc's stops; muxbench's uses its own bitmaps.",
        format::thousands((*least).into())
    ))
}

/// What the vertical line at FD_SETSIZE means.
pub fn rule_note() -> String {
    "Line at 1024: FD_SETSIZE ends here: glibc's select stops; muxbench's select uses its own bitmaps."
        .to_owned()
}
