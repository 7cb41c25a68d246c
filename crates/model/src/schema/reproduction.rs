//! Published figures, measured again: `muxbench run reproductions`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;

/// Every table that was measured again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reproductions {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// When it was measured, RFC 3339, UTC.
    pub started: String,
    /// The command that repeats it.
    pub command: String,
    /// The machine.
    pub environment: Environment,
    /// The tables, in the order in which they are printed.
    pub tables: Vec<Reproduction>,
}

/// One published table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reproduction {
    /// Its name: `tlpi`.
    pub name: String,
    /// What it is called: a title.
    pub title: String,
    /// Where it was published.
    pub source: String,
    /// What is measured, and how.
    pub what: String,
    /// What differs from the original, and why.
    pub differs: String,
    /// What its figures count: `s`, `µs`, `ops/s`.
    pub unit: String,
    /// Its figures.
    pub figures: Vec<ReproducedFigure>,
}

/// One figure of a published table, and ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReproducedFigure {
    /// The mechanism, by name, and where it was run in several ways, how.
    pub mechanism: String,
    /// Descriptors watched.
    pub watched: u32,
    /// What was published; absent where the original has no such figure.
    pub published: Option<f64>,
    /// Ours: the median over the repeats.
    pub median: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Repeats.
    pub repeats: u32,
}
