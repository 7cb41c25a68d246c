//! [Bencher Metric Format](https://bencher.dev/docs/reference/bencher-metric-format): measures of benchmarks, each a value with the
//! bounds of its interval.
//!
//! Bencher's own measures carry the units and the direction: `latency` is in nanoseconds and better when smaller, `throughput` in
//! operations a second and better when greater. So each figure is a benchmark of its own, with one of these two.

use crate::figure;
use std::collections::BTreeMap;

use serde::Serialize;

use super::json;
use super::series;
use model::schema::{Campaign, MainFigure};

/// One measure. The names of the keys are the format's.
#[derive(Serialize)]
struct Metric {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// Writes the figures of `campaign`.
pub fn render(campaign: &Campaign) -> String {
    let mut benchmarks: BTreeMap<String, BTreeMap<&str, Metric>> = BTreeMap::new();
    for series in series::all(campaign) {
        for figure in MainFigure::ALL {
            let Some(summary) = figure::summary(figure, &series.cells) else { continue };
            let measure = if figure.is_better_when_greater() { "throughput" } else { "latency" };
            let metric = Metric {
                value: summary.median,
                lower_value: summary.interval.map(|interval| interval.low),
                upper_value: summary.interval.map(|interval| interval.high),
            };
            let name = format!("{}/{}", series.name, figure.slug());
            benchmarks.insert(name, BTreeMap::from([(measure, metric)]));
        }
    }
    json(&benchmarks)
}
