//! The cost of a measured window: processor time, context switches, system calls.

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The usage of one process, or of all processes of a group together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ProcessUsage {
    /// Processor time, user and system, in seconds (clock_getcpuclockid(3)); of a group, with the time of
    /// children that have ended, which the kernel keeps in ticks of usually 10 ms.
    pub cpu_s: f64,
    /// Switches of its threads; absent of a process with many of them, whose accounts would take longer to
    /// read than what is measured.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub switches: Option<Switches>,
}

/// Switches of the threads of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Switches {
    /// Times a thread gave up the processor to wait.
    pub voluntary_switches: u64,
    /// Times the processor was taken from one.
    pub involuntary_switches: u64,
}

impl Switches {
    /// The sum of two accounts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            voluntary_switches: self.voluntary_switches + other.voluntary_switches,
            involuntary_switches: self.involuntary_switches + other.involuntary_switches,
        }
    }

    /// The difference since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            voluntary_switches: self.voluntary_switches.saturating_sub(earlier.voluntary_switches),
            involuntary_switches: self.involuntary_switches.saturating_sub(earlier.involuntary_switches),
        }
    }
}

/// The usage of the whole machine: the kernel charges loopback's receive work to whoever sends, so a
/// process's own time is not all that it costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
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

/// The counters that `muxbench serve` answers `stats` with: of one loop, or summed over several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(default)]
pub struct ServerCounters {
    /// Counters of its system calls; absent for a runtime that hides them.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallCounters>,
    /// Replies made, each to one read.
    pub echoes: u64,
    /// Connections accepted and served.
    pub accepted: u64,
    /// Of those, the ones closed again.
    pub closed: u64,
    /// Connections refused because the server was full.
    pub refused: u64,
}

/// Counters of the system calls of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct CallCounters {
    /// Calls that waited for events.
    pub waits: u64,
    /// Events, or completions of io_uring, that those calls reported.
    pub events: u64,
    /// Wake-ups after which there was nothing to do.
    pub empty_wakeups: u64,
    /// Calls of recv(2).
    pub recv: u64,
    /// Calls of send(2).
    pub send: u64,
    /// Of recv(2), send(2) and accept4(2), those that would have blocked.
    pub would_block: u64,
    /// System calls of every kind that the loops made.
    pub syscalls: u64,
}

impl ServerCounters {
    /// Applies `combine` to each pair of counters.
    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let calls = |one: CallCounters, other: CallCounters| CallCounters {
            waits: combine(one.waits, other.waits),
            events: combine(one.events, other.events),
            empty_wakeups: combine(one.empty_wakeups, other.empty_wakeups),
            recv: combine(one.recv, other.recv),
            send: combine(one.send, other.send),
            would_block: combine(one.would_block, other.would_block),
            syscalls: combine(one.syscalls, other.syscalls),
        };
        Self {
            calls: self.calls.zip(other.calls).map(|(one, other)| calls(one, other)),
            echoes: combine(self.echoes, other.echoes),
            accepted: combine(self.accepted, other.accepted),
            closed: combine(self.closed, other.closed),
            refused: combine(self.refused, other.refused),
        }
    }

    /// The sum of two sets of counters; where one hides its calls, so does the sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// The counts since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        self.zip(earlier, u64::saturating_sub)
    }
}

/// The memory of the kernel's slab allocator, of the whole machine, around the opening of connections.
///
/// Both ends of each connection are in it where both are on this machine, and whatever else the machine did
/// meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Slab {
    /// All caches before the first connection, in bytes (proc_meminfo(5), Slab).
    pub before_bytes: u64,
    /// All caches with every connection open, in bytes.
    pub after_bytes: u64,
    /// The caches that gained objects with the connections, by the kernel's name; empty where /proc/slabinfo
    /// cannot be read, which needs root. The kernel keeps caches of objects of one size together, so that a name may
    /// stand for several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub caches: BTreeMap<String, SlabCache>,
}

/// One cache of the kernel's slab allocator (slabinfo(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct SlabCache {
    /// Size of an object, in bytes.
    pub object_bytes: u64,
    /// Objects in use before the first connection.
    pub before: u64,
    /// Objects in use with every connection open.
    pub after: u64,
}
