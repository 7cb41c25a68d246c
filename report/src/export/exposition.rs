//! The text of an exposition, a family after the other, in either of the two formats that are called so.
//!
//! They are alike and not the same. Prometheus's own text format, which promtool, a Pushgateway and the textfile collector of node_exporter
//! read, knows no type `info`, no units and no end, and has the name of a sample in front of its family: a counter is called
//! `…_total` there. OpenMetrics, which a scraper has to ask for, leaves that ending out of the name of a family.
//!
//! Written here and not with a client library, since those observe samples one by one and do not write summaries.

use std::fmt::{Display, Write as _};

use model::histogram::Histogram;

/// The format of an exposition, one of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Prometheus's text format, version 0.0.4.
    Prometheus,
    /// OpenMetrics text, version 1.0.0.
    OpenMetrics,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Counts, whose samples are called like the family, with `_total` behind it.
    Counter,
    /// Values that may rise and fall.
    Gauge,
    /// Cumulative buckets.
    Histogram,
    /// Labels with the value 1, whose sample is called like the family, with `_info` behind it.
    Info,
    /// Quantiles.
    Summary,
}

impl Kind {
    /// The word for it in `dialect`, and what the family's name has behind it there.
    fn in_words(self, dialect: Dialect) -> (&'static str, &'static str) {
        match (self, dialect) {
            (Self::Counter, Dialect::OpenMetrics) => ("counter", ""),
            (Self::Counter, Dialect::Prometheus) => ("counter", "_total"),
            (Self::Info, Dialect::OpenMetrics) => ("info", ""),
            (Self::Info, Dialect::Prometheus) => ("gauge", "_info"),
            (Self::Gauge, _) => ("gauge", ""),
            (Self::Histogram, _) => ("histogram", ""),
            (Self::Summary, _) => ("summary", ""),
        }
    }
}

/// An exposition that is being written.
pub(super) struct Exposition {
    dialect: Dialect,
    text: String,
    /// The labels of every sample, as text.
    labels: Vec<String>,
}

impl Exposition {
    /// Nothing yet; every sample has `labels`.
    pub(super) fn new<'a>(dialect: Dialect, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let labels = labels.map(|(name, value)| label(name, value)).collect();
        Self { dialect, text: String::new(), labels }
    }

    /// The whole text.
    pub(super) fn end(self) -> String {
        match self.dialect {
            Dialect::Prometheus => self.text,
            Dialect::OpenMetrics => self.text + "# EOF\n",
        }
    }

    /// The head of a family; its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: Kind, unit: &str, help: &str) {
        let (word, ending) = kind.in_words(self.dialect);
        let _ = writeln!(self.text, "# HELP {name}{ending} {help}\n# TYPE {name}{ending} {word}");
        if !unit.is_empty() && self.dialect == Dialect::OpenMetrics {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
    }

    /// The samples of one histogram, in seconds, of a family that was begun.
    pub(super) fn buckets(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        for edge_ns in edges_ns() {
            let count = if histogram.is_empty() { 0 } else { histogram.count_between(0, edge_ns) };
            let edge = go_float(seconds(edge_ns as f64));
            self.sample(&format!("{name}_bucket"), &[labels, &[("le", &edge)]].concat(), count);
        }
        self.sample(&format!("{name}_bucket"), &[labels, &[("le", "+Inf")]].concat(), histogram.len());
        self.sample(&format!("{name}_count"), labels, histogram.len());
        self.sample(&format!("{name}_sum"), labels, seconds(histogram.mean() * histogram.len() as f64));
    }

    /// One sample of a family that was begun.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let own = labels.iter().map(|(name, value)| label(name, value));
        let labels: Vec<String> = self.labels.iter().cloned().chain(own).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

/// Upper edges of the buckets: 1, 2, 5 of each power of ten from a microsecond to 50 seconds. A sample's place is known
/// to the histogram's 0.1 %, so that much may lie on the other side of an edge.
fn edges_ns() -> impl Iterator<Item = u64> {
    (3..=10).flat_map(|exponent| [1, 2, 5].map(|digit| digit * 10u64.pow(exponent)))
}

/// Nanoseconds in the unit of the format.
pub(super) fn seconds(ns: f64) -> f64 {
    ns / 1e9
}

/// A number as the format's canonical form has it, that of Go: `1e-06`, `0.0001`, `1.0`.
fn go_float(value: f64) -> String {
    if value >= 1e-4 {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}

fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("{name}=\"{value}\"")
}
