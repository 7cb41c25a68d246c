//! The listening socket: set-up, accepting, and what to do when a connection cannot be accepted.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::{Connections, ServeError, Server};

/// Connections accepted in one turn of the loop, so that a flood of them cannot starve those served.
const ACCEPTS_A_TURN: u32 = 64;

/// Pause when the machine, not this loop, is out of files or memory: see [`Listener::accept`].
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(10);

/// What became of an attempt to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// A connection, in the table of [`Connections`] and not yet watched.
    Connection(RawFd),
    /// No connection waits, or this turn's share is used up. Every loop watches its listener
    /// level-triggered, the edge-triggered loop too, so those left are reported again.
    NoMore,
    /// The listener was shut down: the loop ends.
    Stopped,
}

/// The listening socket of one loop.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// A descriptor to give up when there is no other to accept and refuse a connection with.
    reserve: Option<OwnedFd>,
    accepts_left: u32,
}

impl Listener {
    /// Makes a listener of a listening, non-blocking `socket` that the calling thread owns.
    ///
    /// # Errors
    ///
    /// When no descriptor is left to keep in reserve.
    pub fn new(socket: OwnedFd, server: &Server) -> Result<Self, ServeError> {
        let reserve = reserve(server).map_err(ServeError::call("eventfd2"))?;
        Ok(Self { socket, reserve: Some(reserve), accepts_left: ACCEPTS_A_TURN })
    }

    /// Accepts one connection and enters it into `connections`; one that finds the server full is told so
    /// and closed.
    ///
    /// # Errors
    ///
    /// When accept4(2) reports what only a mistake of ours can cause.
    pub fn accept(&mut self, connections: &mut Connections<'_>) -> Result<Accepted, ServeError> {
        while self.accepts_left > 0 {
            self.accepts_left -= 1;
            match self.accept4(connections) {
                Ok((socket, peer)) => {
                    if let Some(fd) = connections.open(socket, peer) {
                        return Ok(Accepted::Connection(fd));
                    }
                }
                Err(Errno::WOULDBLOCK) => break,
                // What accept4(2) answers for a listener that was shut down.
                Err(Errno::INVAL) => return Ok(Accepted::Stopped),
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    if !self.refuse_with_reserve(connections) {
                        break;
                    }
                }
                Err(errno @ (Errno::BADF | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT)) => {
                    return Err(ServeError::call("accept4")(errno));
                }
                // ECONNABORTED, EPROTO and the network's own errors speak of the connection that is
                // gone, not of the listener (accept(2), "Error handling"); EINTR of neither.
                Err(_) => {}
            }
        }
        self.accepts_left = ACCEPTS_A_TURN;
        Ok(Accepted::NoMore)
    }

    /// accept4(2), non-blocking and close-on-exec.
    fn accept4(&self, connections: &Connections<'_>) -> rustix::io::Result<(OwnedFd, Option<SocketAddr>)> {
        connections.counters().other_calls.add(1);
        let accepted =
            rustix::net::acceptfrom_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC);
        match accepted {
            Ok((socket, peer)) => Ok((socket, peer.and_then(|peer| peer.try_into().ok()))),
            Err(errno) => {
                if errno == Errno::WOULDBLOCK {
                    connections.counters().would_block.add(1);
                }
                Err(errno)
            }
        }
    }

    /// Gives up the reserve to accept and refuse the connection that waits, and opens it again; false when
    /// there is nothing to be gained from trying again in this turn.
    ///
    /// A connection left in the queue would be reported for ever. The loop has its descriptor table to
    /// itself, so that the number given up is free for accept4(2), and free again for the reserve. Only
    /// where the *machine* has no file or memory left can this fail, and then nothing would tell when to
    /// try again: the loop pauses rather than spin.
    fn refuse_with_reserve(&mut self, connections: &mut Connections<'_>) -> bool {
        if self.reserve.take().is_some() {
            connections.counters().other_calls.add(1);
        }
        let accepted = self.accept4(connections);
        let refused = accepted.is_ok();
        if let Ok((socket, peer)) = accepted {
            connections.refuse(socket, peer);
        }
        self.reserve = reserve(connections.server()).ok();
        if self.reserve.is_none() {
            std::thread::sleep(EXHAUSTED_PAUSE);
        }
        refused
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// A descriptor that stands for a file of its own, so that giving it up helps against ENFILE as well as
/// against EMFILE.
fn reserve(server: &Server) -> rustix::io::Result<OwnedFd> {
    server.counters().other_calls.add(1);
    rustix::event::eventfd(0, EventfdFlags::CLOEXEC)
}

/// Opens `count` listening sockets on `address`, one a loop: with SO_REUSEPORT where there are several.
///
/// # Errors
///
/// When the address cannot be listened on.
pub fn listen(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    if count > 1 {
        // Another server of the same user that set SO_REUSEPORT would silently share the address;
        // without the option its presence is an error.
        drop(bind(address, false)?);
    }
    let backlog = backlog();
    let mut sockets = Vec::with_capacity(count);
    let mut bound = address;
    for _ in 0..count {
        let socket = bind(bound, count > 1)?;
        rustix::net::listen(&socket, backlog)?;
        bound = rustix::net::getsockname(&socket)?.try_into().map_err(io::Error::from)?;
        sockets.push(socket);
    }
    Ok((bound, sockets))
}

/// A socket bound to `address`, non-blocking and close-on-exec.
fn bind(address: SocketAddr, reuse_port: bool) -> rustix::io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Connections of an earlier server that linger in TIME_WAIT do not keep a new one from listening.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if reuse_port {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

/// The longest queue of connections that listen(2) grants; it cuts a longer wish down silently.
fn backlog() -> i32 {
    const SINCE_LINUX_5_4: i32 = 4096;
    std::fs::read_to_string("/proc/sys/net/core/somaxconn")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(SINCE_LINUX_5_4)
}
