//! Starting and completing connections to one target.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use model::histogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use sys::clock::now_ns;
use sys::socket_options::bind_address_no_port;

use crate::fault::{Fault, Faults};
use crate::plan::source::Sources;
use crate::plan::target::{Endpoint, Target};

/// How long to wait before a full queue of a Unix socket is tried again: nothing tells when there is room.
pub const TRY_AGAIN_NS: u64 = 500_000;

/// Starts and completes connections to one target.
pub struct Connector<'a> {
    target: &'a Target,
    sources: Sources,
    timeout_ns: u64,
    pending: Vec<Pending>,
    /// Connections that could not be opened, by fault.
    pub failed: Faults,
    /// The same by the place of the target.
    pub failed_at: BTreeMap<usize, Faults>,
    /// From connect(2) to the established connection.
    pub durations: Histogram,
}

/// A connection on its way.
struct Pending {
    socket: OwnedFd,
    index: u32,
    began_ns: u64,
    awaits: Awaits,
}

/// What a connection on its way waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// The server's answer.
    Handshake,
    /// A place in the queue of a Unix socket: connect(2) has to be called again (unix(7), EAGAIN).
    Queue,
}

/// What became of a connection at once.
pub enum Started {
    /// It is open.
    Established(OwnedFd),
    /// It is not open yet.
    OnItsWay(OwnedFd, Awaits),
}

impl<'a> Connector<'a> {
    /// A connector to `target` from `sources`; each connection may take `timeout`.
    pub fn new(target: &'a Target, sources: Sources, timeout: Duration) -> Self {
        Self {
            target,
            sources,
            timeout_ns: timeout.as_nanos() as u64,
            pending: Vec::new(),
            failed: Faults::default(),
            failed_at: BTreeMap::new(),
            durations: model::histogram::empty(),
        }
    }

    /// Starts connection `index`; returns it if it is established at once, as it is on loopback.
    /// Otherwise [`Connector::harvest`] returns it later.
    pub fn start(&mut self, index: u32) -> Option<OwnedFd> {
        let began_ns = now_ns();
        match self.try_start(index) {
            Ok(Started::Established(socket)) => {
                self.durations.saturating_record(now_ns() - began_ns);
                Some(socket)
            }
            Ok(Started::OnItsWay(socket, awaits)) => {
                self.pending.push(Pending { socket, index, began_ns, awaits });
                None
            }
            Err(fault) => {
                self.fail(index, fault);
                None
            }
        }
    }

    /// Counts connection `index` as one that could not be opened.
    pub fn fail(&mut self, index: u32, fault: Fault) {
        self.failed.add(fault);
        self.failed_at.entry(self.target.place(index)).or_default().add(fault);
    }

    /// Number of connections on their way.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Waits at most `patience` for one of the connections on their way, hands those that are established to `open`, and
    /// counts those that have failed or run out of time.
    pub fn harvest(&mut self, patience: Duration, mut open: impl FnMut(u32, OwnedFd)) {
        let ready = self.wait(patience);
        let now = now_ns();
        let pending = std::mem::take(&mut self.pending);
        for (pending, ready) in pending.into_iter().zip(ready) {
            let outcome = match pending.awaits {
                Awaits::Handshake if ready => {
                    sockopt::socket_error(&pending.socket).and_then(|established| established.map(|()| true))
                }
                Awaits::Handshake => Ok(false),
                Awaits::Queue => self.try_again(&pending.socket, pending.index),
            };
            match outcome {
                Ok(true) => {
                    self.durations.saturating_record(now_ns() - pending.began_ns);
                    open(pending.index, pending.socket);
                }
                Ok(false) if now < pending.began_ns + self.timeout_ns => self.pending.push(pending),
                Ok(false) if pending.awaits == Awaits::Queue => self.fail(pending.index, Fault::BacklogFull),
                Ok(false) => self.fail(pending.index, Fault::TimedOut),
                Err(errno) => self.fail(pending.index, errno.into()),
            }
        }
    }

