//! The server under test: one of ours or a foreign one, and what it promises.

use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;

use model::schema::ServerCounters;
use muxbench::server::Mechanism;
use muxbench::server::{AcceptMode, Options, Reply};

use crate::client::Client;
use crate::support::{Foreign, Process, Server, connect};

/// A promise that a test may need of a server, beyond answering every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// After a peer's end come the rest of its answers, and then the server's end.
    HalfClose,
    /// An urgent byte is out of band: not answered, and no obstacle.
    UrgentOutOfBand,
    /// A peer that sends and never reads costs a bounded number of bytes.
    HoldsBack,
    /// A connection is so cheap that there may be thousands.
    Thousands,
    /// It is ours: it counts what it does, is told by its standard input, refuses, and stops.
    Control,
}

impl Promise {
    /// Returns the reason that `mechanism` cannot promise this; `None` if it can.
    pub fn withheld_by(self, mechanism: &Mechanism) -> Option<&'static str> {
        match (self, mechanism.name) {
            // docs/BIAS.md
            (Self::UrgentOutOfBand, "tokio") => {
                Some("takes the short read before an urgent mark for the last, and waits for more")
            }
            _ => None,
        }
    }
}

/// Bytes of the server's own memory that a peer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// One that is idle.
    pub idle: u64,
    /// One that never reads, whatever it sends, beyond what it cost when it was idle.
    pub blocked: u64,
    /// The memory that a loop has for all of them together and first touches when there is much to read.
    pub a_loop: u64,
}

impl Bounds {
    /// Returns the bounds for a peer of `mechanism`.
    pub fn of(mechanism: &Mechanism) -> Self {
        const KIB: u64 = 1 << 10;
        let idle = match mechanism.name {
            // The touched pages of a stack, and what the C library keeps of a thread.
            "threads" => 64 * KIB,
            // A task, and the buffer that it reads into, which belongs to no loop.
            "tokio" | "compio" => 96 * KIB,
            // The slot that its operations under way are found by.
            "io-uring" => KIB,
            // 16 bytes in a vector that doubles, the mechanism's own entry, and a page here and there.
            _ => 200,
        };
        let (blocked, a_loop) = match mechanism.name {
            // What was received before the kernel heard that it should stop, beside what waits; buffers of 4 KiB are
            // provided to the kernel.
            "io-uring" => (512 * KIB, u64::from(Options::PROVIDED_BUFFERS) * 4 * KIB),
            // One read of 64 KiB is what may wait, copied once; allocators round up.
            _ => (256 * KIB, 0),
        };
        Self { idle, blocked, a_loop }
    }

    /// The bounds for a peer of a foreign server: a few buffers of each of its layers.
    const FOREIGN: Self = Self { idle: u64::MAX, blocked: 1 << 20, a_loop: 0 };
}

/// A running server under test.
pub struct Subject {
    pub reply: Reply,
    pub threads: u32,
    pub bounds: Bounds,
    pub address: SocketAddr,
    server: Kind,
    /// Connections that a test may have at a time.
    connections_at_most: usize,
}

enum Kind {
    Ours(&'static Mechanism, Settings, Server),
    Foreign(fn(u16) -> Vec<String>, Foreign),
}

impl Deref for Subject {
    type Target = Process;

    fn deref(&self) -> &Process {
        match &self.server {
            Kind::Ours(.., server) => server,
            Kind::Foreign(_, server) => server,
        }
    }
}

/// The settings that a server of ours is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub reply: Reply,
    pub threads: u32,
    pub accept: Option<AcceptMode>,
    pub arguments: Vec<&'static str>,
    /// Descriptors that a table may hold; none leaves the limit as it is.
    pub descriptors: Option<u32>,
}

impl Settings {
    /// The arguments of `muxbench serve`.
    fn command_line(&self, mechanism: &Mechanism) -> Vec<String> {
        let reply = match self.reply {
            Reply::Echo => "echo",
            Reply::Ack => "ack",
        };
        let mut line: Vec<String> = ["--mechanism", mechanism.name, "--reply", reply].map(Into::into).into();
        line.extend(["--threads".into(), self.threads.to_string()]);
        line.extend(self.accept.iter().flat_map(|mode| ["--accept".into(), mode.to_string()]));
        line.extend(self.arguments.iter().map(ToString::to_string));
        line
    }
}

