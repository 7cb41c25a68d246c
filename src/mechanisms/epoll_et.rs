//! epoll(7), edge-triggered.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::server::{Connections, Interest, Listener, ServeError, Server, Step};

/// Events taken with one wait.
const EVENTS_PER_WAIT: usize = 1024;

/// Serves `listener` with epoll, edge-triggered, until it is shut down.
///
/// The kernel reports a connection once when something *becomes* ready, so each event is followed until
/// nothing is left, with a budget: a connection that uses it up is carried over, and while any is, waits do
/// not block. The listener is watched level-triggered, because one step does not always empty its queue.
/// Closing the only descriptor of a connection takes it out of the set (epoll(7), questions and answers).
///
/// The call issued is epoll_pwait(2) without a signal mask, which is what epoll_wait(2) is on newer
/// architectures.
///
/// # Errors
///
/// When the kernel refuses the set itself, or a wait.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut connections = Connections::new(server);
    let calls = &server.counters().other_calls;
    let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(ServeError::call("epoll_create1"))?;
    // EPOLLEXCLUSIVE: of several loops that watch this listener, the kernel wakes one at least, mostly one.
    let exclusive = if listener.is_exclusive() { EventFlags::EXCLUSIVE } else { EventFlags::empty() };
    epoll::add(&epoll, &listener, token(listener.as_raw_fd()), EventFlags::IN | exclusive)
        .map_err(ServeError::call("epoll_ctl"))?;
    calls.add(2);
    let mut events = Vec::with_capacity(EVENTS_PER_WAIT);
    let mut carried = Vec::new();
    let mut unfinished = Vec::new();
    loop {
        events.clear();
        let timeout = (!carried.is_empty()).then_some(&Timespec { tv_sec: 0, tv_nsec: 0 });
        match epoll::wait(&epoll, spare_capacity(&mut events), timeout) {
            Ok(_) | Err(Errno::INTR) => connections.woken(events.len()),
            Err(errno) => return Err(ServeError::call("epoll_wait")(errno)),
        }
        for event in &events {
            let fd = event.data.u64() as RawFd;
            if fd == listener.as_raw_fd() {
                let Some(accepted) = listener.accept(&mut connections)? else { return Ok(()) };
                for &fd in accepted {
                    calls.add(1);
                    let flags = flags(Interest::Readable);
                    if epoll::add(&epoll, connections.descriptor(fd), token(fd), flags).is_err() {
                        connections.give_up(fd);
                    }
                }
            } else {
                let flags = event.flags;
                follow(&epoll, &mut connections, fd, flags.intersects(BEYOND_THE_BYTES), &mut unfinished)?;
            }
        }
        for fd in carried.drain(..) {
            follow(&epoll, &mut connections, fd, true, &mut unfinished)?;
        }
        // A connection may have been reported and carried over: one entry is enough.
        unfinished.sort_unstable();
        unfinished.dedup();
        std::mem::swap(&mut carried, &mut unfinished);
        connections.end_iteration();
    }
}

/// Follows an event until nothing is left to do, or enters the connection `fd` into `unfinished`.
#[inline]
fn follow(
    epoll: &impl AsFd,
    connections: &mut Connections<'_>,
    fd: RawFd,
    to_the_end: bool,
    unfinished: &mut Vec<RawFd>,
) -> Result<(), ServeError> {
    match connections.drain(fd, to_the_end) {
        Step::Short | Step::Blocked | Step::Closed => {}
        Step::More => unfinished.push(fd),
        Step::Await(interest) => {
            // EPOLL_CTL_MOD looks at the socket anew, so an edge that came before it is not lost.
            connections.server().counters().other_calls.add(1);
            epoll::modify(epoll, connections.descriptor(fd), token(fd), flags(interest))
                .map_err(ServeError::call("epoll_ctl"))?;
        }
    }
    Ok(())
}

/// The events that a short read does not rule out: the peer's end or an error behind the bytes, which raise no event
/// again, and an urgent mark, at which a read stops short.
const BEYOND_THE_BYTES: EventFlags =
    EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR).union(EventFlags::PRI);

/// Returns the events to watch a connection for.
fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Readable => EventFlags::IN | EventFlags::RDHUP | EventFlags::PRI | EventFlags::ET,
        Interest::Writable => EventFlags::OUT | EventFlags::ET,
    }
}

/// The event's token: the descriptor number.
fn token(fd: RawFd) -> EventData {
    EventData::new_u64(fd as u64)
}
