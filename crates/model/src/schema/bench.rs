//! Micro-benchmarks: what `cargo bench` leaves in `results/bench/`.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Environment, Latency};

/// One group of micro-benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct BenchGroup {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Its name: `wait`, `echo`.
    pub group: String,
    /// The call that is timed, for a reader.
    pub what: String,
    /// Begin of the measurement, RFC 3339, UTC.
    pub started: String,
    /// The machine.
    pub environment: Environment,
    /// Its points.
    pub points: Vec<BenchPoint>,
}

/// One mechanism at one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct BenchPoint {
    /// The mechanism, by name.
    pub mechanism: String,
    /// Descriptors watched.
    pub watched: u32,
    /// Of those, the ones that are ready in each call.
    pub ready: u32,
    /// Batches measured: one mean wall time each.
    pub batches: u32,
    /// Median of the batch means, in nanoseconds a call.
    pub median_ns: f64,
    /// Lower end of the 95 % interval of the median.
    pub low_ns: f64,
    /// Upper end of the 95 % interval of the median.
    pub high_ns: f64,
    /// Single calls, each timed on its own in the same run (with the cost of reading the clock).
    pub calls: Latency,
}
