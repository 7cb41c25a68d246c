//! The interval log of HdrHistogram: whole histograms with the time at which they were recorded, so that any stretch of
//! time can be put together again. The log writer of the `hdrhistogram` crate leaves out what other readers look for, the
//! format's version and the legend.

use std::time::UNIX_EPOCH;

use super::Measure;
use super::series::{self, PHASES};
use crate::rounds::Analysis;
use model::histogram::DecodeError;
use model::schema::{Latency, LoadReport};

/// Values in nanoseconds; the column Interval_Max is in milliseconds by convention.
const NS_PER_UNIT_OF_MAX: f64 = 1e6;

/// Writes a line for each start of each candidate at a point under one load, tagged with the three.
pub fn of_campaign(analysis: &Analysis<'_>) -> String {
    let campaign = analysis.campaign;
    let mut lines: Vec<(f64, String)> = Vec::new();
    for series in series::all(analysis) {
        for (phase, load) in PHASES {
            let tag = format!("{}/{load}", series.name);
            lines.extend(series.responses(phase).into_iter().map(|start| {
                let latency = Latency::of(&start.histogram);
                (start.began_s, line(&tag, start.began_s, start.ended_s - start.began_s, &latency))
            }));
        }
    }
    // Readers expect time to run forwards.
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let head = head(&format!("muxbench run {}: response", campaign.plan.scenario.name), &campaign.started);
    lines.into_iter().fold(head, |text, (_, line)| text + &line)
}

/// Writes a line a measure for the window, or where the report has intervals, a line an interval for each measure
/// that intervals have.
pub fn render(report: &LoadReport) -> Result<String, DecodeError> {
    let mut text = head(&format!("load-gen to {}", report.settings.target), &report.started_at);
    for measure in Measure::ALL {
        let in_intervals =
            !report.intervals.is_empty() && matches!(measure, Measure::Response | Measure::Service);
        if let Some(latency) = measure.of(report).filter(|_| !in_intervals) {
            text += &checked(measure.name(), 0.0, report.window_s, latency)?;
        }
    }
    // Readers expect time to run forwards.
    for interval in &report.intervals {
        if let Some(response) = &interval.response {
            text += &checked(Measure::Response.name(), interval.start_s, interval.length_s, response)?;
        }
        text += &checked(Measure::Service.name(), interval.start_s, interval.length_s, &interval.service)?;
    }
    Ok(text)
}

/// The text before the lines: what was measured, and when it began, RFC 3339.
fn head(what: &str, started_at: &str) -> String {
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

/// A line, of which the histogram is sound: a damaged one must not reach a file that says nothing about it.
fn checked(tag: &str, start_s: f64, length_s: f64, latency: &Latency) -> Result<String, DecodeError> {
    latency.histogram()?;
    Ok(line(tag, start_s, length_s, latency))
}

/// One histogram, with the time at which it was recorded, from the begin of the log. A tag has no comma.
fn line(tag: &str, start_s: f64, length_s: f64, latency: &Latency) -> String {
    let max = latency.max_ns.unwrap_or(0) as f64 / NS_PER_UNIT_OF_MAX;
    format!("Tag={tag},{start_s:.3},{length_s:.3},{max:.3},{}\n", latency.histogram)
}

fn one_line(text: &str) -> String {
    text.split(char::is_control).collect()
}
