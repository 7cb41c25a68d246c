//! Servers that fail in the middle of the work: each failure has its name in the result, every request is accounted
//! for, the run says that it is not valid (exit status 4), and it ends.
//!
//! Who fails from the start, or fails by what it answers, is in `cli.rs`. That the books balance is asserted for every
//! result that a test looks at.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::servers::{
    echo_some, half_close, hold, mute, read_all, replying, reset, server, stop_listening,
};
use crate::support::{count, judged, load_gen, output_of, reasons, run, spawn, start, stderr, total};
use serde_json::Value;

const OPEN_LOOP: [&str; 4] = ["--conns", "4", "--rate", "2k"];
const CLOSED_LOOP: [&str; 2] = ["--conns", "4"];
const SIZE: usize = 64;

/// Runs both loops against `target`, which must spoil them; `check` gets each result.
fn spoils_both_loops(target: SocketAddr, check: impl Fn(&Value)) {
    for arguments in [&OPEN_LOOP[..], &CLOSED_LOOP] {
        check(&judged(&run(target, arguments), 4));
    }
}

/// Each connection failed once, by one of these names.
fn all_four_failed(report: &Value, names: &[&str]) {
    let errors = &report["connections"]["errors"];
    let named: u64 = names.iter().filter_map(|name| errors[name].as_u64()).sum();
    assert_eq!((named, total(errors)), (4, 4), "{report}");
    assert_eq!(report["connections"]["lost"], 4, "{report}");
    assert!(reasons(report).contains("4 connections were lost"), "{report}");
}

#[test]
fn a_reset_in_the_middle_of_a_reply_is_named_reset() {
    let target = server(|mut stream, _| {
        let mut request = [0; SIZE];
        let _ = stream.read_exact(&mut request).and_then(|()| stream.write_all(&request[..10]));
        reset(stream);
    });
    spoils_both_loops(target, |report| {
        all_four_failed(report, &["reset"]);
        assert!(
            count(&report["errors"]["reset"]) >= 4,
            "the requests under way failed by that name: {report}"
        );
    });
}

#[test]
fn a_server_that_sends_its_end_and_goes_on_reading_is_named_lost() {
    let target = server(|stream, _| {
        echo_some(&stream, 3, SIZE);
        half_close(&stream);
    });
    spoils_both_loops(target, |report| {
        all_four_failed(report, &["lost"]);
        assert_eq!(report["completed"], 12, "three replies per connection came: {report}");
    });
}

#[test]
fn a_server_that_closes_after_some_replies_loses_only_what_came_later() {
    let target = server(|stream, _| echo_some(&stream, 5, SIZE));
    spoils_both_loops(target, |report| {
        // A request that arrives after the close is answered by a reset; whichever is noticed first is the name.
        all_four_failed(report, &["lost", "reset"]);
        assert!(completed_before_the_end(report, 20), "{report}");
        assert!(report["outstanding"] == 0, "no reply can come any more: {report}");
    });
}

/// Returns whether the `replies` that were sent before the connections failed were counted. In open loop some may not
/// be: if the next request is due before they are read, its send finds the connection reset.
fn completed_before_the_end(report: &Value, replies: u64) -> bool {
    let completed = count(&report["completed"]);
    if report.get("response").is_some() { completed <= replies } else { completed == replies }
}

#[test]
fn one_connection_that_fails_leaves_the_others_at_work() {
    let target = server(|stream, index| match index % 4 {
        0 => echo_some(&stream, 1, SIZE),
        _ => echo_some(&stream, usize::MAX, SIZE),
    });
    spoils_both_loops(target, |report| {
        assert_eq!(report["connections"]["lost"], 1, "{report}");
        assert!(count(&report["completed"]) > 100, "{report}");
        assert!(
            (report["window_s"].as_f64().expect("seconds") - 0.3).abs() < 1e-6,
            "the whole window: {report}"
        );
    });
}

