//! Tests that what load-gen measures of a queue agrees with queueing theory.
//!
//! The server is one queue over all connections that serves one request at a time, in the order of arrival, in exactly
//! [`SERVICE_NS`]. With Poisson arrivals that is the M/D/1 queue.
//!
//! **The mean.** With D the time of service and ρ the load, a request spends D(1 + ρ/(2(1−ρ))) in an M/D/1 queue
//! (Pollaczek and Khinchine): 1.5 D at ρ = 0.5, 3 D at ρ = 0.8. That is the time from the arrival of the request to its
//! reply. Load-gen sends when the schedule says so, so that its response *and* its service (which runs from the actual
//! send, and so contains the queue before the server) are that time; they differ by its lateness alone. The time of
//! service of the theory, D, is what a single connection in closed loop measures as service.
//!
//! **Two steps.** The schedule's own arrivals are known before the run, and with them the time that each request must
//! take: by Lindley's recursion it waits as long as the one before it spent in the queue, less the gap between the two.
//! So the measurement is compared with these very arrivals, and ten seconds are enough; and a million arrivals of the
//! schedule, which take no time, are compared with theory.
//!
//! **The number of arrivals.** The unfinished work V of an M/G/1 queue is a Markov process that falls at rate 1 and
//! jumps by a time of service S at rate λ; Poisson arrivals see it as it is on average (PASTA), and wait V. With f(x) =
//! x²/(2(1−ρ)) its generator gives −(x − E V), so that the mean of V over a time T has the variance σ²/T with
//! σ² = 2 Cov(f(V), V) = (E V³ − E V E V²)/(1−ρ), and with Takács' recursion for S = D
//!
//! E V = ρ/(2(1−ρ)) D, E V² = 2(E V)² + ρ/(3(1−ρ)) D², E V³ = ρ/(1−ρ) (3/2 E V² D + E V D² + D³/4).
//!
//! At ρ = 0.8 that is 231.7 D³: a million arrivals, 1,250 s, determine the mean response of 3 ms to 14 µs, 0.45 %.

mod support;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use load_gen::plan::schedule::{Schedule, random};
use model::schema::Arrivals;
use rustix::event::{Timespec, epoll};
use rustix::process::Pid;
use serde_json::Value;
use support::{count, json, reasons, run};
use sys::clock::{self, now_ns};

/// D: the time that the server takes for each request.
const SERVICE_NS: u64 = 1_000_000;
/// Bytes of a request.
const SIZE: usize = 64;
/// The lateness of both sides, as a share of the theory's mean, up to which the machine is quiet.
const ADDED_BY_A_QUIET_MACHINE: f64 = 0.05;
/// Both the generator and the server keep a processor busy: one such measurement at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A server that is slow by design.
struct SlowServer {
    address: SocketAddr,
    replies: Arc<AtomicU64>,
    late_ns: Arc<AtomicU64>,
}

impl SlowServer {
    fn start(connections: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let (replies, late_ns) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let server = Self { address, replies: Arc::clone(&replies), late_ns: Arc::clone(&late_ns) };
        thread::spawn(move || {
            run_ahead_of_others(rustix::thread::gettid());
            rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).expect("an ordinary value");
            let mut queue = Queue::accept(&listener, connections);
            while let Some(lateness_ns) = queue.serve_next() {
                replies.fetch_add(1, Relaxed);
                late_ns.fetch_add(lateness_ns, Relaxed);
            }
        });
        server
    }

    /// By how much its replies left after the instant at which they should have: the machine's doing.
    fn mean_lateness_ns(&self) -> f64 {
        self.late_ns.load(Relaxed) as f64 / self.replies.load(Relaxed).max(1) as f64
    }
}

/// Requests that wait, over all connections, and the one server that they wait for.
struct Queue {
    epoll: std::os::fd::OwnedFd,
    streams: Vec<TcpStream>,
    waiting: VecDeque<usize>,
    open: usize,
    /// The planned end of the last service: what the machine adds to one service must not lengthen the next.
    free_ns: u64,
    /// The time at which it last began to look for requests while none waited.
    looked_ns: u64,
}

