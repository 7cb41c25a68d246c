//! One random descriptor ready of N: TLPI's table, and Kegel's.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use load_gen::plan::schedule;
use rand::RngExt;
use sys::clock;

use super::channels::Channels;
use super::waiters;
use super::{Case, Table, head};

/// The names of the two tables.
pub const TLPI_NAME: &str = "tlpi";
pub const KEGEL_NAME: &str = "kegel";

/// The time for which one figure is measured in each repeat.
const BUDGET: Duration = Duration::from_millis(250);
/// Operations that are made before those that count.
const WARM_UP: u32 = 200;

/// Published for N = 10, 100, 1,000 and 10,000: processor seconds for 100,000 operations.
const TLPI: [(&str, [f64; 4]); 3] = [
    ("poll", [0.61, 2.9, 35.0, 990.0]),
    ("select", [0.73, 3.0, 35.0, 930.0]),
    ("epoll-lt", [0.41, 0.42, 0.53, 0.66]),
];
const TLPI_SIZES: [u32; 4] = [10, 100, 1_000, 10_000];
const TLPI_OPERATIONS: f64 = 100_000.0;

/// Published for 100, 1,000 and 10,000, in microseconds.
const KEGEL: [f64; 3] = [49.0, 1_184.0, 14_660.0];
const KEGEL_SIZES: [u32; 3] = [100, 1_000, 10_000];

/// M. Kerrisk, The Linux Programming Interface, Table 63-9.
pub fn tlpi(limit: u32) -> Table<'static> {
    let head = head(
        TLPI_NAME,
        "TLPI, Table 63-9: time for 100,000 monitoring operations",
        "M. Kerrisk, The Linux Programming Interface (2010), section 63.4.5; Linux 2.6.25",
        "N pipes; a byte is written to a random one, all reading ends are monitored, the byte is read. What is \
         timed is the monitoring operation and the scan that finds what is ready.",
        "Ours is wall time of the operation alone on a processor of its own, where it never sleeps, so that it is its \
         processor time; each figure is measured for a quarter of a second in each of six repeats and given for \
         100,000. A pipe has two descriptors, so that a limit of 20,000 allows 9,970 pipes for 10,000. The kernel is \
         eighteen years younger, and so is the processor.",
        "s",
    );
    let cases = TLPI.into_iter().flat_map(|(mechanism, published)| {
        TLPI_SIZES.into_iter().zip(published).map(move |(size, published)| {
            let watched = Channels::at_most(size, limit);
            let measure =
                Box::new(move || operation_ns(&Channels::pipes(watched), mechanism) * TLPI_OPERATIONS / 1e9);
            Case { mechanism, watched, published: Some(published), measure }
        })
    });
    (head, cases.collect())
}

/// D. Kegel, Poller_bench.
pub fn kegel(limit: u32) -> Table<'static> {
    let head = head(
        KEGEL_NAME,
        "Kegel's Poller_bench: one call, one of N socketpairs active",
        "D. Kegel, Poller_bench (2000); Linux 2.2.14, Pentium III, 650 MHz",
        "N pairs of connected Unix sockets; a byte is written to a random one, all near ends are monitored, the byte \
         is read. What is timed is the monitoring operation and the scan.",
        "Published is poll(2) alone; select and epoll stand beside it for us. A pair has two descriptors, so that a limit \
         of 20,000 allows 9,970 pairs for 10,000.",
        "µs",
    );
    let cases = ["poll", "select", "epoll-lt"].into_iter().flat_map(|mechanism| {
        KEGEL_SIZES.into_iter().zip(KEGEL).map(move |(size, published)| {
            let watched = Channels::at_most(size, limit);
            let measure = Box::new(move || operation_ns(&Channels::pairs(watched), mechanism) / 1e3);
            Case { mechanism, watched, published: (mechanism == "poll").then_some(published), measure }
        })
    });
    (head, cases.collect())
}

/// The mean wall time of one wait with one random channel ready, in nanoseconds.
fn operation_ns(channels: &Channels, mechanism: &str) -> f64 {
    let descriptors = channels.descriptors();
    let mut waiter = waiters::waiter(mechanism, &descriptors);
    let mut random = schedule::random(1, 0, 0);
    let mut found: Vec<RawFd> = Vec::with_capacity(1);
    let mut operate = || {
        let at = random.random_range(0..channels.len());
        channels.raise(at);
        found.clear();
        let begun_ns = clock::now_ns();
        waiter.wait(&mut found);
        let taken_ns = clock::now_ns() - begun_ns;
        assert_eq!(found, [descriptors[at]], "the wait reports the descriptor that is ready");
        channels.lower(at);
        taken_ns
    };
    (0..WARM_UP).for_each(|_| _ = operate());
    let (mut total_ns, mut operations) = (0, 0_u64);
    let begun = Instant::now();
    while begun.elapsed() < BUDGET {
        total_ns += operate();
        operations += 1;
    }
    total_ns as f64 / operations as f64
}
