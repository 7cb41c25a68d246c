//! The listening socket: set-up, accepting, and what to do when a connection cannot be accepted.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::{ServeError, Server, Table};

/// Connections accepted in one iteration of the loop, so that a flood of them cannot starve those served.
pub const ACCEPTS_PER_ITERATION: usize = 64;

/// Pause when the machine, not this loop, is out of files or memory: see [`Listener::accept`].
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(10);

/// The outcome of accepting one connection.
#[derive(Debug)]
pub enum Admitted {
    /// It is to be served, and [left](Server::leave) in the end.
    Connection(OwnedFd, Option<SocketAddr>),
    /// It was refused, or was gone before it was accepted: another may wait.
    Dismissed,
    /// No connection waits.
    NoMore,
    /// The listener was shut down: the loop ends.
    Stopped,
}

/// The listening socket of one loop.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// The flags that an accepted socket is made with.
    flags: SocketFlags,
    /// True if other loops watch the same socket and only one of them is to be woken.
    exclusive: bool,
    /// A descriptor to give up when there is no other to accept and refuse a connection with.
    reserve: Option<OwnedFd>,
    /// The numbers of the connections that the latest [`accept`](Self::accept) brought.
    batch: Vec<RawFd>,
    more_may_wait: bool,
}

impl Listener {
    /// Makes a listener of a listening, non-blocking `socket` that the calling thread owns.
    ///
    /// # Errors
    ///
    /// When no descriptor is left to keep in reserve.
    pub fn new(socket: OwnedFd, server: &Server) -> Result<Self, ServeError> {
        let reserve = reserve(server).map_err(ServeError::call("eventfd2"))?;
        Ok(Self {
            socket,
            flags: SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            exclusive: false,
            reserve: Some(reserve),
            batch: Vec::new(),
            more_may_wait: false,
        })
    }

    /// Marks a listener that several loops watch, of which the kernel is to wake one.
    #[must_use]
    pub fn exclusive(self, exclusive: bool) -> Self {
        Self { exclusive, ..self }
    }

    /// Returns whether only one of the loops that watch this listener is to be woken.
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Makes accepting wait for a connection, and so reading from and sending to the accepted.
    ///
    /// # Errors
    ///
    /// When the socket refuses it.
    pub fn blocking(self, server: &Server) -> Result<Self, ServeError> {
        server.counters().other_calls.add(1);
        rustix::io::ioctl_fionbio(&self.socket, false).map_err(ServeError::call("ioctl"))?;
        Ok(Self { flags: SocketFlags::CLOEXEC, ..self })
    }

    /// Ends every loop that serves this listener, as [`Control::stop`](super::Control::stop) does.
    pub fn stop(&self) {
        // A listener that is shut down already answers ENOTCONN.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    /// Accepts the connections that wait, at most [`ACCEPTS_PER_ITERATION`], and enters them into `connections`; those that find the
    /// server full are told so and closed. Returns their numbers, for the loop to watch; nothing, when the listener was shut
    /// down and the loop is to end.
    ///
    /// The kernel's own loops watch their listener level-triggered, the edge-triggered loop too, so connections left in the
    /// queue are reported again; for others there is [`more_may_wait`](Self::more_may_wait).
    ///
    /// # Errors
    ///
    /// When accept4(2) reports what only a mistake of ours can cause.
    pub fn accept(&mut self, connections: &mut impl Table) -> Result<Option<&[RawFd]>, ServeError> {
        self.batch.clear();
        self.more_may_wait = true;
        for _ in 0..ACCEPTS_PER_ITERATION {
            match self.next(connections.server())? {
                Admitted::Connection(socket, peer) => self.batch.push(connections.open(socket, peer)),
                Admitted::Dismissed => connections.progress(),
                Admitted::NoMore => {
                    // Without the reserve it is the machine that has no more to give, not the queue.
                    self.more_may_wait = self.reserve.is_none();
                    break;
                }
                Admitted::Stopped => return Ok(None),
            }
        }
        Ok(Some(&self.batch))
    }

    /// Returns true if the latest [`accept`](Self::accept) may have left connections in the queue. An edge-triggered watch does not
    /// report them again.
    pub fn more_may_wait(&self) -> bool {
        self.more_may_wait
    }

    /// Accepts one connection with accept4(2).
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub fn next(&mut self, server: &Server) -> Result<Admitted, ServeError> {
        let accepted = self.accept4(server);
        self.admit(accepted, server)
    }

    /// Decides what an answer to accept4(2), or to its asynchronous forms, means.
    ///
    /// # Errors
    ///
    /// When the answer is what only a mistake of ours can cause.
    pub fn admit(
        &mut self,
        accepted: rustix::io::Result<(OwnedFd, Option<SocketAddr>)>,
        server: &Server,
    ) -> Result<Admitted, ServeError> {
        Ok(match accepted {
            Ok((socket, peer)) => {
                // A multishot accept tells no address.
                let asked = || rustix::net::getpeername(&socket).ok()??.try_into().ok();
                let peer = peer.or_else(|| server.logs().then(asked).flatten());
                self.admitted(socket, peer, server)
            }
            Err(Errno::WOULDBLOCK) => Admitted::NoMore,
            // What accept4(2) answers for a listener that was shut down.
            Err(Errno::INVAL) => Admitted::Stopped,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.refuse_with_reserve(server)
            }
            Err(errno @ (Errno::BADF | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT | Errno::NOSYS)) => {
                return Err(ServeError::call("accept4")(errno));
            }
            // ECONNABORTED, EPROTO and the network's own errors speak of the connection that is
            // gone, not of the listener (accept(2), "Error handling"); EINTR of neither.
            Err(_) => Admitted::Dismissed,
        })
    }

