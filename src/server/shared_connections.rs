//! The connections that several threads serve.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::net::Shutdown;

use super::{Connection, Interest, READ_BUFFER_BYTES, Server, Step, Table, Wakeup};

/// The first chunk holds so many connections, each further one as many as all before it together.
const FIRST_CHUNK: usize = 1024;

/// Enough chunks for every descriptor number that there can be (an `int`).
const CHUNKS: usize = (i32::BITS - FIRST_CHUNK.ilog2()) as usize;

type Slot = Mutex<Option<Connection>>;

/// Every connection of a pool of threads, found by its descriptor.
///
/// A connection has a lock of its own, which nobody waits for as long as its mechanism gives each event to
/// one thread alone: it costs two atomic instructions, and 8 bytes beside the connection's 16. A chunk,
/// once made, stays where it is, so that threads that look up a connection need no lock to find it. One table for the whole
/// limit of descriptors would be written to at the start, and memory per connection could not be measured as growth.
#[derive(Debug)]
pub struct SharedConnections {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
    /// Addresses by descriptor, kept only for the log.
    peers: Mutex<HashMap<RawFd, SocketAddr>>,
}

impl Default for SharedConnections {
    fn default() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], peers: Mutex::default() }
    }
}

impl SharedConnections {
    /// The connections as one thread sees them.
    pub fn share<'s>(&'s self, server: &'s Server) -> Share<'s> {
        let buffer = vec![0; READ_BUFFER_BYTES].into_boxed_slice();
        Share { connections: self, buffer, server, wakeup: Wakeup::default() }
    }

    /// The place of the connection `fd`, locked; nothing, if there never was one with this number.
    #[inline]
    fn get(&self, fd: RawFd) -> Option<MutexGuard<'_, Option<Connection>>> {
        let (chunk, index) = place(fd);
        let slots = self.chunks.get(chunk)?.get()?;
        Some(slots[index].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The connections of a pool as one thread sees them, with a buffer and counters of its own.
#[derive(Debug)]
pub struct Share<'s> {
    connections: &'s SharedConnections,
    buffer: Box<[u8]>,
    server: &'s Server,
    wakeup: Wakeup,
}

impl Share<'_> {
    /// Counts a wait that came back with `events`.
    #[inline]
    pub fn woken(&mut self, events: usize) {
        self.wakeup.begin(events, self.server.counters());
    }

    /// Ends the iteration that [`woken`](Self::woken) began: a wake-up that led to nothing is counted.
    #[inline]
    pub fn end_iteration(&self) {
        self.wakeup.end_iteration(self.server.counters());
    }

    /// Makes one [step](Connection::step) of the connection `fd`, and up to `at_most` while its reads fill the
    /// buffer. Returns what it waits for then, or closes it if that was its last.
    #[inline]
    pub fn steps(&mut self, fd: RawFd, at_most: u32) -> Option<Interest> {
        let mut slot = self.connections.get(fd)?;
        let connection = slot.as_mut()?;
        let mut step = connection.step(&mut self.buffer, self.server);
        for _ in 1..at_most {
            if step != Ok(Step::More) {
                break;
            }
            step = connection.step(&mut self.buffer, self.server);
        }
        let interest = connection.interest();
        drop(slot);
        let errno = match step {
            Ok(Step::Blocked) => return Some(interest),
            Ok(Step::Closed) => None,
            Ok(_) => {
                self.progress();
                return Some(interest);
            }
            Err(errno) => Some(errno),
        };
        self.close(fd, errno);
        None
    }

    /// Closes the connection `fd`, and books it; `errno` is the error that ended it, if one did.
    #[cold]
    fn close(&mut self, fd: RawFd, errno: Option<Errno>) {
        let Some(connection) = self.connections.get(fd).and_then(|mut slot| slot.take()) else { return };
        self.progress();
        let peer = self.connections.peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&fd);
        // A thread that looks for events holds each socket that it asks (epi_fget in fs/eventpoll.c). If it is the last to let
        // this one go and then sleeps on, the kernel closes the socket only when it wakes, and the peer waits as long for the
        // end. So the end is sent here.
        self.server.counters().other_calls.add(1);
        let _ = rustix::net::shutdown(&connection, Shutdown::Both);
        // The number is free from here on: another thread may be given it, and finds its place empty.
        drop(connection);
        self.server.leave(peer, errno);
    }

    /// Closes a connection that the mechanism could not watch: the peer is told as if the server were full.
    #[cold]
    pub fn give_up(&mut self, fd: RawFd) {
        if let Some(Some(connection)) = self.connections.get(fd).as_deref() {
            self.server.say_full(connection);
        }
        self.close(fd, Some(Errno::NOMEM));
    }
}

impl Table for Share<'_> {
    fn server(&self) -> &Server {
        self.server
    }

    fn open(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) -> RawFd {
        self.progress();
        let fd = socket.as_raw_fd();
        if let Some(peer) = peer.filter(|_| self.server.logs()) {
            self.connections.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(fd, peer);
        }
        let (chunk, index) = place(fd);
        let fill = || (0..length(chunk)).map(|_| Slot::default()).collect();
        let slots = self.connections.chunks[chunk].get_or_init(fill);
        *slots[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(socket.into());
        fd
    }

    fn progress(&mut self) {
        self.wakeup.progress();
    }
}

/// The chunk that holds the connection `fd`, and its index there.
fn place(fd: RawFd) -> (usize, usize) {
    let fd = fd as usize;
    let chunk = (fd / FIRST_CHUNK).checked_ilog2().map_or(0, |log| log as usize + 1);
    (chunk, fd - if chunk == 0 { 0 } else { length(chunk) })
}

/// Returns the number of connections that a chunk holds; from the second chunk on, all before it hold as many together.
fn length(chunk: usize) -> usize {
    FIRST_CHUNK << chunk.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_all_numbers_follow_each_other() {
        let mut expected = (0, 0);
        for fd in 0..100_000 {
            assert_eq!(place(fd), expected, "{fd}");
            expected.1 += 1;
            if expected.1 == length(expected.0) {
                expected = (expected.0 + 1, 0);
            }
        }
    }

    #[test]
    fn the_highest_number_has_a_place() {
        let (chunk, index) = place(RawFd::MAX);
        assert!(chunk < CHUNKS);
        assert_eq!(index, length(chunk) - 1);
    }
}
