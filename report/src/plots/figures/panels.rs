//! The common parts of panels of lines.

use crate::format;
use crate::plots::axis::Axis;
use crate::plots::chart::Body;
use crate::plots::lines::{Lines, Mark, Series, SeriesPoint};
use crate::rounds::{Unit, grouped};

/// The first connection beyond what glibc's `fd_set` holds.
const FD_SETSIZE: f64 = 1024.0;

/// A value with its unit.
pub fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => format!("{}/s", format::rate(value)),
        unit => format::quantity(unit, value),
    }
}

/// Returns whether a value has a place on a logarithmic axis.
pub fn is_drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// The point of a value that `what` names, with its interval if it has one; none where the value has no place on a logarithmic axis.
pub fn point(x: f64, what: &str, y: f64, interval: Option<(f64, f64)>, unit: Unit) -> Option<SeriesPoint> {
    let range = interval.map(|(low, high)| format!(" ({}–{})", number(low, unit), number(high, unit)));
    let hover = format!("{what}: {}{}", number(y, unit), range.unwrap_or_default());
    let interval = interval.filter(|(low, high)| is_drawable(*low) && is_drawable(*high));
    is_drawable(y).then_some(SeriesPoint { x, y, interval, mark: Mark::Solid, hover })
}

/// Points as a series for each mechanism, by rising x, labelled with its last value; a line has its name before that.
pub fn series<'a>(
    points: impl Iterator<Item = (&'a str, SeriesPoint)>,
    unit: Unit,
    has_lines: bool,
) -> Vec<Series> {
    let one = |(mechanism, mut points): (&str, Vec<SeriesPoint>)| {
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let end = number(points[points.len() - 1].y, unit);
        let label = if has_lines { format!("{mechanism} {end}") } else { end };
        Series { mechanism: mechanism.to_owned(), label, points }
    };
    grouped(points).into_iter().map(one).collect()
}

/// Lines over numbers of descriptors, which stand at `measured`.
pub fn over_descriptors(
    what: &str,
    measured: Vec<f64>,
    y: Axis,
    series: Vec<Series>,
    rules: Vec<(f64, &'static str)>,
) -> Body {
    let x_title = format!("descriptors {what} (logarithmic)");
    let x = Axis::around(measured.iter().copied(), 0.04, Unit::Count);
    Body::Lines(Lines { x_title, x, y, measured, series, rules })
}

/// All that an axis has to hold.
pub fn extent<'a>(series: impl Iterator<Item = &'a Series>) -> Vec<f64> {
    let points = series.flat_map(|series| &series.points).filter(|point| point.mark != Mark::Saturated);
    let ends = |point: &SeriesPoint| {
        let (low, high) = point.interval.unwrap_or((point.y, point.y));
        [point.y, low, high]
    };
    points.flat_map(ends).collect()
}

/// The logarithmic axis of what is drawn.
pub fn log_axis(series: &[Series], unit: Unit) -> Axis {
    Axis::holding(extent(series.iter()), unit)
}

/// The x values of all points.
pub fn measured<'a>(series: impl IntoIterator<Item = &'a Series>) -> Vec<f64> {
    series.into_iter().flat_map(|series| series.points.iter().map(|point| point.x)).collect()
}

/// The vertical line at FD_SETSIZE, where select is drawn on both sides of it.
pub fn fd_setsize(series: &[Series]) -> Vec<(f64, &'static str)> {
    let select = series.iter().filter(|series| series.mechanism == "select");
    let xs: Vec<f64> = select.flat_map(|series| series.points.iter().map(|point| point.x)).collect();
    let is_crossed = xs.iter().any(|x| *x > FD_SETSIZE) && xs.iter().any(|x| *x <= FD_SETSIZE);
    if is_crossed { vec![(FD_SETSIZE, "FD_SETSIZE 1024")] } else { Vec::new() }
}

/// The note on the vertical line at FD_SETSIZE.
pub fn rule_note() -> String {
    "Line at 1024: FD_SETSIZE ends here: glibc's select stops; muxbench's select uses its own bitmaps."
        .to_owned()
}
