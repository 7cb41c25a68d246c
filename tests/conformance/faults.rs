//! What one client does, or suffers, is that client's own affair.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use rustix::process::Signal;

use crate::support::*;

/// The pattern from its byte `at` on, long enough to fill buffers with.
struct Endless(Vec<u8>);

impl Endless {
    fn new() -> Self {
        Self(pattern(PERIOD << 10))
    }

    fn from(&self, at: usize) -> &[u8] {
        &self.0[at % PERIOD..]
    }
}

/// Writes the pattern until the server takes no more, and returns how much it took.
fn write_until_it_blocks(server: &Server, mut client: &TcpStream) -> usize {
    let endless = Endless::new();
    let mut witness = server.connect();
    client.set_nonblocking(true).expect("non-blocking");
    let mut written = 0;
    loop {
        match client.write(endless.from(written)) {
            Ok(count) => {
                written += count;
                assert!(written < 1 << 30, "nothing holds the peer back");
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if reads_of_others(server, &mut witness, || ()) == 0 && is_full(client) {
                    break;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    client.set_nonblocking(false).expect("blocking");
    written
}

/// Whether the kernel has no room for a byte from `client`.
fn is_full(client: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut entry = [PollFd::new(client, PollFlags::OUT)];
    poll(&mut entry, Some(&Default::default())).expect("polled") == 0
}

/// How often the server read from others, after `meanwhile`, while it answered `witness`: a loop gives
/// everyone a turn, so none at all means that it reads from no one else.
fn reads_of_others(server: &Server, witness: &mut TcpStream, meanwhile: impl FnOnce()) -> u64 {
    const REQUESTS: u64 = 20;
    round_trip(witness, b"?");
    let before = server.stats();
    meanwhile();
    (0..REQUESTS).for_each(|_| round_trip(witness, b"?"));
    server.stats().since(before).recv - REQUESTS
}

#[test]
fn a_reset_by_one_client_leaves_the_others_served() {
    for_every_mechanism_and_reply(|server| {
        let mut other = server.connect();
        for _ in 0..50 {
            let mut client = server.connect();
            client.write_all(b"never mind").expect("sent");
            reset(client);
            round_trip(&mut other, b"still there?");
        }
        server.await_stats("all that were reset are closed", |stats| stats.closed == stats.accepted - 1);
        server.assert_quiet_and_serving();
    });
}

#[test]
fn answering_a_client_that_is_gone_ends_nothing_else() {
    for_every_mechanism_and_reply(|server| {
        let mut other = server.connect();
        round_trip(&mut other, b"accepted");
        for _ in 0..20 {
            let mut client = server.connect();
            round_trip(&mut client, b"accepted");
            // The first answer is met by a reset, the second by EPIPE: both lie before the server at once.
            server.while_stopped(|| {
                for _ in 0..3 {
                    client.write_all(&pattern(65536)).expect("sent");
                }
                drop(client);
            });
            round_trip(&mut other, b"still there?");
        }
        server.await_stats("those that are gone are closed", |stats| stats.closed == 20);
        server.assert_quiet_and_serving();
    });
}

#[test]
fn a_client_that_is_reset_while_idle_is_closed_and_reported_once() {
    for_every_mechanism(|server| {
        let clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
        server.await_stats("all are accepted", |stats| stats.accepted == 20);
        clients.into_iter().for_each(reset);
        server.await_stats("all are closed", |stats| stats.closed == 20);
        server.assert_quiet_and_serving();
    });
}

#[test]
fn clients_that_are_gone_before_they_are_accepted_harm_no_one() {
    for_every_mechanism(|server| {
        server.while_stopped(|| (0..100).for_each(|_| reset(server.connect())));
        server.assert_quiet_and_serving();
        let stats = server.stats();
        assert!(stats.closed <= stats.accepted && stats.refused == 0, "{stats:?}");
    });
}

#[test]
fn a_peer_that_reads_late_gets_every_byte() {
    const SENT: usize = 64 << 20;
    for_every_mechanism(|server| {
        let client = server.connect();
        let begun = write_until_it_blocks(server, &client);
        assert!(begun < SENT, "nothing holds the peer back");
        thread::scope(|scope| {
            scope.spawn(|| {
                let endless = Endless::new();
                let mut written = begun;
                while written < SENT {
                    let bytes = endless.from(written);
                    let count = bytes.len().min(SENT - written);
                    (&client).write_all(&bytes[..count]).expect("sent");
                    written += count;
                }
                client.shutdown(Shutdown::Write).expect("shut down");
            });
            assert_pattern_of(&client, SENT);
        });
    });
}

/// Reads to the end of the stream and asserts that it was `length` bytes of the pattern.
fn assert_pattern_of(mut client: &TcpStream, length: usize) {
    let endless = Endless::new();
    let mut buffer = vec![0; 1 << 17];
    let mut read = 0;
    loop {
        let count = client.read(&mut buffer).expect("echoed");
        if count == 0 {
            break;
        }
        assert!(buffer[..count] == endless.from(read)[..count], "wrong bytes after {read}");
        read += count;
    }
    assert_eq!(read, length);
}

#[test]
fn a_half_closed_peer_still_gets_its_bytes() {
    for_every_mechanism(|server| {
        let client = server.connect();
        let written = write_until_it_blocks(server, &client);
        client.shutdown(Shutdown::Write).expect("shut down");
        // The end waits behind bytes that the server does not read yet.
        server.assert_quiet_and_serving();
        assert_pattern_of(&client, written);
        server.await_stats("both are closed", |stats| stats.closed == stats.accepted);
    });
}

#[test]
fn peers_that_never_read_cost_bounded_memory_and_no_processor_time() {
    for_every_mechanism(|server| {
        server.assert_quiet_and_serving();
        let before = server.resident_bytes();
        let clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for client in &clients {
            write_until_it_blocks(server, client);
        }
        let grown = server.resident_bytes().saturating_sub(before);
        // One read buffer of 64 KiB each is what may wait.
        assert!(grown < 2 << 20, "{grown} bytes for 8 peers that do not read");
        server.assert_quiet_and_serving();
        clients.into_iter().for_each(reset);
        server.await_stats("all are closed", |stats| stats.closed == stats.accepted);
        server.assert_quiet_and_serving();
    });
}

/// Writes small messages, each read before the next, until the server reads no more because its replies
/// have no room; returns how many bytes were written, of which hardly any wait before the server.
fn write_until_held_back(server: &Server, mut client: &TcpStream, message_bytes: usize) -> usize {
    let endless = Endless::new();
    let mut witness = server.connect();
    let mut written = 0;
    let mut write = || {
        client.write_all(&endless.from(written)[..message_bytes]).expect("sent");
        written += message_bytes;
        assert!(written < 1 << 30, "nothing holds the peer back");
    };
    while reads_of_others(server, &mut witness, &mut write) > 0 {
        (0..200).for_each(|_| write());
    }
    written
}

#[test]
fn a_peer_that_never_reads_its_acknowledgements_is_held_back_too() {
    for_every_mechanism_with(&["--reply", "ack"], |server| {
        let client = server.connect();
        rustix::net::sockopt::set_socket_recv_buffer_size(&client, 1).expect("the smallest buffer");
        let written = write_until_held_back(server, &client, 1);
        server.assert_quiet_and_serving();
        client.shutdown(Shutdown::Write).expect("shut down");
        server.assert_quiet_and_serving();
        // Through the smallest buffer the rest would come in sips.
        rustix::net::sockopt::set_socket_recv_buffer_size(&client, 1 << 20).expect("a large buffer");
        assert_eq!(acknowledged(&mut &client, written, ""), written);
        assert_eq!(rest_of(&mut &client), b"");
    });
}

#[test]
fn an_end_of_stream_that_waits_for_a_blocked_reply_costs_nothing() {
    for_every_mechanism(|server| {
        let client = server.connect();
        let written = write_until_held_back(server, &client, 1000);
        // The server's kernel has room for the end, so it is there to be reported.
        client.shutdown(Shutdown::Write).expect("shut down");
        server.assert_quiet_and_serving();
        assert_pattern_of(&client, written);
    });
}

#[test]
fn would_block_is_no_error() {
    for_every_mechanism(|server| {
        // Every turn after the first accept looks for another connection and finds none.
        let mut client = server.connect();
        round_trip(&mut client, b"one");
        assert!(server.stats().would_block > 0);
        round_trip(&mut client, b"two");
    });
}

#[test]
fn interrupted_waits_lose_nothing() {
    for_every_mechanism_and_reply(|server| {
        let mut client = server.connect();
        round_trip(&mut client, b"accepted");
        for _ in 0..200 {
            // A stop and its end make epoll_wait(2) fail with EINTR (signal(7)).
            server.signal(Signal::STOP);
            server.signal(Signal::CONT);
            server.signal(Signal::WINCH);
            round_trip(&mut client, b"uninterrupted");
        }
        server.while_stopped(|| ());
        server.assert_quiet_and_serving();
    });
}

#[test]
fn a_peer_that_half_closes_while_idle_is_closed_and_costs_nothing() {
    for_every_mechanism(|server| {
        let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.shutdown(Shutdown::Write).expect("shut down");
            assert_eq!(rest_of(client), b"");
        }
        // These still hold their end open.
        server.assert_quiet_and_serving();
    });
}

#[test]
fn a_descriptor_that_is_used_again_belongs_to_its_new_connection() {
    for_every_mechanism(|server| {
        for round in 0..100_u32 {
            let mut leaves = server.connect();
            let mut stays = server.connect();
            round_trip(&mut leaves, &round.to_be_bytes());
            drop(leaves);
            let mut comes = server.connect();
            round_trip(&mut comes, b"mine");
            round_trip(&mut stays, b"mine");
        }
        server.await_stats("all are closed", |stats| stats.closed == 300);
    });
}
