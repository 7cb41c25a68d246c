//! The admission of connections: the choice of those that are served, the same in every mechanism.

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, sockopt};

use super::Server;

/// The text that a client reads if the server is full.
pub const REFUSAL: &[u8] = b"server is full, try again later\n";

impl Server {
    /// Takes an accepted connection in and returns it, or refuses it where the server is full.
    ///
    /// For each connection taken in, [`leave`](Self::leave) is called once.
    pub fn admit<S: AsFd>(&self, socket: S, peer: Option<SocketAddr>) -> Option<S> {
        if !self.reserve_slot() {
            self.refuse(socket, peer);
            return None;
        }
        self.counters().accepted.add(1);
        self.counters().other_calls.add(1);
        // An answer waits for nothing. A peer that is gone already makes this fail, and the next read.
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        if self.logs() {
            self.log(peer, "connected");
        }
        Some(socket)
    }

    /// Books the end of a connection that has just been closed; `errno` is the error that ended it, if one did.
    #[cold]
    pub fn leave(&self, peer: Option<SocketAddr>, errno: Option<Errno>) {
        self.counters().closed.add(1);
        self.counters().other_calls.add(1);
        self.free_slot();
        if self.logs() {
            match errno {
                None => self.log(peer, "disconnected"),
                Some(errno) => self.log(peer, &format!("disconnected: {errno}")),
            }
        }
    }

    /// Tells the peer that the server is full, and closes the connection.
    #[cold]
    pub fn refuse(&self, socket: impl AsFd, peer: Option<SocketAddr>) {
        const DRAINED_AT_MOST: usize = 256;
        const DRAINED_AT_ONCE_BYTES: usize = 4096;
        let counters = self.counters();
        counters.send.add(1);
        // A peer that is gone already cannot be told; closing is all that is left.
        let _ = rustix::net::send(&socket, REFUSAL, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        // Whoever is counted has been told, and whoever has read the end is counted.
        counters.refused.add(1);
        counters.other_calls.add(2);
        let _ = rustix::net::shutdown(&socket, Shutdown::Write);
        // Closing with unread bytes sends a reset, which can overtake the text. MSG_TRUNC drops them uncopied (tcp(7)).
        let mut nowhere = [0; DRAINED_AT_ONCE_BYTES];
        for _ in 0..DRAINED_AT_MOST {
            counters.recv.add(1);
            match rustix::net::recv(&socket, &mut nowhere[..], RecvFlags::TRUNC | RecvFlags::DONTWAIT) {
                Ok((0, _)) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => {
                    if errno == Errno::WOULDBLOCK {
                        counters.would_block.add(1);
                    }
                    break;
                }
            }
        }
        drop(socket);
        if self.logs() {
            self.log(peer, "refused: the server is full");
        }
    }

    /// Tells the peer of a connection that cannot be served after all what it would hear of a full server;
    /// the caller closes it.
    #[cold]
    pub fn say_full(&self, socket: impl AsFd) {
        self.counters().send.add(1);
        let _ = rustix::net::send(socket, REFUSAL, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }

    /// Connections open in all loops.
    pub fn open_connections(&self) -> u64 {
        self.common.open.load(Ordering::Relaxed)
    }

    /// Takes one of the places for connections; false when all are taken.
    fn reserve_slot(&self) -> bool {
        let one_more = |taken| (taken < self.common.max_connections).then_some(taken + 1);
        self.common.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// Gives a place back.
    fn free_slot(&self) {
        self.common.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Writes one line about `peer` to standard error. A log that cannot be written ends no connection.
    #[cold]
    fn log(&self, peer: Option<SocketAddr>, what: &str) {
        self.counters().other_calls.add(1);
        let line = match peer {
            Some(peer) => format!("{peer} {what}\n"),
            None => format!("unknown peer {what}\n"),
        };
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}
