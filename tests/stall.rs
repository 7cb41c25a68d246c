//! Rule 1: a stall of the server is measured as what it is.
//!
//! **The arithmetic.** Requests fall due at a constant rate over a window of W = 5 s, and the server is stopped (SIGSTOP) for
//! L = 1 s of it. One that falls due t before the server goes on waits t; every other waits next to nothing. So the share of
//! requests that wait longer than x is (L - x)/W, and the q-th quantile is where that share is 1 - q:
//!
//! x = L - (1 - q) W: the 90th percentile is 1 - 0.1 * 5 = 0.5 s, the 99th 1 - 0.01 * 5 = 0.95 s.
//!
//! With two stalls of L = 0.5 s the share is 2 (L - x)/W:
//!
//! x = L - (1 - q) W/2: the 90th percentile is 0.5 - 0.1 * 2.5 = 0.25 s, the 99th 0.5 - 0.01 * 2.5 = 0.475 s.
//!
//! A stall of a test is as long as it was, not as it was meant to be: the instants are measured, and expected is what follows
//! from them. Upwards the tolerance is the time C in which the server catches up, for that is up to the machine: who fell due t before
//! the server went on waits t + C at most, who fell due later C. C is the time beyond the stalls for which more requests were outstanding
//! than fall due in 10 ms, per stall: after them, and before one whose first attempt took too long. Downwards, where a generator that waits for replies before it goes on would read next to nothing at all, it is
//! 10 ms and 20 ms.
//!
//! Poisson arrivals are a sample: of n requests per second, the number beyond the quantile less the share of all that it should be
//! has the variance q (1 - q) W n, and with m stalls m n requests per second of time pass it, so the quantile has the standard
//! deviation sqrt(q (1 - q) W / n) / m: 4.7 ms at the 90th percentile with 20,000 requests per second. Two of those are allowed.

mod support;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use load_gen::record::observer::{Edge, Observer, Progress};
use model::schema::LoadReport;
use rustix::process::Signal;
use support::{Generator, Server, run_ahead_of_others};
use sys::clock::{now_ns, sleep_until};

const WINDOW_S: f64 = 5.0;
/// The begin and the end of a stall, in milliseconds since the window began.
type Stretch = (u64, u64);
const ONE: &[Stretch] = &[(1_000, 2_000)];
const TWO: &[Stretch] = &[(1_000, 1_500), (3_000, 3_500)];
/// The largest uncertainty allowed in the length of a stall: from the signal until the last thread has stopped.
const UNCERTAIN_NS: u64 = 5_000_000;
/// That, and the three digits of a histogram.
const PRECISION_MS: f64 = 6.0;
/// The interval between two looks at the number of outstanding requests.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The server, the generator and the signals need the machine for themselves.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Stops the server for the given stretches of the window.
struct Staller {
    server: Arc<Server>,
    plan: &'static [Stretch],
    stalling: Option<JoinHandle<Stalls>>,
    /// The instant of each look, and the number of requests that were outstanding then.
    seen: Vec<(u64, u64)>,
}

/// The outcome of the stalls.
struct Stalls {
    /// Their lengths, and how much of each may be unknown.
    lengths_ms: Vec<f64>,
    uncertain_ns: u64,
}

impl Observer for Staller {
    fn edge(&mut self, edge: Edge, _answered: u64) {
        if edge == Edge::Begin {
            let (server, plan, begin_ns) = (Arc::clone(&self.server), self.plan, now_ns());
            self.stalling = Some(thread::spawn(move || stall(&server, plan, begin_ns)));
        }
    }

    fn progress(&mut self, progress: &Progress) {
        self.seen.push((now_ns(), progress.due - progress.answered - progress.failed));
    }

    fn period(&self) -> Duration {
        LOOK_EVERY
    }
}

