//! The output for a person at the end: the table, and what it is worth.

use std::collections::BTreeMap;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use model::schema::{
    Churn, Connections, Latency, LoadMode, LoadReport, LoadSettings, Pause, Protocol, SelfCheck, Size,
    TargetReport,
};
use report::format::{ABSENT, bytes, duration_ns};

use crate::command::view::{Paint, Style};
use crate::plan::shard::share;

pub use curve::human_curve;

mod curve;

/// The result as a table and a few lines, for a person.
pub fn human(report: &LoadReport, paint: Paint) -> String {
    let settings = &report.settings;
    let mut text = format!(
        "{} connections to {}, {} active, {}, {}\n",
        report.connections.opened,
        settings.target,
        report.shard.map_or(settings.active, |shard| share(shard, settings.active)),
        size(settings),
        mode(&settings.mode)
    );
    text += &shards(report);
    text += &workload(settings);
    text += &format!(
        "opened in {:.3} s; measured for {:.2} s after {:.2} s of warm-up; workers {}\n",
        report.connections.ramp_s,
        report.window_s,
        settings.warmup_s,
        match settings.wait {
            model::schema::WaitPolicy::Spin => "spin",
            model::schema::WaitPolicy::Sleep => "sleep",
        }
    );
    text += &table(report).to_string();
    text += &format!(
        "\n{:.0} replies per second; scheduled {} = completed {} + failed {} + outstanding {}{}; delayed {}\n",
        report.throughput_per_s,
        report.scheduled,
        report.completed,
        report.errors.values().sum::<u64>(),
        report.outstanding,
        if report.unsent > 0 { format!(" ({} never sent)", report.unsent) } else { String::new() },
        report.delayed
    );
    text += &turnover(report);
    text += &format!("generator: busy {:.0} %", report.generator_busy * 100.0);
    if matches!(settings.mode, LoadMode::Closed { .. }) && report.generator_busy > 0.95 {
        text += " (its processor was full: the throughput is a lower bound of what the server can do)";
    }
    text.push('\n');
    text += &memory(&report.connections);
    if !report.connections.errors.is_empty() {
        let Connections { errors, errnos, .. } = &report.connections;
        text += &format!("connections that failed: {}\n", named(errors, errnos));
    }
    text += &targets(&report.connections.targets);
    text += &report.self_check.as_ref().map_or_else(String::new, |check| self_check_line(check, paint));
    if !report.valid {
        text += &format!("{}:\n", paint.text("NOT VALID", Style::Bad));
        report.invalid_reasons.iter().for_each(|reason| text += &format!("  - {reason}\n"));
    }
    text
}

/// Counts by name, and what the system said in parentheses.
fn named(errors: &BTreeMap<String, u64>, errnos: &BTreeMap<String, u64>) -> String {
    let counts: Vec<_> = errors.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let errnos: Vec<_> = errnos.keys().map(String::as_str).collect();
    match errnos.is_empty() {
        true => counts.join(", "),
        false => format!("{} ({})", counts.join(", "), errnos.join(", ")),
    }
}

/// The counts of each place of the target if it has several, or a summary if there are many.
fn targets(targets: &[TargetReport]) -> String {
    const SHOWN_AT_MOST: usize = 16;
    let one = |target: &TargetReport| {
        let failed =
            if target.errors.is_empty() { String::new() } else { named(&target.errors, &target.errnos) };
        let comma = if failed.is_empty() { "" } else { ", failed: " };
        format!("  {}: {} opened{comma}{failed}\n", target.address, target.opened)
    };
    match targets.len() {
        0 | 1 => String::new(),
        count if count > SHOWN_AT_MOST => {
            let failed = targets.iter().filter(|target| !target.errors.is_empty()).count();
            format!(
                "connections went to {count} places, at {failed} of which some failed (--json names them)\n"
            )
        }
        count => format!("connections by place, {count}:\n{}", targets.iter().map(one).collect::<String>()),
    }
}

/// The line that says which part of a run it is, or of which parts it was put together; empty for an ordinary run.
fn shards(report: &LoadReport) -> String {
    let mut text = String::new();
    if let Some(shard) = report.shard {
        let LoadSettings { conns, active, .. } = &report.settings;
        text += &format!(
            "shard {shard} of a run of {conns} connections, {active} active; the load named is the run's\n"
        );
    }
    if let Some(skew_s) = report.start_skew_s {
        text += &format!(
            "merged from {} shards, begun within {}\n",
            report.shards.len(),
            duration_ns(skew_s * 1e9)
        );
    }
    text
}

