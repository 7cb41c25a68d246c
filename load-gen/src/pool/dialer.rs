//! Connections to one target on their way, and what becomes of each.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use sys::clock::now_ns;
use sys::socket_options::bind_address_no_port;

use crate::fault::Fault;
use crate::plan::source::Sources;
use crate::plan::target::{Endpoint, Target};

/// The pause before a full queue of a Unix socket is tried again: the kernel does not report room in it.
const TRY_AGAIN_NS: u64 = 500_000;

/// Opens connections to one target, each of them for some `purpose`.
pub struct Dialer<'a, P> {
    target: &'a Target,
    sources: Sources,
    timeout_ns: u64,
    /// Watches those that wait for the server's answer, as soon as there is one.
    epoll: Option<OwnedFd>,
    events: Vec<epoll::Event>,
    on_their_way: Vec<OnItsWay<P>>,
    /// The instant at which to look at all of them: one may be out of time or find room in a queue.
    look_ns: u64,
}

/// A connection on its way.
struct OnItsWay<P> {
    socket: OwnedFd,
    number: u32,
    purpose: P,
    began_ns: u64,
    awaits: Awaits,
}

/// The event that a connection on its way waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// The server's answer.
    Handshake,
    /// A place in the queue of a Unix socket: connect(2) has to be called again (unix(7), EAGAIN).
    Queue,
}

/// The outcome of a connection.
pub struct Dialed<P> {
    /// Its number.
    pub number: u32,
    /// Its purpose.
    pub purpose: P,
    /// The instant at which connect(2) was called.
    pub began_ns: u64,
    /// The instant at which it was established or had failed.
    pub at_ns: u64,
    /// The connection.
    pub outcome: Result<OwnedFd, Fault>,
}

impl<'a, P: Copy> Dialer<'a, P> {
    /// One to `target` from `sources`; each connection may take `timeout`.
    pub fn new(target: &'a Target, sources: Sources, timeout: Duration) -> Self {
        Self {
            target,
            sources,
            timeout_ns: timeout.as_nanos() as u64,
            epoll: None,
            events: Vec::with_capacity(64),
            on_their_way: Vec::new(),
            look_ns: u64::MAX,
        }
    }

    /// The number of connections on their way.
    #[inline]
    pub fn on_their_way(&self) -> usize {
        self.on_their_way.len()
    }

    /// The instant at which there is something to do next, but for [`news`](Self::news).
    #[inline]
    pub fn look_ns(&self) -> u64 {
        self.look_ns
    }

    /// Starts connection `number`; returns it if it is established, or has failed, at once, as on loopback. Otherwise
    /// [`next_dialed`](Self::next_dialed) returns it later.
    pub fn start(&mut self, number: u32, purpose: P) -> Option<Dialed<P>> {
        let began_ns = now_ns();
        let outcome = match self.try_start(number) {
            Ok((socket, None)) => Ok(socket),
            Ok((socket, Some(awaits))) => {
                match self.keep(OnItsWay { socket, number, purpose, began_ns, awaits }) {
                    Ok(()) => return None,
                    Err(errno) => Err(errno.into()),
                }
            }
            Err(fault) => Err(fault),
        };
        Some(Dialed { number, purpose, began_ns, at_ns: now_ns(), outcome })
    }

    /// Waits at most `patience` for news of the connections on their way.
    pub fn wait(&self, patience: Duration) {
        let patience = patience.min(Duration::from_nanos(self.look_ns.saturating_sub(now_ns())));
        let mut watched: Vec<_> = self.epoll.iter().map(|epoll| PollFd::new(epoll, PollFlags::IN)).collect();
        // An interrupted wait reports nothing; the caller waits again.
        let _ = poll(&mut watched, Timespec::try_from(patience).ok().as_ref());
    }

