//! The counters of a server, and the kernel's memory around its connections.

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
