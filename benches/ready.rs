//! The cost of one wait over the descriptors that are ready, of 10,000 watched: what a busy server pays, where `wait` is
//! about an idle one.

mod support;

use std::os::fd::RawFd;

use evidence::reproductions::waiters::{MECHANISMS, Wait, waiter};
use muxbench::experiment::environment::Pinning;
use sys::limits;

use support::eventfds::Eventfds;
use support::{At, Collector, criterion_on, timed};

/// Descriptors watched, where the limit allows.
const WATCHED: u32 = 10_000;
/// Descriptors ready; no more than one call can report everywhere (a server's loops take 1,024 events at a time).
const READY: [u32; 4] = [1, 10, 100, 1_000];

struct Point {
    eventfds: Eventfds,
    waiter: Box<dyn Wait>,
    /// The positions of those that are made ready, evenly spread.
    chosen: Vec<usize>,
    expected: Vec<RawFd>,
    found: Vec<RawFd>,
}

impl Point {
    fn new(mechanism: &str, watched: u32, ready: u32) -> Self {
        let eventfds = Eventfds::new(watched);
        let descriptors = eventfds.descriptors();
        let chosen: Vec<usize> =
            (0..ready).map(|at| (u64::from(at) * u64::from(watched) / u64::from(ready)) as usize).collect();
        let expected = chosen.iter().map(|&at| descriptors[at]).collect();
        let waiter = waiter(mechanism, &descriptors);
        Self { eventfds, waiter, chosen, expected, found: Vec::with_capacity(ready as usize) }
    }

    /// Makes them ready, waits, and takes the readiness away again; returns the wait's nanoseconds.
    fn wait(&mut self) -> u64 {
        self.chosen.iter().for_each(|&at| self.eventfds.raise(at));
        self.found.clear();
        let ((), taken_ns) = timed(|| self.waiter.wait(&mut self.found));
        // epoll hands them over in the order in which they became ready, the others in that of their numbers: the same.
        assert_eq!(self.found, self.expected, "the wait reports what is ready, and nothing else");
        self.chosen.iter().for_each(|&at| self.eventfds.lower(at));
        taken_ns
    }
}

fn main() {
    let pinning = Pinning::choose();
    let watched = WATCHED.min(Eventfds::most(limits::raise_descriptors()));
    let ready: Vec<u32> = READY.into_iter().filter(|&ready| ready <= watched).collect();
    let what = "one wait without time limit, and the scan that finds what is ready (eventfds)";
    let collector = Collector::new("ready", what, MECHANISMS.len() * ready.len());
    let mut criterion = criterion_on(pinning.server);
    for ready in ready {
        for mechanism in MECHANISMS {
            let at = At { id: format!("{mechanism}/{ready}"), mechanism, watched, ready, a_call: 1 };
            collector.point_at(&mut criterion, &at, || Point::new(mechanism, watched, ready), Point::wait);
        }
    }
    criterion.final_summary();
    collector.write();
}
