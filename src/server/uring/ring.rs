//! The submission and completion queues of one loop.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::NonNull;
use std::time::Duration;

use io_uring::squeue::Flags;
use io_uring::types::{CancelBuilder, Fd};
use io_uring::{EnterFlags, IoUring, opcode, squeue};
use libc::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, POLLIN, SOCK_CLOEXEC, c_short};
use rustix::io::Errno;
use sys::uring::{GROUP, ProvidedBuffers, set_up};

use super::{Completion, Operation};
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

/// The ring of one loop: what can be asked of the kernel, each under the token of an [`Operation`] on a descriptor.
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
    ///
    /// # Safety
    ///
    /// Only completions of this ring may be taken buffers from with what is returned.
    #[allow(unsafe_code)]
    pub unsafe fn provide(&self, count: u16) -> Result<ProvidedBuffers, ServeError> {
        // SAFETY: as the caller promises.
        let buffers = unsafe { ProvidedBuffers::register(&self.ring, count) };
        buffers.map_err(|source| ServeError::Call { call: "io_uring_register", source })
    }

    /// Accepts every connection of `listener` from now on ([`Operation::Accept`]).
    ///
    /// # Errors
    ///
    /// Here and below, when the queue was full and the kernel refuses to empty it for good.
    pub fn accept(&mut self, listener: &impl AsRawFd) -> Result<(), ServeError> {
        let fd = listener.as_raw_fd();
        let entry = opcode::AcceptMulti::new(Fd(fd)).flags(SOCK_CLOEXEC).build();
        self.push_what_points_nowhere(entry, Operation::Accept, fd)
    }

    /// Says when there is a connection of `listener` to accept ([`Operation::AwaitConnection`]).
    ///
    /// # Errors
    ///
    /// See [`accept`](Self::accept).
    pub fn await_connection(&mut self, listener: &impl AsRawFd) -> Result<(), ServeError> {
        let fd = listener.as_raw_fd();
        let entry = opcode::PollAdd::new(Fd(fd), POLLIN as u32).build();
        self.push_what_points_nowhere(entry, Operation::AwaitConnection, fd)
    }

    /// Says from now on when something of `events` happens to `fd`, under the token of `operation`.
    ///
    /// # Errors
    ///
    /// See [`accept`](Self::accept).
    pub fn watch(&mut self, fd: RawFd, events: c_short, operation: Operation) -> Result<(), ServeError> {
        let entry = opcode::PollAdd::new(Fd(fd), events as u32).multi(true).build();
        self.push_what_points_nowhere(entry, operation, fd)
    }

    /// Receives all that ever comes on `fd`, each time into a provided buffer ([`Operation::Receive`]).
    ///
    /// # Errors
    ///
    /// See [`accept`](Self::accept).
    #[inline]
    pub fn receive(&mut self, fd: RawFd) -> Result<(), ServeError> {
        // Buffers that were provided stay until who frees them says that nothing is under way.
        self.push_what_points_nowhere(opcode::RecvMulti::new(Fd(fd), GROUP).build(), Operation::Receive, fd)
    }

    /// Sends what there is room for of `length` bytes from `start`; only what fails or comes short is told of
    /// ([`Operation::Send`]).
    ///
    /// Such a send is over when its submission is, the bytes copied; to be told only of one that has failed or come short
    /// (IOSQE_CQE_SKIP_SUCCESS) spares each echo a completion and a wake-up.
    ///
    /// # Errors
    ///
    /// See [`accept`](Self::accept).
    ///
    /// # Safety
    ///
    /// The bytes must stay as they are until it [has told all](Self::has_told_all).
    #[inline]
    #[allow(unsafe_code)]
    pub unsafe fn send(&mut self, fd: RawFd, start: NonNull<u8>, length: usize) -> Result<(), ServeError> {
        let send = opcode::Send::new(Fd(fd), start.as_ptr(), length as u32);
        let entry = send.flags(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL).build().flags(Flags::SKIP_SUCCESS);
        // SAFETY: as the caller promises.
        unsafe { self.push(entry, Operation::Send, fd) }
    }

    /// Sends all of `bytes`, however long that takes ([`Operation::SendRest`]).
    ///
    /// # Errors
    ///
    /// See [`accept`](Self::accept).
    ///
    /// # Safety
    ///
    /// The bytes must stay as they are until the completion was taken.
    #[allow(unsafe_code)]
    pub unsafe fn send_rest(&mut self, fd: RawFd, bytes: &[u8]) -> Result<(), ServeError> {
        let send = opcode::Send::new(Fd(fd), bytes.as_ptr(), bytes.len() as u32);
        // SAFETY: as the caller promises.
        unsafe { self.push(send.flags(MSG_NOSIGNAL | MSG_WAITALL).build(), Operation::SendRest, fd) }
    }

    /// Cancels all that is under way on `fd` under the token of `operation` ([`Operation::Cancel`]).
    ///
    /// # Errors
    ///
    /// See [`accept`](Self::accept).
    pub fn cancel(&mut self, operation: Operation, fd: RawFd) -> Result<(), ServeError> {
        let those = CancelBuilder::user_data(operation.on(fd)).all();
        self.push_what_points_nowhere(opcode::AsyncCancel2::new(those).build(), Operation::Cancel, fd)
    }

    /// Cancels everything ([`Operation::Cancel`]).
    ///
    /// # Errors
    ///
    /// See [`accept`](Self::accept).
    pub fn cancel_all(&mut self) -> Result<(), ServeError> {
        let everything = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        self.push_what_points_nowhere(everything, Operation::Cancel, -1)
    }

    /// Queues an operation in which no address is.
    #[inline]
    fn push_what_points_nowhere(
        &mut self,
        entry: squeue::Entry,
        operation: Operation,
        fd: RawFd,
    ) -> Result<(), ServeError> {
        #[allow(unsafe_code)]
        // SAFETY: there is nothing that would have to stay.
        unsafe {
            self.push(entry, operation, fd)
        }
    }

    /// Queues an operation. It begins with the next [`wait`](Self::wait) at the latest.
    ///
    /// # Safety
    ///
    /// The entry must be what `operation` says, and what it points to must stay until it is over.
    #[inline]
    #[allow(unsafe_code)]
    unsafe fn push(
        &mut self,
        entry: squeue::Entry,
        operation: Operation,
        fd: RawFd,
    ) -> Result<(), ServeError> {
        let entry = entry.user_data(operation.on(fd));
        if self.waiting.is_empty() {
            // SAFETY: as the caller promises.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            self.server.counters().other_calls.add(1);
            self.enter(Want::Nothing)?;
        }
        // After those that wait already: the kernel wants its completions taken first, or finds no memory.
        self.waiting.push_back(entry);
        self.queue_what_waits();
        Ok(())
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
            completions.extend(sys::uring::completions(&mut self.ring).map(Completion::new));
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
        let mut submission = self.ring.submission();
        while let Some(entry) = self.waiting.front() {
            #[allow(unsafe_code)]
            // SAFETY: it was pushed under that promise.
            if unsafe { submission.push(entry) }.is_err() {
                return false;
            }
            self.waiting.pop_front();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    use sys::ring_size::RingSize;

    use super::*;
    use crate::server::Options;

    /// Lets io_uring_enter(2) fail with `errno` on the calling thread from now on.
    fn refuse(errno: Errno) {
        let rules = BTreeMap::from([(libc::SYS_io_uring_enter, Vec::new())]);
        let refused = SeccompAction::Errno(errno.raw_os_error() as u32);
        let architecture = std::env::consts::ARCH.try_into().expect("known to seccomp");
        let filter =
            SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture).expect("a filter");
        let program: BpfProgram = filter.try_into().expect("a program");
        seccompiler::apply_filter(&program).expect("filters are granted");
    }

    #[test]
    fn what_the_kernel_does_not_take_for_the_moment_waits_and_nobody_spins() {
        for errno in [Errno::BUSY, Errno::AGAIN] {
            let (sender, ended) = mpsc::channel();
            std::thread::spawn(move || {
                let size = RingSize::new((32, 32), 8);
                let server = Server::new(&Options { ring: size, ..Options::default() });
                let Ok(mut ring) = Ring::new(&server) else {
                    // Some developers' kernels forbid it.
                    assert!(std::env::var_os("CI").is_none(), "there is no io_uring here");
                    return sender.send(()).expect("awaited");
                };
                refuse(errno);
                for _ in 0..100 {
                    ring.watch(0, POLLIN, Operation::AwaitReadable).expect("for the moment only");
                }
                let mut completions = Vec::new();
                ring.wait(Want::Something, &mut completions).expect("for the moment only");
                assert!(completions.is_empty() && !ring.has_told_all());
                assert_eq!(ring.ring.submission().len() + ring.waiting.len(), 100);
                let tokens = ring.waiting.iter().map(squeue::Entry::get_user_data);
                assert!(tokens.eq(std::iter::repeat_n(Operation::AwaitReadable.on(0), 68)));
                sender.send(()).expect("awaited");
            });
            ended.recv_timeout(Duration::from_secs(30)).expect("it neither spins nor fails");
        }
    }
}
