//! A campaign of rounds: all candidates of a point are alive at once, and each round gives each of them one slice of the same load, in
//! random order. Ratios are formed within a round, against a fixed reference.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Connections, Diagnosis, Environment, Point, Scenario, ServerCounters, Slab};

/// Everything that one `muxbench run` measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Campaign {
    /// See [`SCHEMA_VERSION`](crate::schema::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Version of muxbench that measured.
    pub muxbench_version: String,
    /// Begin of the run, RFC 3339, UTC.
    pub started: String,
    /// The command that repeats the run exactly.
    pub command: String,
    /// The certainty that was asked for.
    pub length: Length,
    /// True where every planned start was measured; false after an interruption.
    pub complete: bool,
    /// The machine.
    pub environment: Environment,
    /// The doctor's verdict on it before the first start; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diagnosis: Option<Diagnosis>,
    /// The plan.
    pub plan: Plan,
    /// Every start of a group of candidates, in the order of time.
    pub starts: Vec<Start>,
    /// Every round, in the order of time, dropped ones included.
    pub rounds: Vec<Round>,
}

/// The certainty that the figures of a run are to have, and so the time that it may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// A first look.
    Quick,
    /// A run without further options.
    #[default]
    Default,
    /// A third of the default's intervals, in six times its time.
    Thorough,
}

/// The plan of a campaign: the scenario, and what the command line made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Plan {
    /// The scenario with every override applied.
    pub scenario: Scenario,
    /// The candidate that all others are compared with; against another build, `base`: each candidate with that build's own.
    pub reference: String,
    /// The other build that this one is compared with: a muxbench, or the command of a server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub against: Option<String>,
    /// The points at which candidates are measured.
    pub points: Vec<PlannedPoint>,
    /// The seed of every order and every schedule.
    #[serde(with = "super::seed")]
    #[cfg_attr(feature = "schema", schemars(with = "super::seed::Seed"))]
    pub seed: u64,
}

/// A point, and who is measured there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct PlannedPoint {
    /// The point.
    pub point: Point,
    /// The candidates that are alive at the same time; more than one group where they do not all fit. The first of a group is its
    /// reference, whose twin is in it too.
    pub groups: Vec<Vec<String>>,
}

/// One start of a group of candidates: servers and connections are new, and live until its last round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Start {
    /// Index into the plan's points.
    pub point: u32,
    /// Index into the point's groups.
    pub group: u32,
    /// Number of the start, from 0.
    pub start: u32,
    /// Its begin, in seconds since the campaign began.
    pub began_s: f64,
    /// True where it went on to its last round; false after an interruption.
    pub complete: bool,
    /// Doublings of its slices, since in those of earlier starts the halves had differed.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub doublings: u32,
    /// Each candidate's set-up and end.
    pub candidates: Vec<Started>,
}

/// One candidate of a start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Started {
    /// The candidate's name; that of the reference's twin is `NAME again`.
    pub candidate: String,
    /// The reason for which it could not be measured, or not to the end; absent where it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<String>,
    /// Its connections, and what became of them; absent when its server did not start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connections: Option<Connections>,
    /// Resident memory of the server with all connections open, less that before the first, in bytes; of an external server, the
    /// sum over the processes of its group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_rss_growth_bytes: Option<u64>,
    /// The kernel's memory before its first connection and with all of its connections open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slab: Option<Slab>,
    /// The server's cost from before the first connection until it had accepted all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup: Option<ServerCost>,
    /// The server's cost from before the first connection was closed, by a reset, until it had closed all of them at its end;
    /// absent for an external server, which does not tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub teardown: Option<ServerCost>,
    /// CPU time of the server in the slices of others, as a share of their time: a server that is idle has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_beside_others: Option<f64>,
}

/// The cost of a server between two instants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ServerCost {
    /// Time between the two, in seconds.
    pub wall_s: f64,
    /// CPU time, user and system, of all its threads, in seconds.
    pub cpu_s: f64,
    /// Its counters; absent of a server that has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counters: Option<ServerCounters>,
    /// The number of times that its threads began to run on a processor, after a wait or after they had been put aside; absent of a server with
    /// more threads than can be read in passing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wakeups: Option<u64>,
    /// The time in which its thread was ready to run and had no processor, in seconds; absent of a server with several threads, since they
    /// wait for one another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub starved_s: Option<f64>,
}

/// The kind of load of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Closed loop: every active connection has one request outstanding.
    Saturation,
    /// Open loop at a rate that every candidate sustains.
    Light,
    /// Open loop at a share of the reference's throughput.
    Busy,
}

