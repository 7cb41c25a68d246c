//! What one run of the load generator found: the content of `load-gen --json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of one measured window of load.
///
/// The books balance: `scheduled` = `completed` + the sum of `errors` + `outstanding`, over the
/// requests whose clock started inside the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadReport {
    /// Whether the figures may be used: no rule of measurement was broken.
    pub valid: bool,
    /// One sentence for each rule that was broken, with what to do about it.
    pub invalid_reasons: Vec<String>,
    /// What was asked for.
    pub settings: LoadSettings,
    /// How the connections fared.
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
    /// Of those, the ones that failed, counted by the name of the failure.
    pub errors: BTreeMap<String, u64>,
    /// Requests that could not be written whole at once (the socket was full); their clocks ran on.
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
    /// Share of the window that the busiest worker of the generator spent doing work, 0 to 1; time
    /// spent spinning without anything to do is not work.
    pub generator_busy: f64,
    /// Share of the window in which a worker was ready to run but had no processor, 0 to 1, worst worker.
    pub generator_starved: f64,
    /// Share of the machine's processor time taken away by the hypervisor during the window, 0 to 1.
    pub steal: f64,
}

/// What the generator was asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadSettings {
    /// The server's address.
    pub target: String,
    /// Connections to hold.
    pub conns: u64,
    /// Connections that carry requests, spread evenly over the whole set.
    pub active: u64,
    /// Closed loop, or open loop at a rate.
    pub mode: LoadMode,
    /// Bytes of one request.
    pub size_bytes: u32,
    /// What the server answers.
    pub protocol: Protocol,
    /// Worker threads, each with a descriptor table of its own.
    pub threads: u32,
    /// How a worker waits for the next thing to do.
    pub wait: WaitPolicy,
    /// Length of the measured window, in seconds.
    pub duration_s: f64,
    /// Load before the window, not recorded, in seconds.
    pub warmup_s: f64,
    /// The seed of every random choice.
    pub seed: u64,
    /// The name of the random generator.
    pub generator: String,
}

/// How requests come about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// The distribution of the gaps between intended sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Exponential gaps, each request on a random active connection.
    Poisson,
    /// Equal gaps, connections in a fixed shuffled order.
    Uniform,
}

/// What the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The same bytes.
    Echo,
    /// `get bytes N\n` for every N bytes that it read.
    Ack,
}

/// How a worker waits for the next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitPolicy {
    /// Never gives up the processor: epoll_wait(2) with a timeout of zero, over and over.
    Spin,
    /// Sleeps in epoll_pwait2(2) until an event or the next intended send, nanosecond timer.
    Sleep,
}

/// How the connections fared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connections {
    /// Connections that were established.
    pub opened: u64,
    /// From the first connect(2) to the last established connection, in seconds.
    pub ramp_s: f64,
    /// Connections lost after they were established, idle or active.
    pub lost: u64,
    /// Connections that failed, to open or later, counted by the name of the failure.
    pub errors: BTreeMap<String, u64>,
    /// Resident memory that the generator grew by while it opened them, in bytes.
    pub rss_growth_bytes: u64,
}

/// A distribution of durations.
///
/// A percentile is absent unless at least 100 samples lie beyond it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
