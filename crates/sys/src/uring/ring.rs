//! The submission and completion queues of one thread.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::time::Duration;

use io_uring::squeue::Flags;
use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, opcode, squeue};
use libc::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, POLLIN, SOCK_CLOEXEC, c_short};
use rustix::io::Errno;

use super::setup::{Notice, set_up};
use super::{Completion, GROUP, Operation, ProvidedBuffers};
use crate::ring_size::RingSize;

/// Pause when the kernel takes nothing and has nothing to give, which is when it is out of memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(10);

/// The completions that a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing: what is submitted is done with the call, and has to be followed up before anything else.
    Nothing,
    /// Whatever has come. Where task work is deferred nothing completes unless it is asked for.
    WhatIsThere,
    /// Something, however long that takes.
    Something,
    /// Something, within so many nanoseconds.
    SomethingWithin(u64),
}

/// The ring of one thread: what can be asked of the kernel, each [`Operation`] for a connection that the caller numbers.
pub struct Ring {
    ring: IoUring,
    notice: Notice,
    /// Operations that the submission queue had no room for, in their order.
    waiting: VecDeque<squeue::Entry>,
    /// The kernel has taken nothing at the last call.
    is_refused: bool,
    /// The error after which the ring is not used any more.
    trouble: Option<Errno>,
    /// Calls of io_uring_enter(2) that were not [told](Self::take_calls) yet.
    calls: u64,
}

