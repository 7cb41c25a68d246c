//! io_uring's POLL_ADD.

use std::os::fd::RawFd;

use model::schema::Answer;
use rustix::io::Errno;
use sys::uring::Poll;

use super::{EVERYTHING, Watcher, of_poll, refused};
use crate::semantics::system::errno_name;

/// One poll request on a ring of its own.
///
/// A multishot request posts a completion for what is there when it is armed, and one for each wake-up after
/// that: edge-triggered in all but name (`IO_POLL_EDGE`; io_uring/poll.c). Where the wake-up names its
/// events, the completion has those, as far as they were asked for, and the file is not asked what
/// really is there (`io_poll_check_events`). A single-shot request ends with its first completion.
pub struct Ring {
    poll: Poll,
    fd: RawFd,
    multishot: bool,
}

impl Ring {
    /// Sets up a ring and submits the request.
    pub fn new(fd: RawFd, multishot: bool) -> Result<Self, Errno> {
        let mut watcher = Self { poll: Poll::new()?, fd, multishot };
        watcher.arm_again()?;
        Ok(watcher)
    }
}

impl Watcher for Ring {
    fn wait(&mut self) -> Answer {
        self.poll.look().map_or_else(refused, |events| of_poll(events as libc::c_short))
    }

    fn arm_again(&mut self) -> Result<(), Errno> {
        self.poll.submit(self.fd, EVERYTHING as u32, self.multishot)
    }
}

/// Returns the reason that no ring can be set up; `None` if one can.
pub fn refusal() -> Option<String> {
    let errno = Poll::new().err()?;
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let why = match (errno, disabled.trim()) {
        (Errno::NOSYS, _) => "the kernel has none, or a filter hides it",
        (Errno::PERM, "1" | "2") => "kernel.io_uring_disabled forbids it",
        (Errno::PERM | Errno::ACCESS, _) => "a security policy forbids it",
        _ => "it cannot be set up",
    };
    Some(format!("io_uring_setup: {}: {why}", errno_name(errno)))
}