impl Subject {
    /// Starts a server of ours.
    pub fn ours(mechanism: &'static Mechanism, settings: &Settings) -> Self {
        let line = settings.command_line(mechanism);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let server = match settings.descriptors {
            None => Server::serve(&line),
            Some(limit) => Server::serve_with_descriptors(limit, &line),
        };
        Self {
            reply: settings.reply,
            threads: settings.threads,
            bounds: Bounds::of(mechanism),
            address: server.address,
            server: Kind::Ours(mechanism, settings.clone(), server),
            connections_at_most: usize::MAX,
        }
    }

    /// Starts a server of somebody else's, which echoes.
    pub fn foreign(command: fn(u16) -> Vec<String>, connections_at_most: usize) -> Self {
        let server = Foreign::start(command);
        server.await_rest();
        Self {
            reply: Reply::Echo,
            threads: 1,
            bounds: Bounds::FOREIGN,
            address: server.address,
            server: Kind::Foreign(command, server),
            connections_at_most,
        }
    }

    /// Starts another of the same.
    pub fn another(&self) -> Self {
        match &self.server {
            Kind::Ours(mechanism, settings, _) => Self::ours(mechanism, settings),
            Kind::Foreign(command, _) => Self::foreign(*command, self.connections_at_most),
        }
    }

    /// A connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address, self.reply)
    }

    /// A connection of which nothing is known but that it was made: it may be refused.
    pub fn knock(&self) -> TcpStream {
        connect(self.address)
    }

    /// Returns whether an urgent byte may come in the midst of others.
    pub fn bears_urgent_bytes(&self) -> bool {
        let withheld = self.mechanism().and_then(|mechanism| Promise::UrgentOutOfBand.withheld_by(mechanism));
        withheld.is_none()
    }

    /// Bytes that `peers` which never read may cost together.
    pub fn blocked_bytes_at_most(&self, peers: u64) -> u64 {
        peers * self.bounds.blocked + u64::from(self.threads) * self.bounds.a_loop
    }

    /// As many of `count` connections as the server bears.
    pub fn up_to(&self, count: usize) -> usize {
        count.min(self.connections_at_most)
    }

    /// The server, where it is ours: for tests that need [`Promise::Control`].
    pub fn control(&self) -> &Server {
        match &self.server {
            Kind::Ours(.., server) => server,
            Kind::Foreign(..) => panic!("the test asks for control and does not say that it needs it"),
        }
    }

    /// The mechanism, where the server is ours.
    pub fn mechanism(&self) -> Option<&'static Mechanism> {
        match &self.server {
            Kind::Ours(mechanism, ..) => Some(mechanism),
            Kind::Foreign(..) => None,
        }
    }

    /// Waits until `closed` connections are closed at the server's end; what it does not count is not asked.
    pub fn await_closed(&self, closed: u64) {
        if let Kind::Ours(.., server) = &self.server {
            server.await_stats(&format!("{closed} are closed"), |stats| stats.closed == closed);
        }
    }

    /// Waits until `open` connections are open at the server's end; what it does not count is not asked.
    pub fn await_open(&self, open: u64) {
        if let Kind::Ours(.., server) = &self.server {
            let holds = |stats: &ServerCounters| stats.accepted.checked_sub(stats.closed) == Some(open);
            server.await_stats(&format!("{open} are open"), holds);
        }
    }

    /// Asserts that the server sleeps when there is nothing to do, and that a newcomer is served; where a loop
    /// counts its waits, that each request costs one wake-up and none is for nothing.
    pub fn assert_rests_and_serves(&self) {
        const REQUESTS: u64 = 100;
        let mut client = self.connect();
        client.round_trip(1);
        self.await_rest();
        let before = self.counted();
        (0..REQUESTS).for_each(|_| client.round_trip(1));
        if let (Some(before), Some(after)) = (before, self.counted()) {
            let cost = after.since(before);
            let calls = cost.calls.expect("counted");
            assert_eq!(
                (calls.waits, calls.empty_wakeups),
                (REQUESTS, 0),
                "for {REQUESTS} requests: {cost:?}"
            );
        }
    }

    /// The counters, where the mechanism waits for readiness and counts how often.
    pub fn counted(&self) -> Option<ServerCounters> {
        match &self.server {
            Kind::Ours(mechanism, _, server) if waits_for_readiness(mechanism) => Some(server.stats()),
            _ => None,
        }
    }
}

/// Returns whether each event takes `mechanism` one wait, one read and one send, which it counts. A poll through
/// io_uring is answered whenever something wakes the socket, so it follows each answer until a read would block.
pub fn waits_for_readiness(mechanism: &Mechanism) -> bool {
    mechanism.family == "readiness"
        && mechanism.counts_calls
        && !mechanism.echo_calls.contains(&"io_uring_enter")
}