impl Ring {
    /// Sets up a ring for the calling thread.
    ///
    /// # Errors
    ///
    /// When the kernel has no io_uring, forbids it, or has no memory for it.
    pub fn new(size: &RingSize, notice: Notice) -> io::Result<Self> {
        let (ring, _) = set_up(size, notice)?;
        Ok(Self { ring, notice, waiting: VecDeque::new(), is_refused: false, trouble: None, calls: 0 })
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
    pub unsafe fn provide(&self, count: u16) -> io::Result<ProvidedBuffers> {
        // SAFETY: as the caller promises.
        unsafe { ProvidedBuffers::register(&self.ring, count) }
    }

    /// Accepts every connection of the listener `fd` from now on ([`Operation::Accept`]).
    pub fn accept(&mut self, fd: RawFd) {
        let entry = opcode::AcceptMulti::new(Fd(fd)).flags(SOCK_CLOEXEC).build();
        self.push_what_points_nowhere(entry, Operation::Accept, fd as u32);
    }

    /// Says when there is a connection of the listener `fd` to accept ([`Operation::AwaitConnection`]).
    pub fn await_connection(&mut self, fd: RawFd) {
        let entry = opcode::PollAdd::new(Fd(fd), POLLIN as u32).build();
        self.push_what_points_nowhere(entry, Operation::AwaitConnection, fd as u32);
    }

    /// Completes whenever one of `events` happens to `fd`, as `operation`: [`Operation::AwaitReadable`] or
    /// [`Operation::AwaitWritable`].
    ///
    /// # Panics
    ///
    /// With another operation: its completion would claim what this one does not bring.
    pub fn watch(&mut self, fd: RawFd, events: c_short, operation: Operation) {
        assert!(matches!(operation, Operation::AwaitReadable | Operation::AwaitWritable), "{operation:?}");
        let entry = opcode::PollAdd::new(Fd(fd), events as u32).multi(true).build();
        self.push_what_points_nowhere(entry, operation, fd as u32);
    }

    /// Says once when `fd`, the connection `number`, has room ([`Operation::AwaitWritable`]).
    pub fn await_room(&mut self, fd: RawFd, number: u32) {
        let entry = opcode::PollAdd::new(Fd(fd), libc::POLLOUT as u32).build();
        self.push_what_points_nowhere(entry, Operation::AwaitWritable, number);
    }

    /// Receives all that ever comes on `fd`, the connection `number`, each time into a provided buffer
    /// ([`Operation::Receive`]).
    #[inline]
    pub fn receive(&mut self, fd: RawFd, number: u32) {
        // Buffers that were provided stay until who frees them says that nothing is under way.
        let entry = opcode::RecvMulti::new(Fd(fd), GROUP).build();
        self.push_what_points_nowhere(entry, Operation::Receive, number);
    }

    /// Sends what there is room for of `length` bytes from `start`; only what fails or comes short is told of
    /// ([`Operation::Send`]).
    ///
    /// Such a send is over when its submission is, the bytes copied; to be told only of one that has failed or come short
    /// (IOSQE_CQE_SKIP_SUCCESS, and MSG_WAITALL, without which a short send is a success) spares each request a completion
    /// and a wake-up.
    ///
    /// # Safety
    ///
    /// The bytes must stay as they are until it [has told all](Self::has_told_all).
    #[inline]
    #[allow(unsafe_code)]
    pub unsafe fn send(&mut self, fd: RawFd, number: u32, start: NonNull<u8>, length: usize) {
        let send = opcode::Send::new(Fd(fd), start.as_ptr(), length as u32);
        let entry = send.flags(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL).build().flags(Flags::SKIP_SUCCESS);
        // SAFETY: as the caller promises.
        unsafe { self.push(entry, Operation::Send, number) }
    }

    /// Sends all of `bytes`, however long that takes ([`Operation::SendRest`]).
    ///
    /// # Safety
    ///
    /// The bytes must stay as they are until the completion was taken.
    #[allow(unsafe_code)]
    pub unsafe fn send_rest(&mut self, fd: RawFd, number: u32, bytes: &[u8]) {
        let send = opcode::Send::new(Fd(fd), bytes.as_ptr(), bytes.len() as u32);
        // SAFETY: as the caller promises.
        unsafe { self.push(send.flags(MSG_NOSIGNAL | MSG_WAITALL).build(), Operation::SendRest, number) }
    }

    /// Cancels all that was asked for the connection `number` as `operation` ([`Operation::Cancel`]).
    pub fn cancel(&mut self, operation: Operation, number: u32) {
        self.cancel_those(CancelBuilder::user_data(operation.token(number)).all(), number);
    }

    /// Cancels all that is under way on `fd`, the connection `number` ([`Operation::Cancel`]).
    pub fn cancel_all_on(&mut self, fd: RawFd, number: u32) {
        self.cancel_those(CancelBuilder::fd(Fd(fd)).all(), number);
    }

    /// Cancels everything ([`Operation::Cancel`]).
    pub fn cancel_all(&mut self) {
        self.cancel_those(CancelBuilder::any(), u32::MAX);
    }

    fn cancel_those(&mut self, those: CancelBuilder, number: u32) {
        self.push_what_points_nowhere(opcode::AsyncCancel2::new(those).build(), Operation::Cancel, number);
    }

    /// Queues an operation in which no address is.
    #[inline]
    fn push_what_points_nowhere(&mut self, entry: squeue::Entry, operation: Operation, number: u32) {
        #[allow(unsafe_code)]
        // SAFETY: there is nothing that would have to stay.
        unsafe {
            self.push(entry, operation, number);
        }
    }

    /// Queues an operation. It begins with the next [`wait`](Self::wait) at the latest; where the kernel refuses it for good, that
    /// says so.
    ///
    /// # Safety
    ///
    /// The entry must be what `operation` says, and what it points to must stay until it is over.
    #[inline]
    #[allow(unsafe_code)]
    unsafe fn push(&mut self, entry: squeue::Entry, operation: Operation, number: u32) {
        let entry = entry.user_data(operation.token(number));
        if self.waiting.is_empty() {
            // SAFETY: as the caller promises.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
            let _ = self.enter(Want::Nothing);
        }
        // After those that wait already: the kernel wants its completions taken first, or finds no memory.
        self.waiting.push_back(entry);
        self.queue_what_waits();
    }

    /// Submits until the submission queue has room for `count` operations, unless the kernel takes nothing: they are
    /// submitted together then.
    #[inline]
    pub fn make_room(&mut self, count: usize) {
        while !self.queue_what_waits() || self.has_no_room_for(count) {
            if self.enter(Want::Nothing).is_err() || self.is_refused {
                return;
            }
        }
    }

    #[inline]
    fn has_no_room_for(&mut self, count: usize) -> bool {
        let submission = self.ring.submission();
        submission.capacity() - submission.len() < count
    }

    /// Submits what is queued and hands all completions to `take` that are there, or come because they are wanted: those
    /// included that had no place in their queue and wait in the kernel.
    ///
    /// An interrupted wait may bring none.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to go on (io_uring_enter(2)). It is asked nothing more.
    #[inline]
    pub fn wait(&mut self, want: Want, mut take: impl FnMut(Completion)) -> Result<(), Errno> {
        let mut want = want;
        let mut is_first = true;
        loop {
            let all_are_queued = self.queue_what_waits();
            self.enter(if all_are_queued { want } else { Want::Nothing })?;
            for entry in self.ring.completion() {
                is_first = false;
                take(Completion::of(&entry));
            }
            if self.is_refused && is_first {
                std::thread::sleep(EXHAUSTED_PAUSE);
            }
            // What has to be done about completions may be what the kernel needs before it takes more.
            if self.is_refused || (all_are_queued && !self.overflows()) {
                return Ok(());
            }
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

    /// Returns true if every queued operation is submitted and every completion is taken. A [send](Self::send) without a completion has
    /// then succeeded.
    #[inline]
    pub fn has_told_all(&mut self) -> bool {
        self.waiting.is_empty() && self.ring.submission().is_empty() && !self.overflows()
    }

    /// Returns whether completions that had no place in their queue wait in the kernel.
    #[inline]
    fn overflows(&mut self) -> bool {
        self.ring.submission().cq_overflow()
    }

    /// Returns whether a call would submit or bring anything now, as far as shared memory tells: with
    /// [`Notice::InMemory`], all that has come.
    #[inline]
    pub fn has_work(&mut self) -> bool {
        let submission = self.ring.submission();
        let has_work = submission.taskrun() || submission.cq_overflow() || !submission.is_empty();
        drop(submission);
        has_work || !self.waiting.is_empty() || !self.ring.completion().is_empty()
    }

    /// Returns the number of calls of io_uring_enter(2) since this was last asked.
    #[inline]
    pub fn take_calls(&mut self) -> u64 {
        std::mem::take(&mut self.calls)
    }

    /// Submits what is in the queue and asks for what is wanted.
    #[inline]
    fn enter(&mut self, want: Want) -> Result<(), Errno> {
        if let Some(errno) = self.trouble {
            return Err(errno);
        }
        self.calls += 1;
        let submission = self.ring.submission();
        let (count, overflows) = (submission.len() as u32, submission.cq_overflow());
        let may_bring = self.notice == Notice::ByCall || submission.taskrun();
        drop(submission);
        let answer = if let Want::SomethingWithin(timeout_ns) = want {
            let timeout =
                Timespec::new().sec(timeout_ns / 1_000_000_000).nsec((timeout_ns % 1_000_000_000) as u32);
            self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
        } else {
            let flags = match want {
                _ if overflows || self.is_refused => EnterFlags::GETEVENTS,
                Want::Nothing => EnterFlags::empty(),
                Want::WhatIsThere if !may_bring => EnterFlags::empty(),
                _ => EnterFlags::GETEVENTS,
            };
            let at_least = u32::from(want == Want::Something);
            #[allow(unsafe_code)]
            // SAFETY: it has no argument, and what it submits was pushed under the promises asked there.
            unsafe {
                self.ring.submitter().enter::<libc::sigset_t>(count, at_least, flags.bits(), None)
            }
        };
        self.is_refused = match answer.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
            Ok(_) | Err(Errno::INTR | Errno::TIME) => false,
            // Completions have to be taken, or memory found, before more can be submitted.
            Err(Errno::BUSY | Errno::AGAIN) => true,
            Err(errno) => {
                self.trouble = Some(errno);
                return Err(errno);
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    use super::*;

    /// A ring of this size; none where the kernel forbids it, as some developers' do.
    fn ring(submissions: u32, completions: u32) -> Option<Ring> {
        let ring = Ring::new(&RingSize::new((submissions, completions), 8), Notice::ByCall);
        assert!(ring.is_ok() || std::env::var_os("CI").is_none(), "there is no io_uring here");
        ring.ok()
    }

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

    /// Runs `test` with a ring on a thread for which io_uring_enter(2) fails with `errno`.
    fn where_it_is_refused(errno: Errno, test: impl FnOnce(Ring) + Send + 'static) {
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            if let Some(ring) = ring(32, 32) {
                refuse(errno);
                test(ring);
            }
            sender.send(()).expect("awaited");
        });
        ended.recv_timeout(Duration::from_secs(30)).expect("it neither spins nor fails");
    }

    #[test]
    fn what_the_kernel_does_not_take_for_the_moment_waits_and_nobody_spins() {
        for errno in [Errno::BUSY, Errno::AGAIN] {
            where_it_is_refused(errno, |mut ring| {
                for _ in 0..100 {
                    ring.watch(0, POLLIN, Operation::AwaitReadable);
                }
                let nothing = |completion| panic!("{completion:?}");
                ring.wait(Want::Something, nothing).expect("for the moment only");
                ring.make_room(20);
                assert!(!ring.has_told_all());
                assert_eq!(ring.ring.submission().len() + ring.waiting.len(), 100);
                let tokens = ring.waiting.iter().map(squeue::Entry::get_user_data);
                assert!(tokens.eq(std::iter::repeat_n(Operation::AwaitReadable.token(0), 68)));
            });
        }
    }

    #[test]
    fn a_kernel_that_refuses_for_good_is_asked_nothing_more() {
        where_it_is_refused(Errno::INVAL, |mut ring| {
            for _ in 0..100 {
                ring.watch(0, POLLIN, Operation::AwaitReadable);
            }
            for _ in 0..3 {
                assert_eq!(ring.wait(Want::Something, |_| ()), Err(Errno::INVAL));
            }
            assert_eq!(ring.take_calls(), 1);
        });
    }

    #[test]
    fn room_is_made_by_submitting() {
        let Some(mut ring) = ring(8, 64) else { return };
        let (socket, _peer) = UnixStream::pair().expect("a pair");
        for number in 0..7 {
            ring.receive(socket.as_raw_fd(), number);
        }
        ring.make_room(1);
        assert_eq!((ring.take_calls(), ring.ring.submission().len()), (0, 7));
        ring.make_room(2);
        assert_eq!((ring.take_calls(), ring.ring.submission().len()), (1, 0));
    }
}
