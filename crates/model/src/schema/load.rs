//! The result of one run of the load generator: the content of `load-gen --json`.

use std::collections::BTreeMap;
use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SelfCheck;
use super::workload::{Churn, Size, Workload};

/// The result of one measured window of load.
///
/// The books balance: `scheduled` = `completed` + the sum of `errors` + `outstanding`, over the
/// requests whose clock started inside the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct LoadReport {
    /// True where the figures may be used: no rule of measurement was broken.
    pub valid: bool,
    /// One sentence for each rule that was broken, with what to do about it.
    pub invalid_reasons: Vec<String>,
    /// The load that was asked for.
    pub settings: LoadSettings,
    /// The connections, and what became of them.
    pub connections: Connections,
    /// Length of the measured window, in seconds, without warm-up and drain.
    pub window_s: f64,
    /// Replies received inside the window, per second.
    pub throughput_per_s: f64,
    /// Requests whose clock started inside the window.
    pub scheduled: u64,
    /// Of those, the ones answered correctly, however late.
    pub completed: u64,
    /// Of those, the ones still unanswered when the drain ended.
    pub outstanding: u64,
    /// Of the outstanding, the ones that were never sent: held back, or due when this side had fallen behind.
    pub unsent: u64,
    /// Of those, the ones that failed, counted by the name of the failure.
    pub errors: BTreeMap<String, u64>,
    /// Of those, what the system said, counted by the name of the errno, as in errno(3).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub errnos: BTreeMap<String, u64>,
    /// Requests that could not be written whole at once: the socket was full, too many were under way, or the
    /// connection was being replaced. Their clocks ran on.
    pub delayed: u64,
    /// From the instant the schedule intended to the last byte of the reply. Absent in closed loop,
    /// which has no schedule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<Latency>,
    /// From the actual send to the last byte of the reply.
    pub service: Latency,
    /// From the instant the schedule intended to the actual send: what the generator itself added.
    /// Absent in closed loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lateness: Option<Latency>,
    /// From the call of connect(2) to the established connection, one sample a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connect: Option<Latency>,
    /// The same for connections that replaced others during the load.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub churn_connect: Option<Latency>,
    /// Share of the window that the busiest worker of the generator spent doing work, 0 to 1; time
    /// spent spinning without anything to do is not work.
    pub generator_busy: f64,
    /// Share of the window in which a worker was ready to run but had no processor, 0 to 1, worst worker.
    pub generator_starved: f64,
    /// Share of the machine's processor time taken away by the hypervisor during the window, 0 to 1.
    pub steal: f64,
    /// The CPU quota of the generator's control group, and what it withheld. Absent where none grants less than the
    /// processors that there are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_quota: Option<CpuQuota>,
    /// From the instant the schedule intended to the kernel's receipt of the reply (`--timestamps kernel`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response_kernel: Option<Latency>,
    /// From the kernel's receipt of the reply to its reading by the generator (`--timestamps kernel`): the part
    /// of response and service that the generator itself added.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generator_added: Option<Latency>,
    /// The most by which the kernel's time-stamps may be off from the generator's clock, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timestamp_error_ns: Option<u64>,
    /// The generator's check of itself. Absent in closed loop, which has no schedule to keep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub self_check: Option<SelfCheck>,
    /// The window cut into intervals (`--interval`), without holes; replies that came after the window are in
    /// further ones. Their counts add up to `completed` and `errors`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub intervals: Vec<Interval>,
    /// Begin of the window, by CLOCK_REALTIME of the generator's machine: RFC 3339, UTC, nanoseconds. Of merged
    /// shards, the earliest.
    pub started_at: String,
    /// The part of a whole run that this is. `settings` are those of the whole, everything else is this part's. Absent in
    /// a result that is a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
    /// The shards that were merged into this result, in order; empty where nothing was merged.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shards: Vec<MergedShard>,
    /// From the first `started_at` of the merged shards to the last, in seconds. Absent where nothing was merged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_skew_s: Option<f64>,
}

