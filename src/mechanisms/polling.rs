//! The library polling.

use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, RawFd};

use polling::{Event, Events, Poller};

use crate::server::{Connections, Interest, Listener, ServeError, Server, Step};

/// Events taken with one wait.
const EVENTS_PER_WAIT: NonZeroUsize = NonZeroUsize::new(1024).expect("more than none");

/// System calls of a wait beside epoll_wait(2): the poller sets its timer, arms that, reads its eventfd and
/// arms this.
const CALLS_BESIDE_A_WAIT: u64 = 4;

/// Serves `listener` with polling until it is shut down.
///
/// polling on Linux is epoll, oneshot unless asked otherwise: interest is modified after each event, as its
/// users are told to, and modifying looks at the socket anew, so that one step per event loses nothing.
///
/// The poller tries again by itself when a signal interrupts a wait, so that this is not counted.
///
/// # Errors
///
/// When polling refuses its set or a wait, or accept4(2) reports what only a mistake of ours can cause.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut connections = Connections::new(server);
    let calls = &server.counters().other_calls;
    let poller = Poller::new().map_err(ServeError::library("polling's Poller"))?;
    let mut events = Events::with_capacity(EVENTS_PER_WAIT);
    let acceptor = listener.as_raw_fd();
    #[allow(unsafe_code)]
    // SAFETY: the listener outlives the poller, which is dropped first.
    unsafe { poller.add(&listener, watch(acceptor, Interest::Readable)) }
        .map_err(ServeError::library("polling's add"))?;
    loop {
        events.clear();
        poller.wait(&mut events, None).map_err(ServeError::library("polling's wait"))?;
        connections.woken(events.len());
        calls.add(CALLS_BESIDE_A_WAIT);
        for event in events.iter() {
            let fd = event.key as RawFd;
            if fd == acceptor {
                let Some(accepted) = listener.accept(&mut connections)? else { return Ok(()) };
                for &fd in accepted {
                    calls.add(1);
                    #[allow(unsafe_code)]
                    // SAFETY: a connection is deleted from the poller before it is closed, below, or outlives the poller,
                    // which is dropped before the connections.
                    let added =
                        unsafe { poller.add(&connections.descriptor(fd), watch(fd, Interest::Readable)) };
                    if added.is_err() {
                        connections.give_up(fd);
                    }
                }
                calls.add(1);
                poller
                    .modify(&listener, watch(fd, Interest::Readable))
                    .map_err(ServeError::library("polling's modify"))?;
                continue;
            }
            calls.add(1);
            let step = connections.step_or_else(fd, |connection| drop(poller.delete(connection)));
            if step != Step::Closed {
                let (connection, interest) = connections.waiting(fd);
                poller
                    .modify(connection, watch(fd, interest))
                    .map_err(ServeError::library("polling's modify"))?;
            }
        }
        connections.end_iteration();
    }
}

/// Returns the event to watch a descriptor for, once; its key is the descriptor's number.
fn watch(fd: RawFd, interest: Interest) -> Event {
    match interest {
        Interest::Readable => Event::readable(fd as usize),
        Interest::Writable => Event::writable(fd as usize),
    }
}
