//! The counts and times of one worker in one measured window.

use std::sync::Arc;

use model::histogram::{self, Histogram};
use sys::clock::now_ns;

use crate::fault::{Fault, Faults};
use crate::plan::window::Window;
use crate::record::live::{self, Live};
use crate::record::sample::Sample;
use crate::record::series::Writer;
use crate::record::slice::SliceRecorder;
use crate::record::times::{Delay, Times};
use crate::record::timestamps::KernelStamps;
use crate::record::turnover::TurnoverCounts;

/// The counts and times of one worker during a window. All its memory is taken before the load begins; a series
/// exchanges memory that is ready.
pub struct Recorder {
    /// The window.
    pub window: Window,
    /// The planned end of the window, which may have ended earlier.
    planned_end_ns: u64,
    /// True if there is a schedule, so that response and lateness have a meaning.
    open_loop: bool,
    /// The counters and latencies that others can read during the window.
    live: Arc<Live>,
    /// Requests whose clock started inside.
    pub scheduled: u64,
    /// Of those, answered correctly.
    pub completed: u64,
    /// Of those, failed.
    pub faults: Faults,
    /// Of those, not written whole at once.
    pub delayed: u64,
    /// Of those, never sent before the run ended, and not failed.
    pub unsent: u64,
    /// Of those, sent after the window had ended, or never, though nothing but the generator kept them: no full socket, no
    /// unanswered request before them, no lost connection.
    pub missed: u64,
    /// Of the missed, those that were never sent, and those that were and have no reply.
    pub missed_unsent: u64,
    /// See [`missed_unsent`](Self::missed_unsent).
    pub missed_unanswered: u64,
    /// Replies that arrived inside the window, whenever their clock had started.
    pub replies_inside: u64,
    /// Intended send to last byte of the reply.
    pub response: Histogram,
    /// Actual send to last byte of the reply.
    pub service: Histogram,
    /// Intended send to actual send.
    pub lateness: Histogram,
    /// The same of requests that were held back on purpose, or whose socket was full.
    pub lateness_held: Histogram,
    /// Connections that were replaced or became active for others.
    pub turnover: TurnoverCounts,
    /// The samples for the self-check: of this worker, and after a merge of the others too. Empty in closed loop.
    pub samples: Vec<Sample>,
    /// The time series, if one was asked for.
    pub series: Option<Writer>,
    /// The kernel's time-stamps, if they were asked for.
    pub stamps: Option<KernelStamps>,
    /// The recorder of a slice, if this is one.
    pub slice: Option<SliceRecorder>,
}

impl Recorder {
    /// An empty recorder for `window`.
    pub fn new(window: Window, open_loop: bool, live: Arc<Live>) -> Self {
        Self::with(histogram::empty, window, open_loop, live)
    }

    /// One that records nothing but what is live, and takes next to no memory.
    pub fn idle(live: Arc<Live>) -> Self {
        let smallest = || Histogram::new_with_bounds(1, 2, 1).expect("valid bounds");
        Self::with(smallest, Window::NEVER, false, live)
    }

    fn with(empty: fn() -> Histogram, window: Window, open_loop: bool, live: Arc<Live>) -> Self {
        Self {
            window,
            planned_end_ns: window.end_ns,
            open_loop,
            live,
            scheduled: 0,
            completed: 0,
            faults: Faults::default(),
            delayed: 0,
            unsent: 0,
            missed: 0,
            missed_unsent: 0,
            missed_unanswered: 0,
            replies_inside: 0,
            response: empty(),
            service: empty(),
            lateness: empty(),
            lateness_held: empty(),
            turnover: TurnoverCounts::default(),
            samples: Vec::new(),
            series: None,
            stamps: None,
            slice: None,
        }
    }

    /// Returns whether there is a schedule.
    pub fn is_open_loop(&self) -> bool {
        self.open_loop
    }

    /// A request fell due.
    #[inline]
    pub fn due(&mut self, intended_ns: u64) {
        self.scheduled += u64::from(self.window.contains(intended_ns));
        live::add(&self.live.due, 1);
        if let Some(sample) = self.samples.first_mut() {
            sample.due(intended_ns, 1);
        }
    }

    /// So many requests fell due about `intended_ns`, in one part of the window, and were never begun, by whose doing.
    #[cold]
    pub fn never_begun(&mut self, intended_ns: u64, count: u64, by: Delay) {
        if !self.window.contains(intended_ns) {
            return;
        }
        self.scheduled += count;
        live::add(&self.live.due, count);
        if let Some(sample) = self.samples.first_mut() {
            sample.due(intended_ns, count);
        }
        self.never_sent(count, by);
    }

    /// In open loop, a request is handed to its engine now: to its socket, whether or not that has room, or to the queue of
    /// the next call. The call itself is booked by [`Recorder::sent`].
    #[inline]
    pub fn tried(&mut self, intended_ns: u64, now_ns: u64) {
        if let Some(sample) = self.samples.first_mut() {
            sample.tried(intended_ns, now_ns);
        }
    }

    /// A request was sent.
    #[inline]
    pub fn sent(&mut self, times: Times) {
        if self.open_loop && self.window.contains(times.intended_ns) {
            self.lateness.saturating_record(times.sent_ns - times.intended_ns);
            self.missed += u64::from(times.sent_ns >= self.window.end_ns);
        }
    }

