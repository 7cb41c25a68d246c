//! What an operation is told apart by, and what came of it.

use std::ops::Deref;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use io_uring::cqueue;

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
#[derive(Debug, Clone)]
pub struct Completion(load_gen::uring::Completion);

impl From<cqueue::Entry> for Completion {
    fn from(entry: cqueue::Entry) -> Self {
        Self(entry.into())
    }
}

impl Deref for Completion {
    type Target = load_gen::uring::Completion;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Completion {
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

    /// The connection accepted, of [`Operation::Accept`].
    pub fn accepted(&self) -> rustix::io::Result<OwnedFd> {
        debug_assert_eq!(self.operation(), Operation::Accept);
        #[allow(unsafe_code)]
        // SAFETY: the kernel has made this descriptor for this completion, which is looked at once.
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
