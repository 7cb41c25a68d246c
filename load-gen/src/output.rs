//! What a person sees: the progress line while it runs, the table at the end.

use std::io::IsTerminal;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::format::{ABSENT, duration_ns};
use report::schema::{Latency, LoadMode, LoadReport};

use crate::fleet::{Edge, Observer, Progress};

/// A line on a terminal that tells how far the run is; nothing where standard error is no terminal.
pub struct ProgressLine {
    bar: ProgressBar,
    phase: &'static str,
}

impl ProgressLine {
    /// A line for a run of `conns` connections.
    pub fn new(conns: u32, quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} connections  {elapsed}  {msg}")
            .expect("the template is valid");
        let bar = ProgressBar::with_draw_target(Some(conns.into()), target).with_style(style);
        Self { bar, phase: "opening" }
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Load begins.
    pub fn loading(&mut self) {
        self.phase = "warm-up";
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for ProgressLine {
    fn edge(&mut self, edge: Edge, _answered: u64) {
        self.phase = match edge {
            Edge::Begin => "measuring",
            Edge::End => "draining",
        };
    }

    fn progress(&mut self, progress: &Progress) {
        self.bar.set_position(progress.opened);
        let message = match (progress.p50_ns, progress.p99_ns) {
            (Some(p50), Some(p99)) => {
                format!("{}  p50 {}  p99 {}", self.phase, duration_ns(p50 as f64), duration_ns(p99 as f64))
            }
            _ => self.phase.to_owned(),
        };
        self.bar.set_message(message);
    }
}

/// The result as a table and a few lines, for a person.
pub fn human(report: &LoadReport) -> String {
    let settings = &report.settings;
    let mut text = format!(
        "{} connections to {}, {} active, {} bytes, {}\n",
        report.connections.opened,
        settings.target,
        settings.active,
        settings.size_bytes,
        mode(&settings.mode)
    );
    text += &format!(
        "opened in {:.3} s; measured for {:.2} s after {:.2} s of warm-up; workers {}\n",
        report.connections.ramp_s,
        report.window_s,
        settings.warmup_s,
        match settings.wait {
            report::schema::WaitPolicy::Spin => "spin",
            report::schema::WaitPolicy::Sleep => "sleep",
        }
    );
    text += &table(report).to_string();
    text += &format!(
        "\n{:.0} replies a second; scheduled {} = completed {} + failed {} + outstanding {}; delayed {}\n",
        report.throughput_per_s,
        report.scheduled,
        report.completed,
        report.errors.values().sum::<u64>(),
        report.outstanding,
        report.delayed
    );
    text += &format!("generator: busy {:.0} %", report.generator_busy * 100.0);
    if matches!(settings.mode, LoadMode::Closed { .. }) && report.generator_busy > 0.95 {
        text += " (its processor was full: the throughput is a lower bound of what the server can do)";
    }
    text.push('\n');
    if !report.valid {
        text += "NOT VALID:\n";
        report.invalid_reasons.iter().for_each(|reason| text += &format!("  - {reason}\n"));
    }
    text
}

fn table(report: &LoadReport) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["", "samples", "p50", "p90", "p99", "p99.9", "max", "mean"]);
    for (name, latency) in [
        ("response", report.response.as_ref()),
        ("service", Some(&report.service)),
        ("lateness", report.lateness.as_ref()),
        ("connect", report.connect.as_ref()),
    ] {
        if let Some(latency) = latency {
            table.add_row(row(name, latency));
        }
    }
    table
}

fn row(name: &str, latency: &Latency) -> Vec<Cell> {
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let value = |ns: Option<u64>| number(ns.map_or(ABSENT.to_owned(), |ns| duration_ns(ns as f64)));
    vec![
        Cell::new(name),
        number(latency.count.to_string()),
        value(latency.p50_ns),
        value(latency.p90_ns),
        value(latency.p99_ns),
        value(latency.p999_ns),
        value(latency.max_ns),
        value(latency.mean_ns.map(|mean| mean.round() as u64)),
    ]
}

fn mode(mode: &LoadMode) -> String {
    match mode {
        LoadMode::Closed { pipeline: 1 } => "closed loop".to_owned(),
        LoadMode::Closed { pipeline } => format!("closed loop, pipeline {pipeline}"),
        LoadMode::Open { rate_per_s, arrivals } => {
            format!("open loop at {rate_per_s:.0}/s ({})", format!("{arrivals:?}").to_lowercase())
        }
    }
}
