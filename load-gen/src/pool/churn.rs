//! Which connections are replaced, when, and the ones on their way that replace them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt;
use sys::clock::now_ns;

use crate::fault::Fault;
use crate::plan::schedule::Schedule;
use crate::pool::connect::{Awaits, Connector, Started, TRY_AGAIN_NS};

/// How often connections on their way are looked at for the time they have taken.
const LOOK_EVERY_NS: u64 = 50_000_000;

/// Which connection a new one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// That of a conversation.
    Active(u32),
    /// One that was idle.
    Idle,
}

/// A replacement that falls due.
pub struct Due {
    /// When it was intended.
    pub due_ns: u64,
    /// Which connection of the worker, the active ones first.
    pub connection: u32,
}

/// What became of a connection that was to replace another.
pub struct Connected {
    /// Where it belongs.
    pub place: Place,
    /// Whether the replacement fell due inside the window.
    pub is_counted: bool,
    /// When connect(2) was called.
    pub began_ns: u64,
    /// When it was established or had failed.
    pub at_ns: u64,
    /// The connection.
    pub outcome: Result<OwnedFd, Fault>,
}

/// A connection on its way.
struct Connecting {
    socket: OwnedFd,
    /// The number that it was opened with.
    number: u32,
    awaits: Awaits,
    place: Place,
    is_counted: bool,
    began_ns: u64,
}

/// Replaces connections at a constant mean rate, without waiting for any.
///
/// Gaps are exponential and each connection is as likely as any other. A connection is closed with a FIN after its
/// last reply, as a client does: its TIME_WAIT is then on this side (RFC 9293, 3.6).
pub struct Churning<'a> {
    schedule: Schedule,
    next: Due,
    start_ns: u64,
    end_ns: u64,
    /// Active connections of the worker, and all of them.
    active: u32,
    connector: Connector<'a>,
    /// Counts the connections, so that they come from all source addresses in turn.
    number: u32,
    timeout_ns: u64,
    /// Watches the connections on their way; an engine waits for this descriptor among others.
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    connecting: Vec<Option<Connecting>>,
    on_their_way: usize,
    look_ns: u64,
}

impl<'a> Churning<'a> {
    /// Replaces one of the connections at each instant of `schedule`, in nanoseconds since `start_ns`, until `end_ns`.
    /// The first `active` of the schedule's connections are conversations; new ones come from `connector`.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for an epoll instance.
    pub fn new(
        schedule: Schedule,
        (start_ns, end_ns): (u64, u64),
        active: u32,
        connector: Connector<'a>,
        timeout_ns: u64,
    ) -> Result<Self, Errno> {
        let mut churning = Self {
            schedule,
            next: Due { due_ns: 0, connection: 0 },
            start_ns,
            end_ns,
            active,
            connector,
            number: 0,
            timeout_ns,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(64),
            connecting: Vec::with_capacity(64),
            on_their_way: 0,
            look_ns: u64::MAX,
        };
        churning.next = churning.draw();
        Ok(churning)
    }

