//! A campaign in the formats that other tools read. The figures are those by which campaigns are compared: the median over the valid
//! repeats with its 95 % interval.

mod bmf;
mod cells;
mod github;
mod log;
mod metrics;
mod series;

use super::exposition::Dialect;
use model::histogram::DecodeError;
use model::schema::Campaign;

/// A format that other tools read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Two files for github-action-benchmark, a direction each.
    GithubBenchmark,
    /// Bencher Metric Format.
    Bmf,
    /// Prometheus's text format, which promtool, a Pushgateway and the textfile collector of node_exporter read.
    Prometheus,
    /// OpenMetrics text, for what asks for it.
    OpenMetrics,
    /// One table with a row a cell.
    Csv,
    /// Percentile distributions of HdrHistogram, in microseconds: a file a contender and point.
    Hgrm,
    /// Interval log of HdrHistogram: a line a valid cell, tagged with contender and point.
    Hlog,
}

/// What a format makes of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported {
    /// One text.
    One(String),
    /// Several files of one folder, name and text.
    Several(Vec<(String, String)>),
}

/// Writes `campaign` as `format`.
///
/// # Errors
///
/// When it holds a damaged histogram.
pub fn render(campaign: &Campaign, format: Format) -> Result<Exported, DecodeError> {
    Ok(match format {
        Format::GithubBenchmark => Exported::Several(github::render(campaign).into()),
        Format::Bmf => Exported::One(bmf::render(campaign)),
        Format::Prometheus => Exported::One(metrics::render(campaign, Dialect::Prometheus)?),
        Format::OpenMetrics => Exported::One(metrics::render(campaign, Dialect::OpenMetrics)?),
        Format::Csv => Exported::One(cells::render(campaign)),
        Format::Hgrm => Exported::Several(log::distributions(campaign)?),
        Format::Hlog => Exported::One(log::render(campaign)?),
    })
}

/// Pretty JSON, with a newline at its end.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("figures serialise into memory") + "\n"
}

#[cfg(test)]
mod tests;