    /// A request was sent that had waited for room in its socket, or for replies to those before it: the server's doing,
    /// however late it is.
    #[cold]
    pub fn sent_after_wait(&mut self, times: Times) {
        if self.open_loop && self.window.contains(times.intended_ns) {
            self.lateness.saturating_record(times.sent_ns - times.intended_ns);
            self.lateness_held.saturating_record(times.sent_ns - times.intended_ns);
        }
    }

    /// A request that fell due was never sent, by whose doing.
    #[cold]
    pub fn unsent(&mut self, intended_ns: u64, by: Delay) {
        if self.window.contains(intended_ns) {
            self.never_sent(1, by);
        }
    }

    /// So many requests of the window, in the count already, were never sent, by whose doing.
    pub fn never_sent(&mut self, count: u64, by: Delay) {
        self.unsent += count;
        if by == Delay::Generator {
            self.missed += count;
            self.missed_unsent += count;
        }
    }

    /// A request that nothing but the generator kept was sent, and no reply has come when the run has ended.
    #[cold]
    pub fn unanswered(&mut self, times: Times) {
        if self.open_loop && self.window.contains(times.intended_ns) {
            self.missed_unanswered += u64::from(times.sent_ns >= self.planned_end_ns);
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
        if let Some(slice) = &mut self.slice {
            let from_ns = if self.open_loop { times.intended_ns } else { times.sent_ns };
            slice.completed(times, now_ns, now_ns - from_ns, self.window.contains(times.intended_ns));
        }
        if self.window.contains(times.intended_ns) {
            self.completed += 1;
            self.service.saturating_record(now_ns - times.sent_ns);
            if self.open_loop {
                self.response.saturating_record(now_ns - times.intended_ns);
            }
            if let Some(latencies) = &self.live.latencies {
                latencies.record(self.open_loop.then(|| now_ns - times.intended_ns), now_ns - times.sent_ns);
            }
            if let Some(sample) = self.samples.first_mut() {
                sample.answered(times.intended_ns, now_ns - times.intended_ns);
            }
            if let Some(series) = &mut self.series {
                let response_ns = self.open_loop.then(|| now_ns - times.intended_ns);
                series.completed(now_ns, response_ns, now_ns - times.sent_ns);
            }
        }
    }

    /// The request completed last came to the kernel at `received_ns` of its clock, and was read `now_ns`.
    #[inline]
    pub fn stamped(&mut self, times: Times, received_ns: u64, now_ns: u64) {
        if let Some(stamps) = self.stamps.as_mut().filter(|_| self.window.contains(times.intended_ns)) {
            stamps.record(times.intended_ns, received_ns, now_ns);
        }
    }

    /// A request failed.
    #[cold]
    pub fn failed(&mut self, intended_ns: u64, fault: Fault) {
        if self.window.contains(intended_ns) {
            self.faults.add(fault);
            if let Some(series) = &mut self.series {
                series.failed(now_ns());
            }
        }
        live::add(&self.live.failed, 1);
    }

    /// Both together: what two workers recorded for the same window, which ends with the later of them.
    pub fn merge(mut self, other: Self) -> Self {
        self.window.end_ns = self.window.end_ns.max(other.window.end_ns);
        self.scheduled += other.scheduled;
        self.completed += other.completed;
        self.faults.merge(&other.faults);
        self.delayed += other.delayed;
        self.unsent += other.unsent;
        self.turnover.merge(&other.turnover);
        self.missed += other.missed;
        self.missed_unsent += other.missed_unsent;
        self.missed_unanswered += other.missed_unanswered;
        self.replies_inside += other.replies_inside;
        for (mine, theirs) in [
            (&mut self.response, &other.response),
            (&mut self.service, &other.service),
            (&mut self.lateness, &other.lateness),
            (&mut self.lateness_held, &other.lateness_held),
        ] {
            mine.add(theirs).expect("all histograms have the project's bounds");
        }
        self.samples.extend(other.samples);
        if let (Some(mine), Some(theirs)) = (&mut self.stamps, &other.stamps) {
            mine.merge(theirs);
        }
        self
    }

    /// Intended send to actual send of the requests that nothing held back: what this side added. None where nothing was.
    pub fn own_lateness(&self) -> Option<Histogram> {
        (!self.lateness_held.is_empty()).then(|| {
            let mut own = self.lateness.clone();
            own.subtract(&self.lateness_held).expect("what was held is a part of all");
            own
        })
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
        let mut recorder = Recorder::new(WINDOW, true, Arc::default());
        for intended_ns in [99, 100, 199, 200] {
            recorder.due(intended_ns);
            recorder.sent(times(intended_ns, intended_ns + 5));
            recorder.completed(times(intended_ns, intended_ns + 5), intended_ns + 1_000);
        }
        assert_eq!((recorder.scheduled, recorder.completed, recorder.outstanding()), (2, 2, 0));
        assert_eq!(recorder.response.len(), 2);
        // The one of 199 left after the window: the rate was missed by that much.
        assert_eq!(recorder.missed, 1);
    }

    #[test]
    fn what_is_neither_answered_nor_failed_is_outstanding() {
        let mut recorder = Recorder::new(WINDOW, false, Arc::default());
        (0..3).for_each(|_| recorder.due(150));
        recorder.completed(times(150, 150), 160);
        recorder.failed(150, Fault::Reset);
        assert_eq!(recorder.outstanding(), 1);
        assert!(recorder.response.is_empty() && recorder.lateness.is_empty(), "closed loop has no schedule");
    }
}
