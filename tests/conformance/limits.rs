//! A server that is full says so, closes the refused, and goes on.

use std::io::Write;
use std::net::TcpStream;

use muxbench::server::{REFUSAL, Reply};

use crate::client::Client;
use crate::subject::{Promise, Subject};
use crate::suite::{Test, test};
use crate::support::{rest_of, wait_until};

pub const TESTS: &[Test] = &[
    test!(a_full_server_refuses_politely_and_accepts_again_when_one_leaves).with(&["--max-conns", "2"]),
    test!(a_refused_client_that_has_sent_already_reads_why_and_gets_no_reset).with(&["--max-conns", "0"]),
    test!(a_refused_client_that_sends_more_than_is_taken_in_reads_the_end).with(&["--max-conns", "0"]),
    test!(the_limit_of_connections_is_that_of_all_loops_together).with(&["--max-conns", "5"]),
    test!(a_server_out_of_descriptors_refuses_politely_rests_and_recovers).with_descriptors(DESCRIPTORS),
    test!(a_server_that_lost_its_last_descriptor_for_a_moment_still_refuses)
        .with_descriptors(DESCRIPTORS)
        .threads(&[1])
        // poll(2) itself is refused where it watches more than the limit.
        .only(|mechanism| mechanism.name != "poll"),
    test!(a_flood_of_refused_connections_lets_those_served_have_their_turns)
        .with(&["--max-conns", "1", "--log"])
        .threads(&[1])
        // With one thread per connection the order is the scheduler's.
        .only(|mechanism| mechanism.family != "blocking"),
    test!(an_idle_connection_costs_few_bytes).needs(&[Promise::Control]).replies(&[Reply::Echo]),
];

/// Asserts that `client` is told that the server is full, and then closed in an orderly way.
fn assert_refused(client: &mut TcpStream) {
    assert_eq!(rest_of(client), REFUSAL);
}

fn a_full_server_refuses_politely_and_accepts_again_when_one_leaves(subject: &Subject) {
    let (mut first, mut second) = (subject.connect(), subject.connect());
    first.round_trip(3);
    // One new client takes one place, not every free one.
    second.round_trip(3);
    for _ in 0..3 {
        assert_refused(&mut subject.knock());
    }
    first.round_trip(3);
    second.round_trip(3);
    let stats = subject.control().stats();
    assert_eq!((stats.accepted, stats.closed, stats.refused), (2, 0, 3));
    drop(first);
    subject.await_open(1);
    let mut third = subject.connect();
    third.round_trip(3);
    assert_refused(&mut subject.knock());
    second.round_trip(3);
    drop(third);
    subject.await_open(1);
    subject.assert_rests_and_serves();
}

fn a_refused_client_that_has_sent_already_reads_why_and_gets_no_reset(subject: &Subject) {
    let mut client = subject.while_stopped(|| {
        let mut client = subject.knock();
        client.write_all(&[1; 50_000]).expect("sent");
        client
    });
    assert_refused(&mut client);
    // Closing a socket with unread bytes sends a reset (RFC 2525, 2.17), which on another road than this one could
    // overtake the text. Here it would come after it, when the server has closed.
    subject.await_rest();
    assert!(client.take_error().expect("asked").is_none(), "the client was reset");
}

fn a_refused_client_that_sends_more_than_is_taken_in_reads_the_end(subject: &Subject) {
    let (mut client, sent) = subject.while_stopped(|| {
        let mut client = subject.knock();
        client.set_nonblocking(true).expect("non-blocking");
        let mut sent = 0;
        while let Ok(count) = client.write(&[1; 1 << 16]) {
            sent += count;
        }
        client.set_nonblocking(false).expect("blocking");
        (client, sent)
    });
    assert!(sent > 1_200_000, "{sent} bytes are no more than what the server takes in before it closes");
    assert_refused(&mut client);
}

fn the_limit_of_connections_is_that_of_all_loops_together(subject: &Subject) {
    let clients: Vec<_> = (0..20).map(|_| subject.knock()).collect();
    let server = subject.control();
    let stats = server.await_stats("all have an answer", |stats| stats.accepted + stats.refused == 20);
    assert_eq!(stats.accepted, 5);
    drop(clients);
    server.await_stats("all are closed", |stats| stats.closed == 5);
    subject.connect().round_trip(5);
}

const DESCRIPTORS: u32 = 64;

