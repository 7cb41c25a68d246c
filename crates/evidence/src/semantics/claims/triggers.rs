//! Level-triggered, edge-triggered, oneshot: when a wait reports again.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::{EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::asleep;
use super::{Claim, Seen, bounding, context, essential, in_turn, look};
use crate::semantics::situations::{await_settled, fill, small_send_buffer, tcp_pair};
use crate::semantics::system::{await_events, epoll, epoll_add, epoll_mod, outcome, poll_one};

/// A TCP connection, one end of it watched: what claims about triggering are tried on.
struct Connection {
    own: OwnedFd,
    peer: OwnedFd,
    set: OwnedFd,
    /// The report of each wait so far.
    waits: Vec<String>,
}

impl Connection {
    fn watched(flags: libc::c_int) -> io::Result<Self> {
        let (own, peer) = tcp_pair()?;
        let set = epoll()?;
        epoll_add(&set, own.as_raw_fd(), flags)?;
        Ok(Self { own, peer, set, waits: Vec::new() })
    }

    /// Makes reads and writes of the watched end block.
    fn blocking(self) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&self.own)?;
        rustix::fs::fcntl_setfl(&self.own, flags - OFlags::NONBLOCK)?;
        Ok(self)
    }

    /// Lets `count` bytes arrive.
    fn arrive(self, count: usize) -> io::Result<Self> {
        rustix::io::write(&self.peer, &vec![0; count])?;
        await_settled(&self.peer, &self.own)?;
        Ok(self)
    }

    fn read(self, count: usize) -> io::Result<Self> {
        rustix::io::read(&self.own, &mut vec![0; count])?;
        Ok(self)
    }

    /// Sends 4 bytes, which the peer reads.
    fn send_and_be_read(self) -> io::Result<Self> {
        rustix::io::write(&self.own, b"sent")?;
        await_events(self.peer.as_raw_fd(), libc::POLLIN)?;
        rustix::io::read(&self.peer, &mut [0; 4])?;
        await_settled(&self.own, &self.peer)?;
        Ok(self)
    }

    /// Writes until nothing goes in, and waits.
    fn fill_and_wait(self) -> io::Result<(Self, usize)> {
        small_send_buffer(&self.own)?;
        let written = fill(&self.own, &self.peer)?;
        Ok((self.wait(), written))
    }

    /// Lets the peer read all `count` bytes.
    fn be_drained(self, count: usize) -> io::Result<Self> {
        let mut left = count;
        while left > 0 {
            await_events(self.peer.as_raw_fd(), libc::POLLIN)?;
            left -= rustix::io::read(&self.peer, &mut [0; 4096])?;
        }
        await_events(self.own.as_raw_fd(), libc::POLLOUT)?;
        await_settled(&self.own, &self.peer)?;
        Ok(self)
    }

    fn wait(mut self) -> Self {
        self.waits.push(look(&self.set));
        self
    }

    fn seen(self) -> Seen {
        in_turn(&self.waits)
    }
}

const LEVEL: &str = "IN → IN → IN → nothing";
const EDGE: &str = "IN → nothing → nothing → IN";

pub static LT_REPEATS: Claim = Claim {
    id: "lt-repeats",
    section: "5.4",
    text: "level-triggered: an event keeps firing while data remain; works with blocking and non-blocking sockets",
    parts: &[
        essential("non-blocking: 4 bytes, wait, wait, read 1, wait, read 3, wait", LEVEL, || {
            Ok(level(Connection::watched(EPOLLIN)?)?.seen())
        }),
        essential("blocking: the same", LEVEL, || {
            Ok(level(Connection::watched(EPOLLIN)?.blocking()?)?.seen())
        }),
    ],
};

fn level(connection: Connection) -> io::Result<Connection> {
    Ok(connection.arrive(4)?.wait().wait().read(1)?.wait().read(3)?.wait())
}

pub static ET_ONCE: Claim = Claim {
    id: "et-once",
    section: "5.4",
    text: "edge-triggered: fires once when data arrive and not again until more arrive, unread data or not; non-blocking only",
    parts: &[
        essential("non-blocking: 4 bytes, wait, wait, read 1, wait, 4 bytes more, wait", EDGE, || {
            Ok(edge(Connection::watched(EPOLLIN | EPOLLET)?)?.seen())
        }),
        essential(
            "nothing read at all: 4 bytes, wait, wait, 4 bytes more, wait",
            "IN → nothing → IN",
            || {
                let connection = Connection::watched(EPOLLIN | EPOLLET)?;
                Ok(connection.arrive(4)?.wait().wait().arrive(4)?.wait().seen())
            },
        ),
        bounding(
            "two arrivals before a wait, then two waits",
            "IN → IN",
            "arrivals that come before a wait are told by it as one",
            || {
                let connection = Connection::watched(EPOLLIN | EPOLLET)?;
                Ok(connection.arrive(4)?.arrive(4)?.wait().wait().seen())
            },
        ),
        bounding(
            "blocking: as the first",
            "refused",
            "the kernel reports the same edges of a blocking socket: what must not block is reading until nothing is left",
            || Ok(edge(Connection::watched(EPOLLIN | EPOLLET)?.blocking()?)?.seen()),
        ),
        context("blocking: read until nothing is left", || {
            let connection = Connection::watched(EPOLLIN | EPOLLET)?.blocking()?.arrive(4)?;
            let Connection { own, peer, .. } = &connection;
            let read_on = || -> rustix::io::Result<usize> {
                rustix::io::read(own, &mut [0; 4])?;
                rustix::io::read(own, &mut [0; 4])
            };
            let (_, slept) = asleep::until(read_on, |_| Ok(rustix::io::write(peer, b"!").map(|_| ())?))?;
            Ok(if slept { "the last read sleeps" } else { "no read sleeps" }.into())
        }),
    ],
};