    /// When there is something to do next, but for news of connections on their way.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        self.next.due_ns.min(self.look_ns)
    }

    /// Replaces no further connection; those on their way are still awaited.
    pub fn end(&mut self) {
        self.next.due_ns = u64::MAX;
    }

    /// How many connections are on their way.
    pub fn connecting(&self) -> usize {
        self.on_their_way
    }

    /// A replacement that is due; `idle` connections are there to be replaced beside the active ones.
    pub fn due(&mut self, now_ns: u64, idle: usize) -> Option<Due> {
        if self.next.due_ns > now_ns {
            return None;
        }
        let next = self.draw();
        let due = std::mem::replace(&mut self.next, next);
        // An idle one on its way is not there: the choice falls on another.
        let connection = match due.connection.checked_sub(self.active) {
            Some(position) if idle > 0 => self.active + position % idle as u32,
            Some(position) => position % self.active,
            None => due.connection,
        };
        Some(Due { connection, ..due })
    }

    fn draw(&mut self) -> Due {
        let due = self.schedule.next().expect("a schedule is endless");
        let due_ns = self.start_ns.saturating_add(due.at_ns);
        Due { due_ns: if due_ns < self.end_ns { due_ns } else { u64::MAX }, connection: due.connection }
    }

    /// Begins to open the connection that goes to `place`; returns it if it is established, or has failed, at once.
    pub fn begin(&mut self, place: Place, is_counted: bool) -> Option<Connected> {
        self.number = self.number.wrapping_add(1);
        let (began_ns, number) = (now_ns(), self.number);
        let outcome = match self.connector.try_start(number) {
            Ok(Started::Established(socket)) => Ok(socket),
            Ok(Started::OnItsWay(socket, awaits)) => {
                match self.keep(Connecting { socket, number, awaits, place, is_counted, began_ns }) {
                    Ok(()) => return None,
                    Err(errno) => Err(errno.into()),
                }
            }
            Err(fault) => Err(fault),
        };
        Some(Connected { place, is_counted, began_ns, at_ns: now_ns(), outcome })
    }

    fn keep(&mut self, connecting: Connecting) -> Result<(), Errno> {
        let at = self.connecting.iter().position(Option::is_none).unwrap_or(self.connecting.len());
        let look_after_ns = match connecting.awaits {
            Awaits::Handshake => {
                let data = EventData::new_u64(at as u64);
                epoll::add(&self.epoll, &connecting.socket, data, EventFlags::OUT)?;
                LOOK_EVERY_NS
            }
            // A Unix socket that has not been connected would report EPOLLHUP always.
            Awaits::Queue => TRY_AGAIN_NS,
        };
        let began_ns = connecting.began_ns;
        match self.connecting.get_mut(at) {
            Some(free) => *free = Some(connecting),
            None => self.connecting.push(Some(connecting)),
        }
        self.on_their_way += 1;
        self.look_ns = self.look_ns.min(began_ns + look_after_ns);
        Ok(())
    }

    /// A connection of those on their way that is established or has failed.
    pub fn next_connected(&mut self, now_ns: u64) -> Option<Connected> {
        if self.on_their_way == 0 {
            return None;
        }
        if self.events.is_empty() {
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            // Nobody but this thread is interrupted here; the next call looks again.
            let _ =
                epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&at_once));
        }
        if let Some(epoll::Event { data, .. }) = self.events.pop() {
            let connecting = self.take(data.u64() as usize)?;
            let outcome = match sockopt::socket_error(&connecting.socket) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(errno)) | Err(errno) => Err(Fault::from(errno)),
            };
            return Some(connecting.ended(outcome));
        }
        if self.look_ns <= now_ns {
            let (at, outcome) = self.look(now_ns)?;
            return self.take(at).map(|connecting| connecting.ended(outcome));
        }
        None
    }

    /// The first connection on its way that is out of time, or has found room in a queue or the end of it.
    fn look(&mut self, now_ns: u64) -> Option<(usize, Result<(), Fault>)> {
        // Where one has news, whoever has besides is looked at next.
        self.look_ns = now_ns;
        let mut look_after_ns = LOOK_EVERY_NS;
        for (at, connecting) in self.connecting.iter().enumerate() {
            let Some(connecting) = connecting else { continue };
            let is_late = now_ns >= connecting.began_ns + self.timeout_ns;
            let outcome = match connecting.awaits {
                Awaits::Handshake => is_late.then_some(Err(Fault::TimedOut)),
                Awaits::Queue => {
                    look_after_ns = TRY_AGAIN_NS;
                    match self.connector.try_again(&connecting.socket, connecting.number) {
                        Ok(true) => Some(Ok(())),
                        Ok(false) => is_late.then_some(Err(Fault::BacklogFull)),
                        Err(errno) => Some(Err(errno.into())),
                    }
                }
            };
            if let Some(outcome) = outcome {
                return Some((at, outcome));
            }
        }
        self.look_ns = now_ns + look_after_ns;
        None
    }

    fn take(&mut self, at: usize) -> Option<Connecting> {
        let connecting = self.connecting.get_mut(at)?.take()?;
        // Closing takes a socket out of an epoll instance, but this one stays open; one that waits for a queue is in none.
        let _ = epoll::delete(&self.epoll, &connecting.socket);
        self.on_their_way -= 1;
        if self.on_their_way == 0 {
            self.look_ns = u64::MAX;
        }
        Some(connecting)
    }

    /// Gives up the connections on their way; those that would have been idle are returned.
    pub fn abandon(&mut self) -> impl Iterator<Item = ()> {
        self.on_their_way = 0;
        self.connecting.drain(..).flatten().filter(|connecting| connecting.place == Place::Idle).map(drop)
    }
}