    /// A connection of those on their way that is established or has failed.
    pub fn next_dialed(&mut self, now_ns: u64) -> Option<Dialed<P>> {
        if self.on_their_way.is_empty() {
            return None;
        }
        if self.events.is_empty()
            && let Some(epoll) = &self.epoll
        {
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            // Nobody but this thread is interrupted here; the next call looks again.
            let _ = epoll::wait(epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&at_once));
        }
        if let Some(epoll::Event { data, .. }) = self.events.pop() {
            let is_it = |one: &OnItsWay<P>| one.socket.as_raw_fd() as u64 == data.u64();
            let at = self.on_their_way.iter().position(is_it)?;
            let error = sockopt::socket_error(&self.on_their_way[at].socket);
            return Some(self.end(at, error.and_then(|error| error).map_err(Fault::from)));
        }
        if self.look_ns <= now_ns { self.look(now_ns) } else { None }
    }

    /// Gives up the connections on their way, and returns what they were for.
    pub fn abandon(&mut self) -> impl Iterator<Item = P> {
        self.on_their_way.drain(..).map(|one| one.purpose)
    }

    /// A descriptor that is readable while one of those that wait for the server's answer has news.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for an epoll instance.
    pub fn news(&mut self) -> Result<BorrowedFd<'_>, Errno> {
        let epoll = match self.epoll.take() {
            Some(epoll) => epoll,
            None => epoll::create(epoll::CreateFlags::CLOEXEC)?,
        };
        let epoll: &OwnedFd = self.epoll.insert(epoll);
        Ok(epoll.as_fd())
    }

    fn keep(&mut self, one: OnItsWay<P>) -> Result<(), Errno> {
        let look_after_ns = match one.awaits {
            Awaits::Handshake => {
                let data = EventData::new_u64(one.socket.as_raw_fd() as u64);
                epoll::add(self.news()?, &one.socket, data, EventFlags::OUT)?;
                self.timeout_ns
            }
            // A Unix socket that has not been connected would report EPOLLHUP always.
            Awaits::Queue => TRY_AGAIN_NS,
        };
        self.look_ns = self.look_ns.min(one.began_ns + look_after_ns);
        self.on_their_way.push(one);
        Ok(())
    }

    /// The first connection on its way that has timed out, or that has found room in a queue or has been refused there. The next
    /// call finds the next one.
    fn look(&mut self, now_ns: u64) -> Option<Dialed<P>> {
        let mut look_ns = u64::MAX;
        for at in 0..self.on_their_way.len() {
            let OnItsWay { socket, number, began_ns, awaits, .. } = &self.on_their_way[at];
            let end_ns = began_ns + self.timeout_ns;
            let is_late = now_ns >= end_ns;
            let outcome = match awaits {
                Awaits::Handshake => is_late.then_some(Err(Fault::TimedOut)),
                Awaits::Queue => match self.try_again(socket, *number) {
                    Ok(true) => Some(Ok(())),
                    Ok(false) => is_late.then_some(Err(Fault::BacklogFull)),
                    Err(errno) => Some(Err(errno.into())),
                },
            };
            if let Some(outcome) = outcome {
                return Some(self.end(at, outcome));
            }
            look_ns = look_ns.min(if *awaits == Awaits::Queue { now_ns + TRY_AGAIN_NS } else { end_ns });
        }
        self.look_ns = look_ns;
        None
    }

    fn end(&mut self, at: usize, outcome: Result<(), Fault>) -> Dialed<P> {
        let OnItsWay { socket, number, purpose, began_ns, .. } = self.on_their_way.swap_remove(at);
        if let Some(epoll) = &self.epoll {
            // Closing takes a socket out of an epoll instance, but this one stays open; one that waits for a queue is in none.
            let _ = epoll::delete(epoll, &socket);
        }
        if self.on_their_way.is_empty() {
            self.look_ns = u64::MAX;
        }
        Dialed { number, purpose, began_ns, at_ns: now_ns(), outcome: outcome.map(|()| socket) }
    }

    /// Returns whether connection `number`, which found the queue of its Unix socket full, has found room in it now.
    fn try_again(&self, socket: &OwnedFd, number: u32) -> Result<bool, Errno> {
        match connect(socket, self.target.endpoint(number)) {
            Ok(()) | Err(Errno::ISCONN) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Calls connect(2); returns what the connection has still to wait for, if anything.
    fn try_start(&self, number: u32) -> Result<(OwnedFd, Option<Awaits>), Fault> {
        let endpoint = self.target.endpoint(number);
        let family = match endpoint {
            Endpoint::Tcp(address) if address.is_ipv4() => AddressFamily::INET,
            Endpoint::Tcp(_) => AddressFamily::INET6,
            Endpoint::Unix(_) => AddressFamily::UNIX,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        if family == AddressFamily::UNIX {
            return match connect(&socket, endpoint) {
                Ok(()) => Ok((socket, None)),
                Err(Errno::AGAIN | Errno::INTR) => Ok((socket, Some(Awaits::Queue))),
                Err(errno) => Err(errno.into()),
            };
        }
        if let Some(source) = self.sources.of(self.target, number) {
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
            Ok(()) => Ok((socket, None)),
            // On loopback the whole handshake runs inside connect(2); a second call says so, which costs
            // less than waiting for the same news.
            Err(Errno::INPROGRESS | Errno::INTR) => match connect(&socket, endpoint) {
                Ok(()) | Err(Errno::ISCONN) => Ok((socket, None)),
                Err(Errno::ALREADY | Errno::INPROGRESS | Errno::INTR) => {
                    Ok((socket, Some(Awaits::Handshake)))
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

/// Returns whether this machine has an address to reach `endpoint` from, where connect(2) says EADDRNOTAVAIL, which also means that
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    /// A listener whose queue is full, so that a further connection stays on its way.
    fn full() -> (TcpListener, Target, Vec<TcpStream>) {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        rustix::net::bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback");
        rustix::net::listen(&socket, 0).expect("bound");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("bound");
        // A queue of length 0 takes one (net/core/request_sock.c, sk_acceptq_is_full).
        let waiting = vec![TcpStream::connect(address).expect("room for one")];
        (listener, address.to_string().parse().expect("a target"), waiting)
    }

    fn dialer(target: &Target, timeout_ns: u64) -> Dialer<'_, ()> {
        Dialer::new(target, Sources::new(target, 10, 28_000), Duration::from_nanos(timeout_ns))
    }

    fn awaited(dialer: &mut Dialer<'_, ()>) -> Dialed<()> {
        loop {
            if let Some(dialed) = dialer.next_dialed(now_ns()) {
                return dialed;
            }
            dialer.wait(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_connection_that_takes_its_time_is_awaited_and_keeps_its_number() {
        let (listener, target, _waiting) = full();
        let mut dialer = dialer(&target, u64::MAX / 2);
        assert!(dialer.start(3, ()).is_none());
        assert_eq!((dialer.on_their_way(), dialer.next_dialed(now_ns()).is_none()), (1, true));
        // With room in the queue, the kernel's next attempt gets through.
        let _first = listener.accept().expect("it waits");
        let dialed = awaited(&mut dialer);
        assert!(dialed.number == 3 && dialed.outcome.is_ok() && dialed.at_ns > dialed.began_ns);
        assert_eq!((dialer.on_their_way(), dialer.look_ns()), (0, u64::MAX));
    }

    #[test]
    fn a_connection_that_never_comes_times_out() {
        let (_listener, target, _waiting) = full();
        let mut dialer = dialer(&target, 1_000_000);
        assert!(dialer.start(1, ()).is_none());
        assert_eq!(awaited(&mut dialer).outcome.map(drop), Err(Fault::TimedOut));
        assert_eq!(dialer.on_their_way(), 0);
    }

    #[test]
    fn a_full_queue_of_a_unix_socket_is_tried_again_until_there_is_room_or_no_more_time() {
        let name = format!("unix:@load-gen-churn-{}", std::process::id());
        let target: Target = name.parse().expect("a target");
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name[6..]).expect("a short name");
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");
        let unix =
            rustix::net::SocketAddrUnix::new_abstract_name(&name.as_bytes()[6..]).expect("a short name");
        rustix::net::bind(&socket, &unix).expect("a free name");
        rustix::net::listen(&socket, 0).expect("bound");
        let listener = UnixListener::from(socket);
        let _waiting = UnixStream::connect_addr(&address).expect("room for one");
        let mut late = dialer(&target, 1_000_000);
        assert!(late.start(1, ()).is_none());
        assert_eq!(awaited(&mut late).outcome.map(drop), Err(Fault::BacklogFull));
        let mut patient = dialer(&target, u64::MAX / 2);
        assert!(patient.start(1, ()).is_none());
        let _first = listener.accept().expect("it waits");
        assert!(awaited(&mut patient).outcome.is_ok());
        assert_eq!((patient.on_their_way(), patient.look_ns()), (0, u64::MAX));
    }

    #[test]
    fn a_connection_that_is_refused_fails_at_once() {
        let (listener, target, _waiting) = full();
        drop(listener);
        let refused = dialer(&target, u64::MAX / 2).start(1, ()).expect("known at once");
        assert_eq!(refused.outcome.map(drop).map_err(Fault::kind), Err(Fault::Refused));
    }
}
