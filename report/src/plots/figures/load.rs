//! Figures of one run of the load generator.

use super::spectrum;
use crate::format;
use crate::plots::axis::{Axis, Scale};
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::heat::{Column, Course, Heat};
use crate::plots::style::Styles;
use crate::rounds::Unit;
use model::histogram::{self, DecodeError, Histogram};
use model::schema::{LoadMode, LoadReport, LoadSettings, Point};

/// Columns beyond which intervals are put together.
const COLUMNS_AT_MOST: usize = 120;
/// The percentiles that are drawn of each stretch.
const PERCENTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];
/// Fields of a column, from the least latency to the greatest.
const FIELDS: i32 = 48;

/// The figures that a run has data for: time × latency, where it has a series of intervals, and the distributions of
/// its response and service times.
///
/// # Errors
///
/// When a histogram in it is damaged.
pub fn of_load(load: &LoadReport) -> Result<Vec<Figure>, DecodeError> {
    let figures = [heat(load)?, distributions(load)?];
    Ok(figures.into_iter().flatten().collect())
}

/// Some intervals that follow each other, together.
struct Stretch {
    from_s: f64,
    to_s: f64,
    latency: Histogram,
}

fn heat(load: &LoadReport) -> Result<Option<Figure>, DecodeError> {
    let stretches = stretches(load)?;
    let values = || stretches.iter().filter(|stretch| !stretch.latency.is_empty());
    let least = values().map(|stretch| stretch.latency.min()).min();
    let most = values().map(|stretch| stretch.latency.max()).max();
    let (Some(least), Some(most), true) = (least, most, stretches.len() > 1) else { return Ok(None) };
    let y = Axis::holding([least.max(1) as f64, most as f64], Unit::Nanoseconds);
    let edges: Vec<f64> =
        (0..=FIELDS).map(|at| y.low * (y.high / y.low).powf(f64::from(at) / f64::from(FIELDS))).collect();
    let end_ns = stretches.last().map_or(0.0, |stretch| stretch.to_s * 1e9);
    let what = what_is_timed(load);
    let heat = Heat {
        x_title: "time since the begin of the window".to_owned(),
        x: Axis { low: 0.0, high: end_ns, unit: Unit::Nanoseconds, scale: Scale::Linear, zero: None },
        y,
        columns: stretches.iter().map(|stretch| column(stretch, &edges)).collect(),
        edges,
        lines: PERCENTILES
            .map(|(name, quantile)| Course {
                name,
                is_dashed: quantile > 0.5,
                positions: course(&stretches, quantile),
            })
            .into(),
    };
    let panel = Panel { heading: format!("{what} time"), body: Body::Heat(heat) };
    let length_s = stretches.first().map_or(0.0, |stretch| stretch.to_s - stretch.from_s);
    let subtitle = format!(
        "Requests by when they were answered and their {what} time, in stretches of {}; {}",
        format::duration_ns(length_s * 1e9),
        workload(load)
    );
    let reading = "Shade: requests in a field, by powers of ten. A percentile needs 100 samples beyond it in its stretch.";
    Ok(Some(figure(load, "heat-map", (finding(&stretches, what), subtitle), panel, reading)))
}

/// The finding that a reader looks for in such a figure: the longest time and when it was, against the median of all.
fn finding(stretches: &[Stretch], what: &str) -> String {
    let longest = |stretch: &&Stretch| (!stretch.latency.is_empty()).then(|| stretch.latency.max());
    let worst = stretches.iter().max_by_key(longest);
    let mut all = histogram::empty();
    stretches.iter().for_each(|stretch| all += &stretch.latency);
    let median = histogram::quantile_ns(&all, 0.5).map(|ns| format::duration_ns(ns as f64));
    let (Some(worst), Some(median)) = (worst, median) else {
        return format!("The {what} times of {} requests", format::thousands(all.len()));
    };
    format!(
        "Half of all are answered within {median}; the longest {what} time, {}, ended between {} and {}",
        format::duration_ns(worst.latency.max() as f64),
        seconds(worst.from_s),
        seconds(worst.to_s)
    )
}

fn seconds(value_s: f64) -> String {
    format!("{} s", format::three_digits(value_s))
}

/// In closed loop there is no intended instant to count from.
fn what_is_timed(load: &LoadReport) -> &'static str {
    if load.response.is_some() { "response" } else { "service" }
}

