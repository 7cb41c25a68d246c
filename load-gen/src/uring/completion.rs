//! What the kernel says of an operation.

use io_uring::cqueue;
use rustix::io::Errno;

/// What became of an operation.
#[derive(Debug, Clone)]
pub struct Completion(cqueue::Entry);

impl From<cqueue::Entry> for Completion {
    fn from(entry: cqueue::Entry) -> Self {
        Self(entry)
    }
}

impl Completion {
    /// The token it was asked under.
    #[inline]
    pub fn token(&self) -> u64 {
        self.0.user_data()
    }

    /// What the call of the same name would have returned.
    ///
    /// # Errors
    ///
    /// Those of that call.
    #[inline]
    pub fn result(&self) -> rustix::io::Result<usize> {
        let result = self.0.result();
        usize::try_from(result).map_err(|_| Errno::from_raw_os_error(-result))
    }

    /// Whether no more completions of this operation will come.
    #[inline]
    pub fn is_last(&self) -> bool {
        !cqueue::more(self.0.flags())
    }

    /// The provided buffer that it has filled.
    #[inline]
    pub fn buffer(&self) -> Option<u16> {
        cqueue::buffer_select(self.0.flags())
    }
}
