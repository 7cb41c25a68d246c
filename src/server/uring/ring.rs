//! The submission and completion queues of one loop.

use std::collections::VecDeque;
use std::time::Duration;

use io_uring::{EnterFlags, IoUring, squeue};
use load_gen::uring::{ProvidedBuffers, set_up};
use rustix::io::Errno;

use super::Completion;
use crate::server::{ServeError, Server};

/// Pause when the kernel takes nothing and has nothing to give, which is when it is out of memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(10);

/// What a call is to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing: what is submitted is done with the call, and has to be followed up before anything else.
    Nothing,
    /// Whatever has come. Where task work is deferred nothing completes unless it is asked for.
    WhatIsThere,
    /// Something, however long that takes.
    Something,
}

/// The ring of one loop.
///
/// Everything that a submission points to must stay where it is until its completion has been taken: the
/// kernel reads and writes there at its own time.
pub struct Ring<'s> {
    ring: IoUring,
    server: &'s Server,
    /// Operations that the submission queue had no room for, in their order.
    waiting: VecDeque<squeue::Entry>,
    /// The kernel has taken nothing at the last call.
    is_refused: bool,
}

impl<'s> Ring<'s> {
    /// Sets up a ring for the calling thread.
    ///
    /// # Errors
    ///
    /// When the kernel has no io_uring, or forbids it.
    pub fn new(server: &'s Server) -> Result<Self, ServeError> {
        server.counters().other_calls.add(1);
        let (ring, _) = set_up(server.ring(), |builder| builder)
            .map_err(|source| ServeError::Call { call: "io_uring_setup", source })?;
        Ok(Self { ring, server, waiting: VecDeque::new(), is_refused: false })
    }

    /// Provides `count` buffers, a power of two, to this ring.
    ///
    /// # Errors
    ///
    /// When there is no memory for them, or the kernel has no such queues (before Linux 5.19).
    pub fn provide(&self, count: u16) -> Result<ProvidedBuffers, ServeError> {
        ProvidedBuffers::register(&self.ring, count)
            .map_err(|source| ServeError::Call { call: "io_uring_register", source })
    }

    /// Queues an operation under `token`. It begins with the next [`wait`](Self::wait) at the latest.
    ///
    /// What it points to must stay valid until its completion has been taken.
    ///
    /// # Errors
    ///
    /// When the queue was full and the kernel refuses to empty it for good.
    #[inline]
    pub fn push(&mut self, entry: squeue::Entry, token: u64) -> Result<(), ServeError> {
        let entry = entry.user_data(token);
        if self.waiting.is_empty() {
            if self.try_push(&entry) {
                return Ok(());
            }
            self.server.counters().other_calls.add(1);
            self.enter(Want::Nothing)?;
            if self.try_push(&entry) {
                return Ok(());
            }
        }
        // The kernel wants its completions taken first, or finds no memory.
        self.waiting.push_back(entry);
        Ok(())
    }

    /// Puts an operation into the submission queue; false if that is full.
    #[inline]
    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        #[allow(unsafe_code)]
        // SAFETY: a receive writes into provided buffers, a send reads from one of them or from the rest of a
        // `Flow`, and both outlive every operation (see `io_uring::serve`); no other points anywhere.
        unsafe {
            self.ring.submission().push(entry).is_ok()
        }
    }

    /// Submits what is queued and takes all completions that are there, or come because they are wanted, into `completions`:
    /// those included that had no place in their queue and wait in the kernel.
    ///
    /// An interrupted wait may bring none.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait.
    #[inline]
    pub fn wait(&mut self, want: Want, completions: &mut Vec<Completion>) -> Result<(), ServeError> {
        completions.clear();
        let mut want = want;
        loop {
            let all_are_queued = self.queue_what_waits();
            self.enter(if all_are_queued { want } else { Want::Nothing })?;
            completions.extend(self.ring.completion().map(Completion::from));
            if self.is_refused && completions.is_empty() {
                std::thread::sleep(EXHAUSTED_PAUSE);
            }
            // What has to be done about completions may be what the kernel needs before it takes more.
            if self.is_refused || (all_are_queued && !self.overflows()) {
                return Ok(());
            }
            self.server.counters().other_calls.add(1);
            want = Want::Nothing;
        }
    }

    /// Puts what waits for the submission queue there; false if some of it has no room still.
    #[inline]
    fn queue_what_waits(&mut self) -> bool {
        while let Some(entry) = self.waiting.pop_front() {
            if !self.try_push(&entry) {
                self.waiting.push_front(entry);
                return false;
            }
        }
        true
    }

    /// Whether the kernel has taken all that was queued, and everything was taken that it has said so far: of an operation
    /// that is told of when it fails only, and that is over with its submission, nothing more can come.
    #[inline]
    pub fn has_told_all(&mut self) -> bool {
        self.waiting.is_empty() && self.ring.submission().is_empty() && !self.overflows()
    }

    /// Whether completions that had no place in their queue wait in the kernel.
    #[inline]
    fn overflows(&mut self) -> bool {
        self.ring.submission().cq_overflow()
    }

    /// Submits what is in the queue and asks for what is wanted.
    #[inline]
    fn enter(&mut self, want: Want) -> Result<(), ServeError> {
        let submission = self.ring.submission();
        let (count, overflows) = (submission.len() as u32, submission.cq_overflow());
        drop(submission);
        let flags = match want {
            Want::Nothing if !overflows && !self.is_refused => EnterFlags::empty(),
            _ => EnterFlags::GETEVENTS,
        };
        let at_least = u32::from(want == Want::Something);
        #[allow(unsafe_code)]
        // SAFETY: it has no argument, and what it submits was pushed under the promises asked there.
        let answer =
            unsafe { self.ring.submitter().enter::<libc::sigset_t>(count, at_least, flags.bits(), None) };
        self.is_refused = match answer.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
            Ok(_) | Err(Errno::INTR) => false,
            // Completions have to be taken, or memory found, before more can be submitted.
            Err(Errno::BUSY | Errno::AGAIN) => true,
            Err(errno) => return Err(ServeError::call("io_uring_enter")(errno)),
        };
        Ok(())
    }
}