/// A bound on the processor time of a control group (cgroups(7)), and what it withheld during a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct CpuQuota {
    /// Processors' worth of time that it grants: 0.5 is half the time of one.
    pub processors: f64,
    /// The file that sets it.
    pub setting: String,
    /// Share of the window in which it held threads of the group back, 0 to 1; summed over the processors, at most 1.
    pub held_back: f64,
}

/// One interval, and what came within it of the requests whose clock started inside the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Interval {
    /// Its begin, in seconds since the window's.
    pub start_s: f64,
    /// Its length, in seconds.
    pub length_s: f64,
    /// Requests answered correctly within it.
    pub completed: u64,
    /// Requests that failed within it.
    pub errors: u64,
    /// As [`LoadReport::response`]. Absent in closed loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<Latency>,
    /// As [`LoadReport::service`].
    pub service: Latency,
}

/// One of several processes that carry a run together, each its exact share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Shard {
    /// Its number, counted from 1.
    pub index: u32,
    /// The number of all shards.
    pub count: u32,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// One shard, as a merged result keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct MergedShard {
    /// Its number, and that of all.
    #[serde(flatten)]
    pub shard: Shard,
    /// True where its own figures may be used.
    pub valid: bool,
    /// Begin of its window.
    pub started_at: String,
    /// Connections that it established.
    pub opened: u64,
    /// Requests whose clock started inside its window.
    pub scheduled: u64,
    /// Of those, the ones answered correctly.
    pub completed: u64,
    /// Of those, the ones that failed.
    pub failed: u64,
    /// Of those, the ones still unanswered when the drain ended.
    pub outstanding: u64,
    /// Replies received inside its window, per second.
    pub throughput_per_s: f64,
    /// Share of the window that its busiest worker spent doing work, 0 to 1.
    pub generator_busy: f64,
    /// Share of the window in which its worst worker had no processor, 0 to 1.
    pub generator_starved: f64,
    /// Share of its machine's processor time that the hypervisor took, 0 to 1.
    pub steal: f64,
    /// Its check of itself. Absent in closed loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub self_check: Option<SelfCheck>,
}

/// The clock that says when a reply came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// The generator's own, when it has read the reply.
    #[default]
    User,
    /// Besides, the kernel's, when the last segment came in.
    Kernel,
}

impl Timestamps {
    /// Returns whether they are the generator's own alone.
    pub fn are_user(&self) -> bool {
        *self == Self::User
    }
}

/// The load that a generator was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct LoadSettings {
    /// The server's address.
    pub target: String,
    /// Connections to hold.
    pub conns: u64,
    /// Connections that carry requests, spread evenly over the whole set.
    pub active: u64,
    /// Closed loop, or open loop at a rate.
    pub mode: LoadMode,
    /// Bytes of one request; their mean, rounded, where sizes vary.
    pub size_bytes: u32,
    /// The distribution of sizes, where they vary.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<Size>,
    /// The kind of reply that the server makes.
    pub protocol: Protocol,
    /// The load beyond a constant stream of equal requests.
    #[serde(flatten)]
    pub workload: Workload,
    /// Worker threads, each with a descriptor table of its own.
    pub threads: u32,
    /// The way in which a worker waits for the next thing to do.
    pub wait: WaitPolicy,
    /// The way in which a worker moves bytes.
    pub engine: EngineKind,
    /// Length of the measured window, in seconds; where `requests` are given, the most that it may be.
    pub duration_s: f64,
    /// Load before the window, not recorded, in seconds.
    pub warmup_s: f64,
    /// The seed of every random choice.
    #[serde(with = "super::seed")]
    #[cfg_attr(feature = "schema", schemars(with = "super::seed::Seed"))]
    pub seed: u64,
    /// The name of the random generator.
    pub generator: String,
    /// The instant at which the load was to begin, warm-up included: RFC 3339, UTC. Absent where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_at: Option<String>,
    /// The clock of the replies' time-stamps.
    #[serde(skip_serializing_if = "Timestamps::are_user", default)]
    pub timestamps: Timestamps,
    /// Length of the intervals of the series, in seconds; absent without one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval_s: Option<f64>,
}