#[test]
fn garbage_in_place_of_an_acknowledgement_is_wrong() {
    for garbage in ["HTTP/1.1 400 Bad Request\r\n\r\n", "get bytes sixty-four\n", "get bytes 0\n", "\n"] {
        let target = replying(move |_, _| Some(garbage.into()));
        let report = judged(&run(target, &["--conns", "2", "--protocol", "ack"]), 4);
        assert_eq!(report["errors"], serde_json::json!({ "wrong_bytes": 2 }), "{garbage:?}");
        assert_eq!(report["completed"], 0, "{garbage:?}");
    }
}

#[test]
fn an_acknowledgement_of_more_than_was_sent_is_surplus() {
    let target = replying(|bytes, turn| {
        let once = format!("get bytes {}\n", bytes.len());
        Some(once.repeat(if turn == 5 { 2 } else { 1 }).into())
    });
    let report = judged(&run(target, &["--conns", "2", "--protocol", "ack"]), 4);
    assert_eq!(report["connections"]["errors"], serde_json::json!({ "surplus": 2 }));
    assert_eq!(report["errors"], serde_json::json!({ "surplus": 2 }), "which of both was right is not known");
}

#[test]
fn garbage_on_an_idle_connection_is_surplus() {
    let target = server(|mut stream, index| {
        if index == 0 {
            let _ = stream.write_all(b"welcome\n");
        }
        echo_some(&stream, usize::MAX, SIZE);
    });
    let report = judged(&run(target, &["--conns", "2", "--active", "1"]), 4);
    assert_eq!(report["connections"]["errors"], serde_json::json!({ "surplus": 1 }));
}

#[test]
fn a_server_that_stops_reading_in_closed_loop_leaves_one_request_a_connection() {
    let target = server(|stream, _| {
        echo_some(&stream, 2, SIZE);
        hold(&stream);
    });
    let report = judged(&run(target, &["--conns", "4", "--timeout", "200ms"]), 4);
    assert_eq!((&report["outstanding"], &report["completed"]), (&4.into(), &8.into()), "{report}");
    assert!(reasons(&report).contains("4 requests were still unanswered"), "{report}");
}

/// Load-gen does not connect again: what it reports is about the connections that it opened.
#[test]
fn a_server_that_dies_and_returns_is_not_taken_for_one_that_lived() {
    for arguments in
        [&["--conns", "4", "--active", "3", "--rate", "2k"][..], &["--conns", "4", "--active", "3"]]
    {
        let (address, returned) = dies_and_returns(4);
        let mut all = vec!["-d", "1h"];
        all.extend(arguments);
        let report = judged(&output_of(start(address, &all)), 4);
        all_four_failed(&report, &["reset", "lost"]);
        // A reset discards what was not read yet: in open loop that may be all, where the generator had no processor.
        let is_closed = report["settings"]["mode"]["loop"] == "closed";
        assert!(!is_closed || count(&report["completed"]) > 0, "{report}");
        assert!(
            report["window_s"].as_f64() < Some(3600.0),
            "without a connection it does not go on: {report}"
        );
        returned.recv().expect("the server returned").expect("the address was free again");
    }
}

/// A server of `connections` connections that echoes for a while, loses all of them at once as a killed process does,
/// and listens again on the same address. The receiver tells how that went.
fn dies_and_returns(connections: usize) -> (SocketAddr, mpsc::Receiver<std::io::Result<TcpListener>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (tell, returned) = mpsc::channel();
    thread::spawn(move || {
        let streams: Vec<TcpStream> = listener.incoming().flatten().take(connections).collect();
        // The first connection is the idle one.
        for stream in &streams[1..] {
            echo_some(stream, 10, SIZE);
        }
        stop_listening(listener);
        streams.into_iter().for_each(reset);
        // Whoever reads this may be gone.
        let _ = tell.send(TcpListener::bind(address));
    });
    (address, returned)
}

