//! A campaign: one scenario, measured over mechanisms, points and repeats.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Connections, Diagnosis, Environment, LoadReport, Point, Scenario, Slab, Usage};

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
    /// What `muxbench doctor` said of it before the first cell; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diagnosis: Option<Diagnosis>,
    /// What was planned.
    pub plan: Plan,
    /// What was measured, in the order it was measured, failed and invalid attempts included.
    pub cells: Vec<Cell>,
    /// Why repeats ended; absent where the scenario has a fixed number of them, and before they have ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stopped: Option<Stopped>,
}

impl Campaign {
    /// Repeats of the whole: those that were made, once they have ended, and those planned until then.
    pub fn repeats(&self) -> u32 {
        self.stopped.as_ref().map_or(self.plan.scenario.repeats, |stopped| stopped.repeats)
    }
}

/// Why the repeats of a campaign with a [`Stop`](super::Stop) ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// Repeats that were made.
    pub repeats: u32,
    /// The reason: a sentence.
    pub because: String,
    /// What the widest interval of a main ratio reaches to one side of it, as a share of it; 0 without any ratio.
    pub widest_half_width: f64,
}

/// What a campaign sets out to measure: the scenario, and what the command line made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The scenario with every override applied.
    pub scenario: Scenario,
    /// The points, in order; every contender is measured at each of them.
    pub points: Vec<Point>,
    /// The seed of the order of cells and of every schedule.
    #[serde(with = "super::seed")]
    #[schemars(with = "super::seed::Seed")]
    pub seed: u64,
}

/// One contender at one point in one repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// The mechanism or the external server, by name.
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
    /// Resident memory of the server with all connections open, less that before the first, in bytes; of an
    /// external server, the sum over the processes of its group.
    pub server_rss_growth_bytes: Option<u64>,
    /// The kernel's memory before the first connection and with all of them open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slab: Option<Slab>,
    /// From before the first connection until the server had taken all of them in. It has no echoes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup: Option<Usage>,
    /// From before the first connection was closed, by a reset, until the server had closed all of them at its end; absent for
    /// an external server, which does not tell. It has no echoes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub teardown: Option<Usage>,
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
