//! Completion: io_uring(7). One multishot receive a connection for its whole life, and all sends of a turn in the
//! same call that takes what has arrived.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

use rustix::io::Errno;
use sys::clock::now_ns;
use sys::ring_size::RingSize;
use sys::uring::{Completion, Notice, Operation, ProvidedBuffers, Ring, Want};

use super::{Answered, Engine};
use crate::client::conversations::Conversations;
use crate::client::payload::LONGEST_SLICE;
use crate::fault::Fault;

/// Sends handed over by one call: all of them bear the instant before it, and each waits for those before it, a
/// microsecond or two a send on loopback. So few that the last is hardly later than it says, and as many as one call
/// brings replies (20 since Linux 6.13), so that in closed loop a turn is one call.
const SENDS_PER_CALL: usize = 20;
/// Events handled at one reading of the clock, so that a long batch makes no request late.
const EVENTS_PER_READING: u32 = 32;
/// The longest wait for cancelled operations to end, in nanoseconds: they end at once unless the kernel is at fault.
const CANCEL_NS: u64 = 5_000_000_000;

/// One connection.
struct Line {
    /// Absent once closed, which is when it is over and the kernel has nothing in hand for it.
    socket: Option<OwnedFd>,
    /// Operations that the kernel has in hand: the receive, the wait for room.
    under_way: u8,
    /// True if it is among those that have something to send.
    is_queued: bool,
    /// True if its conversation has failed.
    is_over: bool,
}

/// Sockets on one ring; a completion says the index of its conversation.
///
/// The instant of a send is that of the call that submits it: the clock is read right before the call, once for at
/// most [`SENDS_PER_CALL`] sends, which the kernel then makes one after the other. So a service time is never shorter
/// than it was, and the last of a full batch leaves some microseconds after the instant that it bears.
pub struct Uring {
    ring: Ring,
    /// Freed only when nothing is under way that may still be written there.
    buffers: ManuallyDrop<ProvidedBuffers>,
    lines: Vec<Line>,
    /// Conversations with something to send.
    queued: VecDeque<u32>,
    /// The sends in the submission queue: conversation and length.
    batch: Vec<(u32, usize)>,
    /// Completions that were not handled yet, but for those of sends.
    arrived: VecDeque<Completion>,
    /// Sends that failed or came short; of the others nothing is heard.
    unfinished: Vec<Completion>,
    /// Operations under way on all lines.
    under_way: usize,
    /// The last reading of the clock, and how many more events it is good for.
    now_ns: u64,
    is_good_for: u32,
}

impl Engine for Uring {
    fn new(ring: &RingSize) -> Result<Self, Errno> {
        let refused = |error| Errno::from_io_error(&error).unwrap_or(Errno::NOSYS);
        let size = ring;
        let ring = Ring::new(size, Notice::InMemory).map_err(refused)?;
        #[allow(unsafe_code)]
        // SAFETY: the engine has one ring, and completions of no other.
        let buffers = unsafe { ring.provide(size.buffers) }.map_err(refused)?;
        Ok(Self {
            ring,
            buffers: ManuallyDrop::new(buffers),
            lines: Vec::new(),
            queued: VecDeque::new(),
            batch: Vec::with_capacity(SENDS_PER_CALL),
            arrived: VecDeque::new(),
            unfinished: Vec::new(),
            under_way: 0,
            now_ns: 0,
            is_good_for: 0,
        })
    }

    fn add(&mut self, socket: OwnedFd) -> Result<(), Errno> {
        let index = self.lines.len() as u32;
        self.lines.push(Line { socket: Some(socket), under_way: 0, is_queued: false, is_over: false });
        self.begin(index, Operation::Receive);
        self.call(Want::Nothing)
    }

    #[inline]
    fn send(&mut self, index: u32, _now_ns: u64, _conversations: &mut Conversations) {
        let line = &mut self.lines[index as usize];
        if !line.is_queued && !line.is_over {
            line.is_queued = true;
            self.queued.push_back(index);
        }
    }