fn stall(server: &Server, plan: &[Stretch], begin_ns: u64) -> Stalls {
    let mut stalls = Stalls { lengths_ms: Vec::new(), uncertain_ns: 0 };
    for (begin_ms, end_ms) in plan {
        sleep_until(begin_ns + begin_ms * 1_000_000);
        let (stopped_ns, uncertain_ns) = stop_at_an_instant(server);
        sleep_until(stopped_ns + (end_ms - begin_ms) * 1_000_000);
        let continued_ns = now_ns();
        server.signal(Signal::CONT);
        stalls.lengths_ms.push((continued_ns - stopped_ns) as f64 / 1e6 + uncertain_ns as f64 / 2e6);
        stalls.uncertain_ns = stalls.uncertain_ns.max(uncertain_ns);
    }
    stalls
}

/// Stops the server; returns when it had stopped, and how long that took, in nanoseconds. Where the machine is too busy for the instant to be
/// known it goes on at once and is stopped again: what waits for some milliseconds is far below the quantiles that are judged.
fn stop_at_an_instant(server: &Server) -> (u64, u64) {
    const TRIES: u32 = 10;
    let mut tries = 1;
    loop {
        let signalled_ns = now_ns();
        server.stop();
        let stopped_ns = now_ns();
        let uncertain_ns = stopped_ns - signalled_ns;
        if uncertain_ns <= UNCERTAIN_NS || tries == TRIES {
            return (stopped_ns, uncertain_ns);
        }
        server.signal(Signal::CONT);
        sleep_until(stopped_ns + 20_000_000);
        tries += 1;
    }
}

/// A run with its stalls.
struct Case {
    conns: u32,
    reply: &'static str,
    arrivals: &'static str,
    plan: &'static [Stretch],
}

impl Case {
    /// As many requests as the server can catch up with soon: with few connections many lie in one read.
    fn rate_per_s(&self) -> u32 {
        if self.conns > 1_000 { 3_000 } else { 20_000 }
    }

    /// The quantile by the arithmetic above, in milliseconds.
    fn expected_ms(&self, stalls: &Stalls, quantile: f64) -> f64 {
        let beyond_ms = (1.0 - quantile) * WINDOW_S * 1e3;
        (stalls.lengths_ms.iter().sum::<f64>() - beyond_ms) / stalls.lengths_ms.len() as f64
    }

    /// Two standard deviations of the quantile, in milliseconds.
    fn sampling_ms(&self, quantile: f64) -> f64 {
        let variance = quantile * (1.0 - quantile) * WINDOW_S / f64::from(self.rate_per_s());
        if self.arrivals == "uniform" { 0.0 } else { 2e3 * variance.sqrt() / self.plan.len() as f64 }
    }

    /// The report, the stalls, and the time beyond each for which it was behind, in milliseconds.
    fn measure(&self, server: &Arc<Server>, generator: &mut Generator) -> (LoadReport, Stalls, f64) {
        let (rate, window) = (self.rate_per_s().to_string(), format!("{WINDOW_S}s"));
        let load = ["--rate", &rate, "--arrivals", self.arrivals, "-d", &window, "--wait", "sleep"];
        // A stall that was not made as meant is made again; a run is never made again for what the generator said.
        for _ in 0..4 {
            let (server, seen) = (Arc::clone(server), Vec::new());
            let mut staller = Staller { server, plan: self.plan, stalling: None, seen };
            let report = generator.run(&load, &mut staller);
            let stalls = staller.stalling.expect("the window began").join().expect("it was stalled");
            if stalls.uncertain_ns <= UNCERTAIN_NS {
                let catch_up_ms = self.catch_up_ms(&stalls, &staller.seen);
                return (report, stalls, catch_up_ms);
            }
            eprintln!("again: the server took {:.1} ms to stop", stalls.uncertain_ns as f64 / 1e6);
        }
        panic!("the machine is too busy to stop a process in time");
    }

    /// Returns the time, in milliseconds per stall, for which more requests were outstanding than fall due between two looks,
    /// without the stalls themselves: what it took to catch up, and what the machine did besides. A quantile is later by that.
    fn catch_up_ms(&self, stalls: &Stalls, seen: &[(u64, u64)]) -> f64 {
        let few = u64::from(self.rate_per_s()) * LOOK_EVERY.as_millis() as u64 / 1_000;
        let behind = seen.windows(2).filter(|looks| looks.iter().any(|(_, outstanding)| *outstanding > few));
        let behind_ms = behind.map(|looks| (looks[1].0 - looks[0].0) as f64 / 1e6).sum::<f64>();
        let stalled_ms = stalls.lengths_ms.iter().sum::<f64>();
        (behind_ms - stalled_ms).max(0.0) / stalls.lengths_ms.len() as f64
    }

