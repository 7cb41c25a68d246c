//! What a measured window cost: processor time, context switches, system calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What changed between the two edges of a measured window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Time between the two readings, in seconds.
    pub window_s: f64,
    /// Echoes completed between the two readings.
    pub echoes: u64,
    /// The server's process.
    pub server: ProcessUsage,
    /// The server's own counters; absent for a server that has none.
    pub counters: Option<ServerCounters>,
    /// The generator's process.
    pub generator: ProcessUsage,
    /// The whole machine.
    pub system: SystemUsage,
}

/// What one process used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessUsage {
    /// Processor time, user and system, in seconds (clock_getcpuclockid(3)).
    pub cpu_s: f64,
    /// Times it gave up the processor to wait.
    pub voluntary_switches: u64,
    /// Times the processor was taken from it.
    pub involuntary_switches: u64,
}

/// What the whole machine used: the kernel charges loopback's receive work to whoever sends, so a
/// process's own time is not all that it costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemUsage {
    /// Processor time of all kinds but idle, in seconds, over all processors (/proc/stat).
    pub busy_s: f64,
    /// Processor time in interrupts, hard and soft, in seconds.
    pub interrupts_s: f64,
    /// Time the hypervisor gave to others, in seconds.
    pub steal_s: f64,
    /// Processors online.
    pub processors: u32,
}

/// The counters that `muxbench serve` answers `stats` with, summed over its loops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ServerCounters {
    /// Calls that waited for events.
    pub waits: u64,
    /// Events that those calls reported.
    pub events: u64,
    /// Wake-ups after which there was nothing to do.
    pub empty_wakeups: u64,
    /// Calls of recv(2).
    pub recv: u64,
    /// Calls of send(2).
    pub send: u64,
    /// Of recv(2), send(2) and accept4(2), those that would have blocked.
    pub would_block: u64,
    /// Connections accepted and served.
    pub accepted: u64,
    /// Of those, the ones closed again.
    pub closed: u64,
    /// Connections refused because the server was full.
    pub refused: u64,
    /// System calls of every kind that the loops made.
    pub syscalls: u64,
}

impl ServerCounters {
    /// Applies `combine` to each pair of counters.
    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            waits: combine(self.waits, other.waits),
            events: combine(self.events, other.events),
            empty_wakeups: combine(self.empty_wakeups, other.empty_wakeups),
            recv: combine(self.recv, other.recv),
            send: combine(self.send, other.send),
            would_block: combine(self.would_block, other.would_block),
            accepted: combine(self.accepted, other.accepted),
            closed: combine(self.closed, other.closed),
            refused: combine(self.refused, other.refused),
            syscalls: combine(self.syscalls, other.syscalls),
        }
    }

    /// The sum of two sets of counters.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        self.zip(earlier, u64::saturating_sub)
    }
}

impl Usage {
    /// Processor time of the server for one echo, in nanoseconds; absent without echoes.
    pub fn server_cpu_ns_per_echo(&self) -> Option<f64> {
        (self.echoes > 0).then(|| self.server.cpu_s * 1e9 / self.echoes as f64)
    }

    /// Processor time of the whole machine for one echo, in nanoseconds; absent without echoes.
    pub fn system_cpu_ns_per_echo(&self) -> Option<f64> {
        (self.echoes > 0).then(|| self.system.busy_s * 1e9 / self.echoes as f64)
    }

    /// System calls of the server for one echo; absent without echoes or counters.
    pub fn server_syscalls_per_echo(&self) -> Option<f64> {
        let counters = self.counters?;
        (self.echoes > 0).then(|| counters.syscalls as f64 / self.echoes as f64)
    }

    /// Share of one processor that the server used, 0 to the number of its threads.
    pub fn server_busy(&self) -> f64 {
        self.server.cpu_s / self.window_s
    }
}
