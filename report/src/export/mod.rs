//! Results in the formats that other tools read: a run of load, or a campaign. A result goes in, text comes out; the same result gives the
//! same bytes every time. Each format is written in one place.

mod counts;
mod csv;
mod exposition;
mod hgrm;
mod hlog;
mod metrics;
mod series;
mod spreadsheet;
mod trackers;

use self::exposition::Dialect;
use crate::rounds::Analysis;
use model::histogram::DecodeError;
use model::schema::{Latency, LoadReport, ResultFile};

/// One of the durations whose distribution a [`LoadReport`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// [`LoadReport::response`].
    Response,
    /// [`LoadReport::service`].
    Service,
    /// [`LoadReport::lateness`].
    Lateness,
    /// [`LoadReport::connect`].
    Connect,
    /// [`LoadReport::churn_connect`].
    ChurnConnect,
}

impl Measure {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 5] =
        [Self::Response, Self::Service, Self::Lateness, Self::Connect, Self::ChurnConnect];

    /// Its name, as in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Service => "service",
            Self::Lateness => "lateness",
            Self::Connect => "connect",
            Self::ChurnConnect => "churn_connect",
        }
    }

    /// Its distribution, if the run has one: closed loop has neither response nor lateness.
    pub fn of(self, report: &LoadReport) -> Option<&Latency> {
        match self {
            Self::Response => report.response.as_ref(),
            Self::Service => Some(&report.service),
            Self::Lateness => report.lateness.as_ref(),
            Self::Connect => report.connect.as_ref(),
            Self::ChurnConnect => report.churn_connect.as_ref(),
        }
    }
}

/// A format that other tools read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Percentile distribution of HdrHistogram, in microseconds; of the response time, or in closed loop the service
    /// time, unless it says which. Of a campaign a file for each candidate, point and load.
    Hgrm(Option<Measure>),
    /// Interval log of HdrHistogram, whole histograms in nanoseconds: a line for each interval and measure, of a campaign for each
    /// candidate, point, load and start.
    Hlog,
    /// One table with a row for each figure.
    Csv,
    /// Prometheus's text format, which promtool, a Pushgateway and the textfile collector of node_exporter read.
    Prometheus,
    /// OpenMetrics text, for what asks for it.
    OpenMetrics,
    /// The report itself, as `results/schema.json` says.
    Json,
    /// Two files of a campaign for github-action-benchmark, one for each direction.
    GithubBenchmark,
    /// Bencher Metric Format, of a campaign.
    Bmf,
}

/// The export of a campaign in one format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported {
    /// One text.
    One(String),
    /// Several files of one folder, name and text.
    Several(Vec<(String, String)>),
}

/// The formats of a campaign, for people.
pub const OF_CAMPAIGNS: &str = "github-benchmark, bmf, prometheus, openmetrics, csv, hgrm or hlog";

/// The reason why a result could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The report has no such distribution.
    #[error("the result has no {} times", .0.name())]
    Absent(Measure),
    /// The format is for campaigns.
    #[error("a load result has no such format; it is for campaigns")]
    OfCampaigns,
    /// The format is for runs of load.
    #[error("a campaign is written as {OF_CAMPAIGNS}; JSON is what it is already")]
    OfLoad,
    /// A histogram in it is damaged.
    #[error(transparent)]
    Histogram(#[from] DecodeError),
}

/// Writes `report` as `format`. `labels` are what else is known of the run, name and value (the server's mechanism, say);
/// they become labels of metrics, where `target` is always one.
///
/// # Errors
///
/// When the report lacks the distribution that was asked for, or holds a damaged one; and for a format of campaigns.
pub fn render(report: &LoadReport, format: Format, labels: &[(&str, &str)]) -> Result<String, ExportError> {
    match format {
        Format::Hgrm(measure) => {
            let usual = if report.response.is_some() { Measure::Response } else { Measure::Service };
            let measure = measure.unwrap_or(usual);
            let latency = measure.of(report).ok_or(ExportError::Absent(measure))?;
            Ok(hgrm::render(&latency.histogram()?))
        }
        Format::Hlog => Ok(hlog::render(report)?),
        Format::Csv => Ok(csv::render(report)),
        Format::Prometheus => Ok(metrics::render(report, Dialect::Prometheus, labels)?),
        Format::OpenMetrics => Ok(metrics::render(report, Dialect::OpenMetrics, labels)?),
        Format::Json => {
            let file = ResultFile::Load(report.clone());
            Ok(serde_json::to_string_pretty(&file).expect("a result serialises into memory") + "\n")
        }
        Format::GithubBenchmark | Format::Bmf => Err(ExportError::OfCampaigns),
    }
}

/// Writes a campaign as `format`, from its analysis.
///
/// # Errors
///
/// For a format of runs of load.
pub fn render_campaign(analysis: &Analysis<'_>, format: Format) -> Result<Exported, ExportError> {
    Ok(match format {
        Format::GithubBenchmark => Exported::Several(trackers::github(analysis).into()),
        Format::Bmf => Exported::One(trackers::bencher(analysis)),
        Format::Prometheus => Exported::One(metrics::of_campaign(analysis, Dialect::Prometheus)),
        Format::OpenMetrics => Exported::One(metrics::of_campaign(analysis, Dialect::OpenMetrics)),
        Format::Csv => Exported::One(csv::of_campaign(analysis)),
        Format::Hgrm(None) => Exported::Several(hgrm::of_campaign(analysis)),
        Format::Hlog => Exported::One(hlog::of_campaign(analysis)),
        Format::Hgrm(Some(_)) | Format::Json => return Err(ExportError::OfLoad),
    })
}

/// `text` as a part of a file's name, or of a name that other tools take apart at slashes and commas.
pub fn file_name(text: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    text.chars().map(|character| if is_plain(character) { character } else { '-' }).collect()
}

#[cfg(test)]
mod tests;
