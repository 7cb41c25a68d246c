//! Completion: io_uring(7). One multishot receive a connection for its whole life, and all sends of a turn in the
//! same call that takes what has arrived.

mod queues;

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::types::Fd;
use rustix::io::Errno;
use sys::clock::now_ns;
use sys::ring_size::RingSize;
use sys::uring::{Completion, ProvidedBuffers};

use self::queues::{Operation, Queues, SENDS_A_CALL, index_of};
use super::{Answered, Engine};
use crate::conversations::Conversations;
use crate::fault::Fault;
use crate::measure::Recorder;
use crate::payload::LONGEST_SLICE;

/// Events handled at one reading of the clock, so that a long batch makes no request late.
const EVENTS_A_READING: u32 = 32;
/// How long operations may take to end once they are cancelled: they end at once unless the kernel is at fault.
const CANCEL_NS: u64 = 5_000_000_000;

/// One connection.
struct Line {
    /// Absent once closed, which is when it is over and the kernel has nothing in hand for it.
    socket: Option<OwnedFd>,
    /// Operations that the kernel has in hand: the receive, the wait for room.
    under_way: u8,
    /// Whether it is among those that have something to send.
    is_queued: bool,
    /// Whether its conversation has failed.
    is_over: bool,
}

/// Sockets on one ring; a completion says the index of its conversation.
///
/// The instant of a send is that of the call that submits it: the clock is read right before the call, once for at
/// most [`SENDS_A_CALL`] sends, which the kernel then makes one after the other. So a service time is never shorter
/// than it was, and the last of a full batch leaves some microseconds after the instant that it bears.
pub struct Uring {
    queues: Queues,
    /// Freed only when nothing is under way that may still be written there.
    buffers: ManuallyDrop<ProvidedBuffers>,
    lines: Vec<Line>,
    /// Conversations with something to send.
    queued: VecDeque<u32>,
    /// The sends in the submission queue: conversation and length.
    batch: Vec<(u32, usize)>,
    /// Operations under way on all lines.
    under_way: usize,
    /// The last reading of the clock, and how many more events it is good for.
    now_ns: u64,
    is_good_for: u32,
}

impl Engine for Uring {
    fn new(ring: &RingSize) -> Result<Self, Errno> {
        let (queues, buffers) =
            Queues::new(ring).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOSYS))?;
        Ok(Self {
            queues,
            buffers: ManuallyDrop::new(buffers),
            lines: Vec::new(),
            queued: VecDeque::new(),
            batch: Vec::with_capacity(SENDS_A_CALL),
            under_way: 0,
            now_ns: 0,
            is_good_for: 0,
        })
    }

    fn add(&mut self, socket: OwnedFd) -> Result<(), Errno> {
        let index = self.lines.len() as u32;
        self.lines.push(Line { socket: Some(socket), under_way: 0, is_queued: false, is_over: false });
        self.begin(index, Operation::Receive);
        self.queues.submit_asked()?;
        self.queues.call(None)
    }

    #[inline]
    fn send(&mut self, index: u32, _now_ns: u64, _conversations: &mut Conversations, _books: &mut Recorder) {
        let line = &mut self.lines[index as usize];
        if !line.is_queued && !line.is_over {
            line.is_queued = true;
            self.queued.push_back(index);
        }
    }

    #[inline]
    fn flush(&mut self, conversations: &mut Conversations, books: &mut Recorder) -> Result<(), Errno> {
        if self.queued.is_empty() { Ok(()) } else { self.turn(None, conversations, books) }
    }

    #[inline]
    fn wait(
        &mut self,
        timeout_ns: u64,
        conversations: &mut Conversations,
        books: &mut Recorder,
    ) -> Result<bool, Errno> {
        // One that spins looks at shared memory, and asks the kernel only for what is there.
        if timeout_ns > 0 || !self.queued.is_empty() || self.queues.has_work() {
            self.turn(Some(timeout_ns), conversations, books)?;
        }
        Ok(self.queues.has_arrived())
    }

    #[inline]
    fn handle_next(&mut self, conversations: &mut Conversations, books: &mut Recorder) -> Option<Answered> {
        let mut completion = self.queues.next_arrived()?;
        if self.is_good_for == 0 {
            self.now_ns = now_ns();
            self.is_good_for = EVENTS_A_READING;
        }
        self.is_good_for -= 1;
        let index = index_of(&completion);
        let line = &mut self.lines[index as usize];
        if completion.is_last() {
            line.under_way -= 1;
            self.under_way -= 1;
            if line.is_over && line.under_way == 0 {
                line.socket = None;
            }
        }
        let outcome = match Operation::of(&completion) {
            Operation::Receive => self.received(&mut completion, conversations, books),
            _ => {
                self.send(index, self.now_ns, conversations, books);
                Ok(0)
            }
        };
        let count = outcome.unwrap_or_else(|fault| {
            self.fail(index, fault, conversations, books);
            0
        });
        Some(Answered { index, count, at_ns: self.now_ns })
    }

    fn sockets(&self) -> impl Iterator<Item = &OwnedFd> {
        self.lines.iter().filter_map(|line| line.socket.as_ref())
    }

    fn into_sockets(mut self) -> impl Iterator<Item = OwnedFd> {
        self.end();
        std::mem::take(&mut self.lines).into_iter().filter_map(|line| line.socket)
    }
}

