//! The operations of a connection that are under way in the kernel, and those to be asked of the kernel next.

use std::ptr::NonNull;

use rustix::io::Errno;
use sys::uring::{Buffer, Completion, Operation, ProvidedBuffers};

use crate::server::{Reply, Server};

/// Unsent bytes of one connection beyond which nothing more is received from it.
const HELD_BACK_BYTES: usize = 64 * 1024;

/// A request to the kernel for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// To receive.
    Receive,
    /// To cancel the receive: the peer does not read its replies, or the connection ends.
    CancelReceive,
    /// To send so many bytes from there, now or not at all: a provided buffer, which the flow holds until that is over.
    Send(NonNull<u8>, usize),
    /// To send [`Flow::rest`], however long that takes.
    SendRest,
}

/// The next need of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing of us: what has to happen next is the kernel's.
    Nothing,
    /// This, and then to be asked again.
    Submit(Submission),
    /// To be asked again once its send is over.
    AwaitSend,
    /// To be [fed](Flow::feed) when there are buffers.
    AwaitBuffers,
    /// To be closed: the kernel has nothing of it in hand any more. The error is what ended it, if one did.
    Close(Option<Errno>),
}

/// One connection of a completion loop.
///
/// A reply is sent from the very buffer that the bytes came in, now or not at all. What the peer has no room
/// for is copied, so that the buffer returns to the others; it goes out with a send that may wait. One send is
/// under way at a time: two could overtake each other.
#[derive(Debug, Default)]
pub struct Flow {
    receiving: Receiving,
    sending: Sending,
    /// Bytes that the kernel reads while [`Sending::Rest`]: not to be touched.
    rest: Vec<u8>,
    /// The number of these bytes that are sent.
    sent: usize,
    /// Bytes to be sent after those.
    queued: Vec<u8>,
    /// Its end, if it has ended: the error, or `None` for the peer's end of stream.
    end: Option<Option<Errno>>,
}

/// The state of a connection's receive.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Receiving {
    /// To be begun.
    #[default]
    Idle,
    /// Under way.
    Armed,
    /// Under way, but to be cancelled.
    Cancelled,
    /// Ended for want of a buffer.
    Starved,
    /// The mechanism knows that, and [feeds](Flow::feed) it.
    Queued,
}

/// The state of a connection's sending.
#[derive(Debug, Default, PartialEq, Eq)]
enum Sending {
    /// Nothing is being sent.
    #[default]
    Nothing,
    /// A reply is to be sent: its buffer, and how many bytes.
    Ready(Buffer, u16),
    /// It is being sent.
    Buffer(Buffer, u16),
    /// [`Flow::rest`] is being sent.
    Rest,
}

impl Flow {
    /// Books a completion.
    #[inline]
    pub fn completed(&mut self, completion: &mut Completion, buffers: &mut ProvidedBuffers, server: &Server) {
        match completion.operation() {
            Operation::Receive => {
                if completion.is_last() {
                    self.receiving = Receiving::Idle;
                }
                if self.received(
                    completion.result(),
                    completion.take_buffer(buffers),
                    buffers,
                    server.reply(),
                ) {
                    server.counters().echoes.add(1);
                }
            }
            Operation::Send => self.sent(completion.result(), buffers),
            Operation::SendRest => self.sent_rest(completion.result()),
            _ => {}
        }
    }

    /// Returns what the connection needs now. After [`Next::Submit`] it is to be asked again.
    #[inline]
    pub(super) fn next(&mut self) -> Next {
        match std::mem::take(&mut self.sending) {
            Sending::Ready(buffer, length) => {
                let address = buffer.address();
                self.sending = Sending::Buffer(buffer, length);
                return Next::Submit(Submission::Send(address, length.into()));
            }
            other => self.sending = other,
        }
        match self.sending {
            Sending::Nothing => {}
            Sending::Rest => return self.hold_back(),
            _ if self.unsent() > 0 || self.end.is_some() => return Next::AwaitSend,
            // A send that succeeds is not told of, so that nothing else would remind of the receive.
            _ if matches!(self.receiving, Receiving::Idle | Receiving::Starved) => return Next::AwaitSend,
            _ => return Next::Nothing,
        }
        if self.unsent() > 0 && !self.has_failed() {
            return self.send_rest();
        }
        match (self.end, self.receiving) {
            (Some(_), Receiving::Armed | Receiving::Cancelled) => self.cancel_receive(),
            (Some(errno), _) => Next::Close(errno),
            (None, Receiving::Idle) => {
                self.receiving = Receiving::Armed;
                Next::Submit(Submission::Receive)
            }
            (None, Receiving::Starved) => {
                self.receiving = Receiving::Queued;
                Next::AwaitBuffers
            }
            (None, _) => Next::Nothing,
        }
    }

    /// The bytes to be sent by [`Submission::SendRest`]. They stay in place until the send is complete.
    pub fn rest(&self) -> &[u8] {
        &self.rest[self.sent..]
    }