fn edge(connection: Connection) -> io::Result<Connection> {
    Ok(connection.arrive(4)?.wait().wait().read(1)?.wait().arrive(4)?.wait())
}

pub static LT_WRITABLE: Claim = Claim {
    id: "lt-writable-always",
    section: "5.4",
    text: "level-triggered EPOLLOUT fires as long as the window has room",
    parts: &[
        essential("empty: wait, wait, wait", "OUT → OUT → OUT", || {
            Ok(Connection::watched(EPOLLOUT)?.wait().wait().wait().seen())
        }),
        essential("4 bytes sent and read: wait, wait", "OUT → OUT", || {
            Ok(Connection::watched(EPOLLOUT)?.send_and_be_read()?.wait().wait().seen())
        }),
        essential(
            "written until full, wait; the peer reads all, wait, wait",
            "nothing → OUT → OUT",
            || {
                let (connection, written) = Connection::watched(EPOLLOUT)?.fill_and_wait()?;
                Ok(connection.be_drained(written)?.wait().wait().seen())
            },
        ),
        bounding(
            "while it fills: EPOLLOUT for as long as send(2) takes bytes",
            "yes",
            "TCP reports room only where a third of the send buffer is free, and send(2) takes bytes beyond that",
            room_without_report,
        ),
    ],
};

/// Writes until POLLOUT is gone and stays gone, and then tries to write on.
fn room_without_report() -> io::Result<Seen> {
    const BLOCK: [u8; 4096] = [0; 4096];
    let (own, peer) = tcp_pair()?;
    small_send_buffer(&own)?;
    let has_room =
        || -> io::Result<bool> { Ok(poll_one(own.as_raw_fd(), libc::POLLOUT)? & libc::POLLOUT != 0) };
    let mut written = 0;
    while has_room()? {
        while has_room()? {
            written += rustix::io::write(&own, &BLOCK)?;
        }
        await_settled(&own, &peer)?;
    }
    let mut beyond = 0;
    loop {
        match rustix::io::write(&own, &BLOCK) {
            Ok(count) => beyond += count,
            Err(Errno::AGAIN) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(match beyond {
        0 => "yes".into(),
        _ => format!("no: {beyond} bytes more after {written}").into(),
    })
}

pub static ET_WRITABLE: Claim = Claim {
    id: "et-writable-edge",
    section: "5.4",
    text: "edge-triggered EPOLLOUT fires once, then only after full has become not full",
    parts: &[
        essential(
            "wait, wait; written until full, wait; the peer reads all, wait, wait",
            "OUT → nothing → nothing → OUT → nothing",
            || {
                let connection = Connection::watched(EPOLLOUT | EPOLLET)?.wait().wait();
                let (connection, written) = connection.fill_and_wait()?;
                Ok(connection.be_drained(written)?.wait().wait().seen())
            },
        ),
        essential(
            "TCP, never full: wait; 4 bytes sent and read by the peer, wait",
            "OUT → nothing",
            || Ok(Connection::watched(EPOLLOUT | EPOLLET)?.wait().send_and_be_read()?.wait().seen()),
        ),
        bounding(
            "Unix stream socket, never full: the same",
            "OUT → nothing",
            "a Unix socket reports room each time its peer takes a packet, though it was never full",
            || {
                let (own, peer) = std::os::unix::net::UnixStream::pair()?;
                let set = epoll()?;
                epoll_add(&set, own.as_raw_fd(), EPOLLOUT | EPOLLET)?;
                let first = look(&set);
                rustix::io::write(&own, b"sent")?;
                rustix::io::read(&peer, &mut [0; 4])?;
                Ok(in_turn(&[first, look(&set)]))
            },
        ),
        bounding(
            "watched for EPOLLIN too: wait; 4 bytes arrive, wait",
            "OUT → IN",
            "an event of another kind has EPOLLOUT beside it while there is room",
            || Ok(Connection::watched(EPOLLIN | EPOLLOUT | EPOLLET)?.wait().arrive(4)?.wait().seen()),
        ),
    ],
};

pub static ONESHOT: Claim = Claim {
    id: "oneshot-rearm",
    section: "5.2",
    text: "EPOLLONESHOT fires once, until it is armed again (by adding the socket to the set again)",
    parts: &[
        essential("4 bytes, wait, wait, 4 bytes more, wait", "IN → nothing → nothing", || {
            let connection = Connection::watched(EPOLLIN | EPOLLONESHOT)?;
            Ok(connection.arrive(4)?.wait().wait().arrive(4)?.wait().seen())
        }),
        essential("4 bytes, wait, EPOLL_CTL_MOD, wait, wait", "IN → IN → nothing", || {
            let connection = Connection::watched(EPOLLIN | EPOLLONESHOT)?.arrive(4)?.wait();
            epoll_mod(&connection.set, connection.own.as_raw_fd(), EPOLLIN | EPOLLONESHOT)?;
            Ok(connection.wait().wait().seen())
        }),
        bounding(
            "armed again by EPOLL_CTL_ADD",
            "success",
            "a spent oneshot stays in the set: EPOLL_CTL_MOD arms it, ADD is refused",
            || {
                let connection = Connection::watched(EPOLLIN | EPOLLONESHOT)?.arrive(4)?.wait();
                let added = epoll_add(&connection.set, connection.own.as_raw_fd(), EPOLLIN | EPOLLONESHOT);
                Ok(outcome(added).into())
            },
        ),
    ],
};
