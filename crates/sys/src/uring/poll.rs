//! A poll of one descriptor on a ring of its own, to see what the kernel reports.

use std::io;
use std::os::fd::RawFd;

use io_uring::{IoUring, opcode, types::Fd};
use rustix::io::Errno;

/// A ring with one poll request at a time. It is the plainest ring: what has completed shows after any call.
pub struct Poll {
    ring: IoUring,
    /// The request under way: completions of an earlier one are passed over.
    request: u64,
}

impl Poll {
    /// A ring without a request.
    ///
    /// # Errors
    ///
    /// When the kernel has no io_uring, forbids it, or has no memory for it.
    pub fn new() -> Result<Self, Errno> {
        const ENTRIES: u32 = 32;
        Ok(Self { ring: IoUring::new(ENTRIES).map_err(errno_of)?, request: 0 })
    }

    /// Submits a request for `events` of `fd`, single-shot or multishot, in the place of the one under way.
    ///
    /// # Errors
    ///
    /// When the kernel takes no submission.
    pub fn submit(&mut self, fd: RawFd, events: u32, multishot: bool) -> Result<(), Errno> {
        let remove = opcode::PollRemove::new(self.request).build();
        self.request += 1;
        let add = opcode::PollAdd::new(Fd(fd), events).multi(multishot).build().user_data(self.request);
        // The first request has none to remove, and is told so by a completion that nobody reads.
        for entry in [remove, add] {
            #[allow(unsafe_code)]
            // SAFETY: neither operation has a buffer or a pointer that must outlive the call.
            unsafe {
                self.ring.submission().push(&entry).map_err(|_| Errno::BUSY)?;
            }
        }
        self.ring.submit().map(drop).map_err(errno_of)
    }

    /// The events of all completions of the request that there are.
    ///
    /// # Errors
    ///
    /// That of the first which failed.
    pub fn look(&mut self) -> Result<i32, Errno> {
        // A wake-up is worked off by the task itself when it next leaves a system call.
        self.ring.submit().map_err(errno_of)?;
        let mut events = 0;
        let request = self.request;
        for completion in self.ring.completion().filter(|completion| completion.user_data() == request) {
            match completion.result() {
                result if result < 0 => return Err(Errno::from_raw_os_error(-result)),
                result => events |= result,
            }
        }
        Ok(events)
    }
}

fn errno_of(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