    fn assert_is_seen(&self, report: &LoadReport, stalls: &Stalls, catch_up_ms: f64) {
        let Self { conns, reply, arrivals, .. } = self;
        let response = report.response.as_ref().expect("open loop").histogram().expect("whole");
        eprintln!(
            "{conns} connections, {reply}, {arrivals}, stalls of {:.1?} ms, {catch_up_ms:.1} ms to catch up:",
            stalls.lengths_ms
        );
        for (quantile, low_ms) in [(0.9, 10.0), (0.99, 20.0)] {
            let measured_ms = response.value_at_quantile(quantile) as f64 / 1e6;
            let expected_ms = self.expected_ms(stalls, quantile);
            let chance_ms = self.sampling_ms(quantile);
            let (low_ms, high_ms) =
                (expected_ms - low_ms - chance_ms, expected_ms + PRECISION_MS + chance_ms + catch_up_ms);
            let percent = quantile * 100.0;
            eprintln!(
                "  p{percent} {measured_ms:.1} ms, by arithmetic {expected_ms:.1}, allowed {low_ms:.1} to {high_ms:.1}"
            );
            assert!((low_ms..high_ms).contains(&measured_ms), "p{percent}: {measured_ms} ms");
        }
        self.assert_nothing_is_missing(report);
    }

    fn assert_nothing_is_missing(&self, report: &LoadReport) {
        assert_eq!(report.scheduled, report.completed, "{:?}", report.errors);
        let expected = f64::from(self.rate_per_s()) * WINDOW_S;
        let off = report.scheduled as f64 - expected;
        match self.arrivals {
            "uniform" => assert_eq!(off, 0.0, "as many as the rate says"),
            _ => assert!(off.abs() < 4.0 * expected.sqrt(), "{off} of {expected}"),
        }
    }
}

/// Measures one stall with `of_one`'s arrivals, and two stalls with `of_two`'s, on the same connections.
fn stalls_are_seen(conns: u32, reply: &'static str, of_one: &'static str, of_two: &'static str) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    run_ahead_of_others();
    let server = Arc::new(Server::serve(&["--reply", reply]));
    let conns_text = conns.to_string();
    let arguments = ["--conns", &conns_text, "--protocol", reply, "--seed", "7"];
    let mut generator = Generator::open(server.address, &arguments);
    for (arrivals, plan) in [(of_one, ONE), (of_two, TWO)] {
        let case = Case { conns, reply, arrivals, plan };
        let (report, stalls, catch_up_ms) = case.measure(&server, &mut generator);
        case.assert_is_seen(&report, &stalls, catch_up_ms);
    }
}

#[test]
fn a_stall_is_seen_with_ten_connections_that_are_echoed() {
    stalls_are_seen(10, "echo", "uniform", "poisson");
}

#[test]
fn a_stall_is_seen_with_ten_connections_that_are_acknowledged() {
    stalls_are_seen(10, "ack", "poisson", "uniform");
}

#[test]
fn a_stall_is_seen_with_a_thousand_connections_that_are_echoed() {
    stalls_are_seen(1_000, "echo", "uniform", "poisson");
}

#[test]
fn a_stall_is_seen_with_a_thousand_connections_that_are_acknowledged() {
    stalls_are_seen(1_000, "ack", "poisson", "uniform");
}

#[test]
fn a_stall_is_seen_with_ten_thousand_connections_that_are_echoed() {
    stalls_are_seen(10_000, "echo", "uniform", "poisson");
}

#[test]
fn a_stall_is_seen_with_ten_thousand_connections_that_are_acknowledged() {
    stalls_are_seen(10_000, "ack", "poisson", "uniform");
}
