//! The measured window.

/// The measured window, in nanoseconds of [`sys::clock`]. A request belongs to it if its clock started
/// inside, however late its reply comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant inside.
    pub begin_ns: u64,
    /// First instant after.
    pub end_ns: u64,
}

impl Window {
    /// One that never begins.
    pub const NEVER: Self = Self { begin_ns: u64::MAX, end_ns: u64::MAX };

    /// Returns whether an instant lies inside.
    #[inline]
    pub fn contains(&self, instant_ns: u64) -> bool {
        self.begin_ns <= instant_ns && instant_ns < self.end_ns
    }
}
