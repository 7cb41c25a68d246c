//! What comes back is what was sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::net::SendFlags;

use crate::support::*;

/// Sends `message` from a thread while it reads the echo.
fn exchange(client: &TcpStream, message: &[u8]) -> Vec<u8> {
    let mut echo = vec![0; message.len()];
    thread::scope(|scope| {
        scope.spawn(|| (&*client).write_all(message).expect("sent"));
        (&*client).read_exact(&mut echo).expect("echoed");
    });
    echo
}

#[test]
fn messages_of_every_size_around_the_buffers_come_back_byte_for_byte() {
    for_every_mechanism(|server| {
        let client = server.connect();
        for size in [1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 131_072, 1 << 20] {
            let message = pattern(size);
            assert!(exchange(&client, &message) == message, "{size} bytes");
        }
    });
}

#[test]
fn exactly_one_or_two_full_buffers_that_arrive_at_once_are_answered() {
    for_every_mechanism(|server| {
        for size in [4096, 65536, 65537, 131_072] {
            let mut client = server.connect();
            round_trip(&mut client, b"accepted");
            let message = pattern(size);
            server.while_stopped(|| client.write_all(&message).expect("sent"));
            let mut echo = vec![0; size];
            client.read_exact(&mut echo).expect("echoed");
            assert!(echo == message, "{size} bytes");
        }
    });
}

#[test]
fn thousands_of_pipelined_requests_come_back_in_order() {
    for_every_mechanism(|server| {
        let requests: Vec<u8> = (0..20_000_u32).flat_map(u32::to_be_bytes).collect();
        assert!(exchange(&server.connect(), &requests) == requests);
    });
}

#[test]
fn a_message_that_drips_in_byte_by_byte_is_answered() {
    for_every_mechanism_and_reply(|server| {
        let mut client = server.connect();
        for byte in b"drip, drop" {
            round_trip(&mut client, &[*byte]);
        }
    });
}

#[test]
fn each_of_many_connections_gets_its_own_bytes() {
    for_every_mechanism(|server| {
        let mut clients: Vec<_> = (0..200).map(|_| server.connect()).collect();
        for round in 0..3_u32 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.write_all(format!("{round:4}{number:4}").as_bytes()).expect("sent");
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let mut echo = [0; 8];
                client.read_exact(&mut echo).expect("echoed");
                assert_eq!(echo, format!("{round:4}{number:4}").as_bytes());
            }
        }
    });
}

#[test]
fn an_acknowledgement_counts_the_bytes_of_each_read() {
    for_every_mechanism_with(&["--reply", "ack"], |server| {
        let mut client = server.connect();
        client.write_all(b"hello").expect("sent");
        let mut answer = [0; 12];
        client.read_exact(&mut answer).expect("answered");
        assert_eq!(&answer, b"get bytes 5\n");
        acknowledge(&client, &pattern(300_000));
    });
}

#[test]
fn urgent_data_stalls_nothing() {
    for_every_mechanism(|server| {
        let mut client = server.connect();
        round_trip(&mut client, b"accepted");
        // Each read stops at the urgent mark, and the urgent byte itself is out of band (tcp(7)).
        server.while_stopped(|| {
            client.write_all(b"before").expect("sent");
            rustix::net::send(&client, b"!", SendFlags::OOB).expect("sent");
            client.write_all(b"after").expect("sent");
        });
        let mut echo = [0; 11];
        client.read_exact(&mut echo).expect("echoed");
        assert_eq!(&echo, b"beforeafter");
        server.assert_quiet_and_serving();
    });
}

#[test]
fn a_request_and_its_end_that_arrive_together_are_answered_and_closed() {
    for_every_mechanism_and_reply(|server| {
        let mut client = server.connect();
        round_trip(&mut client, b"accepted");
        server.while_stopped(|| {
            client.write_all(b"last words").expect("sent");
            client.shutdown(Shutdown::Write).expect("shut down");
        });
        let answer = rest_of(&mut client);
        assert!(answer == b"last words" || answer == b"get bytes 10\n", "{}", answer.escape_ascii());
    });
}

