//! Tests of how a server announces its address, logs its clients, and ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use muxbench::server::Reply;
use rustix::process::Signal;

use crate::client::Client;
use crate::subject::{Promise, Subject};
use crate::suite::{Test, test};
use crate::support::{Server, reset, rest_of, wait_until};

const CONTROL: &[Promise] = &[Promise::Control];

pub const TESTS: &[Test] = &[
    test!(the_end_of_input_stops_a_busy_server).needs(CONTROL),
    test!(sigterm_stops_a_busy_server).needs(CONTROL),
    test!(sigint_stops_a_busy_server).needs(CONTROL),
    test!(an_idle_server_stops_at_the_end_of_input).needs(CONTROL),
    test!(the_line_on_listening_says_where_and_what).needs(CONTROL).replies(&[Reply::Echo]),
    test!(the_log_has_a_line_for_each_coming_and_going).with(&["--log", "--max-conns", "1"]),
    test!(without_the_log_nothing_is_written_for_a_connection).needs(CONTROL),
];

fn the_end_of_input_stops_a_busy_server(subject: &Subject) {
    assert_stops(subject, Server::end_input);
}

fn sigterm_stops_a_busy_server(subject: &Subject) {
    assert_stops(subject, |server| server.signal(Signal::TERM));
}

fn sigint_stops_a_busy_server(subject: &Subject) {
    assert_stops(subject, |server| server.signal(Signal::INT));
}

/// A client that sends and reads without a pause until the connection ends.
fn busy(mut client: TcpStream, answers: &AtomicU64) {
    let mut buffer = [0; 4096];
    while client.write_all(&[1; 512]).is_ok() && matches!(client.read(&mut buffer), Ok(1..)) {
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Stops the server with `stop` while it has connections in every state, and asserts that it ends well.
fn assert_stops(subject: &Subject, stop: impl Fn(&Server)) {
    let mut idle = subject.connect();
    idle.round_trip(1);
    let mut held_back: Vec<_> = (0..2).map(|_| subject.connect()).collect();
    for client in &mut held_back {
        client.block(subject);
    }
    held_back[0].half_close();
    let half_closed = subject.connect();
    half_closed.half_close();
    let (answers, busy_clients) = (AtomicU64::new(0), (0..4).map(|_| subject.knock()).collect::<Vec<_>>());
    thread::scope(|scope| {
        for client in busy_clients {
            scope.spawn(|| busy(client, &answers));
        }
        wait_until(|| answers.load(Ordering::Relaxed) > 200, || "it is busy".into());
        stop(subject.control());
        let status = subject.await_end();
        assert_eq!(status.code(), Some(0), "{status:?}");
    });
}

fn an_idle_server_stops_at_the_end_of_input(subject: &Subject) {
    let _idle: Vec<Client> = (0..2).map(|_| subject.connect()).collect();
    subject.await_open(2);
    subject.control().end_input();
    assert_eq!(subject.await_end().code(), Some(0));
}

fn the_line_on_listening_says_where_and_what(subject: &Subject) {
    let server = subject.control();
    let listening = server.listening.as_object().expect("an object");
    assert_eq!(listening["event"], "listening");
    assert_eq!(listening["pid"], server.id());
    assert_eq!(listening["threads"], subject.threads);
    assert_eq!(Some(listening["mechanism"].as_str()), subject.mechanism().map(|it| Some(it.name)));
    assert_ne!(server.address.port(), 0);
}

fn the_log_has_a_line_for_each_coming_and_going(subject: &Subject) {
    let client = subject.knock();
    let peer = client.local_addr().expect("an address");
    subject.await_stderr(&format!("{peer} connected\n"));
    assert!(!rest_of(&mut subject.knock()).is_empty());
    subject.await_stderr("refused: the server is full\n");
    drop(client);
    subject.await_stderr(&format!("{peer} disconnected\n"));
    subject.await_open(0);
    reset(subject.knock());
    subject.await_stderr("disconnected: ");
}

fn without_the_log_nothing_is_written_for_a_connection(subject: &Subject) {
    for _ in 0..3 {
        subject.connect().round_trip(5);
    }
    subject.await_closed(3);
    subject.await_stderr("until end of input");
    assert_eq!(subject.stderr().lines().count(), 1, "{}", subject.stderr());
}
