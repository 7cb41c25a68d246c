//! The connections of one loop, and what one event does to one of them.

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, sockopt};

use super::{Counters, Reply, Server};

/// What a client reads that finds the server full.
pub const REFUSAL: &[u8] = b"server is full, try again later\n";

/// One read takes at most this much; the buffer belongs to the loop, not to a connection.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// What the loop waits for on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to answer, or the end of them. What every connection starts with.
    Readable,
    /// Room for the rest of a reply; meanwhile nothing more is read from this peer.
    Writable,
}

/// What one turn did, and so what the mechanism has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Turn {
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

/// The rest of a reply that the kernel had no room for.
#[derive(Debug)]
struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

/// One connection: 16 bytes, and as many again of kernel-independent state as a slow reader needs.
#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    unsent: Option<Box<Unsent>>,
}

/// Every connection of one loop, found by its descriptor: the kernel hands out the lowest free number, so
/// a plain vector is dense and needs no hash.
///
/// Events are hints. What happens is decided by what recv(2) and send(2) say, so an event that was meant
/// for an earlier bearer of the same number costs a call that would block, and nothing else.
#[derive(Debug)]
pub struct Connections<'s> {
    table: Vec<Option<Connection>>,
    buffer: Box<[u8]>,
    reply: Reply,
    server: &'s Server,
    /// Something was done since the last wait.
    progress: bool,
    /// Addresses by descriptor, kept only for the log.
    peers: Vec<Option<SocketAddr>>,
}

impl<'s> Connections<'s> {
    /// An empty table.
    pub fn new(server: &'s Server) -> Self {
        Self {
            table: Vec::new(),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            reply: server.reply(),
            server,
            progress: false,
            peers: Vec::new(),
        }
    }

