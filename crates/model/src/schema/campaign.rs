//! A campaign: one scenario, measured over mechanisms, points and repeats.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Connections, Diagnosis, Environment, Exclude, ExternalServer, LoadReport, Point, Protocol, Slab, Sweep,
    Usage, program_of, twin_of,
};

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

/// Why the repeats of a campaign with a [`Stop`] ended.
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
    pub scenario: CellScenario,
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

/// A scenario of cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellScenario {
    /// Its name.
    pub name: String,
    /// What the experiment asks, for a reader.
    pub analysis: String,
    /// Mechanisms to measure, by name.
    #[serde(default)]
    pub mechanisms: Vec<String>,
    /// Servers of other making to measure beside them.
    #[serde(rename = "server", skip_serializing_if = "Vec::is_empty", default)]
    pub servers: Vec<ExternalServer>,
    /// What is not measured, and why.
    #[serde(rename = "exclude", skip_serializing_if = "Vec::is_empty", default)]
    pub excludes: Vec<Exclude>,
    /// The contender that is measured a second time, against itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<String>,
    /// How often each cell is repeated; with `stop`, how often at least.
    pub repeats: u32,
    /// Repeat until the figures are as sure as this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<Stop>,
    /// The load that every cell is put under, unless its point says otherwise.
    pub load: CellLoad,
    /// How long the phases of a cell last.
    pub timing: Timing,
    /// The points to measure at.
    #[serde(rename = "sweep")]
    pub sweeps: Vec<Sweep>,
}

impl CellScenario {
    /// The names of all that is compared.
    pub fn contenders(&self) -> impl Iterator<Item = &str> {
        let servers = self.servers.iter().map(|server| &server.name);
        self.mechanisms.iter().chain(servers).map(String::as_str)
    }

    /// The name under which the second of the A/A pair is measured.
    pub fn control_name(&self) -> Option<String> {
        self.control.as_deref().map(twin_of)
    }

    /// Why `contender` is not measured at `point`, where that is so.
    pub fn exclusion(&self, contender: &str, point: &Point) -> Option<&Exclude> {
        let mechanism = program_of(contender);
        self.excludes.iter().find(|exclude| exclude.mechanism == mechanism && exclude.covers(point))
    }
}

/// When repeats end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// What the 95 % interval may reach to either side of the ratio, as a share of it: 0.1 is 10 %.
    pub ratio_half_width: f64,
    /// Repeats after which there are no more, however wide the intervals.
    pub repeats_at_most: u32,
}

/// The load that every cell is put under.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellLoad {
    /// Bytes of a request.
    pub size_bytes: u32,
    /// Requests a second of the open-loop phase.
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
