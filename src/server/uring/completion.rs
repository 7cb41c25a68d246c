//! What an operation is told apart by, and what came of it.

use std::ops::Deref;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::{Buffer, ProvidedBuffers};

/// What was asked of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// To accept connections, each a completion.
    Accept,
    /// To say when there is a connection to accept.
    AwaitConnection,
    /// To receive from a connection, each time into a provided buffer.
    Receive,
    /// To send from a provided buffer what there is room for.
    Send,
    /// To send the rest of a reply when there is room.
    SendRest,
    /// To say when a connection is readable, again and again.
    AwaitReadable,
    /// To say when a connection has room.
    AwaitWritable,
    /// To cancel another operation. Nobody waits for the answer.
    Cancel,
}

const OPERATIONS: [Operation; 8] = [
    Operation::Accept,
    Operation::AwaitConnection,
    Operation::Receive,
    Operation::Send,
    Operation::SendRest,
    Operation::AwaitReadable,
    Operation::AwaitWritable,
    Operation::Cancel,
];

impl Operation {
    /// The token of this operation on the descriptor `fd`.
    #[inline]
    pub fn on(self, fd: RawFd) -> u64 {
        u64::from(self as u8) << 32 | u64::from(fd as u32)
    }
}

/// What the kernel says of an operation.
///
/// Only a [`Ring`](super::Ring) makes them, of what it was asked for: the token tells truly what that was.
#[derive(Debug)]
pub struct Completion(sys::uring::Completion);

impl Deref for Completion {
    type Target = sys::uring::Completion;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Completion {
    /// Wraps an answer to what was asked under the token of an [`Operation`].
    #[inline]
    pub(super) fn new(answer: sys::uring::Completion) -> Self {
        Self(answer)
    }

    /// What a kernel might say of an operation, for tests without one.
    #[cfg(test)]
    pub(super) fn simulated(
        operation: Operation,
        fd: RawFd,
        result: rustix::io::Result<usize>,
        buffer: Option<u16>,
        is_last: bool,
    ) -> Self {
        Self(sys::uring::Completion::simulated(operation.on(fd), result, buffer, is_last))
    }

    /// What was asked.
    #[inline]
    pub fn operation(&self) -> Operation {
        OPERATIONS[(self.token() >> 32) as usize]
    }

    /// The descriptor it was asked of.
    #[inline]
    pub fn fd(&self) -> RawFd {
        self.token() as u32 as RawFd
    }

    /// The buffer of `buffers` that was received into, once.
    #[inline]
    pub fn take_buffer(&mut self, buffers: &mut ProvidedBuffers) -> Option<Buffer> {
        buffers.take(&mut self.0)
    }

    /// The connection accepted, of [`Operation::Accept`].
    ///
    /// # Panics
    ///
    /// When something else was asked.
    pub fn accepted(self) -> rustix::io::Result<OwnedFd> {
        assert_eq!(self.operation(), Operation::Accept);
        #[allow(unsafe_code)]
        // SAFETY: the kernel has made this descriptor for this completion, which is gone after.
        self.result().map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_back_the_operation_and_the_descriptor() {
        for (number, operation) in OPERATIONS.into_iter().enumerate() {
            assert_eq!(operation as usize, number);
            for fd in [0, 3, RawFd::MAX] {
                let token = operation.on(fd);
                assert_eq!(OPERATIONS[(token >> 32) as usize], operation);
                assert_eq!(token as u32 as RawFd, fd);
            }
        }
    }
}