    /// The counters of this loop.
    pub fn counters(&self) -> &'s Counters {
        self.server.counters()
    }

    /// The loop's view of its server.
    pub fn server(&self) -> &'s Server {
        self.server
    }

    /// The descriptor of the connection `fd`.
    ///
    /// # Panics
    ///
    /// When there is none: it is for what [`Listener::accept`](super::Listener::accept) or
    /// [`Turn::Await`] has just named.
    pub fn descriptor(&self, fd: RawFd) -> BorrowedFd<'_> {
        let connection = self.table.get(fd as usize).and_then(Option::as_ref);
        connection.expect("the caller has just been given this connection").socket.as_fd()
    }

    /// Counts a wait that came back with `events`, and the wake-up before it if nothing came of that.
    #[inline]
    pub fn woken(&mut self, events: usize) {
        let counters = self.counters();
        counters.waits.add(1);
        counters.events.add(events as u64);
        self.progress = false;
    }

    /// Ends the turn that [`woken`](Self::woken) began: a wake-up that led to nothing is counted.
    #[inline]
    pub fn settle(&self) {
        if !self.progress {
            self.counters().empty_wakeups.add(1);
        }
    }

    /// Enters an accepted connection and returns its number, or refuses it where the server is full.
    pub fn open(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) -> Option<RawFd> {
        if !self.server.reserve_slot() {
            self.refuse(socket, peer);
            return None;
        }
        self.progress = true;
        self.counters().accepted.add(1);
        self.counters().other_calls.add(1);
        // An answer waits for nothing. A peer that is gone already makes this fail, and the next read.
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        let fd = socket.as_raw_fd();
        let index = fd as usize;
        if index >= self.table.len() {
            self.table.resize_with(index + 1, || None);
        }
        self.table[index] = Some(Connection { socket, unsent: None });
        if self.server.logs() {
            if index >= self.peers.len() {
                self.peers.resize(index + 1, None);
            }
            self.peers[index] = peer;
            self.log(peer, "connected");
        }
        Some(fd)
    }

    /// Gives the connection `fd` its turn: what is unsent goes out, or else one read is answered.
    ///
    /// One turn is at most one recv(2) and one send(2), so that a busy peer cannot keep others waiting.
    #[inline]
    pub fn turn(&mut self, fd: RawFd) -> Turn {
        let Some(Some(connection)) = self.table.get_mut(fd as usize) else { return Turn::Closed };
        let counters = self.server.counters();
        let turn = if connection.unsent.is_none() {
            connection.answer(&mut self.buffer, self.reply, counters)
        } else {
            connection.send_rest(counters)
        };
        match turn {
            Ok(Turn::Blocked) => Turn::Blocked,
            Ok(Turn::Closed) => self.close(fd, None),
            Ok(turn) => {
                self.progress = true;
                turn
            }
            Err(errno) => self.close(fd, Some(errno)),
        }
    }

    /// Closes the connection `fd`; `errno` is the error that ended it, if one did.
    #[cold]
    pub fn close(&mut self, fd: RawFd, errno: Option<Errno>) -> Turn {
        if let Some(connection) = self.table.get_mut(fd as usize).and_then(Option::take) {
            self.progress = true;
            self.counters().closed.add(1);
            self.counters().other_calls.add(1);
            drop(connection);
            self.server.free_slot();
            if self.server.logs() {
                let peer = self.peers[fd as usize].take();
                match errno {
                    None => self.log(peer, "disconnected"),
                    Some(errno) => self.log(peer, &format!("disconnected: {errno}")),
                }
            }
        }
        Turn::Closed
    }

    /// Tells the peer that the server is full, and closes the connection.
    #[cold]
    pub fn refuse(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) {
        const DRAINED_AT_MOST: usize = 16;
        self.progress = true;
        let counters = self.counters();
        counters.refused.add(1);
        counters.send.add(1);
        // A peer that is gone already cannot be told; closing is all that is left.
        let _ = rustix::net::send(&socket, REFUSAL, SendFlags::NOSIGNAL);
        counters.other_calls.add(2);
        let _ = rustix::net::shutdown(&socket, Shutdown::Write);
        // Closing with unread bytes sends a reset, which can overtake the text. MSG_TRUNC drops them
        // uncopied (tcp(7)).
        for _ in 0..DRAINED_AT_MOST {
            counters.recv.add(1);
            match rustix::net::recv(&socket, &mut *self.buffer, RecvFlags::TRUNC) {
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
        if self.server.logs() {
            self.log(peer, "refused: the server is full");
        }
    }

    /// Closes a connection that the mechanism could not watch: the peer is told as if the server were full.
    #[cold]
    pub fn give_up(&mut self, fd: RawFd) {
        self.counters().send.add(1);
        let _ = rustix::net::send(self.descriptor(fd), REFUSAL, SendFlags::NOSIGNAL);
        let _ = self.close(fd, Some(Errno::NOMEM));
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

impl Connection {
    /// Reads once and answers what came.
    #[inline]
    fn answer(&mut self, buffer: &mut [u8], reply: Reply, counters: &Counters) -> rustix::io::Result<Turn> {
        let received = loop {
            counters.recv.add(1);
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Ok(Turn::Closed),
                Ok((received, _)) => break received,
                Err(Errno::INTR) => {}
                Err(errno) => return would_block(errno, counters).map(|_| Turn::Blocked),
            }
        };
        let sent_all = match reply {
            Reply::Echo => self.send_or_keep(&buffer[..received], counters)?,
            Reply::Ack => {
                let mut number = itoa::Buffer::new();
                let mut text = [0; ACK_BYTES_AT_MOST];
                self.send_or_keep(ack(received, &mut number, &mut text), counters)?
            }
        };
        Ok(match sent_all {
            false => Turn::Await(Interest::Writable),
            true if received == buffer.len() => Turn::More,
            true => Turn::Short,
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
        self.unsent = Some(Box::new(Unsent { bytes: rest.to_vec(), sent: 0 }));
    }

    /// Sends more of what an earlier turn could not.
    #[cold]
    fn send_rest(&mut self, counters: &Counters) -> rustix::io::Result<Turn> {
        let Some(unsent) = &mut self.unsent else { return Ok(Turn::Blocked) };
        let sent = send(&self.socket, &unsent.bytes[unsent.sent..], counters)?;
        unsent.sent += sent;
        Ok(match sent {
            0 => Turn::Blocked,
            _ if unsent.sent < unsent.bytes.len() => Turn::Short,
            _ => {
                self.unsent = None;
                Turn::Await(Interest::Readable)
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

/// Room for the words and the largest count.
const ACK_BYTES_AT_MOST: usize = 32;

/// The reply `get bytes N\n`, made on the stack.
#[inline]
fn ack<'t>(count: usize, number: &mut itoa::Buffer, text: &'t mut [u8; ACK_BYTES_AT_MOST]) -> &'t [u8] {
    const WORDS: &[u8] = b"get bytes ";
    let digits = number.format(count).as_bytes();
    let end = WORDS.len() + digits.len();
    text[..WORDS.len()].copy_from_slice(WORDS);
    text[WORDS.len()..end].copy_from_slice(digits);
    text[end] = b'\n';
    &text[..=end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_a_cache_line_s_quarter() {
        assert_eq!(size_of::<Option<Connection>>(), 16);
    }

    #[test]
    fn an_acknowledgement_names_the_count() {
        let (mut number, mut text) = (itoa::Buffer::new(), [0; ACK_BYTES_AT_MOST]);
        assert_eq!(ack(65536, &mut number, &mut text), b"get bytes 65536\n");
        assert_eq!(ack(usize::MAX, &mut number, &mut text), b"get bytes 18446744073709551615\n");
    }
}