#[test]
fn a_connection_that_sent_before_it_was_accepted_is_answered() {
    for_every_mechanism(|server| {
        let mut client = server.while_stopped(|| {
            let mut client = server.connect();
            client.write_all(b"early").expect("sent");
            client.shutdown(Shutdown::Write).expect("shut down");
            client
        });
        assert_eq!(rest_of(&mut client), b"early");
    });
}

#[test]
fn one_echo_costs_one_wait_one_recv_and_one_send() {
    for_every_mechanism(|server| {
        let mut client = server.connect();
        round_trip(&mut client, b"first");
        let before = server.stats();
        for _ in 0..500 {
            round_trip(&mut client, &[7; 64]);
        }
        let cost = server.stats().since(before);
        let calls = (cost.waits, cost.events, cost.recv, cost.send, cost.syscalls);
        assert_eq!(calls, (500, 500, 500, 500, 1500));
        assert_eq!((cost.would_block, cost.empty_wakeups), (0, 0));
    });
}

#[test]
fn descriptors_above_1023_are_served() {
    load_gen::machine::raise_descriptor_limit();
    for_every_mechanism(|server| {
        let mut clients: Vec<_> = (0..1200).map(|_| server.connect()).collect();
        let stats = server.await_stats("all are accepted", |stats| stats.accepted + stats.refused == 1200);
        assert_eq!(stats.refused, 0, "this test needs a descriptor limit (ulimit -Hn) above 1300");
        for client in clients.iter_mut().rev().step_by(7) {
            round_trip(client, b"high");
        }
        server.assert_quiet_and_serving();
        // A few leave from the middle, the highest among them; those that stay are still served.
        for client in clients.drain(1000..).step_by(2) {
            reset(client);
        }
        round_trip(clients.last_mut().expect("a thousand left"), b"low");
        server.assert_quiet_and_serving();
    });
}

#[test]
fn a_peer_that_streams_without_a_pause_starves_no_one() {
    for_every_mechanism(|server| {
        let stream = server.connect();
        let block = vec![9; 1 << 20];
        // The stream ends when the other client has been served: a loop that never leaves it runs into the
        // patience of that client.
        let served = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !served.load(Ordering::Relaxed) {
                    (&stream).write_all(&block).expect("sent");
                }
                stream.shutdown(Shutdown::Write).expect("connected");
            });
            scope.spawn(|| rest_of(&mut &stream));
            let _stop = OnDrop(|| served.store(true, Ordering::Relaxed));
            let mut client = server.connect();
            (0..200).for_each(|_| round_trip(&mut client, b"me too"));
        });
    });
}

/// Runs a closure when it goes out of scope, a failed assertion included.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn more_than_one_turn_s_budget_that_waits_at_once_is_answered_to_the_end() {
    for_every_mechanism_with(&["--reply", "ack"], |server| {
        let client = server.connect();
        // The kernel lets the receive buffer grow only for a reader that keeps up (tcp(7), tcp_rmem).
        acknowledge(&client, &vec![1; 64 << 20]);
        let waiting = server.while_stopped(|| {
            client.set_nonblocking(true).expect("non-blocking");
            let block = vec![1; 1 << 16];
            let mut written = 0;
            while let Ok(count) = (&client).write(&block) {
                written += count;
            }
            written
        });
        client.set_nonblocking(false).expect("blocking");
        assert_eq!(acknowledged(&mut &client, waiting, ""), waiting);
    });
}

/// Sends `message` from a thread while it reads the acknowledgements.
fn acknowledge(client: &TcpStream, message: &[u8]) {
    thread::scope(|scope| {
        scope.spawn(|| (&*client).write_all(message).expect("sent"));
        assert_eq!(acknowledged(&mut &*client, message.len(), ""), message.len());
    });
}

#[test]
fn several_loops_serve_one_address() {
    for_every_mechanism_with(&["--threads", "3"], |server| {
        let mut clients: Vec<_> = (0..60).map(|_| server.connect()).collect();
        for client in &mut clients {
            round_trip(client, b"which of you?");
        }
        assert_eq!(server.stats().accepted, 60);
        assert_eq!(server.listening["threads"], 3);
        let loops = std::fs::read_dir(format!("/proc/{}/task", server.child.id()))
            .expect("it lives")
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .filter(|name| name.starts_with("loop-"))
            .count();
        assert_eq!(loops, 3);
    });
}
