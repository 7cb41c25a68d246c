//! epoll(7), level-triggered.

use std::os::fd::{AsRawFd, RawFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use crate::server::{Connections, Interest, Listener, ServeError, Server, Step};

/// Events taken with one wait.
const EVENTS_PER_WAIT: usize = 1024;

/// Serves `listener` with epoll, level-triggered, until it is shut down.
///
/// The kernel keeps the set between the calls and hands over only what is ready: a connection costs one
/// epoll_ctl(2) when it comes, and a wait costs by what is *ready*, not by what is watched. A connection is
/// reported for as long as it is ready, so one step per event loses nothing. Closing the only descriptor of
/// a connection takes it out of the set (epoll(7), questions and answers).
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
    loop {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
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
            } else if let Step::Await(interest) = connections.step(fd) {
                calls.add(1);
                epoll::modify(&epoll, connections.descriptor(fd), token(fd), flags(interest))
                    .map_err(ServeError::call("epoll_ctl"))?;
            }
        }
        connections.end_iteration();
    }
}

/// Returns the events to watch a connection for. EPOLLRDHUP is left out: a peer that has sent its end would be reported
/// without a pause while the rest of a reply waits for room.
fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Readable => EventFlags::IN,
        Interest::Writable => EventFlags::OUT,
    }
}

/// The event's token: the descriptor number.
fn token(fd: RawFd) -> EventData {
    EventData::new_u64(fd as u64)
}
