//! The connections of one loop.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::{Connection, Counters, Interest, READ_BUFFER_BYTES, Server, Step, Unsent};

/// A record of whether a wake-up led to anything.
#[derive(Debug, Default)]
pub struct Wakeup {
    progress: bool,
}

impl Wakeup {
    /// Counts a wait that came back with `events`.
    #[inline]
    pub fn begin(&mut self, events: usize, counters: &Counters) {
        counters.waits.add(1);
        counters.events.add(events as u64);
        self.progress = false;
    }

    /// Something was done.
    #[inline]
    pub fn progress(&mut self) {
        self.progress = true;
    }

    /// Ends what [`begin`](Self::begin) began: a wake-up that led to nothing is counted.
    #[inline]
    pub fn end_iteration(&self, counters: &Counters) {
        if !self.progress {
            counters.empty_wakeups.add(1);
        }
    }
}

/// The table into which [a listener](super::Listener::accept) enters the connections that it accepts.
pub trait Table {
    /// The loop's view of its server.
    fn server(&self) -> &Server;

    /// Enters a connection that was [admitted](super::Server::admit) and returns its number.
    fn open(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) -> RawFd;

    /// Something was done since the last wait.
    fn progress(&mut self);
}

/// Every connection of one loop, found by its descriptor: the kernel hands out the lowest free number, so
/// a plain vector is dense and needs no hash. `S` is what the mechanism remembers of a connection.
///
/// Events are hints. What happens is decided by what recv(2) and send(2) say, so an event that was meant
/// for an earlier bearer of the same number costs a call that would block, and nothing else.
#[derive(Debug)]
pub struct Connections<'s, S = Unsent> {
    table: Vec<Option<Connection<S>>>,
    buffer: Box<[u8]>,
    server: &'s Server,
    wakeup: Wakeup,
    /// Addresses by descriptor, kept only for the log.
    peers: Vec<Option<SocketAddr>>,
}

impl<'s, S: Default> Connections<'s, S> {
    /// An empty table.
    pub fn new(server: &'s Server) -> Self {
        Self {
            table: Vec::new(),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            server,
            wakeup: Wakeup::default(),
            peers: Vec::new(),
        }
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
    /// [`Step::Await`] has just named.
    pub fn descriptor(&self, fd: RawFd) -> BorrowedFd<'_> {
        let connection = self.table.get(fd as usize).and_then(Option::as_ref);
        connection.expect("the caller has just been given this connection").as_fd()
    }

    /// Returns the state that the mechanism keeps of the connection `fd`; `None` if there is no such connection.
    #[inline]
    pub fn state(&mut self, fd: RawFd) -> Option<&mut S> {
        self.table.get_mut(fd as usize)?.as_mut().map(|connection| &mut connection.state)
    }

    /// The descriptors of all connections.
    pub fn descriptors(&self) -> Vec<RawFd> {
        self.table.iter().flatten().map(|connection| connection.socket.as_raw_fd()).collect()
    }

    /// Counts a wait that came back with `events`.
    #[inline]
    pub fn woken(&mut self, events: usize) {
        self.wakeup.begin(events, self.server.counters());
    }

    /// Something was done since the last wait.
    #[inline]
    pub fn progress(&mut self) {
        self.wakeup.progress();
    }

    /// Ends the iteration that [`woken`](Self::woken) began: a wake-up that led to nothing is counted.
    #[inline]
    pub fn end_iteration(&self) {
        self.wakeup.end_iteration(self.server.counters());
    }

    /// Enters a connection that was [admitted](super::Server::admit) and returns its number.
    pub fn open(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) -> RawFd {
        self.progress();
        let fd = socket.as_raw_fd();
        let index = fd as usize;
        if index >= self.table.len() {
            self.table.resize_with(index + 1, || None);
        }
        self.table[index] = Some(socket.into());
        if self.server.logs() {
            if index >= self.peers.len() {
                self.peers.resize(index + 1, None);
            }
            self.peers[index] = peer;
        }
        fd
    }

    /// Closes the connection `fd`; `errno` is the error that ended it, if one did.
    #[cold]
    pub fn close(&mut self, fd: RawFd, errno: Option<Errno>) -> Step {
        if let Some(connection) = self.table.get_mut(fd as usize).and_then(Option::take) {
            self.progress();
            drop(connection);
            let peer = self.peers.get_mut(fd as usize).and_then(Option::take);
            self.server.leave(peer, errno);
        }
        Step::Closed
    }

    /// Closes a connection that the mechanism could not watch: the peer is told as if the server were full.
    #[cold]
    pub fn give_up(&mut self, fd: RawFd) {
        self.server.say_full(self.descriptor(fd));
        let _ = self.close(fd, Some(Errno::NOMEM));
    }
}

impl<S: Default> Table for Connections<'_, S> {
    fn server(&self) -> &Server {
        self.server
    }

    fn open(&mut self, socket: OwnedFd, peer: Option<SocketAddr>) -> RawFd {
        Connections::open(self, socket, peer)
    }

    fn progress(&mut self) {
        Connections::progress(self);
    }
}

impl Connections<'_> {
    /// Makes one [step](Connection::step) of the connection `fd`, and closes it if that was its last.
    #[inline]
    pub fn step(&mut self, fd: RawFd) -> Step {
        self.step_or_else(fd, |_| ())
    }

    /// The connection `fd`, which [`step`](Self::step) has just not closed, and what it waits for.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[inline]
    pub fn waiting(&self, fd: RawFd) -> (BorrowedFd<'_>, Interest) {
        let connection = self.table[fd as usize].as_ref().expect("the caller has just been told of it");
        (connection.as_fd(), connection.interest())
    }

    /// As [`step`](Self::step), for a watch that wants to be ended with `forget` before a connection is closed.
    #[inline]
    pub fn step_or_else(&mut self, fd: RawFd, forget: impl FnOnce(BorrowedFd<'_>)) -> Step {
        let Some(Some(connection)) = self.table.get_mut(fd as usize) else { return Step::Closed };
        let errno = match connection.step(&mut self.buffer, self.server) {
            Ok(Step::Blocked) => return Step::Blocked,
            Ok(Step::Closed) => None,
            Ok(step) => {
                self.progress();
                return step;
            }
            Err(errno) => Some(errno),
        };
        forget(connection.as_fd());
        self.close(fd, errno)
    }

    /// Makes steps of the connection `fd` until nothing is left to do, for a mechanism that is told of a change
    /// only once. The answer is [`Step::More`] when it has used up the steps of one event: it has to be carried
    /// over, so that others have theirs.
    ///
    /// A read that came short of the buffer has emptied the socket (epoll(7)), which saves the read that would
    /// block; bytes that arrive after it are an event of their own. With `to_the_end`, only a read that would
    /// block, or the end of the stream, is believed.
    #[inline]
    pub fn drain(&mut self, fd: RawFd, to_the_end: bool) -> Step {
        const STEPS_PER_EVENT: u32 = 16;
        for _ in 0..STEPS_PER_EVENT {
            match self.step(fd) {
                Step::More => {}
                Step::Short if to_the_end => {}
                step => return step,
            }
        }
        Step::More
    }
}
