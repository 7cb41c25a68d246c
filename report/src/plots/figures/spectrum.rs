//! The whole distribution of response times, by percentile.

use super::panels;
use crate::format;
use crate::plots::axis::Axis;
use crate::plots::chart::{Body, Panel};
use crate::plots::lines::{Lines, Mark, Series, SeriesPoint};
use crate::rounds::Unit;
use model::histogram::{Histogram, SAMPLES_BEYOND};

/// Lines by percentile, side by side.
pub fn panel(heading: &str, series: Vec<Series>) -> Panel {
    let xs = series.iter().flat_map(|series| series.points.iter().map(|point| point.x));
    Panel {
        heading: heading.to_owned(),
        body: Body::Lines(Lines {
            x_title: "percentile (by 1/(1-p), logarithmic)".to_owned(),
            x: Axis::of_percentiles(xs),
            y: panels::log_axis(&series, Unit::Nanoseconds),
            measured: Vec::new(),
            series,
            rules: Vec::new(),
        }),
    }
}

/// The line of one distribution; markers at the percentiles people name.
pub fn line(name: &str, histogram: &Histogram) -> Option<Series> {
    const STEPS_PER_DECADE: i32 = 32;
    let last = histogram.len() as f64 / SAMPLES_BEYOND as f64;
    if last < 2.0 {
        return None;
    }
    let value = |x: f64| histogram.value_at_quantile(1.0 - 1.0 / x) as f64;
    let named = [2.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6].map(|x| (x, Mark::Solid));
    let between = (0..).map(|step| (10f64.powf(f64::from(step) / f64::from(STEPS_PER_DECADE)), Mark::None));
    let mut xs: Vec<(f64, Mark)> = between.take_while(|(x, _)| *x < last).chain(named).collect();
    xs.push((last, Mark::None));
    xs.retain(|(x, _)| *x <= last);
    xs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let points: Vec<SeriesPoint> = xs
        .into_iter()
        .filter(|(x, _)| value(*x) > 0.0)
        .map(|(x, mark)| SeriesPoint {
            x,
            y: value(x),
            interval: None,
            mark,
            hover: format!(
                "{name}, p{}: {}",
                format::shortest(100.0 - 100.0 / x, 4),
                format::duration_ns(value(x))
            ),
        })
        .collect();
    let label = format!("{name} {}", format::duration_ns(points.last()?.y));
    Some(Series { mechanism: name.to_owned(), label, points })
}
