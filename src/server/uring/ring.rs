//! The submission and completion queues of one loop.

use std::io;

use io_uring::{IoUring, squeue};
use load_gen::uring::{ProvidedBuffers, set_up};
use rustix::io::Errno;

use super::Completion;
use crate::server::{ServeError, Server};

/// The ring of one loop.
///
/// Everything that a submission points to must stay where it is until its completion has been taken: the
/// kernel reads and writes there at its own time.
pub struct Ring<'s> {
    ring: IoUring,
    server: &'s Server,
}

impl<'s> Ring<'s> {
    /// Sets up a ring for the calling thread.
    ///
    /// # Errors
    ///
    /// When the kernel has no io_uring, or forbids it.
    pub fn new(server: &'s Server) -> Result<Self, ServeError> {
        server.counters().other_calls.add(1);
        let (ring, _) = set_up(|builder| builder)
            .map_err(|source| ServeError::Call { call: "io_uring_setup", source })?;
        Ok(Self { ring, server })
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

    /// Queues an operation under `token`. It begins with the next [`wait`](Self::wait).
    ///
    /// What it points to must stay valid until its completion has been taken.
    ///
    /// # Errors
    ///
    /// When the queue was full and the kernel would not empty it.
    #[inline]
    pub fn push(&mut self, entry: squeue::Entry, token: u64) -> Result<(), ServeError> {
        let entry = entry.user_data(token);
        loop {
            #[allow(unsafe_code)]
            // SAFETY: a receive writes into provided buffers, a send reads from one of them or from the rest of a
            // `Flow`, and both outlive every operation (see `io_uring::serve`); no other points anywhere.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            self.server.counters().other_calls.add(1);
            let answer = self.ring.submit();
            self.submitted(answer)?;
        }
    }

    /// Submits what is queued, waits for `want` completions and takes all that are there into `completions`.
    ///
    /// An interrupted wait may bring none.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait.
    #[inline]
    pub fn wait(&mut self, want: usize, completions: &mut Vec<Completion>) -> Result<(), ServeError> {
        let answer = self.ring.submit_and_wait(want);
        self.submitted(answer)?;
        completions.clear();
        completions.extend(self.ring.completion().map(Completion::from));
        Ok(())
    }

    /// Whether the kernel has taken all that was queued.
    #[inline]
    pub fn is_submitted(&mut self) -> bool {
        self.ring.submission().is_empty()
    }

    /// Judges an answer of io_uring_enter(2).
    #[inline]
    fn submitted(&self, answer: io::Result<usize>) -> Result<(), ServeError> {
        match answer.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
            // EBUSY and EAGAIN: completions have to be taken, or memory found, before more can be submitted.
            Ok(_) | Err(Errno::INTR | Errno::BUSY | Errno::AGAIN) => Ok(()),
            Err(errno) => Err(ServeError::call("io_uring_enter")(errno)),
        }
    }
}