/// The memory that the connections take, by side as far as it can be seen from here, and the time that closing them
/// took.
fn memory(connections: &Connections) -> String {
    let of_each = |total: u64| match connections.opened {
        0 => String::new(),
        opened => format!(" ({} bytes per connection)", total / opened),
    };
    let own = connections.rss_growth_bytes;
    let mut text = format!("memory: generator {}{}", bytes(own), of_each(own));
    if let Some(kernel) = connections.kernel_growth_bytes {
        text += &format!(
            ", the machine's kernel {}{}, of both ends if the server is here",
            bytes(kernel),
            of_each(kernel)
        );
    }
    if let Some(closed_s) = connections.closed_s {
        text += &format!("; closed in {closed_s:.3} s");
    }
    text + "\n"
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
        ("churn connect", report.churn_connect.as_ref()),
        ("response, to the kernel", report.response_kernel.as_ref()),
        ("added after that", report.generator_added.as_ref()),
    ] {
        if let Some(latency) = latency {
            table.add_row(row(name, latency));
        }
    }
    table
}

/// One line: which of the checks failed, if any did.
fn self_check_line(check: &SelfCheck, paint: Paint) -> String {
    let failed: Vec<&str> =
        check.checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
    let count = check.checks.len();
    let names = |names: Vec<&str>| names.join(", ");
    match failed.is_empty() {
        true => {
            let passed = names(check.checks.iter().map(|check| check.name.as_str()).collect());
            format!("self-check: {} ({passed})\n", paint.text(&format!("all {count} passed"), Style::Good))
        }
        false => {
            let verdict = paint.text(&format!("{} of {count} failed", failed.len()), Style::Bad);
            format!("self-check: {verdict}: {}\n", names(failed))
        }
    }
}

fn row(name: &str, latency: &Latency) -> Vec<Cell> {
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

fn number(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn value(ns: Option<u64>) -> Cell {
    number(ns.map_or(ABSENT.to_owned(), |ns| duration_ns(ns as f64)))
}

/// The number of bytes of a request, in words.
fn size(settings: &LoadSettings) -> String {
    match settings.size {
        None => format!("{} bytes", settings.size_bytes),
        Some(Size::Fixed { bytes }) => format!("{bytes} bytes"),
        Some(Size::Uniform { from_bytes, to_bytes }) => format!("{from_bytes} to {to_bytes} bytes"),
        Some(Size::Exponential { mean_bytes, .. }) => format!("{mean_bytes} bytes on average (exponential)"),
    }
}

/// The settings beyond a constant stream of requests: a line, or nothing.
fn workload(settings: &LoadSettings) -> String {
    let workload = &settings.workload;
    let seconds = |seconds: f64| duration_ns(seconds * 1e9);
    let parts: Vec<String> = [
        match settings.protocol {
            Protocol::Echo => None,
            Protocol::Ack => Some("acknowledgements".to_owned()),
            Protocol::Redis => Some("redis".to_owned()),
            Protocol::Template => {
                workload.dialogue.as_ref().map(|said| format!("send {} expect {}", said.send, said.expect))
            }
        },
        workload.most_under_way.map(|most| format!("at most {most} under way on a connection")),
        workload.think.map(|pause| match pause {
            Pause::Fixed { length_s } => format!("pauses of {}", seconds(length_s)),
            Pause::Exponential { mean_s } => {
                format!("pauses of {} on average (exponential)", seconds(mean_s))
            }
        }),
        workload.requests.map(|requests| format!("{requests} requests")),
        workload.ramp_s.map(|ramp_s| format!("after a ramp of {}", seconds(ramp_s))),
        workload.rotate_s.map(|rotate_s| format!("active ones rotate every {}", seconds(rotate_s))),
        workload.churn_per_s.map(|rate| format!("{rate} connections replaced a second")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { String::new() } else { parts.join(", ") + "\n" }
}

/// The numbers of connections that moved, by outcome: a line, or nothing.
fn turnover(report: &LoadReport) -> String {
    let rotated =
        report.connections.rotated.map(|times| format!("{times} times an idle connection became active"));
    let churned = report.connections.churn.map(|churn| {
        let Churn { scheduled, replaced, failed, unfinished } = churn;
        format!("to replace {scheduled} = replaced {replaced} + failed {failed} + unfinished {unfinished}")
    });
    let parts: Vec<String> = rotated.into_iter().chain(churned).collect();
    if parts.is_empty() { String::new() } else { format!("connections: {}\n", parts.join("; ")) }
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
