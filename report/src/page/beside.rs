//! What stands beside campaigns: micro-benchmarks, single runs of the generator, published figures measured again.

use serde::Serialize;

use super::Part;
use super::figure::{self, Inlined};
use super::table::{Cell, Column, Table, columns};
use crate::format;
use crate::reproductions;
use model::schema::{BenchGroup, BenchPoint, Latency, LoadMode, LoadReport, Reproduction, Reproductions};

/// Micro-benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Benches {
    /// Their figures.
    pub figures: Vec<Inlined>,
    /// A table a group.
    pub tables: Vec<Table>,
}

impl Benches {
    /// Of `groups`, whose figures are among those of `part`; `None` without any.
    pub fn of(groups: &[BenchGroup], part: Option<&Part<'_>>) -> Option<Self> {
        let figures =
            part.into_iter().flat_map(figure::of_benches).map(|figure| Inlined::of(figure, "")).collect();
        (!groups.is_empty()).then(|| Self { figures, tables: groups.iter().map(bench).collect() })
    }
}

fn bench(group: &BenchGroup) -> Table {
    let count = |number: u32| Cell::figure(format::thousands(number.into()), Some(number.into()));
    let row = |point: &BenchPoint| {
        let ends = [point.low_ns, point.high_ns].map(format::duration_ns);
        vec![
            Cell::text(&point.mechanism),
            count(point.watched),
            count(point.ready),
            Cell::figure(format::duration_ns(point.median_ns), Some(point.median_ns)),
            Cell::figure(ends.join(" to "), Some(point.low_ns)),
            percentile(point.calls.p99_ns),
        ]
    };
    Table {
        caption: format!("Micro-benchmark {}: {}", group.group, group.what),
        sortable: true,
        columns: columns(&[
            "mechanism",
            "#watched",
            "#ready",
            "#median of batches",
            "#95 % interval",
            "#single call, p99",
        ]),
        rows: group.points.iter().map(row).collect(),
        ..Table::default()
    }
}

/// Single runs of the generator; `None` without any.
pub fn loads(loads: &[LoadReport]) -> Option<Table> {
    let count = |number: u64| Cell::figure(format::thousands(number), Some(number as f64));
    let row = |load: &LoadReport| {
        let offered = match load.settings.mode {
            LoadMode::Open { rate_per_s, .. } => format::nominal_rate(rate_per_s),
            LoadMode::Closed { .. } => "closed loop".to_owned(),
        };
        let response = load.response.as_ref();
        let of = |quantile: fn(&Latency) -> Option<u64>| percentile(response.and_then(quantile));
        let lost = load.errors.values().sum::<u64>() + load.outstanding + load.connections.lost;
        vec![
            count(load.connections.opened),
            Cell::figure(
                format!("{} s", format::three_digits(load.connections.ramp_s)),
                Some(load.connections.ramp_s),
            ),
            count(load.settings.active),
            Cell::text(offered),
            Cell::figure(format::rate(load.throughput_per_s), Some(load.throughput_per_s)),
            of(|latency| latency.p50_ns),
            of(|latency| latency.p99_ns),
            count(lost),
            if load.valid {
                Cell::text("valid").class("good")
            } else {
                Cell::text(load.invalid_reasons.join("; ")).class("bad")
            },
        ]
    };
    (!loads.is_empty()).then(|| Table {
        caption: "Single runs of load-gen".to_owned(),
        sortable: true,
        columns: columns(&[
            "#connections",
            "#opened in",
            "#active",
            "#requests/s",
            "#replies/s",
            "#response p50",
            "#response p99",
            "#failed, lost or unanswered",
            "validity",
        ]),
        rows: loads.iter().map(row).collect(),
        ..Table::default()
    })
}

fn percentile(value_ns: Option<u64>) -> Cell {
    let text = value_ns.map_or_else(|| format::ABSENT.to_owned(), |ns| format::duration_ns(ns as f64));
    Cell::figure(text, value_ns.map(|ns| ns as f64))
}

/// A published table beside ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduced {
    /// What it is called.
    pub title: String,
    /// Where it was published.
    pub source: String,
    /// What is measured.
    pub what: String,
    /// What differs.
    pub differs: String,
    /// Its figures.
    pub table: Table,
    /// How they grow with the descriptors.
    pub growths: Vec<String>,
}

/// All published tables.
pub fn reproduced(all: Option<&Reproductions>) -> Vec<Reproduced> {
    let one = |table: &Reproduction| Reproduced {
        title: table.title.clone(),
        source: table.source.clone(),
        what: table.what.clone(),
        differs: table.differs.clone(),
        table: published(table),
        growths: reproductions::growths(table),
    };
    all.into_iter().flat_map(|all| &all.tables).map(one).collect()
}

fn published(table: &Reproduction) -> Table {
    let column = |(index, name): (usize, String)| Column { name, numeric: index > 0 };
    let row = |row: Vec<String>| row.into_iter().map(Cell::text).collect();
    Table {
        caption: format!("Published and ours: {}", table.title),
        columns: reproductions::header(table).into_iter().enumerate().map(column).collect(),
        rows: reproductions::rows(table).into_iter().map(row).collect(),
        ..Table::default()
    }
}