#[test]
fn a_listener_whose_queue_stays_full_is_named() {
    let (listener, _queued) = full_listener();
    let address = listener.local_addr().expect("bound");
    let output = run(address, &["--conns", "3", "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("backlog_full"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

/// A listener to which no further connection can be opened: the kernel drops the SYN of one that finds the queue full
/// (`tcp_conn_request`, net/ipv4/tcp_input.c). And the connections that fill it.
fn full_listener() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    // listen(2) once more changes the length of the queue: none means one.
    rustix::net::listen(&listener, 0).expect("it listens");
    let address = listener.local_addr().expect("bound");
    let short = Duration::from_millis(200);
    let queued = std::iter::from_fn(|| TcpStream::connect_timeout(&address, short).ok()).collect();
    (listener, queued)
}

#[test]
fn a_connection_that_finds_no_room_in_the_queue_leaves_the_run_invalid() {
    let (listener, _queued) = full_listener();
    let address = listener.local_addr().expect("bound");
    // One is taken out, which makes room for one of load-gen's, and then no more.
    let _taken = listener.accept().expect("the queue is full");
    let report = judged(&run(address, &["--conns", "3", "--timeout", "300ms"]), 4);
    assert_eq!(report["connections"]["opened"], 1, "{report}");
    assert_eq!(report["connections"]["errors"], serde_json::json!({ "backlog_full": 1 }));
    assert_eq!(report["outstanding"], 1, "{report}");
    assert!(reasons(&report).contains("only 1 of 3 connections"), "{report}");
}

#[test]
fn a_counted_window_ends_although_the_server_falls_silent() {
    let target = mute().to_string();
    for load in [&["--rate", "1k"][..], &["--pipeline", "1"]] {
        let mut arguments = vec!["--target", &target, "--conns", "2", "--requests", "100", "--json"];
        arguments.extend(["--warmup", "0s", "--timeout", "200ms"]);
        arguments.extend(load);
        let report = judged(&output_of(spawn(load_gen(&arguments))), 4);
        assert_eq!((count(&report["completed"]), &report["outstanding"]), (0, &report["scheduled"]));
    }
}

#[test]
fn a_mute_server_holds_the_run_for_the_timeout_and_no_longer() {
    for arguments in [&OPEN_LOOP[..], &CLOSED_LOOP] {
        let mut all = vec!["--timeout", "100ms"];
        all.extend(arguments);
        let report = judged(&run(mute(), &all), 4);
        assert_eq!(report["outstanding"], report["scheduled"], "{report}");
        assert_eq!(report["connections"]["lost"], 0, "{report}");
    }
}

#[test]
fn a_server_that_reads_and_then_resets_everything_fails_every_request() {
    let target = server(|mut stream, _| {
        let mut requests = [0; SIZE];
        let _ = stream.read_exact(&mut requests);
        reset(stream);
    });
    spoils_both_loops(target, |report| {
        all_four_failed(report, &["reset"]);
        assert_eq!((&report["completed"], &report["outstanding"]), (&0.into(), &0.into()), "{report}");
        assert!(total(&report["errors"]) >= 4, "{report}");
    });
}

#[test]
fn a_port_that_stops_listening_while_connections_are_opened_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let serving = thread::spawn(move || {
        let streams: Vec<TcpStream> = listener.incoming().flatten().take(5).collect();
        stop_listening(listener);
        streams.into_iter().map(|stream| thread::spawn(move || read_all(&stream))).for_each(drop);
    });
    let report = judged(&run(address, &["--conns", "12", "--connect-rate", "200", "--timeout", "300ms"]), 4);
    serving.join().expect("no panic");
    let connections = &report["connections"];
    // Those that were in the queue when it closed were opened, and then reset.
    assert!((5..12).contains(&count(&connections["opened"])), "{report}");
    assert!(count(&connections["errors"]["refused"]) > 0, "{report}");
    assert!(reasons(&report).contains("of 12 connections could be opened"), "{report}");
}
