//! Published figures, measured again: `muxbench run reproductions`.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;

/// Every table that was measured again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Reproductions {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Begin of the measurement, RFC 3339, UTC.
    pub started: String,
    /// The command that repeats it.
    pub command: String,
    /// The machine.
    pub environment: Environment,
    /// The tables, in the order in which they are printed.
    pub tables: Vec<Reproduction>,
}

/// One published table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Reproduction {
    /// Its name: `tlpi`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The publication.
    pub source: String,
    /// The measurement: of what, and how.
    pub what: String,
    /// The differences from the original, and their reasons.
    pub differs: String,
    /// The unit of its figures: `s`, `µs`, `ops/s`.
    pub unit: String,
    /// Its figures.
    pub figures: Vec<ReproducedFigure>,
}

/// One figure of a published table, and ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ReproducedFigure {
    /// The mechanism, by name, and where it was run in several ways, how.
    pub mechanism: String,
    /// Descriptors watched.
    pub watched: u32,
    /// The published figure; absent where the original has none.
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
