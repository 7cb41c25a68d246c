//! The books of one measured window.

use std::sync::Arc;

use report::histogram::{self, Histogram};

use crate::fault::{Fault, Faults};
use crate::live::Live;

/// The measured window, in nanoseconds of [`crate::clock`]. A request belongs to it if its clock started
/// inside, however late its reply comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant inside.
    pub begin_ns: u64,
    /// First instant after.
    pub end_ns: u64,
}

impl Window {
    /// Whether an instant lies inside.
    #[inline]
    pub fn contains(&self, instant_ns: u64) -> bool {
        self.begin_ns <= instant_ns && instant_ns < self.end_ns
    }
}

/// One request from the instant it fell due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When the schedule intended it; in closed loop, when it was sent.
    pub intended_ns: u64,
    /// When its first byte was handed to the kernel.
    pub sent_ns: u64,
}

/// What one worker counts and times during a window. Nothing here allocates after [`Recorder::new`].
pub struct Recorder {
    /// The window.
    pub window: Window,
    /// Whether there is a schedule, so that response and lateness mean something.
    open_loop: bool,
    /// Where latencies are shown while they are measured.
    live: Arc<Live>,
    /// Requests whose clock started inside.
    pub scheduled: u64,
    /// Of those, answered correctly.
    pub completed: u64,
    /// Of those, failed.
    pub faults: Faults,
    /// Of those, not written whole at once.
    pub delayed: u64,
    /// Of those, sent before the window ended.
    pub sent_in_time: u64,
    /// Replies that arrived inside the window, whenever their clock had started.
    pub replies_inside: u64,
    /// Intended send to last byte of the reply.
    pub response: Histogram,
    /// Actual send to last byte of the reply.
    pub service: Histogram,
    /// Intended send to actual send.
    pub lateness: Histogram,
}

impl Recorder {
    /// Empty books for `window`.
    pub fn new(window: Window, open_loop: bool, live: Arc<Live>) -> Self {
        Self {
            window,
            open_loop,
            live,
            scheduled: 0,
            completed: 0,
            faults: Faults::default(),
            delayed: 0,
            sent_in_time: 0,
            replies_inside: 0,
            response: histogram::empty(),
            service: histogram::empty(),
            lateness: histogram::empty(),
        }
    }

    /// A request fell due.
    #[inline]
    pub fn due(&mut self, intended_ns: u64) {
        self.scheduled += u64::from(self.window.contains(intended_ns));
    }

    /// A request was sent.
    #[inline]
    pub fn sent(&mut self, times: Times) {
        if self.open_loop && self.window.contains(times.intended_ns) {
            self.lateness.saturating_record(times.sent_ns - times.intended_ns);
            self.sent_in_time += u64::from(times.sent_ns < self.window.end_ns);
        }
    }

    /// A request could not be written whole at once.
    #[cold]
    pub fn delayed(&mut self, intended_ns: u64) {
        self.delayed += u64::from(self.window.contains(intended_ns));
    }

    /// A request was answered correctly.
    #[inline]
    pub fn completed(&mut self, times: Times, now_ns: u64) {
        self.replies_inside += u64::from(self.window.contains(now_ns));
        if self.window.contains(times.intended_ns) {
            self.completed += 1;
            self.service.saturating_record(now_ns - times.sent_ns);
            if self.open_loop {
                self.response.saturating_record(now_ns - times.intended_ns);
            }
            if let Some(latencies) = &self.live.latencies {
                latencies.record(now_ns - times.intended_ns);
            }
        }
    }

    /// A request failed.
    #[cold]
    pub fn failed(&mut self, intended_ns: u64, fault: Fault) {
        if self.window.contains(intended_ns) {
            self.faults.add(fault);
        }
    }

    /// Adds the books of another worker for the same window.
    pub fn merge(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.completed += other.completed;
        self.faults.merge(&other.faults);
        self.delayed += other.delayed;
        self.sent_in_time += other.sent_in_time;
        self.replies_inside += other.replies_inside;
        for (mine, theirs) in [
            (&mut self.response, &other.response),
            (&mut self.service, &other.service),
            (&mut self.lateness, &other.lateness),
        ] {
            mine.add(theirs).expect("all histograms have the project's bounds");
        }
    }

    /// Requests of the window that are neither answered nor failed.
    pub fn outstanding(&self) -> u64 {
        self.scheduled - self.completed - self.faults.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { begin_ns: 100, end_ns: 200 };

    fn times(intended_ns: u64, sent_ns: u64) -> Times {
        Times { intended_ns, sent_ns }
    }

    #[test]
    fn a_request_belongs_to_the_window_in_which_its_clock_started() {
        let mut books = Recorder::new(WINDOW, true, Arc::default());
        for intended_ns in [99, 100, 199, 200] {
            books.due(intended_ns);
            books.sent(times(intended_ns, intended_ns + 5));
            books.completed(times(intended_ns, intended_ns + 5), intended_ns + 1_000);
        }
        assert_eq!((books.scheduled, books.completed, books.outstanding()), (2, 2, 0));
        assert_eq!(books.response.len(), 2);
        // The one of 199 left after the window: the rate was missed by that much.
        assert_eq!(books.sent_in_time, 1);
    }

    #[test]
    fn what_is_neither_answered_nor_failed_is_outstanding() {
        let mut books = Recorder::new(WINDOW, false, Arc::default());
        (0..3).for_each(|_| books.due(150));
        books.completed(times(150, 150), 160);
        books.failed(150, Fault::Reset);
        assert_eq!(books.outstanding(), 1);
        assert!(books.response.is_empty() && books.lateness.is_empty(), "closed loop has no schedule");
    }
}