impl AsFd for Churning<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Connecting {
    fn ended(self, outcome: Result<(), Fault>) -> Connected {
        let Self { socket, place, is_counted, began_ns, .. } = self;
        Connected { place, is_counted, began_ns, at_ns: now_ns(), outcome: outcome.map(|()| socket) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::schedule::{Purpose, random_for};
    use crate::plan::source::Sources;
    use crate::plan::target::Target;
    use model::schema::Arrivals;
    use rustix::net::{AddressFamily, SocketType};
    use std::net::{TcpListener, TcpStream};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::time::Duration;

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

    fn churning(target: &Target, timeout_ns: u64) -> Churning<'_> {
        let schedule = Schedule::new(Arrivals::Poisson, 100.0, 10, random_for(Purpose::Churn, 1, 0, 0));
        let connector = Connector::new(target, Sources::new(target, 10, 28_000), Duration::ZERO);
        Churning::new(schedule, (0, u64::MAX), 4, connector, timeout_ns).expect("an epoll instance")
    }

    fn await_connected(churning: &mut Churning<'_>) -> Connected {
        loop {
            if let Some(connected) = churning.next_connected(now_ns()) {
                return connected;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_connection_that_takes_its_time_is_awaited_and_keeps_its_place() {
        let (listener, target, _waiting) = full();
        let mut churning = churning(&target, u64::MAX / 2);
        assert!(churning.begin(Place::Active(3), true).is_none());
        assert_eq!((churning.connecting(), churning.next_connected(now_ns()).is_none()), (1, true));
        // With room in the queue, the kernel's next attempt gets through.
        let _first = listener.accept().expect("it waits");
        let connected = await_connected(&mut churning);
        assert_eq!((connected.place, connected.is_counted), (Place::Active(3), true));
        assert!(connected.outcome.is_ok() && connected.at_ns > connected.began_ns);
        assert_eq!((churning.connecting(), churning.look_ns), (0, u64::MAX));
    }

    #[test]
    fn a_connection_that_never_comes_times_out() {
        let (_listener, target, _waiting) = full();
        let mut churning = churning(&target, 1_000_000);
        assert!(churning.begin(Place::Idle, false).is_none());
        assert_eq!(await_connected(&mut churning).outcome.map(drop), Err(Fault::TimedOut));
        assert_eq!(churning.connecting(), 0);
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
        let mut late = churning(&target, 1_000_000);
        assert!(late.begin(Place::Idle, true).is_none());
        assert_eq!(await_connected(&mut late).outcome.map(drop), Err(Fault::BacklogFull));
        let mut patient = churning(&target, u64::MAX / 2);
        assert!(patient.begin(Place::Idle, true).is_none());
        let _first = listener.accept().expect("it waits");
        assert!(await_connected(&mut patient).outcome.is_ok());
        assert_eq!((patient.connecting(), patient.look_ns), (0, u64::MAX));
    }

    #[test]
    fn a_connection_that_is_refused_fails_at_once() {
        let (listener, target, _waiting) = full();
        drop(listener);
        let refused = churning(&target, u64::MAX / 2).begin(Place::Idle, true).expect("known at once");
        assert_eq!(refused.outcome.map(drop).map_err(Fault::kind), Err(Fault::Refused));
    }

    #[test]
    fn every_connection_is_as_likely_as_any_other_and_those_on_their_way_are_left_alone() {
        let (_listener, target, _waiting) = full();
        let mut churning = churning(&target, 1);
        let mut hits = [0_u32; 10];
        for _ in 0..10_000 {
            hits[churning.due(u64::MAX - 1, 6).expect("always due").connection as usize] += 1;
        }
        // Chi-squared with 9 degrees of freedom: 27.9 is its 99.9th percentile.
        let chi_squared: f64 = hits.iter().map(|&hits| (f64::from(hits) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi_squared < 27.9, "{hits:?}");
        assert!((0..1_000).all(|_| churning.due(u64::MAX - 1, 1).expect("always due").connection < 5));
        assert!((0..1_000).all(|_| churning.due(u64::MAX - 1, 0).expect("always due").connection < 4));
    }
}
