//! The echo of one connection: what one event does to it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::{ACK_BYTES_AT_MOST, Counters, Reply, Server};

/// One read takes at most this much; the buffer belongs to the loop, not to a connection.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The readiness of a connection that the loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to answer, or the end of them. What every connection starts with.
    Readable,
    /// Room for the rest of a reply; meanwhile nothing more is read from this peer.
    Writable,
}

/// The outcome of one step, and so what the mechanism has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// A reply went out and the read had filled the buffer: more is likely to wait.
    More,
    /// The read, or the send of a rest, came short of what was asked for: the kernel has no more to give, or
    /// no more room, unless an end of stream or an urgent mark stands behind the bytes.
    Short,
    /// The kernel had nothing to give or no room: wait for the next event.
    Blocked,
    /// From now on the connection waits for something else: the kernel has to be told.
    Await(Interest),
    /// The connection is closed, and with its only descriptor the kernel's watch over it, if the
    /// mechanism has one that lives on between calls.
    Closed,
}

/// The rest of a reply that the kernel had no room for; mostly there is none.
pub type Unsent = Option<Box<Rest>>;

/// Bytes that are still to be sent.
#[derive(Debug)]
pub struct Rest {
    bytes: Vec<u8>,
    sent: usize,
}

/// One connection and what its mechanism has to remember of it: with [`Unsent`], 16 bytes.
#[derive(Debug)]
pub struct Connection<S = Unsent> {
    pub(super) socket: OwnedFd,
    pub(super) state: S,
}

impl<S: Default> From<OwnedFd> for Connection<S> {
    fn from(socket: OwnedFd) -> Self {
        Self { socket, state: S::default() }
    }
}

impl<S> AsFd for Connection<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Connection {
    /// The readiness that it waits for.
    pub fn interest(&self) -> Interest {
        match self.state {
            None => Interest::Readable,
            Some(_) => Interest::Writable,
        }
    }

    /// Makes one step: what is unsent goes out, or else one read is answered.
    ///
    /// One step is at most one recv(2) and one send(2), so that a busy peer cannot keep others waiting.
    ///
    /// # Errors
    ///
    /// The error that ends the connection. [`Step::Closed`] means that the peer ended it.
    #[inline]
    pub fn step(&mut self, buffer: &mut [u8], server: &Server) -> rustix::io::Result<Step> {
        match self.state {
            None => self.answer(buffer, server.reply(), server.counters()),
            Some(_) => self.send_rest(server.counters()),
        }
    }

    /// Reads once and answers what came.
    #[inline]
    fn answer(&mut self, buffer: &mut [u8], reply: Reply, counters: &Counters) -> rustix::io::Result<Step> {
        let received = loop {
            counters.recv.add(1);
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Ok(Step::Closed),
                Ok((received, _)) => break received,
                Err(Errno::INTR) => {}
                Err(errno) => return would_block(errno, counters).map(|_| Step::Blocked),
            }
        };
        counters.echoes.add(1);
        let mut text = [0; ACK_BYTES_AT_MOST];
        let sent_all = self.send_or_keep(reply.to(&buffer[..received], &mut text), counters)?;
        Ok(match sent_all {
            false => Step::Await(Interest::Writable),
            true if received == buffer.len() => Step::More,
            true => Step::Short,
        })
    }

    /// Sends `bytes`; what the kernel has no room for is kept, and the answer is false.
    #[inline]
    fn send_or_keep(&mut self, bytes: &[u8], counters: &Counters) -> rustix::io::Result<bool> {
        let sent = send(&self.socket, bytes, counters)?;
        if sent == bytes.len() {
            return Ok(true);
        }
        self.keep(&bytes[sent..]);
        Ok(false)
    }

    /// Keeps a copy of what could not be sent: at most one read buffer, since nothing is read meanwhile.
    #[cold]
    fn keep(&mut self, rest: &[u8]) {
        self.state = Some(Box::new(Rest { bytes: rest.to_vec(), sent: 0 }));
    }

    /// Sends more of what an earlier step could not.
    #[cold]
    fn send_rest(&mut self, counters: &Counters) -> rustix::io::Result<Step> {
        let Some(unsent) = &mut self.state else { return Ok(Step::Blocked) };
        let sent = send(&self.socket, &unsent.bytes[unsent.sent..], counters)?;
        unsent.sent += sent;
        Ok(match sent {
            0 => Step::Blocked,
            _ if unsent.sent < unsent.bytes.len() => Step::Short,
            _ => {
                self.state = None;
                Step::Await(Interest::Readable)
            }
        })
    }
}

/// send(2) without SIGPIPE; no room counts as nothing sent.
#[inline]
fn send(socket: &OwnedFd, bytes: &[u8], counters: &Counters) -> rustix::io::Result<usize> {
    loop {
        counters.send.add(1);
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(errno) => return would_block(errno, counters),
        }
    }
}

/// Counts an error that only means "not now" as nothing done; any other is the connection's end.
fn would_block(errno: Errno, counters: &Counters) -> rustix::io::Result<usize> {
    if errno != Errno::WOULDBLOCK {
        return Err(errno);
    }
    counters.would_block.add(1);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_a_cache_line_s_quarter() {
        assert_eq!(size_of::<Option<Connection>>(), 16);
    }
}
