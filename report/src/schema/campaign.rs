//! A campaign: one scenario, measured over mechanisms, points and repeats.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Connections, Environment, LoadReport, Protocol, Usage};

/// Everything that one `muxbench run` measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Campaign {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Version of muxbench that measured.
    pub muxbench_version: String,
    /// When the run began, RFC 3339, UTC.
    pub started: String,
    /// The command that repeats the run exactly.
    pub command: String,
    /// Whether this was `--quick`: fewer points, shorter windows, wide intervals.
    pub quick: bool,
    /// Whether every planned cell was measured; false after an interruption.
    pub complete: bool,
    /// The machine.
    pub environment: Environment,
    /// What was planned.
    pub plan: Plan,
    /// What was measured, in the order it was measured, failed and invalid attempts included.
    pub cells: Vec<Cell>,
}

/// What a campaign sets out to measure: the scenario, and what the command line made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The scenario with every override applied.
    pub scenario: Scenario,
    /// The points, in order; every mechanism is measured at each of them.
    pub points: Vec<Point>,
    /// The seed of the order of cells and of every schedule.
    pub seed: u64,
}

/// An experiment as written in `scenarios/NAME.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, and the name of its file.
    pub name: String,
    /// What the experiment asks, for a reader.
    pub analysis: String,
    /// Mechanisms to measure, by name; the first is not special.
    pub mechanisms: Vec<String>,
    /// How often each cell is repeated.
    pub repeats: u32,
    /// The load that every cell is put under.
    pub load: Load,
    /// How long the phases of a cell last.
    pub timing: Timing,
    /// The points to measure at.
    #[serde(rename = "sweep")]
    pub sweeps: Vec<Sweep>,
    /// What `--quick` measures instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quick: Option<Quick>,
}

/// A shorter form of a scenario, for a first look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// How often each cell is repeated.
    pub repeats: u32,
    /// How long the phases of a cell last.
    pub timing: Timing,
    /// The points to measure at.
    #[serde(rename = "sweep")]
    pub sweeps: Vec<Sweep>,
}

/// The load that every cell is put under.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Bytes of a request.
    pub size_bytes: u32,
    /// Requests a second of the open-loop phase: one rate for all mechanisms, so that their
    /// latencies can be compared.
    pub rate_per_s: f64,
    /// What the server answers.
    pub protocol: Protocol,
}

/// How long the phases of a cell last, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Load before each measured window.
    pub warmup_s: f64,
    /// The closed-loop window.
    pub capacity_s: f64,
    /// The open-loop window.
    pub latency_s: f64,
}

/// One line of points: connections vary, the active ones are a fixed count or a fixed share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Its name: `idle-scaling`.
    pub name: String,
    /// Connections at each point: counts, also as `"10k"`.
    pub connections: Vec<String>,
    /// Active connections at each point: a count (`"10"`) or a share (`"100%"`).
    pub active: String,
}

/// Where a cell was measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// The sweep that it belongs to.
    pub sweep: String,
    /// Connections held.
    pub connections: u32,
    /// Of those, the ones that carry requests.
    pub active: u32,
}

/// One mechanism at one point in one repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// The mechanism, by name.
    pub mechanism: String,
    /// Where.
    pub point: Point,
    /// Which repeat, from 0: ratios are formed between cells of the same repeat.
    pub repeat: u32,
    /// Which attempt at this cell, from 0: an invalid one is tried again.
    pub attempt: u32,
    /// What became of it.
    pub status: CellStatus,
    /// Why it is not valid, one sentence each.
    pub reasons: Vec<String>,
    /// When it began, seconds since the campaign began.
    pub began_s: f64,
    /// How the connections fared; absent when the server did not start.
    pub connections: Option<Connections>,
    /// Resident memory of the server with all connections open, less that before the first, in bytes.
    pub server_rss_growth_bytes: Option<u64>,
    /// The closed-loop phase: capacity.
    pub capacity: Option<Phase>,
    /// The open-loop phase: latency at the common rate.
    pub latency: Option<Phase>,
}

/// What became of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CellStatus {
    /// Its figures may be used.
    Valid,
    /// It was measured, but broke a rule: its figures are kept and not used.
    Invalid,
    /// It could not be measured: the server died, or connections could not be opened.
    Failed,
}

/// One measured window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// What the generator saw.
    pub load: LoadReport,
    /// What it cost.
    pub usage: Usage,
    /// In closed loop: whether `throughput_per_s` is the server's capacity (its processor was full and
    /// the generator's was not) or only a lower bound of it.
    pub is_capacity: bool,
}
