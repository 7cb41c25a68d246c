//! The library mio.

use std::io::ErrorKind;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Poll, Registry, Token};

use crate::server::{Connections, Interest, Listener, ServeError, Server, Step};

/// Events taken with one wait.
const EVENTS_PER_WAIT: usize = 1024;

/// The most steps that one event makes before others have theirs.
const STEPS_PER_EVENT: u32 = 16;

/// Serves `listener` with mio until it is shut down.
///
/// mio on Linux is epoll, always edge-triggered, the listener too. Its users are told to repeat an operation
/// until it would block (`mio::Poll`, "Draining readiness"); a read that came short is not promised to be
/// enough. So a request costs a second recv(2), which a loop that knows that it runs on epoll spares.
///
/// # Errors
///
/// When mio refuses its set or a wait, or accept4(2) reports what only a mistake of ours can cause.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut connections = Connections::new(server);
    let calls = &server.counters().other_calls;
    let mut poll = Poll::new().map_err(ServeError::library("mio's Poll"))?;
    let mut events = Events::with_capacity(EVENTS_PER_WAIT);
    let acceptor = listener.as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&acceptor), token(acceptor), mio::Interest::READABLE)
        .map_err(ServeError::library("mio's registry"))?;
    calls.add(2);
    let mut carried = Vec::new();
    let mut unfinished = Vec::new();
    loop {
        let at_once = listener.more_may_wait() || !carried.is_empty();
        match poll.poll(&mut events, at_once.then_some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(ServeError::library("mio's poll")(error));
            }
            _ => connections.woken(events.iter().count()),
        }
        let registry = poll.registry();
        let mut accepting = listener.more_may_wait();
        for event in &events {
            match event.token().0 as RawFd {
                fd if fd == acceptor => accepting = true,
                fd => follow(registry, &mut connections, fd, &mut unfinished)?,
            }
        }
        for fd in carried.drain(..) {
            follow(registry, &mut connections, fd, &mut unfinished)?;
        }
        if accepting {
            let Some(accepted) = listener.accept(&mut connections)? else { return Ok(()) };
            for &fd in accepted {
                calls.add(1);
                if registry.register(&mut SourceFd(&fd), token(fd), mio::Interest::READABLE).is_err() {
                    connections.give_up(fd);
                }
            }
        }
        // A connection may have been reported and carried over: one entry is enough.
        unfinished.sort_unstable();
        unfinished.dedup();
        std::mem::swap(&mut carried, &mut unfinished);
        connections.end_iteration();
    }
}

/// Makes steps of the connection `fd` until it would block, or enters it into `unfinished`.
#[inline]
fn follow(
    registry: &Registry,
    connections: &mut Connections<'_>,
    fd: RawFd,
    unfinished: &mut Vec<RawFd>,
) -> Result<(), ServeError> {
    let calls = &connections.server().counters().other_calls;
    // mio asks for this call before a source is dropped, lest something leak where the system is not Linux.
    let deregister = |_: std::os::fd::BorrowedFd<'_>| {
        calls.add(1);
        let _ = registry.deregister(&mut SourceFd(&fd));
    };
    for _ in 0..STEPS_PER_EVENT {
        match connections.step_or_else(fd, deregister) {
            Step::More | Step::Short => {}
            Step::Blocked | Step::Closed => return Ok(()),
            Step::Await(interest) => {
                let interest = match interest {
                    Interest::Readable => mio::Interest::READABLE,
                    Interest::Writable => mio::Interest::WRITABLE,
                };
                calls.add(1);
                // Registering anew looks at the socket anew, so an edge that came before it is not lost.
                return registry
                    .reregister(&mut SourceFd(&fd), token(fd), interest)
                    .map_err(ServeError::library("mio's registry"));
            }
        }
    }
    unfinished.push(fd);
    Ok(())
}

/// The event's token: the descriptor number.
fn token(fd: RawFd) -> Token {
    Token(fd as usize)
}
