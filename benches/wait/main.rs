//! The cost of one wait with one descriptor ready, over the descriptors watched.

#[path = "../support/mod.rs"]
mod support;
mod waiters;
mod watched;

use criterion::Criterion;
use load_gen::machine;
use muxbench::experiment::environment::Pinning;

use support::{Collector, timed};
use waiters::{Epoll, Poll, Select, Wait};
use watched::Watched;

/// Descriptors watched, where the limit allows.
const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];

/// Set-up, outside of what is timed, and one wait, which is.
struct Point {
    watched: Watched,
    waiter: Box<dyn Wait>,
}

impl Point {
    fn new(mechanism: &str, size: u32, pinning: Pinning) -> Self {
        let watched = Watched::connect(size, pinning.generator);
        let waiter: Box<dyn Wait> = match mechanism {
            "select" => Box::new(Select::new(watched.descriptors())),
            "poll" => Box::new(Poll::new(watched.descriptors())),
            "epoll-lt" => Box::new(Epoll::level(watched.descriptors())),
            _ => Box::new(Epoll::edge(watched.descriptors())),
        };
        Self { watched, waiter }
    }

    /// Makes one descriptor ready, waits, and takes the readiness away again; returns the wait's nanoseconds.
    fn wait(&mut self) -> u64 {
        let expected = self.watched.make_one_ready();
        let (found, taken_ns) = timed(|| self.waiter.wait());
        assert_eq!(found, expected, "the wait reports the descriptor that is ready, and no other");
        self.watched.drain();
        taken_ns
    }
}

fn main() {
    let pinning = Pinning::choose();
    let room = Watched::most(machine::raise_descriptor_limit());
    let mut sizes: Vec<u32> = SIZES.into_iter().map(|size| size.min(room)).collect();
    sizes.dedup();
    let mechanisms = ["select", "poll", "epoll-lt", "epoll-et"];
    let what = "one wait without time limit, one of the watched TCP connections ready";
    let collector = Collector::new("wait", what, mechanisms.len() * sizes.len());
    if let Some(cpu) = pinning.server {
        machine::pin_to(cpu).expect("an allowed processor");
    }
    let mut criterion = Criterion::default().configure_from_args();
    for size in sizes {
        for mechanism in mechanisms {
            let make = || Point::new(mechanism, size, pinning);
            collector.point(&mut criterion, mechanism, size, make, Point::wait);
        }
    }
    criterion.final_summary();
    collector.write();
}
