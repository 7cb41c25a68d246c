//! The queues of one ring: what is asked of the kernel, and what it has done.

use std::collections::VecDeque;
use std::io;

use io_uring::squeue::Flags;
use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use libc::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, POLLOUT};
use rustix::io::Errno;

use sys::ring_size::RingSize;
use sys::uring::{Completion, GROUP, ProvidedBuffers, completions, set_up};

/// Sends handed over by one call: all of them bear the instant before it, and each waits for those before it, a
/// microsecond or two a send on loopback. So few that the last is hardly later than it says, and as many as one call
/// brings replies (20 since Linux 6.13), so that in closed loop a turn is one call.
pub const SENDS_A_CALL: usize = 20;

/// What was asked of the kernel for a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// To receive whatever comes, each time into a provided buffer.
    Receive,
    /// To send what there is room for.
    Send,
    /// To say when there is room.
    AwaitRoom,
    /// To cancel the others. Nobody waits for the answer.
    Cancel,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Receive, Self::Send, Self::AwaitRoom, Self::Cancel];

    fn token(self, index: u32) -> u64 {
        (self as u64) << 32 | u64::from(index)
    }

    /// What `completion` is of.
    #[inline]
    pub fn of(completion: &Completion) -> Self {
        Self::ALL[(completion.token() >> 32) as usize]
    }
}

/// The conversation that `completion` is of.
#[inline]
pub fn index_of(completion: &Completion) -> u32 {
    completion.token() as u32
}

/// A ring, what has been asked of it, and what it has answered.
pub struct Queues {
    ring: IoUring,
    /// Asked and not yet in the submission queue. Sends are never here: they go in by themselves, last.
    asked: Vec<squeue::Entry>,
    arrived: VecDeque<Completion>,
    /// Sends that failed or came short; of the others nothing is heard.
    unfinished: Vec<Completion>,
    /// What the kernel refused to go on with: from then on it is asked nothing.
    trouble: Option<Errno>,
}

impl Queues {
    /// Queues of the calling thread, and the buffers provided to them: more of these than the kernel fills in one call (20
    /// since Linux 6.13), and few enough to stay in the cache. A receive that finds none is begun anew.
    pub fn new(size: &RingSize) -> io::Result<(Self, ProvidedBuffers)> {
        // The flag tells without a call whether one would bring anything.
        let (ring, _) = set_up(size, |builder| builder.setup_taskrun_flag())?;
        #[allow(unsafe_code)]
        // SAFETY: the engine has one ring, and completions of no other.
        let buffers = unsafe { ProvidedBuffers::register(&ring, size.buffers)? };
        let queues =
            Self { ring, asked: Vec::new(), arrived: VecDeque::new(), unfinished: Vec::new(), trouble: None };
        Ok((queues, buffers))
    }

    /// Asks to receive all that will ever come on `socket`, for conversation `index`.
    pub fn receive(&mut self, socket: Fd, index: u32) {
        let entry = opcode::RecvMulti::new(socket, GROUP).build();
        self.asked.push(entry.user_data(Operation::Receive.token(index)));
    }

    /// Asks to be told when `socket` has room.
    pub fn await_room(&mut self, socket: Fd, index: u32) {
        let entry = opcode::PollAdd::new(socket, POLLOUT as u32).build();
        self.asked.push(entry.user_data(Operation::AwaitRoom.token(index)));
    }