fn a_server_out_of_descriptors_refuses_politely_rests_and_recovers(subject: &Subject) {
    // Beyond what all tables hold together, however unevenly the kernel spreads the connections.
    let connections = 250;
    let mut clients: Vec<_> = (0..connections).map(|_| subject.connect()).collect();
    let server = subject.control();
    let answered = |stats: &model::schema::ServerCounters| stats.accepted + stats.refused == connections;
    let stats = server.await_stats("all have an answer", answered);
    let most = u64::from(DESCRIPTORS * subject.threads);
    assert!((16..most).contains(&stats.accepted), "{stats:?}");
    // The refused have an end to read, the others nothing yet.
    let (refused, mut served): (Vec<_>, Vec<_>) = clients.drain(..).partition(Client::has_something_to_read);
    assert_eq!((served.len() as u64, refused.len() as u64), (stats.accepted, stats.refused));
    refused.into_iter().for_each(|client| assert_refused(&mut client.into_stream()));
    served.iter_mut().for_each(|client| client.round_trip(6));
    // Nothing waits, so it sleeps, full as it is.
    subject.await_rest();
    let before = subject.counted();
    (0..200).for_each(|_| served[0].round_trip(6));
    if let (Some(before), Some(after)) = (before, subject.counted()) {
        assert_eq!(after.since(before).calls.expect("counted").waits, 200);
    }
    drop(served);
    server.await_stats("all are closed", |stats| stats.closed == stats.accepted);
    subject.assert_rests_and_serves();
}

fn a_server_that_lost_its_last_descriptor_for_a_moment_still_refuses(subject: &Subject) {
    const RESERVE: &str = "anon_inode:[eventfd]";
    let server = subject.control();
    let mut served = Vec::new();
    loop {
        let client = subject.connect();
        let all = served.len() as u64 + 1;
        let stats = server.await_stats("it has an answer", |stats| stats.accepted + stats.refused == all);
        if stats.refused == 1 {
            break assert_refused(&mut client.into_stream());
        }
        served.push(client);
    }
    // It rests, with its reserve restored.
    subject.await_rest();
    // It gives its reserve up for the next client, and gets no descriptor for it. A thread that waits in accept4(2) has
    // one already, and the reserve back only afterwards.
    let in_accept = subject.mechanism().is_some_and(|mechanism| mechanism.family == "blocking");
    let eventfds = subject.descriptors(RESERVE);
    subject.limit_descriptors(1, DESCRIPTORS);
    let mut last = subject.knock();
    let is_lost = || match in_accept {
        true => server.stats().refused == 2,
        false => subject.descriptors(RESERVE) < eventfds,
    };
    wait_until(is_lost, || "the reserve is given up".into());
    subject.limit_descriptors(DESCRIPTORS, DESCRIPTORS);
    // One descriptor is free now: if a connection took it, nobody would be refused any more.
    assert_refused(&mut last);
    assert_refused(&mut subject.knock());
    served.iter_mut().for_each(|client| client.round_trip(6));
    drop(served);
    subject.await_open(0);
    subject.assert_rests_and_serves();
}

fn a_flood_of_refused_connections_lets_those_served_have_their_turns(subject: &Subject) {
    const FLOOD: usize = 1000;
    const BEFORE_AT_MOST: usize = FLOOD / 2;
    let mut client = subject.connect();
    client.round_trip(1);
    let peer = client.stream.local_addr().expect("an address");
    // All of the flood lies before the server, and the request and its end beside it. The server's own log says in
    // which order it took them: a loop that first refuses whoever waits comes to the client last.
    let mut flood: Vec<_> = subject.while_stopped(|| {
        client.send(9);
        client.half_close();
        (0..FLOOD).map(|_| subject.knock()).collect()
    });
    client.expect_end();
    let left = format!("{peer} disconnected\n");
    subject.await_stderr(&left);
    let log = subject.stderr();
    let before = log.split(&left).next().unwrap_or_default().matches("refused: the server is full").count();
    assert!(before < BEFORE_AT_MOST, "{before} of {FLOOD} were refused before the client had its turn");
    // Those who came when the place was free again took it; the others were refused.
    let server = subject.control();
    let answered = || {
        let stats = server.stats();
        stats.accepted + stats.refused == FLOOD as u64 + 1
    };
    wait_until(answered, || format!("all have an answer; {:?}", server.stats()));
    flood.drain(..);
}

fn an_idle_connection_costs_few_bytes(subject: &Subject) {
    const CONNECTIONS: u64 = 4000;
    subject.assert_rests_and_serves();
    let before = subject.resident_bytes();
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| subject.connect()).collect();
    subject.await_open(CONNECTIONS);
    subject.await_rest();
    let each = subject.resident_bytes().saturating_sub(before) / CONNECTIONS;
    assert!(each <= subject.bounds.idle, "{each} bytes per connection");
    clients.into_iter().for_each(Client::reset);
}
