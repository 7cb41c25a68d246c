//! A server that is full says so, closes the refused, and goes on.

use std::io::Write;
use std::net::TcpStream;

use muxbench::server::REFUSAL;

use crate::support::*;

/// Asserts that `client` is told that the server is full, and then closed in an orderly way.
fn assert_refused(client: &mut TcpStream) {
    assert_eq!(rest_of(client), REFUSAL);
}

#[test]
fn a_full_server_refuses_politely_and_accepts_again_when_one_leaves() {
    for_every_mechanism_with(&["--max-conns", "2"], |server| {
        let (mut first, mut second) = (server.connect(), server.connect());
        round_trip(&mut first, b"one");
        // One new client takes one place, not every free one.
        round_trip(&mut second, b"two");
        for _ in 0..3 {
            assert_refused(&mut server.connect());
        }
        round_trip(&mut first, b"one");
        round_trip(&mut second, b"two");
        let stats = server.stats();
        assert_eq!((stats.accepted, stats.closed, stats.refused), (2, 0, 3));
        drop(first);
        server.await_stats("the first is closed", |stats| stats.closed == 1);
        let mut third = server.connect();
        round_trip(&mut third, b"three");
        assert_refused(&mut server.connect());
        round_trip(&mut second, b"two");
    });
}

#[test]
fn a_refused_client_reads_why_although_it_has_sent_already() {
    for_every_mechanism_with(&["--max-conns", "0"], |server| {
        let mut client = server.while_stopped(|| {
            let mut client = server.connect();
            client.write_all(&pattern(200_000)).expect("sent");
            client
        });
        assert_refused(&mut client);
    });
}

#[test]
fn the_limit_of_connections_is_that_of_all_loops_together() {
    for_every_mechanism_with(&["--max-conns", "5", "--threads", "3"], |server| {
        let clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
        let stats = server.await_stats("all have an answer", |stats| stats.accepted + stats.refused == 20);
        assert_eq!(stats.accepted, 5);
        drop(clients);
        server.await_stats("all are closed", |stats| stats.closed == 5);
        round_trip(&mut server.connect(), b"again");
    });
}

#[test]
fn a_server_out_of_descriptors_refuses_politely_sleeps_and_recovers() {
    for mechanism in muxbench::mechanisms::compiled() {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -n 32 && exec \"$0\" serve --listen 127.0.0.1:0 --mechanism \"$1\""]);
        command.args([env!("CARGO_BIN_EXE_muxbench"), mechanism.name]);
        let server = Server::start(command);
        let mut clients: Vec<_> = (0..100).map(|_| server.connect()).collect();
        let stats = server.await_stats("all have an answer", |stats| stats.accepted + stats.refused == 100);
        assert!((20..32).contains(&stats.accepted), "{}: {stats:?}", mechanism.name);
        for refused in clients.split_off(stats.accepted as usize).iter_mut() {
            assert_refused(refused);
        }
        for client in &mut clients {
            round_trip(client, b"served");
        }
        // Nothing waits, so the loop sleeps: its count of waits stands still over requests of one client.
        let before = server.stats();
        for _ in 0..200 {
            round_trip(&mut clients[0], b"served");
        }
        assert_eq!(server.stats().since(before).waits, 200, "{}", mechanism.name);
        drop(clients);
        server.await_stats("all are closed", |stats| stats.closed == stats.accepted);
        server.assert_quiet_and_serving();
    }
}

#[test]
fn a_flood_of_refused_connections_does_not_starve_those_served() {
    for_every_mechanism_with(&["--max-conns", "1"], |server| {
        let mut client = server.connect();
        round_trip(&mut client, b"first");
        let flood: Vec<_> = server.while_stopped(|| {
            client.write_all(b"meanwhile").expect("sent");
            (0..500).map(|_| server.connect()).collect()
        });
        let mut echo = [0; 9];
        std::io::Read::read_exact(&mut client, &mut echo).expect("echoed");
        assert_eq!(&echo, b"meanwhile");
        server.await_stats("all have an answer", |stats| stats.refused == 500);
        drop(flood);
    });
}

#[test]
fn an_idle_connection_costs_at_most_200_bytes() {
    const CONNECTIONS: u64 = 4000;
    let limit = load_gen::machine::raise_descriptor_limit();
    assert!(
        limit > CONNECTIONS * 2,
        "this test needs a descriptor limit (ulimit -Hn) above {}",
        CONNECTIONS * 2
    );
    for_every_mechanism(|server| {
        server.assert_quiet_and_serving();
        let before = server.resident_bytes();
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
        server.await_stats("all are accepted", |stats| stats.accepted > CONNECTIONS);
        let each = server.resident_bytes().saturating_sub(before) / CONNECTIONS;
        assert!(each <= 200, "{each} bytes a connection");
        clients.into_iter().for_each(reset);
    });
}
