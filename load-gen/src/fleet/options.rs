//! What is asked of a fleet, and why it could not be opened.

use std::time::Duration;

use model::schema::{EngineKind, LoadMode, Protocol, Size, Timestamps, WaitPolicy, Workload};
use sys::ring_size::RingSize;

use crate::placement::LimitTooLow;
use crate::shard::Whole;
use crate::sizes;
use crate::target::Target;

/// What a fleet of connections is.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// The server.
    pub target: Target,
    /// Connections to hold.
    pub conns: u32,
    /// Of those, the ones that carry requests.
    pub active: u32,
    /// Worker threads that carry load.
    pub threads: u32,
    /// Connections to open a second at most.
    pub connect_rate: Option<f64>,
    /// What the server answers.
    pub protocol: Protocol,
    /// Bytes of a request.
    pub size: Size,
    /// What there is beyond a constant stream of requests. Of a shard, too, this is what all shards do together.
    pub workload: Workload,
    /// Processor that the workers are pinned to.
    pub cpu: Option<u32>,
    /// What moves the bytes; the lightest that this kernel has, if nothing is said.
    pub engine: Option<EngineKind>,
    /// How much room each worker's ring has, where the engine has one.
    pub ring: RingSize,
    /// How long a connection may take to open, and a reply to come after the window has ended.
    pub timeout: Duration,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether somebody watches latencies while they are measured.
    pub live_latencies: bool,
    /// The whole run that this fleet is one shard of, if it is. All the above is then of the shard alone.
    pub part_of: Option<Whole>,
    /// Whose time-stamps the replies have.
    pub timestamps: Timestamps,
}

impl FleetOptions {
    /// `active` of `conns` connections to `target` carry requests of 64 bytes, from one thread that runs where it likes, and
    /// nothing is asked for beyond that.
    pub fn new(target: impl Into<Target>, conns: u32, active: u32) -> Self {
        Self {
            target: target.into(),
            conns,
            active,
            threads: 1,
            connect_rate: None,
            protocol: Protocol::Echo,
            size: Size::Fixed { bytes: 64 },
            workload: Workload::default(),
            cpu: None,
            engine: None,
            ring: RingSize::default(),
            timeout: Duration::from_secs(10),
            seed: 1,
            live_latencies: false,
            part_of: None,
            timestamps: Timestamps::User,
        }
    }

    /// The mean size of a request, in bytes, rounded.
    pub fn mean_size_bytes(&self) -> u32 {
        sizes::mean_bytes(self.size)
    }

    /// The engine that was chosen, or that alone can do what was asked for: the kernel's time-stamps come with recvmsg(2),
    /// and connections are exchanged under load, on epoll only.
    pub(super) fn engine_asked(&self) -> Option<EngineKind> {
        let exchanges = self.workload.rotate_s.is_some() || self.workload.churn_per_s.is_some();
        let needs_epoll = self.timestamps == Timestamps::Kernel || exchanges;
        self.engine.or(needs_epoll.then_some(EngineKind::Epoll))
    }
}

/// One window of load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Closed loop, or open loop at a rate.
    pub mode: LoadMode,
    /// How workers wait.
    pub wait: WaitPolicy,
    /// Load before the window.
    pub warmup: Duration,
    /// The window.
    pub duration: Duration,
    /// Length of the intervals of a time series, if there is to be one.
    pub interval: Option<Duration>,
}

/// Why a fleet could not be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing listens.
    #[error("nothing listens on {0}; start a server first{example}", example = example(.0))]
    NothingListens(Target),
    /// Nothing could be opened for other reasons.
    #[error("no connection to {target} could be opened: {why}")]
    Nothing {
        /// The server.
        target: Target,
        /// What went wrong, by name and errno.
        why: String,
    },
    /// The engine that was asked for is not to be had.
    #[error("{0}")]
    Engine(String),
    /// The limit of descriptors is too low for anything.
    #[error(transparent)]
    Limit(#[from] LimitTooLow),
    /// The active set cannot move.
    #[error(
        "--rotate moves load over the connections of a worker's own descriptor table, but the idle ones need further \
         tables: raise the limit of descriptors (ulimit -n), or start --threads {threads}"
    )]
    NothingToRotate {
        /// As many threads have room for all connections.
        threads: u32,
    },
    /// A worker could not be set up.
    #[error("cannot set up a worker thread: {0}")]
    Worker(std::io::Error),
    /// The system grants no further thread.
    #[error(
        "cannot start thread {table} of {tables}: {source}; raise the limit of descriptors (ulimit -n), so that fewer \
         threads hold the connections, or that of threads (ulimit -u, kernel.threads-max)"
    )]
    Thread {
        /// The how many-th it is.
        table: u32,
        /// How many are needed, one a descriptor table.
        tables: u32,
        /// What the system said.
        source: std::io::Error,
    },
    /// Interrupted before all connections were open.
    #[error("interrupted while opening connections")]
    Interrupted,
}

/// How to start a server at `target`, if one command does.
fn example(target: &Target) -> String {
    target.server_command().map_or(String::new(), |command| format!(", for example: {command}"))
}
