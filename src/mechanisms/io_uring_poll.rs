//! io_uring(7), asked for readiness only.

use std::os::fd::{AsRawFd, RawFd};

use libc::{POLLIN, POLLOUT, POLLRDHUP};
use rustix::io::Errno;
use sys::uring::{Operation, Ring, Want};

use crate::server::uring;
use crate::server::{Connections, Interest, Listener, ServeError, Server, Step};

/// Serves `listener` with polls through io_uring until it is shut down.
///
/// One submission watches a connection for good (multishot; io_uring_prep_poll_multishot(3)). A completion comes
/// whenever something wakes the socket, as an event of edge-triggered epoll does (io_uring/poll.c,
/// `io_poll_wake`), so each is followed until nothing is left. Bytes are received and sent by calls of their
/// own: what is saved against epoll is epoll_ctl(2) alone, since what is asked goes along with the wait.
///
/// # Errors
///
/// When the kernel refuses the ring, or to wait.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut connections = Connections::new(server);
    let mut ring = uring::ring(server)?;
    let mut completions = Vec::new();
    let (mut carried, mut unfinished) = (Vec::new(), Vec::new());
    ring.await_connection(listener.as_raw_fd());
    loop {
        let want = if carried.is_empty() { Want::Something } else { Want::WhatIsThere };
        uring::wait(&mut ring, want, &mut completions, server)?;
        connections.woken(completions.len());
        for completion in &completions {
            let fd = completion.number() as RawFd;
            match (completion.operation(), completion.result()) {
                (Operation::AwaitConnection, _) => {
                    let Some(accepted) = listener.accept(&mut connections)? else { return Ok(()) };
                    for &fd in accepted {
                        watch(&mut ring, fd, Operation::AwaitReadable);
                    }
                    // Asked once at a time: the answer comes at once if connections are left.
                    ring.await_connection(listener.as_raw_fd());
                }
                // Cancelled because its connection was closed; the number may have a new bearer.
                (Operation::Cancel, _) | (_, Err(Errno::CANCELED)) => {}
                (Operation::AwaitReadable, Err(_)) if connections.state(fd).is_some() => {
                    connections.give_up(fd);
                }
                (operation, _) => {
                    follow(&mut ring, &mut connections, fd, &mut unfinished);
                    // The kernel ends a watch by itself only when it runs out of room for completions.
                    if completion.is_last() && connections.state(fd).is_some() {
                        watch(&mut ring, fd, operation);
                    }
                }
            }
        }
        for fd in carried.drain(..) {
            follow(&mut ring, &mut connections, fd, &mut unfinished);
        }
        unfinished.sort_unstable();
        unfinished.dedup();
        std::mem::swap(&mut carried, &mut unfinished);
        connections.end_iteration();
    }
}

/// Follows an event until nothing is left to do, or enters the connection `fd` into `unfinished`.
///
/// A completion's mask is what the waker has said, not what the socket says when it is looked at, and TCP says
/// POLLPRI with every byte (net/core/sock.c, `sock_def_readable`). So a short read proves nothing: an urgent mark
/// may stand behind it. Only a read that would block does, which costs a call that epoll saves.
#[inline]
fn follow(ring: &mut Ring, connections: &mut Connections<'_>, fd: RawFd, unfinished: &mut Vec<RawFd>) {
    if connections.state(fd).is_none() {
        return;
    }
    match connections.drain(fd, true) {
        Step::Short | Step::Blocked => {}
        Step::More => unfinished.push(fd),
        Step::Await(Interest::Writable) => watch(ring, fd, Operation::AwaitWritable),
        Step::Await(Interest::Readable) => {
            ring.cancel(Operation::AwaitWritable, fd as u32);
            unfinished.push(fd);
        }
        Step::Closed => {
            // A poll under way holds the socket open, whatever close(2) has said: the peer would not be told.
            ring.cancel(Operation::AwaitReadable, fd as u32);
            ring.cancel(Operation::AwaitWritable, fd as u32);
        }
    }
}

/// Watches the connection `fd` until that is cancelled.
///
/// For room too, not once only: io_uring adds POLLRDHUP to whatever is asked (io_uring/poll.c, `IO_POLL_UNMASK`),
/// so that a poll asked for once, of a peer that has sent its end, is answered at once, room or not.
fn watch(ring: &mut Ring, fd: RawFd, operation: Operation) {
    let events = if operation == Operation::AwaitWritable { POLLOUT } else { POLLIN | POLLRDHUP };
    ring.watch(fd, events, operation);
}
