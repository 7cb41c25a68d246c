//! One table with a row a cell, attempts that do not count included: for R, pandas or a spreadsheet.

use std::borrow::Cow;

use serde::Serialize;

use super::super::spreadsheet::text;
use crate::cells::Figure;
use model::schema::{Campaign, Cell, CellStatus};

/// One row. The columns are documented in docs/METHODOLOGY.md; a figure that a cell does not have is empty.
#[derive(Serialize)]
struct Row<'a> {
    scenario: Cow<'a, str>,
    contender: Cow<'a, str>,
    sweep: Cow<'a, str>,
    connections: u32,
    active: u32,
    threads: u32,
    accept: Option<Cow<'a, str>>,
    size_bytes: u32,
    rate_per_s: f64,
    churn_per_s: Option<u32>,
    repeat: u32,
    attempt: u32,
    status: CellStatus,
    reasons: String,
    began_s: f64,
    response_count: Option<u64>,
    response_mean_ns: Option<f64>,
    response_p50_ns: Option<u64>,
    response_p90_ns: Option<u64>,
    response_p99_ns: Option<u64>,
    response_p999_ns: Option<u64>,
    response_max_ns: Option<u64>,
    capacity_per_s: Option<f64>,
    is_capacity: Option<bool>,
    server_cpu_ns_per_echo: Option<f64>,
    system_cpu_ns_per_echo: Option<f64>,
    syscalls_per_echo: Option<f64>,
    server_rss_growth_bytes: Option<u64>,
}

/// Writes the table of `campaign`.
pub fn render(campaign: &Campaign) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for cell in &campaign.cells {
        writer.serialize(row(campaign, cell)).expect("written to memory");
    }
    let bytes = writer.into_inner().expect("written to memory");
    String::from_utf8(bytes).expect("made of strings")
}

fn row<'a>(campaign: &'a Campaign, cell: &'a Cell) -> Row<'a> {
    let (scenario, point) = (&campaign.plan.scenario, &cell.point);
    let response = cell.latency.as_ref().and_then(|phase| phase.load.response.as_ref());
    let capacity = cell.capacity.as_ref();
    Row {
        scenario: text(&scenario.name),
        contender: text(&cell.mechanism),
        sweep: text(&point.sweep),
        connections: point.connections,
        active: point.active,
        threads: point.threads,
        accept: point.accept.as_deref().map(text),
        size_bytes: point.size_bytes.unwrap_or(scenario.load.size_bytes),
        rate_per_s: point.rate_per_s.map_or(scenario.load.rate_per_s, f64::from),
        churn_per_s: point.churn_per_s,
        repeat: cell.repeat,
        attempt: cell.attempt,
        status: cell.status,
        reasons: text(&cell.reasons.join("; ")).into_owned(),
        began_s: cell.began_s,
        response_count: response.map(|latency| latency.count),
        response_mean_ns: response.and_then(|latency| latency.mean_ns),
        response_p50_ns: response.and_then(|latency| latency.p50_ns),
        response_p90_ns: response.and_then(|latency| latency.p90_ns),
        response_p99_ns: response.and_then(|latency| latency.p99_ns),
        response_p999_ns: response.and_then(|latency| latency.p999_ns),
        response_max_ns: response.and_then(|latency| latency.max_ns),
        capacity_per_s: Figure::Throughput.of(cell),
        is_capacity: capacity.map(|phase| phase.is_capacity),
        server_cpu_ns_per_echo: Figure::ServerCpu.of(cell),
        system_cpu_ns_per_echo: capacity.and_then(|phase| phase.usage.system_cpu_ns_per_echo()),
        syscalls_per_echo: Figure::Syscalls.of(cell),
        server_rss_growth_bytes: cell.server_rss_growth_bytes,
    }
}
