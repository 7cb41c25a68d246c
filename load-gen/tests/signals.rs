//! `load-gen` when it is interrupted, and when it is stopped: it prints what it measured, and does not pass off its own
//! absence as the server's.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::support::servers::server;
use crate::support::{count, judged, output_of, reasons, signal, start, stderr, wait_until};
use rustix::process::Signal;
use sys::clock;

/// A server that shows what it has seen, so that a test knows how far the generator has come.
struct Watched {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Watched {
    /// Echoes, or answers nothing.
    fn start(answers: bool) -> Self {
        let (connections, bytes) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let seen = (Arc::clone(&connections), Arc::clone(&bytes));
        let address = server(move |mut stream, _| {
            seen.0.fetch_add(1, Relaxed);
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                seen.1.fetch_add(length as u64, Relaxed);
                if answers && stream.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        });
        Self { address, connections, bytes }
    }

    fn await_connection(&self) {
        wait_until("a connection", || self.connections.load(Relaxed) > 0);
    }

    fn await_requests(&self) {
        wait_until("requests", || self.bytes.load(Relaxed) > 64 * 20);
    }
}

fn interrupted(child: Child) -> Output {
    signal(&child, Signal::INT);
    let output = output_of(child);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    output
}

#[test]
fn interrupted_while_it_opens_connections_it_says_so() {
    let server = Watched::start(true);
    let child = start(server.address, &["--conns", "100k", "--connect-rate", "20"]);
    server.await_connection();
    let output = interrupted(child);
    assert!(output.stdout.is_empty(), "nothing was measured");
    assert!(stderr(&output).contains("interrupted while opening"), "{}", stderr(&output));
}

#[test]
fn interrupted_while_it_warms_up_it_reports_an_empty_window() {
    for load in [&["--rate", "1k"][..], &["--pipeline", "2"]] {
        let server = Watched::start(true);
        let mut arguments = vec!["--conns", "2", "--warmup", "1h"];
        arguments.extend(load);
        let child = start(server.address, &arguments);
        server.await_requests();
        let report = judged(&interrupted(child), 130);
        assert_eq!((&report["scheduled"], &report["window_s"]), (&0.into(), &0.0.into()), "{report}");
        assert!(reasons(&report).contains("interrupted"), "{report}");
    }
}

#[test]
fn interrupted_in_the_window_it_reports_what_it_measured() {
    for load in [&["--rate", "1k"][..], &["--pipeline", "2"]] {
        let server = Watched::start(true);
        let mut arguments = vec!["--conns", "2", "-d", "1h"];
        arguments.extend(load);
        let child = start(server.address, &arguments);
        server.await_requests();
        let report = judged(&interrupted(child), 130);
        assert!(count(&report["completed"]) > 0, "{report}");
        let window_s = report["window_s"].as_f64().expect("seconds");
        assert!(0.0 < window_s && window_s < 3600.0, "the window ended with the interruption: {report}");
    }
}

#[test]
fn interrupted_while_it_waits_for_replies_it_counts_what_is_outstanding() {
    let server = Watched::start(false);
    let child = start(server.address, &["--conns", "2", "-d", "50ms", "--timeout", "1h"]);
    wait_until("both requests", || server.bytes.load(Relaxed) == 2 * 64);
    // The window had begun when the first request came.
    clock::sleep_until(clock::now_ns() + 100_000_000);
    let report = judged(&interrupted(child), 130);
    assert_eq!((&report["scheduled"], &report["outstanding"]), (&2.into(), &2.into()), "{report}");
}

#[test]
fn the_second_interruption_ends_it_at_once() {
    let server = Watched::start(true);
    let child = start(server.address, &["--conns", "2", "-d", "1h"]);
    server.await_requests();
    signal(&child, Signal::STOP);
    // Both lie before it when it goes on; two of one kind would be one.
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    signal(&child, Signal::CONT);
    let output = output_of(child);
    assert_eq!(output.status.code(), Some(130));
    assert!(output.stdout.is_empty(), "the first alone ends it with what it measured: {output:?}");
}

#[test]
fn a_generator_that_was_stopped_says_that_it_stood_still() {
    for load in [&["--rate", "500"][..], &["--pipeline", "1"]] {
        let server = Watched::start(true);
        let mut arguments = vec!["--conns", "2", "-d", "1h", "--wait", "sleep"];
        arguments.extend(load);
        let child = start(server.address, &arguments);
        server.await_requests();
        signal(&child, Signal::STOP);
        clock::sleep_until(clock::now_ns() + 1_000_000_000);
        let before = server.bytes.load(Relaxed);
        signal(&child, Signal::CONT);
        wait_until("requests after it", || server.bytes.load(Relaxed) > before + 64 * 20);
        let report = judged(&interrupted(child), 130);
        let said = reasons(&report);
        let stood_still_s = seconds_after(&said, "the generator itself stood still for ");
        let window_s = report["window_s"].as_f64().expect("seconds");
        // What is shorter than 0.2 s is not said.
        assert!((0.2..=window_s).contains(&stood_still_s), "{stood_still_s} s of {window_s} s: {said}");
        // A request that was due meanwhile was as late as the standstill was long, which is rounded to 10 ms.
        if let Some(lateness) = report.get("lateness") {
            let without_a_send_s = seconds_after(&said, "the generator stood still for ");
            let most_ns = count(&lateness["max_ns"]) as f64;
            assert!(most_ns / 1e9 + 0.005 >= without_a_send_s, "{without_a_send_s} s: {lateness}");
        }
    }
}

/// The number of seconds that follows `words` in `said`.
fn seconds_after(said: &str, words: &str) -> f64 {
    let (_, rest) = said.split_once(words).unwrap_or_else(|| panic!("'{words}' is not in: {said}"));
    rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a number of seconds")
}
