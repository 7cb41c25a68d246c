//! What every loop shares: the listener, the connections and their echo, limits, counters, and the
//! threads that the loops run on.

mod connections;
mod counters;
mod listener;
mod running;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use connections::{Connections, Interest, READ_BUFFER_BYTES, REFUSAL, Turn};
pub use counters::{Counter, Counters};
pub use listener::{Accepted, Listener, listen};
pub use running::{Control, Running, StartError, start};

/// What a connection is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reply {
    /// The bytes that came.
    #[default]
    Echo,
    /// `get bytes N\n` for each read of N bytes.
    Ack,
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Loops, each on a thread with a listener of its own (SO_REUSEPORT).
    pub threads: usize,
    /// What to answer.
    pub reply: Reply,
    /// Connections served at a time, over all loops; those beyond are refused.
    pub max_connections: Option<u64>,
    /// The processors that the loops are bound to, in turn; none leaves them to the scheduler.
    pub cpus: Vec<u32>,
    /// Whether each connection and disconnection is a line on standard error.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7777)),
            threads: 1,
            reply: Reply::Echo,
            max_connections: None,
            cpus: Vec::new(),
            log: false,
        }
    }
}

/// What the loops of one server have in common.
#[derive(Debug)]
struct Common {
    reply: Reply,
    log: bool,
    max_connections: u64,
    /// Connections open in all loops; touched only when one is accepted or closed.
    open: AtomicU64,
}

impl Common {
    fn new(options: &Options) -> Self {
        Self {
            reply: options.reply,
            log: options.log,
            max_connections: options.max_connections.unwrap_or(u64::MAX),
            open: AtomicU64::new(0),
        }
    }
}

/// One loop's view of its server: what it has to know, and the counters that only it writes.
#[derive(Debug)]
pub struct Server {
    common: Arc<Common>,
    counters: Counters,
}

impl Server {
    /// The view of a single loop, for a caller that runs it on a thread of its own; `options.threads` and
    /// `options.cpus` are for [`start`].
    pub fn new(options: &Options) -> Self {
        Self { common: Arc::new(Common::new(options)), counters: Counters::default() }
    }

    /// The views of `options.threads` loops.
    fn for_loops(options: &Options) -> Vec<Arc<Self>> {
        let common = Arc::new(Common::new(options));
        let one = || Arc::new(Self { common: Arc::clone(&common), counters: Counters::default() });
        (0..options.threads).map(|_| one()).collect()
    }

    /// What a connection is answered with.
    pub fn reply(&self) -> Reply {
        self.common.reply
    }

    /// Whether connections and disconnections are logged.
    pub fn logs(&self) -> bool {
        self.common.log
    }

    /// The counters of this loop.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes one of the places for connections; false when all are taken.
    fn reserve_slot(&self) -> bool {
        let taken = self.common.open.fetch_add(1, Ordering::Relaxed);
        let free = taken < self.common.max_connections;
        if !free {
            self.free_slot();
        }
        free
    }

    /// Gives a place back.
    fn free_slot(&self) {
        self.common.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a mechanism stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A system call failed that serving cannot go on without.
    #[error("{call}(2) failed: {source}")]
    Call {
        /// The system call.
        call: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The loop panicked.
    #[error("the loop panicked, which is a mistake in muxbench; its message is above")]
    Panicked,
}

impl ServeError {
    /// Makes an error of what `call` said.
    pub fn call(call: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::Call { call, source: errno.into() }
    }
}
