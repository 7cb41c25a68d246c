//! The response times of a campaign as whole histograms, for HdrHistogram's tools.

use std::time::SystemTime;

use super::super::{hgrm, hlog};
use super::series;
use model::histogram::DecodeError;
use model::schema::{Campaign, Cell, Latency, LoadReport};

/// The interval log: a line a valid cell, at the time at which it was measured.
pub fn render(campaign: &Campaign) -> Result<String, DecodeError> {
    let mut windows: Vec<(f64, String, &LoadReport, &Latency)> = Vec::new();
    for series in series::all(campaign) {
        for cell in series.cells {
            let Some(phase) = &cell.latency else { continue };
            let Some(response) = &phase.load.response else { continue };
            windows.push((start_s(campaign, cell, &phase.load), series.name.clone(), &phase.load, response));
        }
    }
    // Readers expect time to run forwards.
    windows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let what = format!("muxbench run {}: response", campaign.plan.scenario.name);
    let mut text = hlog::head(&what, &campaign.started);
    for (start_s, tag, load, response) in windows {
        text += &hlog::line(&tag, start_s, load.window_s, response)?;
    }
    Ok(text)
}

/// When a window began, in seconds since the campaign did.
fn start_s(campaign: &Campaign, cell: &Cell, load: &LoadReport) -> f64 {
    let instant = |text: &str| humantime::parse_rfc3339(text).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = instant(&load.started_at).duration_since(instant(&campaign.started));
    since.map_or(cell.began_s, |since| since.as_secs_f64())
}

/// The percentile distribution of each series, over all its valid repeats: `epoll-et_10000c_10a.hgrm` and its text.
pub fn distributions(campaign: &Campaign) -> Result<Vec<(String, String)>, DecodeError> {
    let mut files = Vec::new();
    for series in series::all(campaign) {
        let responses = series.responses()?;
        if !responses.is_empty() {
            files.push((format!("{}.hgrm", series.name.replace('/', "_")), hgrm::render(&responses)));
        }
    }
    Ok(files)
}
