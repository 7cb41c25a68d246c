//! What is read at the two edges of a measured window, and what the difference says of the generator.

use std::sync::atomic::Ordering::Relaxed;

use report::schema::{SystemUsage, WaitPolicy};

use crate::clock::now_ns;
use crate::fleet::{Edge, Observer, PROGRESS_EVERY_NS};
use crate::live::Live;
use crate::machine::usage;
use crate::measure::Window;

/// What was read at one edge of the window.
struct Reading {
    at_ns: u64,
    workers: Vec<WorkerReading>,
    system: SystemUsage,
}

struct WorkerReading {
    idle_ns: u64,
    account: usage::ThreadUsage,
}

/// What two readings say about the generator and its machine: shares of the window, 0 to 1.
pub struct Judgement {
    /// Time the busiest worker spent doing something.
    pub busy: f64,
    /// Time the worst worker had no processor.
    pub starved: f64,
    /// Time the hypervisor took.
    pub steal: f64,
}

/// Keeps the time of a run: when to read the edges of its window, when to tell progress.
pub struct Watch {
    window: Window,
    readings: Vec<Reading>,
    next_progress_ns: u64,
}

impl Watch {
    /// A watch over `window`.
    pub fn new(window: Window) -> Self {
        Self { window, readings: Vec::with_capacity(2), next_progress_ns: now_ns() + PROGRESS_EVERY_NS }
    }

    fn next_edge_ns(&self) -> u64 {
        match self.readings.len() {
            0 => self.window.begin_ns,
            1 => self.window.end_ns,
            _ => u64::MAX,
        }
    }

    /// When there is something to do next.
    pub fn next_wake_ns(&self) -> u64 {
        self.next_edge_ns().min(self.next_progress_ns)
    }

    /// Whether an edge has been reached and not been read.
    pub fn edge_is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.next_edge_ns()
    }

    /// How many edges have been read.
    pub fn edges_read(&self) -> usize {
        self.readings.len()
    }

    /// Progress was told; the next is due a while later.
    pub fn progress_told(&mut self) {
        self.next_progress_ns = now_ns() + PROGRESS_EVERY_NS;
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
        });
    }

    /// What the two edges say, once both have been read.
    pub fn judgement(&self, wait: WaitPolicy) -> Judgement {
        let [begin, end] = &self.readings[..] else {
            return Judgement { busy: 0.0, starved: 0.0, steal: 0.0 };
        };
        let window_s = ((end.at_ns - begin.at_ns) as f64 / 1e9).max(1e-9);
        let worst = |share: &dyn Fn(&WorkerReading, &WorkerReading) -> f64| {
            begin.workers.iter().zip(&end.workers).map(|(begin, end)| share(begin, end)).fold(0.0, f64::max)
        };
        let busy = worst(&|begin, end| match wait {
            WaitPolicy::Spin => 1.0 - (end.idle_ns - begin.idle_ns) as f64 / 1e9 / window_s,
            WaitPolicy::Sleep => (end.account.cpu_s - begin.account.cpu_s) / window_s,
        });
        let starved = worst(&|begin, end| (end.account.starved_s - begin.account.starved_s) / window_s);
        let system = usage::system_since(end.system, begin.system);
        // Counted in ticks, so that one of them says nothing about a short window.
        let tick_s = 1.0 / rustix::param::clock_ticks_per_second() as f64;
        let steal_s = (system.steal_s - tick_s).max(0.0);
        let steal = steal_s / (window_s * f64::from(system.processors.max(1)));
        Judgement { busy: busy.clamp(0.0, 1.0), starved, steal }
    }
}
