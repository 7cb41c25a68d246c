//! A slice: a short window of load on connections that stay open, with accounts that are read where the load is made.
//!
//! Many pools of connections, each a [`Pool`](crate::pool::Pool), can be open at the same time; the workers of those that have no slice
//! sleep. The edges of the window are read by the worker itself, between two requests, so that no other thread runs meanwhile.

pub(crate) mod summary;

use std::sync::Arc;
use std::time::Duration;

use model::campaign::ServerCost;
use model::histogram;
use model::schema::{LoadMode, ServerCounters, WaitPolicy};
use sys::clock::now_ns;
use sys::usage;

use crate::plan::window::Window;
use crate::record::live::Live;
use crate::record::times::Times;

/// The load of one slice.
#[derive(Clone)]
pub struct SliceLoad {
    /// Closed loop, or open loop at a rate.
    pub mode: LoadMode,
    /// The way in which workers wait.
    pub wait: WaitPolicy,
    /// Closed loop that comes before, so that the caches are warm. It is part of no window.
    pub warmup: Duration,
    /// The window.
    pub window: Duration,
    /// The seed of the arrivals: slices with the same seed and rate meet the same ones.
    pub seed: u64,
    /// The server.
    pub account: Arc<dyn Account>,
}

/// An account of a server that can be read without disturbing it.
pub trait Account: Send + Sync {
    /// Everything since the server started. It is called between two requests, so it must not wait.
    fn read(&self) -> ServerReading;
}

/// The resources that a server has used since it started.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerReading {
    /// CPU time of all its threads, in seconds.
    pub cpu_s: f64,
    /// Its counters, if it has any.
    pub counters: Option<ServerCounters>,
    /// The number of times that its threads began to run on a processor; `None` where that cannot be read in passing.
    pub wakeups: Option<u64>,
    /// The time in which its thread was ready to run and had no processor, in seconds; of a server with several threads nothing, since
    /// they wait for one another.
    pub starved_s: Option<f64>,
}

impl ServerReading {
    /// The cost between `earlier` and this reading, `wall_s` seconds later.
    pub fn since(&self, earlier: &Self, wall_s: f64) -> ServerCost {
        let counters = self.counters.zip(earlier.counters).map(|(later, earlier)| later.since(earlier));
        let wakeups = self.wakeups.zip(earlier.wakeups).map(|(later, earlier)| later.saturating_sub(earlier));
        let starved_s = self.starved_s.zip(earlier.starved_s).map(|(later, earlier)| later - earlier);
        ServerCost { wall_s, cpu_s: (self.cpu_s - earlier.cpu_s).max(0.0), counters, wakeups, starved_s }
    }
}

/// A gap in the generator's own time that is longer than this is no scheduling noise: the round does not count.
const LONG_GAP_NS: u64 = 5_000_000;
/// A gap that is longer than this is one that a request can tell: a turn of the worker takes some microseconds.
const GAP_NS: u64 = 100_000;
/// The share of a window that a worker may have waited for a processor.
const STARVED_AT_MOST: f64 = 0.1;
/// The share of requests that the generator may have sent too late, by its own fault, to be part of the window.
const MISSED_AT_MOST: f64 = 0.01;

/// The values that a worker reads at an edge of the window.
struct Reading {
    at_ns: u64,
    answered: u64,
    server: ServerReading,
    worker: usage::ThreadUsage,
    idle_ns: u64,
}

/// The edges of a slice's window: its begin, its middle, its end.
pub struct Edges {
    planned_ns: [u64; 3],
    account: Arc<dyn Account>,
    readings: Vec<Reading>,
    /// The last instant at which the worker was seen to run, and the longest time that it was not.
    seen_ns: u64,
    longest_gap_ns: u64,
    /// The end of the latest gap.
    gap_end_ns: u64,
    /// The length of all gaps since the latest reply.
    gaps_ns: u64,
}

impl Edges {
    /// The edges of a window that nobody knows yet. The worker runs.
    pub fn new(account: Arc<dyn Account>) -> Self {
        let (planned_ns, readings) = ([u64::MAX; 3], Vec::with_capacity(3));
        Self {
            planned_ns,
            account,
            readings,
            seen_ns: now_ns(),
            longest_gap_ns: 0,
            gap_end_ns: 0,
            gaps_ns: 0,
        }
    }

