//! Counted requests while connections are replaced.

use std::net::TcpListener;
use std::thread;

use trials::test;

use super::servers::{echo, run};
use crate::support::count;

/// Echoes on its first `connections`; after that nobody gets beyond the queue, which has room for one.
fn closed_after(connections: usize) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    // listen(2) once more changes the length of the queue: none means one.
    rustix::net::listen(&listener, 0).expect("it listens");
    let target = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten().take(connections) {
            thread::spawn(move || {
                let mut reader = stream.try_clone().expect("a socket");
                std::io::copy(&mut reader, &mut stream)
            });
        }
        // Nobody accepts, and the port stays open.
        loop {
            thread::park();
        }
    });
    target
}

#[test]
fn no_connection_is_replaced_after_the_last_of_so_many_requests() {
    // Those that cannot be opened keep the run waiting for the timeout: long beside the load.
    let report = run(
        closed_after(200),
        "--conns 200 --active 1 --requests 100 --churn 2k/s --timeout 300ms -d 5s --seed 3",
    );
    let churn = &report["connections"]["churn"];
    let window_s = report["window_s"].as_f64().expect("seconds");
    let expected = 2_000.0 * window_s;
    assert!(
        (count(&churn["scheduled"]) as f64) < expected + 6.0 * expected.sqrt() + 10.0,
        "in {window_s} s: {report}"
    );
}

#[test]
fn replacements_that_are_on_their_way_after_the_last_request_arrive_and_none_is_lost() {
    for mode in ["", "--rate 2k"] {
        let (target, _) = echo();
        let report = run(target, &format!("--conns 20 --active 5 --requests 200 --churn 5k/s {mode}"));
        assert_eq!(
            (count(&report["scheduled"]), count(&report["completed"])),
            (200, 200),
            "{mode}: {report}"
        );
        let churn = &report["connections"]["churn"];
        assert!(count(&churn["replaced"]) > 0, "{mode}: {report}");
        assert_eq!(count(&churn["failed"]), 0, "{mode}: {report}");
        assert_eq!(count(&report["connections"]["lost"]), 0, "{mode}: {report}");
    }
}
