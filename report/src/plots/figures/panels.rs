//! What panels of lines have in common.

use crate::format;
use crate::plots::axis::{Axis, Unit};
use crate::plots::lines::{Mark, Series, SeriesPoint};

/// The first connection beyond what glibc's `fd_set` holds.
const FD_SETSIZE: f64 = 1024.0;

/// A value with its unit.
pub fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Duration => format::duration_ns(value),
        Unit::Bytes => format::bytes(value.round() as u64),
        Unit::Rate => format!("{}/s", format::rate(value)),
        Unit::Share => format::share(value),
        Unit::Count | Unit::Percentile => format::three_digits(value),
    }
}

/// What stands at the end of a line.
pub fn label(mechanism: &str, value: &str) -> String {
    format!("{mechanism} {value}")
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

/// Where points stand.
pub fn measured(series: &[Series]) -> Vec<f64> {
    series.iter().flat_map(|series| series.points.iter().map(|point| point.x)).collect()
}

/// The vertical line at FD_SETSIZE, where select is drawn on both sides of it.
pub fn fd_setsize(series: &[Series]) -> Vec<(f64, &'static str)> {
    let select = series.iter().filter(|series| series.mechanism == "select");
    let xs: Vec<f64> = select.flat_map(|series| series.points.iter().map(|point| point.x)).collect();
    let is_crossed = xs.iter().any(|x| *x > FD_SETSIZE) && xs.iter().any(|x| *x <= FD_SETSIZE);
    if is_crossed { vec![(FD_SETSIZE, "FD_SETSIZE 1024")] } else { Vec::new() }
}

/// What the vertical line at FD_SETSIZE means.
pub fn rule_note() -> String {
    "Line at 1024: FD_SETSIZE ends here: glibc's select stops; muxbench's select uses its own bitmaps."
        .to_owned()
}