    /// Whether each connection on its way has news, after waiting at most `patience` for the first that has.
    fn wait(&self, patience: Duration) -> Vec<bool> {
        let first_out_of_time = self.pending.iter().map(|pending| pending.began_ns + self.timeout_ns).min();
        let left_ns = first_out_of_time.unwrap_or(0).saturating_sub(now_ns());
        let queues = self.pending.iter().any(|pending| pending.awaits == Awaits::Queue);
        let most_ns = if queues { TRY_AGAIN_NS } else { u64::MAX };
        let nanoseconds = (patience.as_nanos() as u64).min(left_ns).min(most_ns);
        let timeout = Timespec {
            tv_sec: (nanoseconds / 1_000_000_000) as i64,
            tv_nsec: (nanoseconds % 1_000_000_000) as i64,
        };
        // A Unix socket that has not been connected would report POLLHUP always.
        let handshake = |pending: &&Pending| pending.awaits == Awaits::Handshake;
        let mut watched: Vec<_> = self
            .pending
            .iter()
            .filter(handshake)
            .map(|pending| PollFd::new(&pending.socket, PollFlags::OUT))
            .collect();
        // An interrupted wait reports nothing; the caller waits again.
        let _ = poll(&mut watched, Some(&timeout));
        let mut news = watched.iter().map(|watched| !watched.revents().is_empty());
        self.pending.iter().map(|pending| handshake(&pending) && news.next() == Some(true)).collect()
    }

    /// Whether connection `index`, which found the queue of its Unix socket full, has found room in it now.
    ///
    /// # Errors
    ///
    /// What connect(2) says.
    pub fn try_again(&self, socket: &OwnedFd, index: u32) -> Result<bool, Errno> {
        match connect(socket, self.target.endpoint(index)) {
            Ok(()) | Err(Errno::ISCONN) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Starts connection `index` without keeping it; says whether it is established already.
    ///
    /// # Errors
    ///
    /// What socket(2), bind(2) or connect(2) say.
    pub fn try_start(&self, index: u32) -> Result<Started, Fault> {
        let endpoint = self.target.endpoint(index);
        let family = match endpoint {
            Endpoint::Tcp(address) if address.is_ipv4() => AddressFamily::INET,
            Endpoint::Tcp(_) => AddressFamily::INET6,
            Endpoint::Unix(_) => AddressFamily::UNIX,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        if family == AddressFamily::UNIX {
            return match connect(&socket, endpoint) {
                Ok(()) => Ok(Started::Established(socket)),
                Err(Errno::AGAIN | Errno::INTR) => Ok(Started::OnItsWay(socket, Awaits::Queue)),
                Err(errno) => Err(errno.into()),
            };
        }
        if let Some(source) = self.sources.of(self.target, index) {
            bind_address_no_port(&socket)?;
            // No port is chosen yet, so that none can be missing.
            rustix::net::bind(&socket, &source).map_err(|errno| match errno {
                Errno::ADDRNOTAVAIL => Fault::NoAddress,
                errno => errno.into(),
            })?;
        }
        // Before connecting, so that it holds from the first byte on.
        sockopt::set_tcp_nodelay(&socket, true)?;
        match connect(&socket, endpoint) {
            Ok(()) => Ok(Started::Established(socket)),
            // On loopback the whole handshake runs inside connect(2); a second call says so, which costs
            // less than waiting for the same news.
            Err(Errno::INPROGRESS | Errno::INTR) => match connect(&socket, endpoint) {
                Ok(()) | Err(Errno::ISCONN) => Ok(Started::Established(socket)),
                Err(Errno::ALREADY | Errno::INPROGRESS | Errno::INTR) => {
                    Ok(Started::OnItsWay(socket, Awaits::Handshake))
                }
                Err(errno) => Err(errno.into()),
            },
            Err(Errno::ADDRNOTAVAIL) if !has_source(endpoint, family) => Err(Fault::NoAddress),
            // A local port shortage is reported as EAGAIN by some kernels and as EADDRNOTAVAIL by others.
            Err(Errno::AGAIN) => Err(Errno::ADDRNOTAVAIL.into()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn connect(socket: &OwnedFd, endpoint: &Endpoint) -> Result<(), Errno> {
    match endpoint {
        Endpoint::Tcp(address) => rustix::net::connect(socket, address),
        Endpoint::Unix(address) => rustix::net::connect(socket, address),
    }
}

/// Whether this machine has an address to reach `endpoint` from, where connect(2) says EADDRNOTAVAIL, which also means that
/// no port is left. A datagram socket is given an address in the same way, from ports of its own, and sends nothing.
fn has_source(endpoint: &Endpoint, family: AddressFamily) -> bool {
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let none = [Errno::ADDRNOTAVAIL, Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::AFNOSUPPORT];
    socket.is_ok_and(|socket| connect(&socket, endpoint).err().is_none_or(|errno| !none.contains(&errno)))
}

/// Closes a connection with a reset, so that it leaves nothing behind: tens of thousands of sockets in
/// TIME_WAIT would slow down the connections of the next run.
pub fn close_with_reset(socket: OwnedFd) {
    reset_when_closed(&socket);
}

/// Makes the end of a connection a reset, whoever closes it: a call of this process, or the kernel when that ends.
pub fn reset_when_closed(socket: &OwnedFd) {
    // A failure means that the connection is gone already.
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}
