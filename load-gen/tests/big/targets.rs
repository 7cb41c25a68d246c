//! Servers with several ports, at IPv6 addresses, and at Unix sockets.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use trials::test;

use super::{echo, report, run, stderr};
use crate::support::wait_until;

/// The numbers of connections to one listener that were accepted, and that were reset.
#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    reset: AtomicU64,
}

/// Serves connections to `address`, each on a thread of its own, until the process ends.
fn server(address: &str) -> (SocketAddr, Arc<Counts>) {
    let listener = TcpListener::bind(address).expect("loopback");
    let address = listener.local_addr().expect("bound");
    let counts = Arc::new(Counts::default());
    let counting = Arc::clone(&counts);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counting.accepted.fetch_add(1, SeqCst);
            let counting = Arc::clone(&counting);
            thread::spawn(move || counting.reset.fetch_add(u64::from(echo(stream)), SeqCst));
        }
    });
    (address, counts)
}

#[test]
fn connections_are_spread_over_the_ports_of_a_list_and_of_repeated_options() {
    let servers: Vec<_> = (0..3).map(|_| server("127.0.0.1:0")).collect();
    let [one, two, three] = [0, 1, 2].map(|number| servers[number].0.to_string());
    let output = run(&["--target", &format!("{one},{two}"), "--target", &three, "--conns", "60"]);
    let report = report(&output);
    assert_eq!(report["connections"]["opened"], 60, "{report}");
    assert!(report["completed"].as_u64() > Some(60), "{report}");
    for (address, counts) in &servers {
        wait_until("accepted connections", || counts.accepted.load(SeqCst) >= 20);
        assert_eq!(counts.accepted.load(SeqCst), 20);
        let target = report["settings"]["target"].as_str().expect("a text");
        assert!(target.contains(&address.port().to_string()), "{target}");
    }
}

#[test]
fn an_ipv6_server_is_driven_like_any_other() {
    let (address, counts) = server("[::1]:0");
    let output = run(&["--target", &address.to_string(), "--conns", "20", "--rate", "2k"]);
    let report = report(&output);
    wait_until("accepted connections", || counts.accepted.load(SeqCst) >= 20);
    assert_eq!((report["connections"]["opened"].as_u64(), counts.accepted.load(SeqCst)), (Some(20), 20));
    assert_eq!(report["errors"], serde_json::json!({}));
    assert_eq!(report["settings"]["target"], address.to_string());
}

/// Serves connections to a Unix socket that has room for one connection not yet accepted, or two.
fn unix_server(path: &std::path::Path) {
    let listener = UnixListener::bind(path).expect("a new name");
    rustix::net::listen(&listener, 1).expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || echo(stream));
        }
    });
}

#[test]
fn a_unix_socket_is_driven_and_a_full_queue_of_it_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("echo.sock");
    unix_server(&path);
    let target = format!("unix:{}", path.display());
    for arguments in [&["--rate", "2k"][..], &["--active", "10", "--pipeline", "2"]] {
        let output = run(&[&["--target", &target, "--conns", "200"], arguments].concat());
        let report = report(&output);
        assert_eq!(report["connections"]["opened"], 200, "{report}");
        assert_eq!(report["connections"]["errors"], serde_json::json!({}));
        assert_eq!(report["errors"], serde_json::json!({}));
        assert!(report["completed"].as_u64() > Some(0), "{report}");
        assert_eq!(report["settings"]["target"], target);
    }
}

#[test]
fn a_unix_socket_that_is_not_there_is_named_and_no_tcp_server_is_advised() {
    let output = run(&["--target", "unix:/nowhere/echo.sock"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "load-gen: nothing listens on unix:/nowhere/echo.sock; start a server first\n"
    );
}

#[test]
fn connections_are_closed_with_resets_and_the_report_says_how_long_that_took() {
    let (address, counts) = server("127.0.0.1:0");
    let report = report(&run(&["--target", &address.to_string(), "--conns", "40", "--active", "4"]));
    assert!(report["connections"]["closed_s"].as_f64() > Some(0.0), "{report}");
    assert!(report["connections"]["kernel_growth_bytes"].is_u64(), "{report}");
    // The resets have been sent; the threads that read them may not have run yet.
    wait_until("a reset of each", || counts.reset.load(SeqCst) == 40);
}
