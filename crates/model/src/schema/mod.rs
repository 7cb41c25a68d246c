//! The result files of this project, as types.
//!
//! `results/schema.json` is generated from [`ResultFile`]; a test fails when the two differ. Durations
//! are seconds as `f64` with the suffix `_s`, or nanoseconds as integers with the suffix `_ns`.

mod bench;
pub(crate) mod campaign;
mod claims;
mod comparison;
mod curve;
mod diagnosis;
mod environment;
mod load;
mod point;
mod reproduction;
mod scenario;
mod seed;
mod self_check;
mod semantics;
mod usage;
mod workload;

pub use bench::{BenchGroup, BenchPoint};
pub use claims::{ClaimFigure, ClaimResult, ClaimVerdict, Claims, Evidence, FalseDifferences, Finding};
pub use comparison::{
    Compared, ComparedCampaign, ComparedFigure, ComparedRatio, ComparedVerdict, Comparison, Missing, Share,
};
pub use curve::{LoadCurve, Objective, RateSearch, SearchEnd};
pub use diagnosis::{BusyProcess, Diagnosis, Health, Noise, Symptom};
pub use environment::{Environment, Limits};
pub use load::{
    Arrivals, Connections, CpuQuota, EngineKind, Interval, Latency, LoadMode, LoadReport, LoadSettings,
    MergedShard, Protocol, Shard, TargetReport, Timestamps, WaitPolicy,
};
pub use point::Point;
pub use reproduction::{ReproducedFigure, Reproduction, Reproductions};
pub use scenario::{
    AGAIN, ActiveList, Exclude, ExternalServer, HalfWidths, Load, Quick, QuickRounds, Rounds, Scenario,
    Sweep, base_of, is_base, program_of, twin_of,
};
pub use self_check::{Check, SelfCheck};
pub use semantics::{Answer, Event, Observer, Phase as WaitPhase, PhaseReport, Semantics, SituationReport};
pub use usage::{CallCounters, ServerCounters, Slab, SlabCache};
pub use workload::{Churn, Dialogue, Pause, Size, Workload};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the schema that this build writes. It grows when a key is removed or changes meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// Any file that the project writes as a result, told apart by its `kind`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant)] // one value per file: its size on the stack does not matter
pub enum ResultFile {
    /// A whole campaign: `results/<time>-<host>/campaign.json`.
    Campaign(campaign::Campaign),
    /// One group of micro-benchmarks: `results/bench/<group>.json`.
    Bench(BenchGroup),
    /// One run of the load generator: `load-gen --json`.
    Load(LoadReport),
    /// Several runs of it at rising rates: `load-gen --rate 10k..200k:10 --json`, and `--slo`.
    LoadCurve(LoadCurve),
    /// The reports of each mechanism on one kernel: `muxbench semantics --json`.
    Semantics(Semantics),
    /// The fitness of a machine to be measured on: `muxbench doctor --json`.
    Diagnosis(Diagnosis),
    /// Published figures, measured again: `muxbench run reproductions`.
    Reproductions(Reproductions),
    /// The claims with their verdicts: `muxbench claims --json`.
    Claims(Claims),
    /// Two campaigns, compared: `muxbench compare --json`.
    Comparison(Comparison),
}

/// The JSON Schema of [`ResultFile`], as committed in `results/schema.json`.
#[cfg(feature = "schema")]
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(ResultFile)
}