impl Uring {
    /// Begins an operation that takes its time.
    fn begin(&mut self, index: u32, operation: Operation) {
        let line = &mut self.lines[index as usize];
        let Some(socket) = &line.socket else { return };
        let socket = Fd(socket.as_raw_fd());
        line.under_way += 1;
        self.under_way += 1;
        match operation {
            Operation::Receive => self.queues.receive(socket, index),
            _ => self.queues.await_room(socket, index),
        }
    }

    /// Sends all that is queued; with a time, takes what has arrived, and waits for it at most so many nanoseconds.
    #[inline]
    fn turn(
        &mut self,
        timeout_ns: Option<u64>,
        conversations: &mut Conversations,
        books: &mut Recorder,
    ) -> Result<(), Errno> {
        loop {
            self.queues.submit_asked()?;
            let is_all = self.prepare_batch(conversations);
            self.buffers.publish();
            let at_ns = if self.batch.is_empty() { 0 } else { now_ns() };
            let patience_ns = |timeout_ns| if self.queues.has_arrived() { 0 } else { timeout_ns };
            self.queues.call(timeout_ns.filter(|_| is_all).map(patience_ns))?;
            // What has come is not older than this, and what is sent from now on not either.
            self.is_good_for = 0;
            self.book_batch(at_ns, conversations, books);
            if self.queued.is_empty() {
                return Ok(());
            }
        }
    }

    /// Puts a call's sends into the submission queue; returns whether all that can be sent now is there.
    #[inline]
    fn prepare_batch(&mut self, conversations: &Conversations) -> bool {
        let mut is_all = true;
        while self.batch.len() < SENDS_A_CALL
            && let Some(index) = self.queued.pop_front()
        {
            let line = &mut self.lines[index as usize];
            line.is_queued = false;
            let bytes = conversations.unsent(index);
            let Some(socket) = line.socket.as_ref().filter(|_| !line.is_over && !bytes.is_empty()) else {
                continue;
            };
            #[allow(unsafe_code)]
            // SAFETY: the bytes are borrowed from the payload, which nobody changes before the call.
            unsafe {
                self.queues.push_send(Fd(socket.as_raw_fd()), index, bytes);
            }
            self.batch.push((index, bytes.len()));
            is_all &= bytes.len() < LONGEST_SLICE;
        }
        is_all && self.queued.is_empty()
    }