impl Queue {
    fn accept(listener: &TcpListener, connections: usize) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll instance");
        let streams: Vec<TcpStream> = listener.incoming().flatten().take(connections).collect();
        for (index, stream) in streams.iter().enumerate() {
            stream.set_nonblocking(true).expect("a socket");
            stream.set_nodelay(true).expect("a socket");
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, stream, data, epoll::EventFlags::IN).expect("room to watch");
        }
        let open = streams.len();
        Self { epoll, streams, waiting: VecDeque::new(), open, free_ns: 0, looked_ns: now_ns() }
    }

    /// Serves the request that has waited longest and returns by how many nanoseconds its reply was late;
    /// nothing once all connections are closed.
    fn serve_next(&mut self) -> Option<u64> {
        self.take_arrivals();
        let mut begins_ns = self.free_ns;
        while self.waiting.is_empty() {
            if self.open == 0 {
                return None;
            }
            self.looked_ns = now_ns();
            self.take_arrivals();
            // It came between two looks, on average in the middle: the second is late if the machine was busy.
            begins_ns = self.looked_ns + (now_ns() - self.looked_ns) / 2;
        }
        let index = self.waiting.pop_front().expect("somebody waits");
        self.free_ns = begins_ns + SERVICE_NS;
        // A sleep is up to the kernel's timer, the last part of the service to this loop.
        const SPUN_NS: u64 = 100_000;
        clock::sleep_until(self.free_ns - SPUN_NS);
        while now_ns() < self.free_ns {
            std::hint::spin_loop();
        }
        // A generator that has gone shows by the end of its connections.
        let _ = (&self.streams[index]).write_all(b"get bytes 64\n");
        Some(now_ns() - self.free_ns)
    }

    /// Appends what has arrived since the last time, in the order in which epoll lists it: that of arrival.
    fn take_arrivals(&mut self) {
        let mut events = Vec::with_capacity(64);
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&at_once));
        for event in events {
            let index = event.data.u64() as usize;
            let mut buffer = [0; SIZE * 1024];
            match (&self.streams[index]).read(&mut buffer) {
                // Every request is sent whole, and fits a segment.
                Ok(length @ 1..) => self.waiting.extend(std::iter::repeat_n(index, length / SIZE)),
                Ok(0) | Err(_) => {
                    let _ = epoll::delete(&self.epoll, &self.streams[index]);
                    self.open -= 1;
                }
            }
        }
    }
}

/// Puts a thread, and what it starts from now on, before the other work of a shared machine (SCHED_FIFO), where that is
/// allowed. Neither side keeps a processor busy for long, so that the machine goes on.
fn run_ahead_of_others(thread: Pid) {
    let _ = Command::new("chrt").args(["-f", "-p", "10", &thread.to_string()]).output();
}

/// A measurement of a slow server by load-gen.
struct Measured {
    report: Value,
    /// The average lateness of the server.
    server_late_ns: f64,
    /// True if load-gen calls the measurement valid and the server had a processor: theory does not include other work
    /// on the machine.
    quiet: bool,
}

/// Measures a slow server with load-gen, with so many connections and `arguments`. If the machine was not quiet, the
/// measurement is repeated once.
fn measure(connections: usize, arguments: &[&str]) -> Measured {
    const LATEST_NS: f64 = 0.1 * SERVICE_NS as f64;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    run_ahead_of_others(rustix::thread::gettid());
    let conns = connections.to_string();
    let mut all = vec!["--conns", &conns, "--protocol", "ack", "--warmup", "1s", "--wait", "sleep"];
    all.extend(arguments);
    let once = || {
        let server = SlowServer::start(connections);
        let output = run(server.address, &all);
        let (report, server_late_ns) = (json(&output), server.mean_lateness_ns());
        assert!(matches!(output.status.code(), Some(0 | 4)), "{output:?}");
        assert_eq!(report["completed"], report["scheduled"], "{report}");
        let quiet = output.status.success() && server_late_ns < LATEST_NS;
        Measured { report, server_late_ns, quiet }
    };
    let first = once();
    if first.quiet {
        return first;
    }
    let late_us = first.server_late_ns / 1e3;
    eprintln!("again: the server was {late_us:.0} us late on average; {}", reasons(&first.report));
    once()
}

fn mean_ns(report: &Value, name: &str) -> f64 {
    report[name]["mean_ns"].as_f64().expect("samples")
}

/// The mean time of a request in an M/D/1 queue, in nanoseconds.
fn m_d_1_ns(load: f64) -> f64 {
    SERVICE_NS as f64 * (1.0 + load / (2.0 * (1.0 - load)))
}

/// The time that each request of a schedule spends in the queue, with the instant at which it falls due, both in nanoseconds.
fn lindley(schedule: Schedule) -> impl Iterator<Item = (u64, u64)> {
    let mut free_ns = 0;
    schedule.map(move |due| {
        free_ns = due.at_ns.max(free_ns) + SERVICE_NS;
        (due.at_ns, free_ns - due.at_ns)
    })
}

fn mean(times_ns: &[u64]) -> f64 {
    times_ns.iter().sum::<u64>() as f64 / times_ns.len() as f64
}

const CONNECTIONS: u32 = 50;
const SEED: u64 = 3;
/// Before the window, in nanoseconds.
const WARM_UP_NS: u64 = 1_000_000_000;

fn schedule(rate_per_s: u32) -> Schedule {
    Schedule::new(Arrivals::Poisson, f64::from(rate_per_s), CONNECTIONS, random(SEED, 0, 0))
}