    /// accept4(2), close-on-exec.
    fn accept4(&self, server: &Server) -> rustix::io::Result<(OwnedFd, Option<SocketAddr>)> {
        server.counters().other_calls.add(1);
        match rustix::net::acceptfrom_with(&self.socket, self.flags) {
            Ok((socket, peer)) => Ok((socket, peer.and_then(|peer| peer.try_into().ok()))),
            Err(errno) => {
                if errno == Errno::WOULDBLOCK {
                    server.counters().would_block.add(1);
                }
                Err(errno)
            }
        }
    }

    /// Takes an accepted connection in and returns it, or refuses it where the server is full or the table is.
    ///
    /// A connection that took the number of the reserve would be the last: nobody after it could be refused.
    pub fn take_in<S: AsFd>(&mut self, socket: S, peer: Option<SocketAddr>, server: &Server) -> Option<S> {
        self.restore_reserve(server);
        if self.reserve.is_some() {
            return server.admit(socket, peer);
        }
        server.refuse(socket, peer);
        self.restore_reserve(server);
        None
    }

    /// Serves or refuses a connection that was accepted.
    fn admitted(&mut self, socket: OwnedFd, peer: Option<SocketAddr>, server: &Server) -> Admitted {
        match self.take_in(socket, peer, server) {
            Some(socket) => Admitted::Connection(socket, peer),
            None => Admitted::Dismissed,
        }
    }

    /// Gives up the reserve to accept and refuse the connection that waits, and opens it again.
    ///
    /// A connection left in the queue would be reported for ever. The number given up is free for accept4(2), and
    /// free again for the reserve, unless something else in this table opens a file for a moment or the *machine*
    /// has no file or memory left. Then nothing would tell when to try again: the loop pauses rather than spin.
    fn refuse_with_reserve(&mut self, server: &Server) -> Admitted {
        if self.reserve.take().is_some() {
            server.counters().other_calls.add(1);
        }
        let admitted = match self.accept4(server) {
            // Where other connections have ended meanwhile, on threads of their own, there is room after all.
            Ok((socket, peer)) => self.admitted(socket, peer, server),
            Err(Errno::INVAL) => Admitted::Stopped,
            Err(_) => Admitted::NoMore,
        };
        self.restore_reserve(server);
        if self.reserve.is_none() {
            std::thread::sleep(EXHAUSTED_PAUSE);
        }
        admitted
    }

    /// Opens the reserve where it was given up and there is a descriptor for it.
    fn restore_reserve(&mut self, server: &Server) {
        if self.reserve.is_none() {
            self.reserve = reserve(server).ok();
        }
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
