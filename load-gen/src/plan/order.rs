//! The orders to the workers.

use model::schema::{LoadMode, Pause, Timestamps, WaitPolicy};

use crate::plan::window::Window;

/// The order to a worker for one run.
pub struct Order {
    /// The worker's own share of the load.
    pub mode: LoadMode,
    /// The way to wait.
    pub wait: WaitPolicy,
    /// The instant at which the load begins; the time until the window begins is ramp and warm-up.
    pub start_ns: u64,
    /// The time for which it grows from nothing.
    pub ramp_ns: u64,
    /// The measured window; load ends with it.
    pub window: Window,
    /// The part of it that the self-check looks at, if there is any.
    pub sampled: Option<Window>,
    /// The longest time that replies may still come after the load.
    pub drain_ns: u64,
    /// Seed and stream of every random choice.
    pub seed: u64,
    /// Number of the shard, from 0.
    pub shard: u32,
    /// Number of the worker.
    pub stream: u32,
    /// The time-stamps that are kept: the generator's own, or the kernel's besides.
    pub timestamps: Timestamps,
    /// The window ends when so many requests have been answered.
    pub requests: Option<u64>,
    /// Pauses in closed loop.
    pub think: Option<Pause>,
    /// True if there is a bound to the requests under way on a connection; it is kept by the conversations.
    pub is_capped: bool,
    /// The interval between two moves of the active set.
    pub rotate_ns: Option<u64>,
    /// The number of times per second that each connection is replaced.
    pub churn_per_s: Option<f64>,
}

impl Order {
    /// Returns whether anything is asked for besides requests at a constant rate, or one after another.
    pub fn is_varied(&self) -> bool {
        self.ramp_ns > 0
            || self.requests.is_some()
            || self.think.is_some()
            || self.is_capped
            || self.moves_connections()
    }

    /// Returns whether connections are exchanged for others under load.
    pub fn moves_connections(&self) -> bool {
        self.rotate_ns.is_some() || self.churn_per_s.is_some()
    }
}
