//! epoll(7) with EPOLLONESHOT: one set, shared by all threads.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use crate::server::{Interest, Listener, ServeError, Server, SharedConnections, on_a_thread_each};

/// Events taken with one wait by a thread that is alone, as by the loops that share nothing.
const EVENTS_PER_WAIT: usize = 1024;

/// The same for one of several threads: few, since no other can serve what one has taken.
const EVENTS_PER_WAIT_OF_SEVERAL: usize = 16;

/// The most steps that one event makes before the connection queues up again.
const STEPS_PER_EVENT: u32 = 16;

/// Serves `listener` with one epoll set and a thread for each of `servers`, until it is shut down.
///
/// Every thread waits on the same set. The kernel disarms what it reports (EPOLLONESHOT), so a connection
/// belongs to the thread that got its event until that thread arms it again with EPOLL_CTL_MOD: one more
/// call an event is the price of serving any connection on any thread that is free. EPOLL_CTL_MOD looks at
/// the socket anew, so that whatever came meanwhile is reported, and a read need never find it empty. The
/// listener is one-shot too: a connection wakes one thread.
///
/// The call issued is epoll_pwait(2) without a signal mask, which is what epoll_wait(2) is on newer
/// architectures.
///
/// # Errors
///
/// When the kernel refuses the set itself, a wait, or a thread.
pub fn serve(listener: Listener, servers: &[Arc<Server>]) -> Result<(), ServeError> {
    let epoll = &epoll::create(CreateFlags::CLOEXEC).map_err(ServeError::call("epoll_create1"))?;
    let acceptor = listener.as_raw_fd();
    epoll::add(epoll, &listener, token(acceptor), flags(Interest::Readable))
        .map_err(ServeError::call("epoll_ctl"))?;
    servers[0].counters().other_calls.add(2);
    let listener = Mutex::new(listener);
    // Nobody waits for this lock: only one thread at a time has the listener's event.
    let own_listener = || listener.lock().unwrap_or_else(PoisonError::into_inner);
    let arm = |fd, interest| {
        #[allow(unsafe_code)]
        // SAFETY: it is called for what the calling thread has the event of, and by who stops for the listener.
        let own = unsafe { own(fd) };
        epoll::modify(epoll, own, token(fd), flags(interest)).map_err(ServeError::call("epoll_ctl"))
    };
    let connections = SharedConnections::default();
    // Each thread that ends wakes the next: a listener that was shut down is ready as soon as it is armed.
    let stop = || {
        own_listener().stop();
        let _ = arm(acceptor, Interest::Readable);
    };
    let events_per_wait = if servers.len() == 1 { EVENTS_PER_WAIT } else { EVENTS_PER_WAIT_OF_SEVERAL };
    on_a_thread_each(servers, stop, |server| {
        let calls = &server.counters().other_calls;
        let mut connections = connections.share(server);
        let mut events = Vec::with_capacity(events_per_wait);
        loop {
            events.clear();
            match epoll::wait(epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => connections.woken(events.len()),
                Err(errno) => return Err(ServeError::call("epoll_wait")(errno)),
            }
            for event in &events {
                let fd = event.data.u64() as RawFd;
                let interest = if fd == acceptor {
                    let mut listener = own_listener();
                    let Some(accepted) = listener.accept(&mut connections)? else { return Ok(()) };
                    for &fd in accepted {
                        calls.add(1);
                        #[allow(unsafe_code)]
                        // SAFETY: it was accepted just now.
                        let own = unsafe { own(fd) };
                        if epoll::add(epoll, own, token(fd), flags(Interest::Readable)).is_err() {
                            connections.give_up(fd);
                        }
                    }
                    Some(Interest::Readable)
                } else {
                    connections.steps(fd, STEPS_PER_EVENT)
                };
                if let Some(interest) = interest {
                    calls.add(1);
                    arm(fd, interest)?;
                }
            }
            connections.end_iteration();
        }
    })
}

/// The descriptor of what the calling thread has an event of, and has not yet armed.
///
/// # Safety
///
/// The calling thread must have taken the event of `fd` and not armed it again, or have accepted it and watch it for the
/// first time: only the thread that has a connection's event closes it, and no other has one before it is armed, so that it is
/// open until then. The listener is open until all threads have ended.
#[allow(unsafe_code)]
unsafe fn own<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: it is open, as the caller promises.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Returns the events to watch a socket for, reported once.
fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Readable => EventFlags::IN | EventFlags::ONESHOT,
        Interest::Writable => EventFlags::OUT | EventFlags::ONESHOT,
    }
}

/// The event's token: the descriptor number.
fn token(fd: RawFd) -> EventData {
    EventData::new_u64(fd as u64)
}
