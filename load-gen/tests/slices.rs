//! Slices of load: what is counted between the edges, what a slice leaves behind, and whose fault a stall is.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use load_gen::plan::options::PoolOptions;
use load_gen::pool::Pool;
use load_gen::record::slice::{Account, ServerReading, SliceLoad};
use model::campaign::Slice;
use model::schema::{Arrivals, EngineKind, LoadMode, ServerCounters, WaitPolicy, Workload};
use support::network::in_a_network_of_its_own;
use support::servers::{echo, replying};
use trials::test;

fn main() -> std::process::ExitCode {
    trials::main()
}

const CLOSED: LoadMode = LoadMode::Closed { pipeline: 1 };

fn open(rate_per_s: f64) -> LoadMode {
    LoadMode::Open { rate_per_s, arrivals: Arrivals::Poisson }
}

/// An account that tells how often it was read.
#[derive(Default)]
struct Reads(AtomicU64);

impl Account for Reads {
    fn read(&self) -> ServerReading {
        let reads = self.0.fetch_add(1, Relaxed);
        let counters = ServerCounters { echoes: reads * 1_000, ..ServerCounters::default() };
        ServerReading { cpu_s: reads as f64, counters: Some(counters), ..ServerReading::default() }
    }
}

fn pool(target: SocketAddr, active: u32, engine: EngineKind) -> Pool {
    let options = PoolOptions {
        workload: Workload { most_under_way: Some(1), ..Workload::default() },
        engine: Some(engine),
        ..PoolOptions::new(target, active + 3, active)
    };
    Pool::open(options, Arc::default(), &mut ()).expect("the server listens")
}

fn slice(pool: &mut Pool, mode: LoadMode, window: Duration) -> Slice {
    let load = SliceLoad {
        mode,
        wait: WaitPolicy::Sleep,
        warmup: Duration::from_millis(2),
        window,
        seed: 7,
        account: Arc::new(Reads::default()),
    };
    pool.slice(&load, "echo").expect("the workers live")
}

/// A slice that `is_such`: on a busy machine the generator may have no processor for as long as a slice, again and again.
fn slice_that(pool: &mut Pool, load: (LoadMode, Duration), is_such: impl Fn(&Slice) -> bool) -> Slice {
    let mut tries = std::iter::repeat_with(|| slice(pool, load.0, load.1)).take(500);
    tries.find(is_such).expect("the generator has a processor now and then")
}

const ENGINES: [EngineKind; 2] = [EngineKind::Epoll, EngineKind::IoUring];

#[test]
fn a_slice_is_counted_between_its_edges_and_its_halves_are_parts_of_it() {
    for engine in ENGINES {
        let mut pool = pool(echo(), 4, engine);
        for mode in [CLOSED, open(2_000.0)] {
            // The middle of the window is read when the generator runs, which may be after its end.
            let has_halves = |slice: &Slice| slice.answered > 0 && slice.first_s < 0.9 * slice.window_s;
            let slice = slice_that(&mut pool, (mode, Duration::from_millis(60)), has_halves);
            assert!(slice.answered_first <= slice.answered, "{slice:?}");
            assert_eq!(slice.scheduled, slice.completed, "{slice:?}");
            // The account is read three times, and its last reading less its first is two of its steps.
            assert_eq!((slice.server.cpu_s, slice.server.counters.map(|all| all.echoes)), (2.0, Some(2_000)));
            assert!(slice.p50_ns.is_some() && slice.errors.is_empty(), "{slice:?}");
            assert!(slice.first_request_ns.is_some_and(|first_ns| first_ns > 0), "{slice:?}");
            assert_eq!(slice.service_p50_ns.is_some(), mode != CLOSED, "in closed loop service is response");
        }
        assert_eq!(pool.lost().expect("the workers live"), 0);
    }
}

#[test]
fn the_same_seed_gives_every_candidate_the_same_arrivals() {
    let mut pools = [pool(echo(), 4, EngineKind::Epoll), pool(echo(), 4, EngineKind::Epoll)];
    let scheduled =
        pools.each_mut().map(|pool| slice(pool, open(3_000.0), Duration::from_millis(100)).scheduled);
    assert_eq!(scheduled[0], scheduled[1]);
    assert!(scheduled[0] > 200, "{scheduled:?}");
}

