//! The parts beside campaigns: micro-benchmarks, single runs of the generator, published figures measured again.

use minijinja::context;
use minijinja::value::Value;

use super::sources::{Part, is_of_benches};
use super::table::{inlined, sortable, table};
use crate::format;
use crate::grid::{Cell, Column, Grid, Tone};
use crate::reproductions;
use model::schema::{BenchGroup, BenchPoint, Latency, LoadMode, LoadReport, Reproduction, Reproductions};

/// The figures of micro-benchmarks, which are among those of `part`, and a table for each group; `None` without any.
pub fn benches(groups: &[BenchGroup], part: Option<&Part<'_>>) -> Option<Value> {
    let drawn = part.into_iter().flat_map(|part| part.figures).filter(|drawing| is_of_benches(drawing));
    let figures: Vec<Value> = drawn.map(|drawing| inlined(drawing, "")).collect();
    let tables: Vec<Value> = groups.iter().map(bench).collect();
    (!groups.is_empty()).then(|| context! { figures, tables })
}

/// Columns of words, and of numbers where the name begins with `#`.
fn columns(names: &[&str]) -> Vec<Column> {
    let column = |name: &&str| match name.strip_prefix('#') {
        Some(name) => Column::numbers(name),
        None => Column::words(*name),
    };
    names.iter().map(column).collect()
}

fn count(number: u64) -> Cell {
    Cell::from(format::thousands(number)).sorted_by(Some(number as f64))
}

fn time(value_ns: Option<f64>) -> Cell {
    let text = value_ns.map_or_else(|| format::ABSENT.to_owned(), format::duration_ns);
    Cell::from(text).sorted_by(value_ns)
}

fn bench(group: &BenchGroup) -> Value {
    let row = |point: &BenchPoint| {
        let ends = [point.low_ns, point.high_ns].map(format::duration_ns);
        vec![
            point.mechanism.as_str().into(),
            count(point.watched.into()),
            count(point.ready.into()),
            time(Some(point.median_ns)),
            Cell::from(ends.join(" to ")).sorted_by(Some(point.low_ns)),
            time(point.calls.p99_ns.map(|ns| ns as f64)),
        ]
    };
    let names =
        ["mechanism", "#watched", "#ready", "#median of batches", "#95 % interval", "#single call, p99"];
    let grid = Grid { columns: columns(&names), rows: group.points.iter().map(row).collect() };
    sortable(&format!("Micro-benchmark {}: {}", group.group, group.what), &grid)
}

/// Single runs of the generator; `None` without any.
pub fn loads(loads: &[LoadReport]) -> Option<Value> {
    let row = |load: &LoadReport| {
        let offered = match load.settings.mode {
            LoadMode::Open { rate_per_s, .. } => format::nominal_rate(rate_per_s),
            LoadMode::Closed { .. } => "closed loop".to_owned(),
        };
        let response = load.response.as_ref();
        let of =
            |quantile: fn(&Latency) -> Option<u64>| time(response.and_then(quantile).map(|ns| ns as f64));
        let ramp_s = load.connections.ramp_s;
        vec![
            count(load.connections.opened),
            Cell::from(format!("{} s", format::three_digits(ramp_s))).sorted_by(Some(ramp_s)),
            count(load.settings.active),
            offered.into(),
            Cell::from(format::rate(load.throughput_per_s)).sorted_by(Some(load.throughput_per_s)),
            of(|latency| latency.p50_ns),
            of(|latency| latency.p99_ns),
            count(load.errors.values().sum::<u64>() + load.outstanding + load.connections.lost),
            match load.valid {
                true => Cell::from("valid").with(Tone::Good),
                false => Cell::from(load.invalid_reasons.join("; ")).with(Tone::Bad),
            },
        ]
    };
    let names = [
        "#connections",
        "#opened in",
        "#active",
        "#requests/s",
        "#replies/s",
        "#response p50",
        "#response p99",
        "#failed, lost or unanswered",
        "validity",
    ];
    let grid = Grid { columns: columns(&names), rows: loads.iter().map(row).collect() };
    (!loads.is_empty()).then(|| sortable("Single runs of load-gen", &grid))
}

/// All published tables beside ours, each with how its figures grow with the descriptors.
pub fn reproduced(all: Option<&Reproductions>) -> Vec<Value> {
    let one = |of: &Reproduction| {
        let table = table(&format!("Published and ours: {}", of.title), &reproductions::grid(of));
        context! { of, table, growths => reproductions::growths(of) }
    };
    all.into_iter().flat_map(|all| &all.tables).map(one).collect()
}
