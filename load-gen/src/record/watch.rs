//! The readings at the two edges of a measured window, and what their difference says of the generator.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use model::schema::{CpuQuota, WaitPolicy};
use sys::clock::now_ns;
use sys::processors;
use sys::quota::{self, Groups};
use sys::usage;

use crate::plan::window::Window;
use crate::record::live::Live;
use crate::record::observer::{Edge, Observer};

/// The delay in waking beyond which the generator as a whole is said to have stood still. The watch sleeps nearly
/// always, so that the scheduler lets it run soon when it wakes; with far more work than processors it was 120 ms late.
const STOOD_STILL_NS: u64 = 200_000_000;

/// The longest time that the watch sleeps: a stop can begin in the middle of a sleep, and only the part of it after
/// that sleep is seen.
const WAKE_EVERY_NS: u64 = 100_000_000;

/// The values read at one edge of the window.
struct Reading {
    at_ns: u64,
    workers: Vec<WorkerReading>,
    system: usage::SystemUsage,
    held_back_s: Vec<f64>,
}

struct WorkerReading {
    idle_ns: u64,
    account: usage::ThreadUsage,
}

/// The conclusions on generator and machine from two readings: shares of the window, 0 to 1, if no unit is given.
#[derive(Default)]
pub struct Judgement {
    /// Time the busiest worker spent doing something.
    pub busy: f64,
    /// Time the worst worker had no processor.
    pub starved: f64,
    /// Time the hypervisor took.
    pub steal: f64,
    /// Time in which the whole process stood still, in seconds.
    pub stood_still_s: f64,
    /// The CPU quota that it was under, and what that withheld.
    pub quota: Option<CpuQuota>,
}

/// Keeps the time of a run: when to read the edges of its window, when to tell progress.
pub struct Watch {
    window: Window,
    readings: Vec<Reading>,
    progress_every_ns: u64,
    next_progress_ns: u64,
    stood_still_ns: u64,
    groups: Groups,
}

impl Watch {
    /// A watch over `window` that tells progress every so often.
    pub fn new(window: Window, progress_every: Duration) -> Self {
        let progress_every_ns = progress_every.as_nanos() as u64;
        let next_progress_ns = now_ns() + progress_every_ns;
        Self {
            window,
            readings: Vec::with_capacity(2),
            progress_every_ns,
            next_progress_ns,
            stood_still_ns: 0,
            groups: Groups::of_this_process(),
        }
    }

    fn next_edge_ns(&self) -> u64 {
        match self.readings.len() {
            0 => self.window.begin_ns,
            1 => self.window.end_ns,
            _ => u64::MAX,
        }
    }

    /// The time at which to wake next.
    pub fn next_wake_ns(&self) -> u64 {
        self.next_edge_ns().min(self.next_progress_ns).min(now_ns() + WAKE_EVERY_NS)
    }

    /// Returns whether progress is to be reported.
    pub fn progress_is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.next_progress_ns
    }

    /// The watch, which was to wake at `wake_ns`, has woken. Much later than that means that the process was stopped
    /// (SIGSTOP, a debugger, a frozen control group), which shows in no account of processor time.
    pub fn woken(&mut self, wake_ns: u64, now_ns: u64) {
        let late_ns = now_ns.min(self.window.end_ns).saturating_sub(wake_ns.max(self.window.begin_ns));
        if late_ns > STOOD_STILL_NS {
            self.stood_still_ns += late_ns;
        }
    }

    /// Returns whether an edge has been reached and has not been read.
    pub fn edge_is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.next_edge_ns()
    }

    /// The number of edges that have been read.
    pub fn edges_read(&self) -> usize {
        self.readings.len()
    }

    /// Progress was told; the next is due a while later.
    pub fn progress_told(&mut self) {
        // A process that was stopped does not make up for what it missed.
        self.next_progress_ns = (self.next_progress_ns + self.progress_every_ns).max(now_ns());
    }

    /// Reads everything that is read at an edge.
    pub fn read_edge<'a>(
        &mut self,
        workers: impl Iterator<Item = &'a Live> + Clone,
        observer: &mut dyn Observer,
    ) {
        let edge = if self.readings.is_empty() { Edge::Begin } else { Edge::End };
        observer.edge(edge, workers.clone().map(|live| live.answered.load(Relaxed)).sum());
        self.readings.push(Reading {
            at_ns: now_ns(),
            workers: workers
                .map(|live| WorkerReading {
                    idle_ns: live.idle_ns.load(Relaxed),
                    account: usage::thread(live.thread_id.load(Relaxed)),
                })
                .collect(),
            system: usage::system().unwrap_or_default(),
            held_back_s: self.groups.held_back_s(),
        });
    }

    /// The conclusions from the two edges; all zero until both have been read.
    pub fn judgement(&self, wait: WaitPolicy) -> Judgement {
        let [begin, end] = &self.readings[..] else { return Judgement::default() };
        let window_s = ((end.at_ns - begin.at_ns) as f64 / 1e9).max(1e-9);
        let worst = |share: &dyn Fn(&WorkerReading, &WorkerReading) -> f64| {
            begin.workers.iter().zip(&end.workers).map(|(begin, end)| share(begin, end)).fold(0.0, f64::max)
        };
        let busy = worst(&|begin, end| match wait {
            WaitPolicy::Spin => 1.0 - (end.idle_ns - begin.idle_ns) as f64 / 1e9 / window_s,
            WaitPolicy::Sleep => (end.account.cpu_s - begin.account.cpu_s) / window_s,
        });
        let starved = worst(&|begin, end| (end.account.starved_s - begin.account.starved_s) / window_s);
        Judgement {
            busy: busy.clamp(0.0, 1.0),
            starved,
            steal: usage::stolen(usage::system_since(end.system, begin.system), window_s),
            stood_still_s: self.stood_still_ns as f64 / 1e9,
            quota: self.quota(begin, end, window_s),
        }
    }

    /// The tightest quota, with the most that any of the groups around this process was held back.
    fn quota(&self, begin: &Reading, end: &Reading, window_s: f64) -> Option<CpuQuota> {
        let allowed = processors::allowed().ok()?.len() as f64;
        let quota = self.groups.quota().filter(|quota| quota.processors < allowed)?;
        Some(CpuQuota {
            processors: quota.processors,
            setting: quota.setting.display().to_string(),
            held_back: quota::held_back(&begin.held_back_s, &end.held_back_s, window_s),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_window_counts_as_standing_still() {
        const S: u64 = 1_000_000_000;
        let stood_still = |wake_ns, now_ns| {
            let mut watch = Watch::new(Window { begin_ns: 10 * S, end_ns: 20 * S }, Duration::from_secs(1));
            watch.woken(wake_ns, now_ns);
            watch.stood_still_ns / 1_000_000
        };
        assert_eq!(stood_still(12 * S, 12 * S + 150_000_000), 0, "a little late");
        assert_eq!(stood_still(12 * S, 13 * S), 1_000);
        assert_eq!(stood_still(9 * S, 11 * S), 1_000, "from the beginning on");
        assert_eq!(stood_still(19 * S, 30 * S), 1_000, "up to the end");
        assert_eq!(stood_still(5 * S, 9 * S) + stood_still(20 * S, 30 * S), 0, "before and after");
    }
}