    /// Books what became of the sends that were submitted at `at_ns`.
    #[inline]
    fn book_batch(&mut self, at_ns: u64, conversations: &mut Conversations, books: &mut Recorder) {
        for position in 0..self.batch.len() {
            let (index, length) = self.batch[position];
            match self.queues.unfinished(index).unwrap_or(Ok(length)) {
                Ok(count) => {
                    conversations.sent(index, count, at_ns, books);
                    if count < length {
                        self.block(index, conversations, books);
                    } else if !conversations.unsent(index).is_empty() {
                        self.send(index, at_ns, conversations, books);
                    } else if conversations.is_blocked(index) {
                        conversations.unblock(index);
                    }
                }
                Err(Errno::INTR) => self.send(index, at_ns, conversations, books),
                Err(Errno::AGAIN) => self.block(index, conversations, books),
                Err(errno) => self.fail(index, errno.into(), conversations, books),
            }
        }
        self.batch.clear();
    }

    #[cold]
    fn block(&mut self, index: u32, conversations: &mut Conversations, books: &mut Recorder) {
        if !conversations.is_blocked(index) {
            conversations.block(index, books);
        }
        self.begin(index, Operation::AwaitRoom);
    }

    /// Checks what a receive has brought; returns how many requests that answered.
    #[inline]
    fn received(
        &mut self,
        completion: &mut Completion,
        conversations: &mut Conversations,
        books: &mut Recorder,
    ) -> Result<u64, Fault> {
        let index = index_of(completion);
        let is_over = self.lines[index as usize].is_over;
        let outcome = match (completion.result(), self.buffers.take(completion)) {
            (Ok(count), Some(buffer)) => {
                let bytes = &self.buffers.bytes(&buffer)[..count];
                let outcome = match is_over {
                    true => Ok(0),
                    false if bytes.is_empty() => Err(conversations.fault_of_end(index)),
                    false => conversations.received(index, bytes, self.now_ns, None, books),
                };
                self.buffers.give_back(buffer);
                outcome
            }
            (Ok(_), None) => Err(conversations.fault_of_end(index)),
            // No buffer was free: those that are given back by then are with the kernel before it looks again.
            (Err(Errno::NOBUFS | Errno::INTR | Errno::AGAIN), _) => Ok(0),
            (Err(errno), _) => Err(errno.into()),
        };
        match outcome {
            _ if is_over => Ok(0),
            Ok(count) => {
                if completion.is_last() {
                    self.begin(index, Operation::Receive);
                }
                Ok(count)
            }
            failed => failed,
        }
    }

    /// Gives up conversation `index`. Its socket is closed when the kernel has nothing in hand for it.
    #[cold]
    fn fail(&mut self, index: u32, fault: Fault, conversations: &mut Conversations, books: &mut Recorder) {
        let line = &mut self.lines[index as usize];
        if line.is_over {
            return;
        }
        line.is_over = true;
        conversations.fail(index, fault, books);
        if line.under_way == 0 {
            line.socket = None;
        } else if let Some(socket) = &line.socket {
            self.queues.cancel(Fd(socket.as_raw_fd()), index);
        }
    }

    /// Ends all that is under way.
    fn end(&mut self) {
        if self.under_way > 0 {
            self.queues.cancel_all();
        }
        while self.under_way > 0 {
            let answer = self.queues.submit_asked().and_then(|()| self.queues.call(Some(CANCEL_NS)));
            if answer.is_err() || !self.queues.has_arrived() {
                return;
            }
            while let Some(completion) = self.queues.next_arrived() {
                self.under_way -= usize::from(completion.is_last());
            }
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        self.end();
        if self.under_way == 0 {
            #[allow(unsafe_code)]
            // SAFETY: taken nowhere else, and nothing uses it after; the kernel has nothing in hand.
            unsafe {
                ManuallyDrop::take(&mut self.buffers).free();
            }
        }
    }
}
