//! What one worker is to do.

use model::schema::{LoadMode, Pause, Timestamps, WaitPolicy};

use crate::plan::window::Window;

/// What a worker is to do in one run.
pub struct Order {
    /// The worker's own share of the load.
    pub mode: LoadMode,
    /// How to wait.
    pub wait: WaitPolicy,
    /// When the load begins; the time until the window begins is ramp and warm-up.
    pub start_ns: u64,
    /// How long it grows from nothing.
    pub ramp_ns: u64,
    /// The measured window; load ends with it.
    pub window: Window,
    /// The part of it that the self-check looks at, if there is any.
    pub sampled: Option<Window>,
    /// How long replies may still come after the load.
    pub drain_ns: u64,
    /// Seed and stream of every random choice.
    pub seed: u64,
    /// Number of the shard, from 0.
    pub shard: u32,
    /// Number of the worker.
    pub stream: u32,
    /// Whether the kernel's time-stamps are kept.
    pub timestamps: Timestamps,
    /// The window ends when so many requests have been answered.
    pub requests: Option<u64>,
    /// Pauses in closed loop.
    pub think: Option<Pause>,
    /// Whether there is a bound to the requests under way on a connection; it is kept by the conversations.
    pub is_capped: bool,
    /// How often the active set moves.
    pub rotate_ns: Option<u64>,
    /// How often each connection is replaced.
    pub churn_per_s: Option<f64>,
}

impl Order {
    /// Whether anything is asked for beside requests at a constant rate, or one after another.
    pub fn is_varied(&self) -> bool {
        self.ramp_ns > 0
            || self.requests.is_some()
            || self.think.is_some()
            || self.is_capped
            || self.moves_connections()
    }

    /// Whether connections are exchanged for others under load.
    pub fn moves_connections(&self) -> bool {
        self.rotate_ns.is_some() || self.churn_per_s.is_some()
    }
}