    /// Asks to end what is under way on `socket`.
    pub fn cancel(&mut self, socket: Fd, index: u32) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::fd(socket).all()).build();
        self.asked.push(entry.user_data(Operation::Cancel.token(index)));
    }

    /// Asks to end everything.
    pub fn cancel_all(&mut self) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        self.asked.push(entry.user_data(Operation::Cancel.token(0)));
    }

    /// Submits what was asked, until there is room for a call's sends.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it.
    #[inline]
    pub fn submit_asked(&mut self) -> Result<(), Errno> {
        while !self.asked.is_empty() {
            let count = self.asked.len().min(self.ring.submission().capacity() - SENDS_A_CALL);
            #[allow(unsafe_code)]
            // SAFETY: none of these has a pointer; a receive writes into provided buffers, which are kept until
            // it has ended.
            let pushed = unsafe { self.ring.submission().push_multiple(&self.asked[..count]) };
            debug_assert!(pushed.is_ok(), "every call empties the queue");
            self.asked.drain(..count);
            if !self.asked.is_empty() {
                self.call(None)?;
            }
        }
        Ok(())
    }

    /// Puts into the queue to send `bytes`, what there is room for, for conversation `index`.
    ///
    /// # Safety
    ///
    /// The bytes must stay until the next [`call`](Self::call) has returned.
    #[inline]
    #[allow(unsafe_code)]
    pub unsafe fn push_send(&mut self, socket: Fd, index: u32, bytes: &[u8]) {
        // A send that may not wait is over when its submission is, the bytes copied; only one that has failed or come
        // short is told of (IOSQE_CQE_SKIP_SUCCESS, and MSG_WAITALL, without which a short send is a success), which
        // spares each request a completion.
        let entry = opcode::Send::new(socket, bytes.as_ptr(), bytes.len() as u32)
            .flags(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL)
            .build()
            .flags(Flags::SKIP_SUCCESS)
            .user_data(Operation::Send.token(index));
        // SAFETY: the bytes stay until the call that submits it has returned, and then it is over.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        debug_assert!(pushed.is_ok(), "at most SENDS_A_CALL at once, for which room was kept");
    }

    /// Hands the submission queue to the kernel. With a time, waits at most so many nanoseconds for something to
    /// arrive; without, the kernel is not even asked to receive, so that nothing waits for its turn any longer
    /// than it must.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it, or refuses to wait.
    #[inline]
    pub fn call(&mut self, timeout_ns: Option<u64>) -> Result<(), Errno> {
        let mut answer = self.enter(timeout_ns);
        loop {
            match answer.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
                // BUSY: completions have to be taken before more can be submitted, which is done here.
                Ok(_) | Err(Errno::INTR | Errno::TIME | Errno::BUSY) => {}
                Err(errno) => {
                    self.trouble = Some(errno);
                    return Err(errno);
                }
            }
            self.take_arrived();
            // What had no place in the queue waits in the kernel, and has to be fetched before anything else: the
            // failure of a send must be known when the call returns.
            let submission = self.ring.submission();
            if submission.is_empty() && !submission.cq_overflow() {
                return Ok(());
            }
            drop(submission);
            answer = self.enter(Some(0));
        }
    }

    #[inline]
    fn enter(&mut self, timeout_ns: Option<u64>) -> io::Result<usize> {
        let length = self.ring.submission().len();
        match (self.trouble, timeout_ns) {
            (Some(errno), _) => Err(errno.into()),
            #[allow(unsafe_code)]
            // SAFETY: it has no argument, and what it submits was pushed under the promises asked there.
            (None, None) => unsafe { self.ring.submitter().enter::<()>(length as u32, 0, 0, None) },
            (None, Some(0)) => self.ring.submitter().submit(),
            (None, Some(timeout_ns)) => {
                let timeout =
                    Timespec::new().sec(timeout_ns / 1_000_000_000).nsec((timeout_ns % 1_000_000_000) as u32);
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
        }
    }

    #[inline]
    fn take_arrived(&mut self) {
        for completion in completions(&mut self.ring) {
            match Operation::of(&completion) {
                Operation::Receive | Operation::AwaitRoom => self.arrived.push_back(completion),
                Operation::Send => self.unfinished.push(completion),
                Operation::Cancel => {}
            }
        }
    }

    /// Whether a call would submit or bring anything now.
    #[inline]
    pub fn has_work(&mut self) -> bool {
        let submission = self.ring.submission();
        let may_bring = submission.taskrun() || submission.cq_overflow();
        drop(submission);
        may_bring || !self.asked.is_empty() || !self.ring.completion().is_empty()
    }

    /// Whether something has arrived that was not taken.
    #[inline]
    pub fn has_arrived(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Takes the next that has arrived.
    #[inline]
    pub fn next_arrived(&mut self) -> Option<Completion> {
        self.arrived.pop_front()
    }

    /// What became of the send of conversation `index` in the last call, if it failed or came short.
    #[inline]
    pub fn unfinished(&mut self, index: u32) -> Option<rustix::io::Result<usize>> {
        let position = self.unfinished.iter().position(|completion| index_of(completion) == index)?;
        Some(self.unfinished.swap_remove(position).result())
    }
}
