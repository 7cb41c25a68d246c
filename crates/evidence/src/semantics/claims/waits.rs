//! The claim about the errors of epoll_wait(2).

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sys::by_number;
use sys::objects::interrupt;

use super::asleep;
use super::{Claim, Seen, bounding, context, essential, scene};
use crate::semantics::system::{epoll, epoll_add, epoll_wait, outcome};

/// A signal that is ignored unless somebody handles it (signal(7)): once the handler is gone, nothing is
/// left.
const SIGNAL: libc::c_int = libc::SIGURG;

pub static ERRORS: Claim = Claim {
    id: "wait-errors",
    section: "5.3",
    text: "epoll_wait fails with EBADF (no descriptor), EFAULT (memory that may not be written), EINTR (a signal handler ran first), \
           EINVAL (no epoll, or maxevents not above zero)",
    parts: &[
        essential("on a closed descriptor", "EBADF", || {
            Ok(outcome(epoll_wait(scene("closed-descriptor")?.fd, 0)).into())
        }),
        essential("into memory that may not be written, an event waiting", "EFAULT", || read_only(true)),
        bounding(
            "into memory that may not be written, no event waiting",
            "EFAULT",
            "EFAULT comes when there is an event to store, not before",
            || read_only(false),
        ),
        essential("a signal handler running while it sleeps", "EINTR", || interrupted(epoll_wait_for_ever)),
        context("the same during poll", || interrupted(poll_for_ever)),
        essential("on a descriptor that is no epoll", "EINVAL", || {
            Ok(outcome(epoll_wait(scene("eventfd")?.fd, 0)).into())
        }),
        essential("with maxevents 0", "EINVAL", || with_maxevents(0)),
        essential("with maxevents -1", "EINVAL", || with_maxevents(-1)),
    ],
};

fn with_maxevents(count: libc::c_int) -> io::Result<Seen> {
    Ok(outcome(by_number::epoll_wait(epoll()?.as_raw_fd(), count, 0)).into())
}

/// epoll_wait(2) into a page that may only be read.
fn read_only(event_waiting: bool) -> io::Result<Seen> {
    let set = epoll()?;
    let readable = scene("eventfd")?;
    if event_waiting {
        epoll_add(&set, readable.fd, libc::EPOLLIN)?;
    }
    Ok(match by_number::epoll_wait_into_read_only(set.as_raw_fd())? {
        Ok(count) => count.to_string().into(),
        failed => outcome(failed).into(),
    })
}

fn epoll_wait_for_ever(fd: RawFd) -> rustix::io::Result<()> {
    let set = epoll()?;
    epoll_add(&set, fd, libc::EPOLLIN)?;
    epoll_wait(set.as_raw_fd(), -1).map(|_| ())
}

fn poll_for_ever(fd: RawFd) -> rustix::io::Result<()> {
    let mut fds = [libc::pollfd { fd, events: libc::POLLIN, revents: 0 }];
    crate::semantics::system::poll(&mut fds, -1).map(|_| ())
}

/// Returns the outcome of `wait` if the handler of a signal, installed with SA_RESTART, runs while it sleeps.
fn interrupted(wait: fn(RawFd) -> rustix::io::Result<()>) -> io::Result<Seen> {
    let idle = scene("fifo-no-writer")?;
    let handler = signal_hook::flag::register(SIGNAL, Arc::new(AtomicBool::new(false)))?;
    let fd = idle.fd;
    let waited = asleep::until(|| wait(fd), |thread| Ok(interrupt(thread, SIGNAL)?));
    signal_hook::low_level::unregister(handler);
    let (waited, slept) = waited?;
    Ok(if slept { outcome(waited).into() } else { format!("{} at once", outcome(waited)).into() })
}