    #[inline]
    fn flush(&mut self, conversations: &mut Conversations) -> Result<(), Errno> {
        if self.queued.is_empty() { Ok(()) } else { self.turn(None, conversations) }
    }

    #[inline]
    fn wait(&mut self, timeout_ns: u64, conversations: &mut Conversations) -> Result<bool, Errno> {
        // One that spins looks at shared memory, and asks the kernel only for what is there.
        if timeout_ns > 0 || !self.queued.is_empty() || self.ring.has_work() {
            self.turn(Some(timeout_ns), conversations)?;
        }
        Ok(!self.arrived.is_empty())
    }

    #[inline]
    fn handle_next(&mut self, conversations: &mut Conversations) -> Option<Answered> {
        let mut completion = self.arrived.pop_front()?;
        if self.is_good_for == 0 {
            self.now_ns = now_ns();
            self.is_good_for = EVENTS_PER_READING;
        }
        self.is_good_for -= 1;
        let index = completion.number();
        let line = &mut self.lines[index as usize];
        if completion.is_last() {
            line.under_way -= 1;
            self.under_way -= 1;
            if line.is_over && line.under_way == 0 {
                line.socket = None;
            }
        }
        let outcome = match completion.operation() {
            Operation::Receive => self.received(&mut completion, conversations),
            _ => {
                self.send(index, self.now_ns, conversations);
                Ok(0)
            }
        };
        let count = outcome.unwrap_or_else(|fault| {
            self.fail(index, fault, conversations);
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
        let socket = socket.as_raw_fd();
        line.under_way += 1;
        self.under_way += 1;
        match operation {
            Operation::Receive => self.ring.receive(socket, index),
            _ => self.ring.await_room(socket, index),
        }
    }

    /// Submits what is queued and takes what has arrived, or is wanted. With it all sends are over, and their failures known.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to go on.
    #[inline]
    fn call(&mut self, want: Want) -> Result<(), Errno> {
        let mut want = want;
        loop {
            self.ring.wait(want, |completion| match completion.operation() {
                Operation::Send => self.unfinished.push(completion),
                Operation::Cancel => {}
                _ => self.arrived.push_back(completion),
            })?;
            if self.ring.has_told_all() {
                return Ok(());
            }
            want = Want::WhatIsThere;
        }
    }

    /// The outcome of the send of conversation `index` in the last call, if it failed or came short.
    #[inline]
    fn unfinished(&mut self, index: u32) -> Option<rustix::io::Result<usize>> {
        let position = self.unfinished.iter().position(|completion| completion.number() == index)?;
        Some(self.unfinished.swap_remove(position).result())
    }

    /// Sends all that is queued; with a time, takes what has arrived, and waits for it at most so many nanoseconds.
    #[inline]
    fn turn(&mut self, timeout_ns: Option<u64>, conversations: &mut Conversations) -> Result<(), Errno> {
        loop {
            self.ring.make_room(SENDS_PER_CALL);
            let is_all = self.prepare_batch(conversations);
            self.buffers.publish();
            let at_ns = if self.batch.is_empty() { 0 } else { now_ns() };
            self.call(match timeout_ns.filter(|_| is_all) {
                None => Want::Nothing,
                Some(timeout_ns) if timeout_ns > 0 && self.arrived.is_empty() => {
                    Want::SomethingWithin(timeout_ns)
                }
                Some(_) => Want::WhatIsThere,
            })?;
            // What has come is not older than this, and what is sent from now on not either.
            self.is_good_for = 0;
            self.record_batch(at_ns, conversations);
            if self.queued.is_empty() {
                return Ok(());
            }
        }
    }

    /// Puts a call's sends into the submission queue; returns whether all that can be sent now is there.
    #[inline]
    fn prepare_batch(&mut self, conversations: &Conversations) -> bool {
        let mut is_all = true;
        while self.batch.len() < SENDS_PER_CALL
            && let Some(index) = self.queued.pop_front()
        {
            let line = &mut self.lines[index as usize];
            line.is_queued = false;
            let bytes = conversations.unsent(index);
            let Some(socket) = line.socket.as_ref().filter(|_| !line.is_over && !bytes.is_empty()) else {
                continue;
            };
            #[allow(unsafe_code)]
            // SAFETY: the bytes are borrowed from the payload, which nobody changes before the call, and that ends when the
            // ring has told all.
            unsafe {
                self.ring.send(socket.as_raw_fd(), index, NonNull::from(bytes).cast(), bytes.len());
            }
            self.batch.push((index, bytes.len()));
            is_all &= bytes.len() < LONGEST_SLICE;
        }
        is_all && self.queued.is_empty()
    }

    /// Books what became of the sends that were submitted at `at_ns`.
    #[inline]
    fn record_batch(&mut self, at_ns: u64, conversations: &mut Conversations) {
        for position in 0..self.batch.len() {
            let (index, length) = self.batch[position];
            match self.unfinished(index).unwrap_or(Ok(length)) {
                Ok(count) => {
                    conversations.sent(index, count, at_ns);
                    if count < length {
                        self.block(index, conversations);
                    } else if !conversations.unsent(index).is_empty() {
                        self.send(index, at_ns, conversations);
                    } else if conversations.is_blocked(index) {
                        conversations.unblock(index);
                    }
                }
                Err(Errno::INTR) => self.send(index, at_ns, conversations),
                Err(Errno::AGAIN) => self.block(index, conversations),
                Err(errno) => self.fail(index, errno.into(), conversations),
            }
        }
        self.batch.clear();
    }

    #[cold]
    fn block(&mut self, index: u32, conversations: &mut Conversations) {
        if !conversations.is_blocked(index) {
            conversations.block(index);
        }
        self.begin(index, Operation::AwaitWritable);
    }

    /// Checks what a receive has brought; returns how many requests that answered.
    #[inline]
    fn received(
        &mut self,
        completion: &mut Completion,
        conversations: &mut Conversations,
    ) -> Result<u64, Fault> {
        let index = completion.number();
        let is_over = self.lines[index as usize].is_over;
        let outcome = match (completion.result(), completion.take_buffer(&mut self.buffers)) {
            (Ok(count), Some(buffer)) => {
                let bytes = &self.buffers.bytes(&buffer)[..count];
                let outcome = match is_over {
                    true => Ok(0),
                    false if bytes.is_empty() => Err(conversations.fault_of_end(index)),
                    false => conversations.received(index, bytes, self.now_ns, None),
                };
                self.buffers.give_back(buffer);
                outcome
            }
            (Ok(_), None) => Err(conversations.fault_of_end(index)),
            // No buffer was free: those that are given back by then are with the kernel before it looks again.
            (Err(Errno::NOBUFS | Errno::INTR | Errno::AGAIN), _) => Ok(0),
            (Err(errno), _) => Err(errno.into()),
        };
        if is_over {
            return Ok(0);
        }
        if outcome.is_ok() && completion.is_last() {
            self.begin(index, Operation::Receive);
        }
        outcome
    }

    /// Gives up conversation `index`. Its socket is closed when the kernel has nothing in hand for it.
    #[cold]
    fn fail(&mut self, index: u32, fault: Fault, conversations: &mut Conversations) {
        let line = &mut self.lines[index as usize];
        if line.is_over {
            return;
        }
        line.is_over = true;
        conversations.fail(index, fault);
        if line.under_way == 0 {
            line.socket = None;
        } else if let Some(socket) = &line.socket {
            self.ring.cancel_all_on(socket.as_raw_fd(), index);
        }
    }

    /// Ends all that is under way.
    fn end(&mut self) {
        if self.under_way > 0 {
            self.ring.cancel_all();
        }
        while self.under_way > 0 {
            if self.call(Want::SomethingWithin(CANCEL_NS)).is_err() || self.arrived.is_empty() {
                return;
            }
            while let Some(completion) = self.arrived.pop_front() {
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
