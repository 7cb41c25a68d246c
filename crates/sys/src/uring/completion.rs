//! What the kernel says of an operation.

use io_uring::{IoUring, cqueue};
use rustix::io::Errno;

/// IORING_CQE_F_BUFFER: the upper half of the flags is the number of a buffer.
const HAS_BUFFER: u32 = 1;

/// What became of an operation. There is one for each answer of the kernel's, so that what it brings is taken once.
#[derive(Debug)]
pub struct Completion {
    token: u64,
    result: i32,
    flags: u32,
}

/// Takes the completions that are there.
#[inline]
pub fn completions(ring: &mut IoUring) -> impl Iterator<Item = Completion> + '_ {
    ring.completion().map(|entry| Completion {
        token: entry.user_data(),
        result: entry.result(),
        flags: entry.flags(),
    })
}

impl Completion {
    /// What a kernel might say of an operation, for tests without one: nothing may be made of it that a kernel would have to
    /// vouch for.
    #[doc(hidden)]
    pub fn simulated(
        token: u64,
        result: rustix::io::Result<usize>,
        buffer: Option<u16>,
        is_last: bool,
    ) -> Self {
        let result = result.map_or_else(|errno| -errno.raw_os_error(), |count| count as i32);
        let buffer = buffer.map_or(0, |id| HAS_BUFFER | u32::from(id) << 16);
        let more = if is_last { 0 } else { 2 };
        Self { token, result, flags: buffer | more }
    }

    /// The token it was asked under.
    #[inline]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// What the call of the same name would have returned.
    ///
    /// # Errors
    ///
    /// Those of that call.
    #[inline]
    pub fn result(&self) -> rustix::io::Result<usize> {
        usize::try_from(self.result).map_err(|_| Errno::from_raw_os_error(-self.result))
    }

    /// Whether no more completions of this operation will come.
    #[inline]
    pub fn is_last(&self) -> bool {
        !cqueue::more(self.flags)
    }

    /// The number of the provided buffer that it has filled, once.
    #[inline]
    pub(super) fn take_buffer_id(&mut self) -> Option<u16> {
        let id = cqueue::buffer_select(self.flags);
        self.flags &= !HAS_BUFFER;
        id
    }
}