/// One slice for each candidate, one after the other in random order, all under the same load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Round {
    /// Index into the plan's points.
    pub point: u32,
    /// Index into the point's groups.
    pub group: u32,
    /// Number of the start, from 0.
    pub start: u32,
    /// Number of the round within its start, from 0.
    pub round: u32,
    /// The load.
    pub phase: Phase,
    /// Requests per second of the open loop; absent in closed loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate_per_s: Option<f64>,
    /// Its begin, in seconds since the campaign began.
    pub began_s: f64,
    /// The reason for which it does not count, for any candidate: the fault of the generator or the machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dropped: Option<String>,
    /// The slices, in the order of time.
    pub slices: Vec<Slice>,
}

/// One candidate's part of one round. Counts and costs are those between two readings at the edges of the window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Slice {
    /// The candidate's name.
    pub candidate: String,
    /// Time between the two readings, in seconds.
    pub window_s: f64,
    /// Requests answered between the two readings: the denominator of everything per request.
    pub answered: u64,
    /// Requests answered in the first half of the window, between the first reading and one in the middle.
    pub answered_first: u64,
    /// Length of that half, in seconds.
    pub first_s: f64,
    /// Requests that fell due in the window.
    pub scheduled: u64,
    /// Of those, answered correctly, if only later.
    pub completed: u64,
    /// Of those, the ones that the generator did not send in time by its own fault.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub missed: u64,
    /// Of those, failed, by the fault's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub errors: BTreeMap<String, u64>,
    /// The server's cost between the two readings.
    pub server: ServerCost,
    /// CPU time of the generator's workers between the two readings, in seconds.
    pub generator_cpu_s: f64,
    /// Time in which the generator's busiest worker was not idle, as a share of the window, 0 to 1.
    pub generator_busy: f64,
    /// The longest time without a reply while one was outstanding, in nanoseconds.
    pub longest_silence_ns: u64,
    /// The same of the requests that were sent before the window, without the time in which the generator itself did not run, in
    /// nanoseconds: a server that stalls on its first request after a pause stalls there.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub warmup_silence_ns: u64,
    /// Durations of the requests that fell due in the window: in open loop from the intended send (response time), in closed loop
    /// from the send. HdrHistogram V2 with DEFLATE, base64.
    pub response: String,
    /// Those of them that met a gap of the generator's own clock of more than 100 us, in the same form; absent where none did, and in
    /// closed loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disturbed: Option<String>,
    /// From send to reply of the first request of all, before the window, after the candidate had rested while others had their slices, in
    /// nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_request_ns: Option<u64>,
    /// The response's median, in nanoseconds; absent without a request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p50_ns: Option<u64>,
    /// The median of the requests that fell due in the first half of the window, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p50_first_ns: Option<u64>,
    /// The same of the second half.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p50_second_ns: Option<u64>,
    /// Median of the service time, from the actual send, in nanoseconds; absent in closed loop, where it is the response.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service_p50_ns: Option<u64>,
    /// Faults of the generator or the machine in this slice; any of them drops the round.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<String>,
}

impl Campaign {
    /// The starts of a group at a point, in the order of time.
    pub fn starts_of(&self, point: u32, group: u32) -> impl Iterator<Item = &Start> {
        self.starts.iter().filter(move |start| (start.point, start.group) == (point, group))
    }

    /// The most doublings of slices in any start of a group at a point.
    pub fn doublings(&self, point: u32, group: u32) -> u32 {
        self.starts_of(point, group).map(|start| start.doublings).max().unwrap_or(0)
    }

    /// The doublings of those slices of a group at a point that count: the most with which a start went to its end; before one has, the most of
    /// any. Rounds of different slices are not put into one interval.
    pub fn doublings_that_count(&self, point: u32, group: u32) -> u32 {
        let finished = self.starts_of(point, group).filter(|start| start.complete);
        let most = finished.map(|start| start.doublings).max();
        most.unwrap_or_else(|| self.doublings(point, group))
    }

    /// The starts of a group at a point whose slices are as long as those that count.
    pub fn starts_that_count(&self, point: u32, group: u32) -> impl Iterator<Item = &Start> {
        let doublings = self.doublings_that_count(point, group);
        self.starts_of(point, group).filter(move |start| start.doublings == doublings)
    }

    /// The numbers of the other starts of a group at a point: they showed that slices have to be longer.
    pub fn starts_beside(&self, point: u32, group: u32) -> BTreeSet<u32> {
        let doublings = self.doublings_that_count(point, group);
        let other = self.starts_of(point, group).filter(|start| start.doublings != doublings);
        other.map(|start| start.start).collect()
    }

    /// Adds what is known of a start, in the place of what was known of it before.
    pub fn put_start(&mut self, start: Start) {
        let key = |start: &Start| (start.point, start.group, start.start);
        match self.starts.iter_mut().find(|known| key(known) == key(&start)) {
            Some(known) => *known = start,
            None => self.starts.push(start),
        }
    }
}

fn is_zero<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}