fn stretches(load: &LoadReport) -> Result<Vec<Stretch>, DecodeError> {
    let together = load.intervals.len().div_ceil(COLUMNS_AT_MOST).max(1);
    load.intervals
        .chunks(together)
        .map(|intervals| {
            let mut latency = histogram::empty();
            for interval in intervals {
                latency += interval.response.as_ref().unwrap_or(&interval.service).histogram()?;
            }
            let (first, last) = (&intervals[0], &intervals[intervals.len() - 1]);
            Ok(Stretch { from_s: first.start_s, to_s: last.start_s + last.length_s, latency })
        })
        .collect()
}

fn column(stretch: &Stretch, edges: &[f64]) -> Column {
    let mut counts = vec![0; edges.len() - 1];
    for value in stretch.latency.iter_recorded() {
        let ns = value.value_iterated_to() as f64;
        let field = edges[1..edges.len() - 1].partition_point(|edge| *edge <= ns);
        counts[field] += value.count_since_last_iteration();
    }
    let told = |name: &str, value: u64| format!(", {name} {}", format::duration_ns(value as f64));
    let percentile =
        |(name, quantile): (&str, f64)| Some(told(name, histogram::quantile_ns(&stretch.latency, quantile)?));
    let most = (!stretch.latency.is_empty()).then(|| told("longest", stretch.latency.max()));
    let hover = format!(
        "{} to {}: {} requests{}",
        seconds(stretch.from_s),
        seconds(stretch.to_s),
        format::thousands(stretch.latency.len()),
        PERCENTILES.map(percentile).into_iter().chain([most]).flatten().collect::<String>()
    );
    Column { from: stretch.from_s * 1e9, to: stretch.to_s * 1e9, counts, hover }
}

/// A percentile of each stretch that has one, in its middle.
fn course(stretches: &[Stretch], quantile: f64) -> Vec<(f64, f64)> {
    let of = |stretch: &Stretch| {
        let value = histogram::quantile_ns(&stretch.latency, quantile)?;
        Some((f64::midpoint(stretch.from_s, stretch.to_s) * 1e9, value as f64))
    };
    stretches.iter().filter_map(of).collect()
}

fn distributions(load: &LoadReport) -> Result<Option<Figure>, DecodeError> {
    let both = [("response", load.response.as_ref()), ("service", Some(&load.service))];
    let mut series = Vec::new();
    for (name, latency) in both.into_iter().filter_map(|(name, latency)| Some((name, latency?))) {
        series.extend(spectrum::line(name, &latency.histogram()?));
    }
    if series.is_empty() {
        return Ok(None);
    }
    let title = match (&load.response, load.response.as_ref().and_then(|latency| latency.p99_ns)) {
        (Some(_), Some(p99_ns)) => {
            format!("99 in 100 requests are answered within {}", format::duration_ns(p99_ns as f64))
        }
        _ => "The times of all requests, by percentile".to_owned(),
    };
    let subtitle = format!(
        "response: from the instant that the schedule intended; service: from the actual send; {}",
        workload(load)
    );
    let panel = spectrum::panel("time to the reply", series);
    let reading = "A line ends where fewer than 100 samples lie beyond.";
    Ok(Some(figure(load, "load-spectrum", (title, subtitle), panel, reading)))
}

/// `10,000 connections, 100 active, 20k requests/s`.
fn workload(load: &LoadReport) -> String {
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let place = format::place(&Point::new("", count(load.settings.conns), count(load.settings.active)));
    match load.settings.mode {
        LoadMode::Open { rate_per_s, .. } => {
            format!("{place}, {} requests/s", format::nominal_rate(rate_per_s))
        }
        LoadMode::Closed { .. } => format!("{place}, closed loop"),
    }
}

fn figure(
    load: &LoadReport,
    name: &str,
    (title, subtitle): (String, String),
    panel: Panel,
    reading: &str,
) -> Figure {
    let LoadSettings { target, seed, .. } = &load.settings;
    let provenance = format!("load-gen against {target}; seed {seed}, {}", load.started_at);
    Figure {
        name: name.to_owned(),
        title,
        subtitle,
        rows: vec![Row { heading: None, panels: vec![panel] }],
        styles: Styles::of(["response", "service"]),
        warnings: load.invalid_reasons.iter().map(|reason| format!("not valid: {reason}")).collect(),
        caption: vec![reading.to_owned(), provenance],
        ..Figure::default()
    }
}
