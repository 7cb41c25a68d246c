//! The operations that the kernel is asked for, and their completions.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use io_uring::cqueue;
use rustix::io::Errno;

use super::{Buffer, ProvidedBuffers};

/// IORING_CQE_F_BUFFER: the upper half of the flags is the number of a buffer.
const HAS_BUFFER: u32 = 1;

/// An operation that a [`Ring`](super::Ring) is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// Accept connections, each a completion.
    Accept,
    /// Wait until there is a connection to accept.
    AwaitConnection,
    /// Receive from a connection, each time into a provided buffer.
    Receive,
    /// Send what there is room for.
    Send,
    /// Send all, however long that takes.
    SendRest,
    /// Wait until a connection is readable, again and again.
    AwaitReadable,
    /// Wait until a connection has room.
    AwaitWritable,
    /// Cancel another operation. Nobody waits for the answer.
    Cancel,
}

impl Operation {
    const ALL: [Self; 8] = [
        Self::Accept,
        Self::AwaitConnection,
        Self::Receive,
        Self::Send,
        Self::SendRest,
        Self::AwaitReadable,
        Self::AwaitWritable,
        Self::Cancel,
    ];

    /// The token of this operation for the connection `number`.
    #[inline]
    pub(super) fn token(self, number: u32) -> u64 {
        u64::from(self as u8) << 32 | u64::from(number)
    }
}

/// The result of an operation. Each answer of the kernel makes one, so that its buffer or socket is taken once.
///
/// Only a [`Ring`](super::Ring) makes completions, and the token is the one that it submitted.
#[derive(Debug)]
pub struct Completion {
    token: u64,
    result: i32,
    flags: u32,
}

impl Completion {
    #[inline]
    pub(super) fn of(entry: &cqueue::Entry) -> Self {
        Self { token: entry.user_data(), result: entry.result(), flags: entry.flags() }
    }

    /// A made-up completion, for tests without a kernel.
    ///
    /// # Panics
    ///
    /// Of [`Operation::Accept`]: no descriptor stands behind it that could be [owned](Self::accepted).
    #[doc(hidden)]
    pub fn simulated(
        operation: Operation,
        number: u32,
        result: rustix::io::Result<usize>,
        buffer: Option<u16>,
        is_last: bool,
    ) -> Self {
        assert_ne!(operation, Operation::Accept, "only the kernel makes a descriptor");
        let result = result.map_or_else(|errno| -errno.raw_os_error(), |count| count as i32);
        let buffer = buffer.map_or(0, |id| HAS_BUFFER | u32::from(id) << 16);
        let more = if is_last { 0 } else { 2 };
        Self { token: operation.token(number), result, flags: buffer | more }
    }

    /// The operation.
    #[inline]
    pub fn operation(&self) -> Operation {
        Operation::ALL[(self.token >> 32) as usize]
    }

    /// The number of the connection, as it was given with the operation.
    #[inline]
    pub fn number(&self) -> u32 {
        self.token as u32
    }

    /// The return value, as of the system call of the same name.
    ///
    /// # Errors
    ///
    /// Those of that system call.
    #[inline]
    pub fn result(&self) -> rustix::io::Result<usize> {
        usize::try_from(self.result).map_err(|_| Errno::from_raw_os_error(-self.result))
    }

    /// Returns true if this is the last completion of its operation.
    #[inline]
    pub fn is_last(&self) -> bool {
        !cqueue::more(self.flags)
    }

    /// The buffer of `buffers` that was received into, once.
    #[inline]
    pub fn take_buffer(&mut self, buffers: &mut ProvidedBuffers) -> Option<Buffer> {
        buffers.take(self)
    }

    /// The number of the provided buffer that it has filled, once.
    #[inline]
    pub(super) fn take_buffer_id(&mut self) -> Option<u16> {
        let id = cqueue::buffer_select(self.flags);
        self.flags &= !HAS_BUFFER;
        id
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
    fn a_token_gives_back_the_operation_and_the_number() {
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, place);
            for number in [0, 3, u32::MAX] {
                let completion = Completion { token: operation.token(number), result: 0, flags: 0 };
                assert_eq!((completion.operation(), completion.number()), (operation, number));
            }
        }
    }
}
