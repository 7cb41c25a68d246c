//! io_uring's POLL_ADD.

use std::os::fd::RawFd;

use io_uring::{IoUring, opcode, types};
use model::schema::Answer;
use rustix::io::Errno;

use super::{EVERYTHING, Watcher, of_poll, refused};
use crate::semantics::system::errno_name;

const ENTRIES: u32 = 32;

/// One poll request on a ring of its own.
///
/// A multishot request posts a completion for what is there when it is armed, and one for each wake-up after
/// that: edge-triggered in all but name (`IO_POLL_EDGE`; io_uring/poll.c). Where the wake-up names its
/// events, the completion has those, as far as they were asked for, and the file is not asked what
/// really is there (`io_poll_check_events`). A single-shot request ends with its first completion.
pub struct Ring {
    ring: IoUring,
    fd: RawFd,
    multishot: bool,
    /// The request under way: completions of an earlier one are passed over.
    request: u64,
}

impl Ring {
    /// Sets up a ring and submits the request.
    pub fn new(fd: RawFd, multishot: bool) -> Result<Self, Errno> {
        let ring = IoUring::new(ENTRIES).map_err(errno_of)?;
        let mut watcher = Self { ring, fd, multishot, request: 0 };
        watcher.submit()?;
        Ok(watcher)
    }

    fn submit(&mut self) -> Result<(), Errno> {
        let remove = opcode::PollRemove::new(self.request).build();
        self.request += 1;
        let add = opcode::PollAdd::new(types::Fd(self.fd), EVERYTHING as u32)
            .multi(self.multishot)
            .build()
            .user_data(self.request);
        // The first request has none to remove, and is told so by a completion that nobody reads.
        for entry in [remove, add] {
            #[allow(unsafe_code)]
            // SAFETY: neither operation has a buffer or a pointer that must outlive the call.
            unsafe {
                self.ring.submission().push(&entry).map_err(|_| Errno::BUSY)?;
            }
        }
        self.ring.submit().map(|_| ()).map_err(errno_of)
    }
}

impl Watcher for Ring {
    fn wait(&mut self) -> Answer {
        // A wake-up is worked off by the task itself when it next leaves a system call.
        if let Err(error) = self.ring.submit() {
            return refused(errno_of(error));
        }
        let mut mask = 0;
        let request = self.request;
        for completion in self.ring.completion().filter(|completion| completion.user_data() == request) {
            match completion.result() {
                result if result < 0 => return refused(Errno::from_raw_os_error(-result)),
                result => mask |= result,
            }
        }
        of_poll(mask as libc::c_short)
    }

    fn arm_again(&mut self) -> Result<(), Errno> {
        self.submit()
    }
}

/// Why no ring can be set up, where none can.
pub fn refusal() -> Option<String> {
    let errno = IoUring::new(ENTRIES).map_err(errno_of).err()?;
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let why = match (errno, disabled.trim()) {
        (Errno::NOSYS, _) => "the kernel has none, or a filter hides it",
        (Errno::PERM, "1" | "2") => "kernel.io_uring_disabled forbids it",
        (Errno::PERM | Errno::ACCESS, _) => "a security policy forbids it",
        _ => "it cannot be set up",
    };
    Some(format!("io_uring_setup: {}: {why}", errno_name(errno)))
}

fn errno_of(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