    /// The instant of the next edge; none is left at the end of time.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        self.planned_ns.get(self.readings.len()).copied().unwrap_or(u64::MAX)
    }

    /// The worker runs, and it is `now`.
    #[inline]
    pub fn pass(&mut self, now_ns: u64, live: &Live) {
        self.seen(now_ns);
        if now_ns >= self.next_ns() {
            self.read(live);
        }
    }

    /// The worker runs, and it is `now`, which may be from before an edge was read.
    #[inline]
    fn seen(&mut self, now_ns: u64) {
        let gap_ns = now_ns.saturating_sub(self.seen_ns);
        if gap_ns > GAP_NS {
            self.gap(now_ns, gap_ns);
        }
        self.seen_ns = self.seen_ns.max(now_ns);
    }

    #[cold]
    fn gap(&mut self, now_ns: u64, gap_ns: u64) {
        self.gap_end_ns = now_ns;
        self.gaps_ns += gap_ns;
        let is_inside = (1..3).contains(&self.readings.len());
        if is_inside {
            self.longest_gap_ns = self.longest_gap_ns.max(gap_ns);
        }
    }

    /// The worker has slept since it was last seen, as it meant to, and it is `now`. What it overslept is a gap.
    #[inline]
    pub fn woken(&mut self, now_ns: u64) {
        self.seen_ns = now_ns.min(self.next_ns().max(self.seen_ns));
    }

    #[cold]
    fn read(&mut self, live: &Live) {
        use std::sync::atomic::Ordering::Relaxed;
        // The worker's own account is a file: it is read before what has to be of one instant.
        let worker = usage::this_thread();
        self.readings.push(Reading {
            answered: live.answered.load(Relaxed),
            idle_ns: live.idle_ns.load(Relaxed),
            server: self.account.read(),
            at_ns: now_ns(),
            worker,
        });
        self.seen_ns = self.seen_ns.max(now_ns());
    }

    /// Reads the edges that a run which ended early did not reach.
    pub fn finish(&mut self, live: &Live) {
        while self.readings.len() < 3 {
            self.read(live);
        }
    }
}

/// The accounts of a slice beyond the counts and times of any window. They begin with the first request of its warm-up.
pub struct SliceRecorder {
    /// Durations of the requests of the first half.
    first: histogram::Histogram,
    /// Durations of the requests that met a gap: one in which the worker did not run. In closed loop nobody asks for them.
    disturbed: Option<histogram::Histogram>,
    /// The duration of the first request of all, before the window, and when it was sent.
    first_request: Option<(u64, u64)>,
    last_reply_ns: u64,
    longest_silence_ns: u64,
    /// The same before the window, without the gaps in which the worker did not run: no round is dropped for those.
    warmup_silence_ns: u64,
    /// True if the worker spins, so that its CPU time does not measure its work.
    spins: bool,
    /// The edges.
    pub edges: Edges,
}

impl SliceRecorder {
    /// An empty recorder, of a server with `account`.
    pub fn new(account: Arc<dyn Account>, open_loop: bool, spins: bool) -> Self {
        Self {
            first: histogram::empty(),
            disturbed: open_loop.then(histogram::empty),
            first_request: None,
            last_reply_ns: 0,
            longest_silence_ns: 0,
            warmup_silence_ns: 0,
            spins,
            edges: Edges::new(account),
        }
    }

    /// The window begins at `begin_ns` and ends at `end_ns`.
    pub fn plan(&mut self, Window { begin_ns, end_ns }: Window) {
        self.edges.planned_ns = [begin_ns, begin_ns + (end_ns - begin_ns) / 2, end_ns];
    }

