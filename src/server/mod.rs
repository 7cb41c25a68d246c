//! The parts that every mechanism shares: the listener, the connections and their echo, limits, counters, and the
//! threads that the loops run on.

mod admission;
mod connection;
mod connections;
mod counters;
mod descriptor_sets;
mod listener;
mod mechanism;
mod pool;
mod reply;
mod running;
mod shared_connections;
mod socket;
mod trial;
#[cfg(any(feature = "io-uring", feature = "io-uring-poll", feature = "compio"))]
pub mod uring;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::schema::ServerCounters;
use sys::ring_size::RingSize;

use self::counters::Place;
pub use admission::REFUSAL;
pub use connection::{Connection, Interest, READ_BUFFER_BYTES, Step, Unsent};
pub use connections::{Connections, Table, Wakeup};
pub use descriptor_sets::{DescriptorSets, WORD_BITS, Word};
pub use listener::{ACCEPTS_PER_ITERATION, Admitted, Listener};
pub use mechanism::{Mechanism, Probe, Serve, ServeLoop, ServePool};
pub use pool::on_a_thread_each;
pub use reply::{ACK_BYTES_AT_MOST, Reply};
pub use running::{Control, Running, StartError, start};
pub use shared_connections::{Share, SharedConnections};
pub use socket::listen;
pub use sys::shared_counters::{Counter, Counters, SharedCounters, SharedPlaces};
pub use trial::try_out;

/// How several loops meet the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceptMode {
    /// Every loop waits on one listener, and each may be woken by every connection
    Shared,
    /// The same, but the kernel wakes one loop, mostly (EPOLLEXCLUSIVE)
    Exclusive,
    /// A listener each, between which the kernel spreads the connections (SO_REUSEPORT)
    Reuseport,
}

impl std::fmt::Display for AcceptMode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Reuseport => "reuseport",
        })
    }
}

/// The options of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The addresses to listen on, at least one; port 0 takes a free one. The loops take several addresses in turn.
    pub listen: Vec<SocketAddr>,
    /// Loops, each on a thread.
    pub threads: usize,
    /// The mode in which they accept connections; `None` takes the mechanism's default.
    pub accept: Option<AcceptMode>,
    /// The kind of reply that a connection gets.
    pub reply: Reply,
    /// Connections served at a time, over all loops; those beyond are refused.
    pub max_connections: Option<u64>,
    /// The size of the ring of a loop on io_uring.
    pub ring: RingSize,
    /// The processors that the loops are bound to, in turn; none leaves them to the scheduler.
    pub cpus: Vec<u32>,
    /// True if each connection and disconnection is a line on standard error.
    pub log: bool,
    /// The memory that the loops count in, for another process to read: each server has its own. `None` is memory of
    /// this process.
    pub counters: Option<&'static SharedPlaces>,
}

impl Options {
    /// Buffers that a loop of `io-uring` provides to the kernel: they are used in turn, so that more of them fall out of the
    /// cache, and fewer run out (docs/BIAS.md has what was measured).
    pub const PROVIDED_BUFFERS: u16 = 128;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 7777))],
            threads: 1,
            accept: None,
            reply: Reply::Echo,
            max_connections: None,
            ring: RingSize { buffers: Self::PROVIDED_BUFFERS, ..RingSize::default() },
            cpus: Vec::new(),
            log: false,
            counters: None,
        }
    }
}

/// The state that the loops of one server share.
#[derive(Debug)]
struct Common {
    reply: Reply,
    log: bool,
    max_connections: u64,
    ring: RingSize,
    /// Connections open in all loops; touched only when one is accepted or closed.
    open: AtomicU64,
    shared: Option<&'static SharedPlaces>,
}

/// One loop's view of its server: what it has to know, and the counters that only it writes.
#[derive(Debug)]
pub struct Server {
    common: Arc<Common>,
    counters: Place,
    places: Arc<Mutex<Places>>,
}

/// The places in which a loop, and the threads that it has started, count. The place of a thread that has ended goes to
/// the next, which counts on from there, so that the sum over all places is what all have counted.
#[derive(Debug, Default)]
struct Places {
    all: Vec<Place>,
    free: Vec<Place>,
}

impl Server {
    /// The view of a single loop, for a caller that runs it on a thread of its own; `options.threads` and
    /// `options.cpus` are for [`start`].
    pub fn new(options: &Options) -> Self {
        Self::with(Arc::new(Common {
            reply: options.reply,
            log: options.log,
            max_connections: options.max_connections.unwrap_or(u64::MAX),
            ring: options.ring,
            open: AtomicU64::new(0),
            shared: options.counters,
        }))
    }

    /// The views of `options.threads` loops.
    fn for_loops(options: &Options) -> Vec<Arc<Self>> {
        let first = Self::new(options);
        let others: Vec<_> = (1..options.threads).map(|_| Self::with(Arc::clone(&first.common))).collect();
        std::iter::once(first).chain(others).map(Arc::new).collect()
    }

    fn with(common: Arc<Common>) -> Self {
        Self::counting_in(Arc::default(), common)
    }

    /// The view of a thread that serves for this loop, with counters of its own that count as this loop's.
    pub fn part(&self) -> Self {
        Self::counting_in(Arc::clone(&self.places), Arc::clone(&self.common))
    }

    fn counting_in(places: Arc<Mutex<Places>>, common: Arc<Common>) -> Self {
        let counters = lock(&places).take(common.shared);
        Self { common, counters, places }
    }

    /// The kind of reply that a connection gets.
    pub fn reply(&self) -> Reply {
        self.common.reply
    }

    /// Returns whether connections and disconnections are logged.
    pub fn logs(&self) -> bool {
        self.common.log
    }

    /// The size of the ring of a loop.
    pub fn ring(&self) -> &RingSize {
        &self.common.ring
    }

    /// The counters that the calling loop writes.
    #[inline]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The counts of this loop so far, those of its parts included.
    pub fn read_counters(&self) -> ServerCounters {
        let places = lock(&self.places);
        places.all.iter().map(|place| place.read()).reduce(ServerCounters::plus).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        lock(&self.places).free.push(self.counters.clone());
    }
}

impl Places {
    /// A place that nobody counts in: in `shared` as long as there is one.
    fn take(&mut self, shared: Option<&'static SharedPlaces>) -> Place {
        self.free.pop().unwrap_or_else(|| {
            let place =
                shared.and_then(SharedPlaces::take).map_or_else(|| Place::Own(Arc::default()), Place::Shared);
            self.all.push(place.clone());
            place
        })
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reason that a mechanism stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A system call failed that serving cannot go on without.
    #[error("{call}(2) failed: {source}")]
    Call {
        /// The system call.
        call: &'static str,
        /// The error that it reported.
        source: io::Error,
    },
    /// A library failed that serving cannot go on without.
    #[error("{library} failed: {source}")]
    Library {
        /// The library, and what it was asked for.
        library: &'static str,
        /// The error that it reported.
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

    /// Makes an error of what `library` said.
    pub fn library(library: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Library { library, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_parts_have_counted_is_kept_when_they_end() {
        let server = Server::new(&Options::default());
        server.counters().echoes.add(1);
        let lasting = server.part();
        for _ in 0..100 {
            let part = server.part();
            part.counters().echoes.add(1);
            lasting.counters().send.add(2);
        }
        let counts = server.read_counters();
        assert_eq!(counts.echoes, 101);
        assert_eq!(counts.calls.expect("counted").send, 200);
        assert_eq!(
            lock(&server.places).all.len(),
            3,
            "the loop's, the lasting part's, and one for all others in turn"
        );
    }
}
