//! The figures of a campaign for tools that keep them from run to run and tell them by their names.
//!
//! [github-action-benchmark](https://github.com/benchmark-action/github-action-benchmark) reads an array of figures a file, one for each
//! direction (`customSmallerIsBetter` and `customBiggerIsBetter`). [Bencher](https://bencher.dev/docs/reference/bencher-metric-format) has two
//! measures of its own that carry unit and direction: `latency` in nanoseconds, `throughput` in operations per second. So both have
//! the metrics that are times or rates, each as a benchmark of its own: `epoll-et/10000c/10a/response_p50`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::series;
use crate::rounds::metrics::{Better, Unit};
use crate::rounds::{Analysis, Figure, Metric};
use model::campaign::Campaign;

/// The file of times.
const SMALLER: &str = "smaller-is-better.json";
/// The file of rates.
const BIGGER: &str = "bigger-is-better.json";

/// A figure for github-action-benchmark. The names of the keys are the action's.
#[derive(Serialize)]
struct Tracked {
    name: String,
    /// `us` or `requests/s`.
    unit: &'static str,
    value: f64,
    /// `± 12.1`: how far the 95 % interval reaches, to the farther side. The action shows it and decides nothing by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    /// The text that its charts show beside a point.
    extra: String,
}

/// A measure of Bencher. The names of the keys are the format's.
#[derive(Serialize)]
struct Measure {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// Both files for github-action-benchmark, name and text.
pub fn github(analysis: &Analysis<'_>) -> [(String, String); 2] {
    let conditions = conditions(analysis.campaign);
    let of = |better| -> Vec<Tracked> {
        let figures = times_and_rates(analysis).into_iter().filter(|(_, metric, _)| metric.better == better);
        figures.map(|(name, metric, figure)| tracked(name, metric, figure, &conditions)).collect()
    };
    [(SMALLER, Better::Lower), (BIGGER, Better::Higher)]
        .map(|(name, better)| (name.to_owned(), json(&of(better))))
}

/// The figures in Bencher Metric Format.
pub fn bencher(analysis: &Analysis<'_>) -> String {
    let mut benchmarks: BTreeMap<String, BTreeMap<&str, Measure>> = BTreeMap::new();
    for (name, metric, figure) in times_and_rates(analysis) {
        let measure = if metric.unit == Unit::PerSecond { "throughput" } else { "latency" };
        let value = Measure {
            value: figure.value,
            lower_value: figure.interval.map(|interval| interval.low),
            upper_value: figure.interval.map(|interval| interval.high),
        };
        benchmarks.insert(name, BTreeMap::from([(measure, value)]));
    }
    json(&benchmarks)
}

fn times_and_rates<'a>(analysis: &'a Analysis<'a>) -> Vec<(String, &'static Metric, Figure)> {
    let mut figures = Vec::new();
    for series in series::all(analysis) {
        let tracked = |metric: &Metric| matches!(metric.unit, Unit::Nanoseconds | Unit::PerSecond);
        let kept = series.figures().filter(|(metric, _)| tracked(metric));
        figures.extend(
            kept.map(|(metric, figure)| (format!("{}/{}", series.name, metric.key), metric, *figure)),
        );
    }
    figures
}

fn tracked(name: String, metric: &Metric, figure: Figure, conditions: &str) -> Tracked {
    // Whole nanoseconds as microseconds, and whole requests.
    let (unit, scale) = if metric.unit == Unit::PerSecond { ("requests/s", 1.0) } else { ("us", 1e3) };
    let scaled = |value: f64| value.round() / scale;
    let mut extra = metric.name.to_owned();
    if let Some(interval) = figure.interval {
        extra += &format!("\n95% interval {} to {} {unit}", scaled(interval.low), scaled(interval.high));
    }
    if let Some(compared) = figure.comparison {
        let [ratio, low, high] = compared.texts();
        extra += &format!("\n{ratio} ({low} to {high}) of the reference");
    }
    if figure.is_lower_bound {
        extra += "\na lower bound: the generator was full too";
    }
    let reach =
        figure.interval.map(|interval| (interval.high - figure.value).max(figure.value - interval.low));
    Tracked {
        name,
        unit,
        value: scaled(figure.value),
        range: reach.map(|reach| format!("± {}", scaled(reach))),
        extra: extra + conditions,
    }
}

/// The place and the way of measuring, a line each.
fn conditions(campaign: &Campaign) -> String {
    let machine = &campaign.environment;
    format!(
        "\n{}, {} processors of {}, Linux {}\nmuxbench {} ({} build), {}, {}, seed {}",
        machine.host,
        machine.processors,
        machine.processor,
        machine.kernel,
        campaign.muxbench_version,
        machine.profile,
        campaign.plan.scenario.name,
        format!("{:?}", campaign.length).to_lowercase(),
        campaign.plan.seed,
    )
}

/// Pretty JSON, with a newline at its end.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("figures serialise into memory") + "\n"
}