/// Measures at a rate for so many seconds and compares with what these arrivals must take.
fn assert_agrees(rate_per_s: u32, seconds: u64) {
    /// The distance from theory, on a quiet machine.
    const TOLERANCE: f64 = 0.05;
    /// The three digits of a histogram.
    const DIGITS: f64 = 0.001;
    let window_ns = WARM_UP_NS..WARM_UP_NS + seconds * 1_000_000_000;
    let expected: Vec<u64> = lindley(schedule(rate_per_s))
        .take_while(|(at_ns, _)| *at_ns < window_ns.end)
        .filter_map(|(at_ns, spent_ns)| (at_ns >= window_ns.start).then_some(spent_ns))
        .collect();
    let (rate, duration, seed) = (rate_per_s.to_string(), format!("{seconds}s"), SEED.to_string());
    let arguments = ["--rate", &rate, "-d", &duration, "--seed", &seed];
    let Measured { report, server_late_ns, quiet } = measure(CONNECTIONS as usize, &arguments);
    assert_eq!(count(&report["scheduled"]), expected.len() as u64, "the schedule is the one of its seed");
    let theory = mean(&expected);
    let [response, service, lateness] =
        ["response", "service", "lateness"].map(|name| mean_ns(&report, name));
    eprintln!(
        "{rate}/s for {seconds} s: response {:.4} ms, service {:.4} ms, these arrivals {:.4} ms, \
         lateness of the generator {:.1} us, of the server {:.1} us",
        response / 1e6,
        service / 1e6,
        theory / 1e6,
        lateness / 1e3,
        server_late_ns / 1e3
    );
    // Whatever a machine does to the two sides, no reply leaves before it would have on a perfect one: in a queue, a later
    // arrival makes no departure earlier. A generator that left out its waiting, or the server's, would be below theory.
    for (name, measured) in [("response", response), ("service and lateness", service + lateness)] {
        let off = measured / theory - 1.0;
        assert!(off > -DIGITS, "{name} is {:.2} % below theory", -off * 100.0);
    }
    if quiet {
        // What a machine adds to one request is subtracted; what it adds by that to those behind it is not known, but is of
        // the same order, and then no more can be asked.
        let added = (lateness + server_late_ns) / theory;
        let tolerance = if added < ADDED_BY_A_QUIET_MACHINE { TOLERANCE } else { TOLERANCE + added };
        for (name, measured) in [("response", response - lateness), ("service", service)] {
            let off = (measured - server_late_ns) / theory - 1.0;
            assert!(off.abs() < tolerance, "{name} is {:.1} % off theory", off * 100.0);
        }
    } else {
        eprintln!("twice not valid: held against theory from below only; {}", reasons(&report));
    }
    // Response less service is lateness request by request, so in the mean too, to the three digits of a histogram.
    assert!(
        (response - service - lateness).abs() < 2.0 * DIGITS * response,
        "{response} {service} {lateness}"
    );
}

#[test]
fn the_schedules_arrivals_make_an_m_d_1_queue_of_a_server_with_a_constant_time_of_service() {
    for rate_per_s in [500, 800] {
        let times: Vec<u64> =
            lindley(schedule(rate_per_s)).take(1_000_000).map(|(_, spent_ns)| spent_ns).collect();
        let off = mean(&times) / m_d_1_ns(f64::from(rate_per_s) * SERVICE_NS as f64 / 1e9) - 1.0;
        // Four standard deviations at the higher load, where they are largest.
        assert!(off.abs() < 0.018, "{:.2} % off theory at {rate_per_s}/s", off * 100.0);
    }
}

#[test]
fn at_half_load_every_request_takes_what_its_place_in_the_queue_says() {
    assert_agrees(500, 8);
}

#[test]
fn at_four_fifths_of_the_load_every_request_takes_what_its_place_in_the_queue_says() {
    assert_agrees(800, 12);
}

/// In closed loop N connections keep N requests in the server, which is never idle: it serves one every D, and each takes
/// N D (Little's law). One connection measures D itself, and on top of it the way there and back, which is as long as the machine
/// makes it: but never are more than N requests under way.
#[test]
fn in_closed_loop_the_mean_service_is_the_connections_times_the_service_time() {
    for connections in [1, 8] {
        let Measured { report, server_late_ns, quiet } = measure(connections, &["-d", "2s"]);
        let services = (mean_ns(&report, "service") - server_late_ns) / SERVICE_NS as f64;
        let expected = connections as f64;
        eprintln!("{connections} in closed loop: {services:.4} times the service time");
        assert!(services > 0.98 * expected, "{services} of {connections}");
        // The way there and back is hidden where another request is being served meanwhile.
        let is_hidden = connections > 1;
        assert!(!(quiet && is_hidden) || services < 1.02 * expected + 0.1, "{services} of {connections}");
        let rate = report["throughput_per_s"].as_f64().expect("a rate");
        // What begins in the window ends at most the longest service after it.
        let spent_s = mean_ns(&report, "service") * count(&report["completed"]) as f64 / 1e9;
        let longest_s = count(&report["service"]["max_ns"]) as f64 / 1e9;
        let most_s = expected * (report["window_s"].as_f64().expect("a time") + longest_s);
        assert!(spent_s < 1.002 * most_s, "{spent_s} s of {most_s} s that {connections} have");
        assert!(rate < 1e9 / SERVICE_NS as f64 * 1.01, "{rate}");
    }
}
