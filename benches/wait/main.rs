//! The cost of one wait with one descriptor ready, over the descriptors watched.

#[path = "../support/mod.rs"]
mod support;
mod watched;

use std::os::fd::RawFd;

use evidence::reproductions::waiters::{MECHANISMS, Wait, waiter};
use muxbench::experiment::environment::Pinning;
use sys::limits;

use support::{Collector, criterion_on, timed};
use watched::Watched;

/// Descriptors watched, where the limit allows.
const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];
/// Of these, the sizes that are measured with sparse numbers too.
const SPARSE_SIZES: [u32; 2] = [10, 100];
/// The highest descriptor that the sets of the C library's select(3) have a bit for: FD_SETSIZE - 1.
const HIGHEST: RawFd = 1_023;

/// Set-up, outside of what is timed, and one wait, which is.
struct Point {
    watched: Watched,
    waiter: Box<dyn Wait>,
    found: Vec<RawFd>,
}

impl Point {
    fn new(mechanism: &str, watched: Watched) -> Self {
        let waiter = waiter(mechanism, watched.descriptors());
        Self { watched, waiter, found: Vec::with_capacity(1) }
    }

    /// Makes one descriptor ready, waits, and takes the readiness away again; returns the wait's nanoseconds.
    fn wait(&mut self) -> u64 {
        let expected = self.watched.make_one_ready();
        self.found.clear();
        let ((), taken_ns) = timed(|| self.waiter.wait(&mut self.found));
        assert_eq!(self.found, [expected], "the wait reports the descriptor that is ready, and no other");
        self.watched.drain();
        taken_ns
    }
}

fn main() {
    let pinning = Pinning::choose();
    let room = Watched::most(limits::raise_descriptors());
    let mut sizes: Vec<u32> = SIZES.into_iter().map(|size| size.min(room)).collect();
    sizes.dedup();
    let what = "one wait without time limit, one of the watched TCP connections ready";
    let dense = Collector::new("wait", what, MECHANISMS.len() * sizes.len());
    let what = "one wait without time limit, one of the watched TCP connections ready, their descriptors spread over the \
                numbers up to 1,023";
    let sparse = Collector::new("wait-sparse", what, MECHANISMS.len() * SPARSE_SIZES.len());
    let connect = |size| Watched::connect(size, pinning.generator);
    let mut criterion = criterion_on(pinning.server);
    for size in sizes {
        for mechanism in MECHANISMS {
            let make = || Point::new(mechanism, connect(size));
            dense.point(&mut criterion, mechanism, size, make, Point::wait);
        }
    }
    for size in SPARSE_SIZES {
        for mechanism in MECHANISMS {
            let make = || Point::new(mechanism, connect(size).spread(HIGHEST));
            sparse.point(&mut criterion, mechanism, size, make, Point::wait);
        }
    }
    criterion.final_summary();
    dense.write();
    sparse.write();
}