#[test]
fn a_slow_server_s_backlog_ends_with_its_slice() {
    // 1,000 requests per second at most, of which 5,000 fall due.
    let target = replying(|bytes, _| {
        thread::sleep(Duration::from_millis(1));
        Some(bytes.to_vec())
    });
    for engine in ENGINES {
        let mut pool = pool(target, 1, engine);
        for _ in 0..2 {
            let in_time = |slice: &Slice| slice.completed > 0 && slice.missed == 0;
            let slice = slice_that(&mut pool, (open(5_000.0), Duration::from_millis(100)), in_time);
            assert!(slice.scheduled > 300, "{slice:?}");
            assert!(
                slice.completed < slice.scheduled / 2,
                "those that were held back are given up: {slice:?}"
            );
            assert!(slice.errors.is_empty(), "{slice:?}");
        }
        let after = slice(&mut pool, CLOSED, Duration::from_millis(50));
        assert_eq!(after.scheduled, after.completed, "nothing of the backlog is left: {after:?}");
    }
}

#[test]
fn a_stall_of_the_server_is_a_silence_and_no_fault_of_the_generator() {
    let target = replying(|bytes, turn| {
        if turn % 100 == 99 {
            thread::sleep(Duration::from_millis(30));
        }
        Some(bytes.to_vec())
    });
    let mut pool = pool(target, 1, EngineKind::Epoll);
    // Each has the server's stall; on a busy machine the generator may stand still besides.
    let mut tries = std::iter::repeat_with(|| slice(&mut pool, CLOSED, Duration::from_millis(200))).take(100);
    let stood_still = |slice: &Slice| slice.faults.iter().any(|fault| fault.contains("stood still"));
    let slice = tries.find(|slice| !stood_still(slice)).expect("the stall is no fault of the generator");
    assert!(slice.longest_silence_ns >= 30_000_000, "{slice:?}");
}

#[test]
fn a_stall_on_the_first_request_after_a_pause_is_a_silence_of_the_warm_up() {
    let target = replying(|bytes, turn| {
        if turn == 0 {
            thread::sleep(Duration::from_millis(30));
        }
        Some(bytes.to_vec())
    });
    for engine in ENGINES {
        for mode in [CLOSED, open(1_000.0)] {
            let first_slice = || {
                let mut pool = pool(target, 1, engine);
                slice(&mut pool, mode, Duration::from_millis(100))
            };
            // On a busy machine the generator may have no processor until the warm-up is over.
            let mut tries = std::iter::repeat_with(first_slice).take(20);
            let slice = tries.find(|slice| slice.warmup_silence_ns > 5_000_000).expect("a silence");
            assert!(slice.first_request_ns >= Some(30_000_000), "{slice:?}");
            assert!(slice.completed > 0 && slice.errors.is_empty(), "{slice:?}");
        }
    }
}

/// The number of acknowledgements that a timer has sent for this network's connections.
fn delayed_acknowledgements() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").expect("the kernel's counters");
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let [names, values] = [lines.next(), lines.next()].map(|line| line.expect("two lines"));
    let found = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "DelayedACKs");
    found.expect("a counter").1.parse().expect("a number")
}

#[test]
fn no_acknowledgement_of_a_slice_is_left_for_a_later_window() {
    const ACTIVE: u32 = 300;
    in_a_network_of_its_own("no_acknowledgement_of_a_slice_is_left_for_a_later_window", "true", || {
        for (engine, mode) in ENGINES.into_iter().flat_map(|engine| [(engine, CLOSED), (engine, open(1.0))]) {
            let (mut many, mut one) = (pool(echo(), ACTIVE, engine), pool(echo(), 1, engine));
            // A new connection acknowledges its first 16 segments at once (TCP_MAX_QUICKACKS, include/net/tcp.h).
            let mut requests = 0;
            while requests < 20 * u64::from(ACTIVE) {
                requests += slice(&mut many, CLOSED, Duration::from_millis(50)).completed;
            }
            // In open loop it is the warm-up that all connections take part in.
            slice(&mut many, mode, Duration::from_millis(1));
            let before = delayed_acknowledgements();
            // Twice the time after which the kernel sends them.
            slice(&mut one, CLOSED, Duration::from_millis(80));
            let delayed = delayed_acknowledgements() - before;
            assert!(delayed < u64::from(ACTIVE) / 10, "{delayed} came late, {engine:?}, {mode:?}");
        }
    });
}
