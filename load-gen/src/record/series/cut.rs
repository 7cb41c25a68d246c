//! The division of a window into intervals, and the interval of each instant.

use std::time::Duration;

use crate::plan::window::Window;

/// The window cut into intervals; what comes after it falls into further ones, counted from its end.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The window as it was intended.
    pub window: Window,
    /// Length of an interval, in nanoseconds.
    pub length_ns: u64,
}

impl Cut {
    /// `window` in intervals of `length`, the last of which may be shorter.
    pub fn new(window: Window, length: Duration) -> Self {
        Self { window, length_ns: (length.as_nanos() as u64).max(1) }
    }

    /// Intervals that lie in the window.
    fn inside(&self) -> u64 {
        (self.window.end_ns - self.window.begin_ns).div_ceil(self.length_ns)
    }

    /// The interval of an instant of the window or after it.
    pub fn index(&self, now_ns: u64) -> u64 {
        if now_ns < self.window.end_ns {
            now_ns.saturating_sub(self.window.begin_ns) / self.length_ns
        } else {
            self.inside() + (now_ns - self.window.end_ns) / self.length_ns
        }
    }

    /// The time at which an interval begins.
    pub fn begin_ns(&self, index: u64) -> u64 {
        match index.checked_sub(self.inside()) {
            None => self.window.begin_ns + index * self.length_ns,
            Some(after) => self.window.end_ns + after * self.length_ns,
        }
    }

    /// The time at which an interval ends. One that begins in the window ends with it at the latest.
    pub fn end_ns(&self, index: u64) -> u64 {
        let end_ns = self.begin_ns(index) + self.length_ns;
        if index < self.inside() { end_ns.min(self.window.end_ns) } else { end_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_interval_of_the_window_is_cut_at_its_end_and_others_follow() {
        let window = Window { begin_ns: 1_000, end_ns: 1_000 + 2_500 };
        let cut = Cut::new(window, Duration::from_nanos(1_000));
        assert_eq!([1_000, 1_999, 2_000, 3_499, 3_500, 4_500].map(|now| cut.index(now)), [0, 0, 1, 2, 3, 4]);
        assert_eq!(
            (0..5).map(|index| cut.begin_ns(index)).collect::<Vec<_>>(),
            [1_000, 2_000, 3_000, 3_500, 4_500]
        );
        assert!((0..5).all(|index| cut.end_ns(index) == cut.begin_ns(index + 1)));
    }
}
