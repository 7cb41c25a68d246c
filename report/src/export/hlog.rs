//! The interval log of HdrHistogram: whole histograms with the time at which they were recorded, so that any stretch of
//! time can be put together again. The log writer of the `hdrhistogram` crate leaves out what other readers look for, the
//! format's version and the legend.

use std::time::UNIX_EPOCH;

use super::Measure;
use model::histogram::DecodeError;
use model::schema::{Latency, LoadReport};

/// Values in nanoseconds; the column Interval_Max is in milliseconds by convention.
const NS_PER_UNIT_OF_MAX: f64 = 1e6;

/// Writes a line a measure for the window, or where the report has intervals, a line an interval for each measure
/// that intervals have.
pub fn render(report: &LoadReport) -> Result<String, DecodeError> {
    let mut text = head(&format!("load-gen to {}", report.settings.target), &report.started_at);
    for measure in Measure::ALL {
        let in_intervals =
            !report.intervals.is_empty() && matches!(measure, Measure::Response | Measure::Service);
        if let Some(latency) = measure.of(report).filter(|_| !in_intervals) {
            text += &line(measure.name(), 0.0, report.window_s, latency)?;
        }
    }
    // Readers expect time to run forwards.
    for interval in &report.intervals {
        if let Some(response) = &interval.response {
            text += &line(Measure::Response.name(), interval.start_s, interval.length_s, response)?;
        }
        text += &line(Measure::Service.name(), interval.start_s, interval.length_s, &interval.service)?;
    }
    Ok(text)
}

/// What stands before the lines: what was measured, and when it began, RFC 3339.
pub(super) fn head(what: &str, started_at: &str) -> String {
    let mut text = "#[Histogram log format version 1.3]\n".to_owned();
    text += &format!("#[{}]\n", one_line(what));
    text += "#[Values in nanoseconds, Interval_Max in milliseconds]\n";
    if let Ok(instant) = humantime::parse_rfc3339(started_at) {
        let since_epoch = instant.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        text += &format!("#[StartTime: {since_epoch:.3} (seconds since epoch), {started_at}]\n");
        text += &format!("#[BaseTime: {since_epoch:.3} (seconds since epoch)]\n");
    }
    text + "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
}

/// One histogram, with the time at which it was recorded, from the begin of the log. A tag has no comma.
pub(super) fn line(tag: &str, start_s: f64, length_s: f64, latency: &Latency) -> Result<String, DecodeError> {
    // A damaged histogram must not reach a file that says nothing about it.
    latency.histogram()?;
    let max = latency.max_ns.unwrap_or(0) as f64 / NS_PER_UNIT_OF_MAX;
    Ok(format!("Tag={tag},{start_s:.3},{length_s:.3},{max:.3},{}\n", latency.histogram))
}

fn one_line(text: &str) -> String {
    text.split(char::is_control).collect()
}