    /// There are buffers again.
    pub fn feed(&mut self) {
        if self.receiving == Receiving::Queued {
            self.receiving = Receiving::Idle;
        }
    }

    /// The peer has sent its end, or `errno` ended the connection. The first to say so is right, but what fails after the
    /// peer's end has failed: nothing can be sent any more.
    pub fn end(&mut self, errno: Option<Errno>) {
        if !self.has_failed() && (self.end.is_none() || errno.is_some()) {
            self.end = Some(errno);
        }
    }

    /// Makes the reply to what was received, in the buffer that it came in; false if there is none to make.
    #[inline]
    fn received(
        &mut self,
        result: rustix::io::Result<usize>,
        buffer: Option<Buffer>,
        buffers: &mut ProvidedBuffers,
        reply: Reply,
    ) -> bool {
        match (result, buffer) {
            (Ok(length), Some(mut buffer)) if !self.has_failed() => {
                let length = reply.in_place(length, buffers.bytes_mut(&mut buffer)).len();
                if self.sending == Sending::Nothing && self.unsent() == 0 {
                    self.sending = Sending::Ready(buffer, length as u16);
                } else {
                    self.queued.extend_from_slice(&buffers.bytes(&buffer)[..length]);
                    buffers.give_back(buffer);
                }
                return true;
            }
            (Ok(_), Some(buffer)) => buffers.give_back(buffer),
            (Ok(_), None) => self.end(None),
            // No buffer was free, which ends a multishot receive: it has to be begun anew, or the peer waits
            // for ever.
            (Err(Errno::NOBUFS), _) => self.receiving = Receiving::Starved,
            (Err(Errno::CANCELED | Errno::INTR), _) => {}
            (Err(errno), _) => self.end(Some(errno)),
        }
        false
    }

    /// Books that a send of a buffer has succeeded, if one was under way.
    #[inline]
    pub fn sent_whole(&mut self, buffers: &mut ProvidedBuffers) {
        match std::mem::take(&mut self.sending) {
            Sending::Buffer(buffer, _) => buffers.give_back(buffer),
            other => self.sending = other,
        }
    }

    /// Keeps what a send of a buffer has left over, and gives the buffer back.
    #[cold]
    fn sent(&mut self, result: rustix::io::Result<usize>, buffers: &mut ProvidedBuffers) {
        let (buffer, length) = match std::mem::take(&mut self.sending) {
            Sending::Buffer(buffer, length) => (buffer, usize::from(length)),
            other => return self.sending = other,
        };
        match result {
            Ok(sent) if sent == length => {}
            Ok(sent) => self.keep(&buffers.bytes(&buffer)[sent..length]),
            Err(Errno::WOULDBLOCK | Errno::INTR) => self.keep(&buffers.bytes(&buffer)[..length]),
            Err(errno) => self.end(Some(errno)),
        }
        buffers.give_back(buffer);
    }

    /// Keeps a copy of what a send from a buffer has left over, before all that waits.
    #[cold]
    fn keep(&mut self, rest: &[u8]) {
        self.queued.splice(..0, rest.iter().copied());
    }

    /// Begins to send the rest: what was left of it, or else what is queued.
    #[cold]
    fn send_rest(&mut self) -> Next {
        if self.rest.is_empty() {
            std::mem::swap(&mut self.rest, &mut self.queued);
        }
        self.sending = Sending::Rest;
        Next::Submit(Submission::SendRest)
    }

    #[cold]
    fn sent_rest(&mut self, result: rustix::io::Result<usize>) {
        self.sending = Sending::Nothing;
        match result {
            Ok(sent) => self.sent += sent,
            Err(Errno::INTR) => {}
            Err(errno) => self.end(Some(errno)),
        }
        if self.sent == self.rest.len() {
            // Given back, not cleared: a slow reader is rare, and should cost memory only while it is slow.
            self.rest = Vec::new();
            self.sent = 0;
        }
    }

    /// Bytes that have to go out yet, those in a provided buffer aside.
    #[inline]
    fn unsent(&self) -> usize {
        self.rest.len() - self.sent + self.queued.len()
    }

    /// Returns whether an error has ended it, so that nothing can be sent any more.
    #[inline]
    fn has_failed(&self) -> bool {
        matches!(self.end, Some(Some(_)))
    }

    /// Receives nothing more while much waits to be sent.
    #[inline]
    fn hold_back(&mut self) -> Next {
        match self.unsent() > HELD_BACK_BYTES {
            true => self.cancel_receive(),
            false => Next::Nothing,
        }
    }

    #[cold]
    fn cancel_receive(&mut self) -> Next {
        if self.receiving != Receiving::Armed {
            return Next::Nothing;
        }
        self.receiving = Receiving::Cancelled;
        Next::Submit(Submission::CancelReceive)
    }
}

#[cfg(test)]
mod tests;
