//! What a loop counts while it serves.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::schema::{CallCounters, ServerCounters};

/// A count with one writer, read by other threads.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`. Only the thread that owns the counter may call this: a load and a store need no
    /// locked instruction, but two writers would lose counts.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one thread, in cache lines of their own: processors fetch lines in pairs, hence 128.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Counters {
    /// Calls that waited for events.
    pub waits: Counter,
    /// Events, or completions, that those calls reported.
    pub events: Counter,
    /// Wake-ups after which there was nothing to do.
    pub empty_wakeups: Counter,
    /// Calls of recv(2).
    pub recv: Counter,
    /// Calls of send(2).
    pub send: Counter,
    /// Of recv(2), send(2) and accept4(2), those that would have blocked.
    pub would_block: Counter,
    /// Replies made, each to one read.
    pub echoes: Counter,
    /// Connections accepted and served.
    pub accepted: Counter,
    /// Of those, the ones closed again.
    pub closed: Counter,
    /// Connections refused because the server was full.
    pub refused: Counter,
    /// System calls that no counter above counts: accept4(2), close(2), epoll_ctl(2) and their like.
    pub other_calls: Counter,
}

impl Counters {
    /// The counts so far. Each is exact; together they may straddle one event of a busy loop.
    pub fn read(&self) -> ServerCounters {
        let (waits, recv, send) = (self.waits.get(), self.recv.get(), self.send.get());
        ServerCounters {
            calls: Some(CallCounters {
                waits,
                events: self.events.get(),
                empty_wakeups: self.empty_wakeups.get(),
                recv,
                send,
                would_block: self.would_block.get(),
                syscalls: waits + recv + send + self.other_calls.get(),
            }),
            echoes: self.echoes.get(),
            accepted: self.accepted.get(),
            closed: self.closed.get(),
            refused: self.refused.get(),
        }
    }
}

/// Where one thread counts.
#[derive(Debug, Clone)]
pub enum Place {
    /// Memory of this process.
    Own(Arc<Counters>),
    /// Memory that another process reads.
    Shared(&'static Counters),
}

impl Deref for Place {
    type Target = Counters;

    #[inline]
    fn deref(&self) -> &Counters {
        match self {
            Self::Own(counters) => counters,
            Self::Shared(counters) => counters,
        }
    }
}
