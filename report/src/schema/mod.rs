//! The result files of this project, as types.
//!
//! `results/schema.json` is generated from [`ResultFile`]; a test fails when the two differ. Durations
//! are seconds as `f64` with the suffix `_s`, or nanoseconds as integers with the suffix `_ns`.

mod bench;
mod campaign;
mod environment;
mod load;
mod usage;

pub use bench::{BenchGroup, BenchPoint};
pub use campaign::{Campaign, Cell, CellStatus, Load, Phase, Plan, Point, Quick, Scenario, Sweep, Timing};
pub use environment::{Environment, Limits};
pub use load::{Arrivals, Connections, Latency, LoadMode, LoadReport, LoadSettings, Protocol, WaitPolicy};
pub use usage::{ProcessUsage, ServerCounters, SystemUsage, Usage};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the schema that this build writes. It grows when a key is removed or changes meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// Any file that the project writes as a result, told apart by its `kind`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant)] // one value per file: its size on the stack does not matter
pub enum ResultFile {
    /// A whole campaign: `results/<time>-<host>/campaign.json`.
    Campaign(Campaign),
    /// One group of micro-benchmarks: `results/bench/<group>.json`.
    Bench(BenchGroup),
    /// One run of the load generator: `load-gen --json`.
    Load(LoadReport),
}

/// The JSON Schema of [`ResultFile`], as committed in `results/schema.json`.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(ResultFile)
}

#[cfg(test)]
mod tests;
