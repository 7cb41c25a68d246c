//! The options of a run: its connections, and each window of load on them.

use std::time::Duration;

use model::schema::{EngineKind, LoadMode, Protocol, Size, Timestamps, WaitPolicy, Workload};
use sys::ring_size::RingSize;

use crate::plan::shard::Whole;
use crate::plan::sizes;
use crate::plan::target::Target;

/// The options of a pool of connections.
#[derive(Debug, Clone)]
pub struct PoolOptions {
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
    /// The kind of reply that the server makes.
    pub protocol: Protocol,
    /// Bytes of a request.
    pub size: Size,
    /// The load beyond a constant stream of requests. Of a shard, too, this is what all shards do together.
    pub workload: Workload,
    /// Processor that the workers are pinned to.
    pub cpu: Option<u32>,
    /// The engine that moves the bytes; if `None`, the lightest that this kernel has and that can do what is asked for.
    pub engine: Option<EngineKind>,
    /// The size of each worker's ring, where the engine has one.
    pub ring: RingSize,
    /// The longest time that a connection may take to open, and a reply to come after the window has ended.
    pub timeout: Duration,
    /// Seed of every random choice.
    pub seed: u64,
    /// True if an observer reads latencies while they are measured.
    pub live_latencies: bool,
    /// The whole run that this pool is one shard of, if it is. All the above is then of the shard alone.
    pub part_of: Option<Whole>,
    /// Whose time-stamps the replies have.
    pub timestamps: Timestamps,
}

impl PoolOptions {
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
    pub(crate) fn engine_asked(&self) -> Option<EngineKind> {
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
    /// The way in which workers wait.
    pub wait: WaitPolicy,
    /// Load before the window.
    pub warmup: Duration,
    /// The window.
    pub duration: Duration,
    /// Length of the intervals of a time series, if there is to be one.
    pub interval: Option<Duration>,
}