/// The way in which requests come about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(tag = "loop", rename_all = "lowercase")]
pub enum LoadMode {
    /// Each active connection keeps `pipeline` requests under way: a reply triggers the next request.
    Closed {
        /// Requests under way on each active connection.
        pipeline: u32,
    },
    /// Requests fall due by a schedule, whether or not earlier ones have been answered.
    Open {
        /// Requests that fall due a second, over all connections.
        rate_per_s: f64,
        /// The distribution of the gaps.
        arrivals: Arrivals,
    },
}

/// The way in which the generator moves bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// epoll(7), then a recv and a send for each connection that is ready.
    #[default]
    Epoll,
    /// io_uring(7): multishot receives, and all sends of a turn in one call.
    IoUring,
}

/// The distribution of the gaps between intended sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Exponential gaps, each request on a random active connection.
    Poisson,
    /// Equal gaps, connections in a fixed shuffled order.
    Uniform,
}

/// The kind of reply that a server makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The same bytes.
    Echo,
    /// `get bytes N\n` for every N bytes that it read.
    Ack,
    /// The reply of a Redis server to ECHO.
    Redis,
    /// The reply that a template says.
    Template,
}

/// The way in which a worker waits for the next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WaitPolicy {
    /// Never gives up the processor: epoll_wait(2) with a timeout of zero, over and over.
    Spin,
    /// Sleeps in epoll_pwait2(2) until an event or the next intended send, nanosecond timer.
    Sleep,
}

/// The connections of a run, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Connections {
    /// Connections that were established.
    pub opened: u64,
    /// From the first connect(2) to the last established connection, in seconds.
    pub ramp_s: f64,
    /// Connections lost after they were established, idle or active.
    pub lost: u64,
    /// Connections that failed, to open or later, counted by the name of the failure.
    pub errors: BTreeMap<String, u64>,
    /// Of those, what the system said, counted by the name of the errno, as in errno(3).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub errnos: BTreeMap<String, u64>,
    /// The places of the target with what each got, in the order in which connections go to them; addresses of a name that
    /// accepted nothing come last.
    pub targets: Vec<TargetReport>,
    /// Connections that were replaced during the window, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub churn: Option<Churn>,
    /// The number of times that a connection became active during the window because another became idle, where that
    /// was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rotated: Option<u64>,
    /// Resident memory that the generator grew by while it opened them, in bytes.
    pub rss_growth_bytes: u64,
    /// Memory of the kernel's slab allocator that the whole machine grew by meanwhile, in bytes: with a server on the
    /// same machine, the sockets of both ends. Absent where the kernel does not tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel_growth_bytes: Option<u64>,
    /// From the first close(2) to the last, all with resets, in seconds; the server may notice later. Absent where the
    /// connections outlive the report, and where an interruption left them to the kernel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closed_s: Option<f64>,
}

/// The connections to one place of the target, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct TargetReport {
    /// Its address: `127.0.0.1:7777`, `[::1]:7777`, `unix:/path` or `unix:@name`.
    pub address: String,
    /// Connections to it that were established.
    pub opened: u64,
    /// Connections to it that could not be opened, counted by the name of the failure; of an address of a name, also the one
    /// that tried it.
    pub errors: BTreeMap<String, u64>,
    /// Of those, what the system said, counted by the name of the errno.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub errnos: BTreeMap<String, u64>,
}

/// A distribution of durations.
///
/// A percentile is absent unless at least 100 samples lie beyond it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Latency {
    /// Number of samples.
    pub count: u64,
    /// Median, in nanoseconds.
    pub p50_ns: Option<u64>,
    /// 90th percentile, in nanoseconds.
    pub p90_ns: Option<u64>,
    /// 99th percentile, in nanoseconds.
    pub p99_ns: Option<u64>,
    /// 99.9th percentile, in nanoseconds.
    pub p999_ns: Option<u64>,
    /// Largest sample, in nanoseconds; absent without samples.
    pub max_ns: Option<u64>,
    /// Arithmetic mean, in nanoseconds; absent without samples.
    pub mean_ns: Option<f64>,
    /// The whole HdrHistogram, V2 with DEFLATE, base64: what PyPI `hdrhistogram` and npm
    /// `hdr-histogram-js` decode.
    pub histogram: String,
}