    /// A reply has come at `now_ns` to a request that took `duration_ns`; `is_inside` tells whether it is one of the window.
    #[inline]
    pub fn completed(&mut self, times: Times, now_ns: u64, duration_ns: u64, is_inside: bool) {
        self.edges.seen(now_ns);
        let silence_ns = now_ns - self.last_reply_ns.max(times.sent_ns);
        let gaps_ns = std::mem::take(&mut self.edges.gaps_ns);
        if is_inside {
            self.longest_silence_ns = self.longest_silence_ns.max(silence_ns);
            if times.intended_ns < self.edges.planned_ns[1] {
                self.first.saturating_record(duration_ns);
            }
            // What began before the gap ended had it in its time, or waited for it.
            if times.intended_ns < self.edges.gap_end_ns
                && let Some(disturbed) = &mut self.disturbed
            {
                disturbed.saturating_record(duration_ns);
            }
        } else {
            self.warmup_silence_ns = self.warmup_silence_ns.max(silence_ns.saturating_sub(gaps_ns));
        }
        if self.last_reply_ns == 0 {
            self.first_request = Some((times.sent_ns, now_ns - times.sent_ns));
        }
        self.last_reply_ns = now_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Account for Nothing {
        fn read(&self) -> ServerReading {
            ServerReading::default()
        }
    }

    /// The recorder of a window that has begun, and was just looked at.
    fn begun() -> (SliceRecorder, u64) {
        let begin_ns = now_ns();
        let mut recorder = SliceRecorder::new(Arc::new(Nothing), true, true);
        recorder.plan(Window { begin_ns, end_ns: begin_ns + 1_000_000_000 });
        recorder.edges.pass(begin_ns, &Live::default());
        let seen_ns = recorder.edges.seen_ns;
        (recorder, seen_ns)
    }

    fn answered(recorder: &mut SliceRecorder, intended_ns: u64, now_ns: u64) {
        recorder.completed(Times { intended_ns, sent_ns: intended_ns }, now_ns, now_ns - intended_ns, true);
    }

    /// The number of requests that met a gap.
    fn disturbed(recorder: &SliceRecorder) -> Option<u64> {
        Some(recorder.disturbed.as_ref()?.len())
    }

    #[test]
    fn in_closed_loop_nobody_keeps_apart_what_met_a_gap() {
        let (mut recorder, start_ns) = begun();
        recorder.disturbed = None;
        answered(&mut recorder, start_ns, start_ns + 2 * GAP_NS);
        assert_eq!((disturbed(&recorder), recorder.edges.longest_gap_ns), (None, 2 * GAP_NS));
    }

    #[test]
    fn what_began_before_a_gap_ended_met_it() {
        let (mut recorder, start_ns) = begun();
        answered(&mut recorder, start_ns, start_ns + 20_000);
        assert_eq!(disturbed(&recorder), Some(0));
        // One was under way in the gap, one fell due in it.
        let end_ns = start_ns + 20_000 + GAP_NS + 1;
        answered(&mut recorder, start_ns + 10_000, end_ns);
        answered(&mut recorder, end_ns - 1, end_ns + 10_000);
        assert_eq!(disturbed(&recorder), Some(2));
        answered(&mut recorder, end_ns, end_ns + 20_000);
        assert_eq!((disturbed(&recorder), recorder.edges.longest_gap_ns), (Some(2), GAP_NS + 1));
    }

    #[test]
    fn a_worker_that_is_seen_often_has_no_gap_however_slow_a_reply_is() {
        let (mut recorder, start_ns) = begun();
        for step in 1..=100 {
            recorder.edges.pass(start_ns + step * GAP_NS, &Live::default());
        }
        answered(&mut recorder, start_ns, start_ns + 101 * GAP_NS);
        assert_eq!((disturbed(&recorder), recorder.edges.longest_gap_ns), (Some(0), 0));
    }

    #[test]
    fn sleeping_on_purpose_is_no_gap() {
        let (mut recorder, start_ns) = begun();
        recorder.edges.woken(start_ns + 100 * GAP_NS);
        answered(&mut recorder, start_ns, start_ns + 100 * GAP_NS);
        assert_eq!(disturbed(&recorder), Some(0));
    }

    #[test]
    fn the_first_request_of_all_is_timed_though_it_is_not_in_the_window() {
        let (mut recorder, start_ns) = begun();
        let first = Times { intended_ns: start_ns, sent_ns: start_ns + 5 };
        recorder.completed(first, start_ns + 70_000, 70_000, false);
        answered(&mut recorder, start_ns + 80_000, start_ns + 90_000);
        assert_eq!(recorder.first_request, Some((start_ns + 5, 69_995)));
        assert_eq!(disturbed(&recorder), Some(0));
    }

    #[test]
    fn a_silence_before_the_window_stands_apart_and_is_the_servers_part_of_it() {
        let (mut recorder, start_ns) = begun();
        let mut before = |sent_ns, now_ns| {
            recorder.completed(Times { intended_ns: sent_ns, sent_ns }, now_ns, now_ns - sent_ns, false);
            (recorder.warmup_silence_ns, recorder.longest_silence_ns)
        };
        // In a turn in which it was not looked at, the worker did not run.
        let asleep_ns = start_ns + 50 * GAP_NS;
        assert_eq!(before(start_ns, asleep_ns), (0, 0));
        // While it is seen, it is the server that is silent.
        for step in 1..=50 {
            recorder.edges.pass(asleep_ns + step * GAP_NS, &Live::default());
        }
        let mut before = |sent_ns, now_ns| {
            recorder.completed(Times { intended_ns: sent_ns, sent_ns }, now_ns, now_ns - sent_ns, false);
            (recorder.warmup_silence_ns, recorder.longest_silence_ns)
        };
        assert_eq!(before(asleep_ns, asleep_ns + 50 * GAP_NS), (50 * GAP_NS, 0));
    }
}
