//! Tests that what comes back is what was sent.

use std::io::{Read, Write};

use muxbench::server::Reply;

use crate::client::Client;
use crate::subject::{Promise, Subject, waits_for_readiness};
use crate::suite::{Test, test};

pub const TESTS: &[Test] = &[
    test!(messages_of_every_size_from_1_byte_to_8_mib_are_answered),
    test!(exactly_one_or_two_full_buffers_that_arrive_at_once_are_answered),
    // For the loops that follow an event for more than one turn; it has to try again and again.
    test!(more_than_one_turn_s_budget_that_waits_at_once_is_answered_to_the_end)
        .replies(&[Reply::Ack])
        .threads(&[1])
        .only(|mechanism| ["epoll-et", "epoll-oneshot", "io-uring-poll", "mio"].contains(&mechanism.name)),
    test!(thousands_of_pipelined_requests_are_answered_in_order),
    test!(a_message_that_drips_in_byte_by_byte_is_answered),
    test!(a_message_split_at_any_byte_is_answered),
    test!(each_of_many_connections_gets_its_own_bytes),
    test!(an_acknowledgement_counts_the_bytes_of_one_read).replies(&[Reply::Ack]),
    test!(urgent_data_stalls_nothing).needs(&[Promise::UrgentOutOfBand]),
    test!(a_request_and_its_end_that_arrive_together_are_answered_and_closed).needs(&[Promise::HalfClose]),
    test!(a_connection_that_sent_before_it_was_accepted_is_answered).needs(&[Promise::HalfClose]),
    test!(one_echo_costs_one_wait_one_recv_and_one_send).needs(&[Promise::Control]).only(waits_for_readiness),
    test!(one_echo_costs_one_recv_and_one_send_without_a_wait)
        .needs(&[Promise::Control])
        .only(|mechanism| mechanism.family == "blocking"),
    test!(one_echo_costs_no_recv_and_no_send)
        .needs(&[Promise::Control])
        .only(|mechanism| mechanism.family == "completion" && mechanism.counts_calls),
    test!(descriptors_above_1023_are_served).needs(&[Promise::Thousands]),
    test!(several_loops_serve_one_address).needs(&[Promise::Control]).threads(&[3]).every_accept_mode(),
];

fn messages_of_every_size_from_1_byte_to_8_mib_are_answered(subject: &Subject) {
    let mut client = subject.connect();
    for size in [1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 131_072, 1 << 20, 8 << 20] {
        client.exchange(size, usize::MAX);
    }
}

/// A connection through which the server's kernel takes in megabytes that are not read: it lets the receive buffer grow
/// only for a reader that has kept up (tcp(7), tcp_rmem).
fn connect_with_a_large_window(subject: &Subject, kept_up_bytes: usize) -> Client {
    let mut client = subject.connect();
    client.exchange(kept_up_bytes, usize::MAX);
    client
}

fn exactly_one_or_two_full_buffers_that_arrive_at_once_are_answered(subject: &Subject) {
    let mut client = connect_with_a_large_window(subject, 16 << 20);
    for size in [4096, 65536, 65537, 131_072, 200_000] {
        subject.while_stopped(|| client.send(size));
        client.drain();
    }
}

fn more_than_one_turn_s_budget_that_waits_at_once_is_answered_to_the_end(subject: &Subject) {
    const ATTEMPTS: usize = 6;
    for _ in 0..ATTEMPTS {
        let mut client = connect_with_a_large_window(subject, 24 << 20);
        let all_waits = subject.while_stopped(|| {
            client.send((1 << 20) + 4_096);
            client.is_taken_in()
        });
        client.drain();
        // All of it was in the server's kernel: what is still to come would raise an event of its own. How much that
        // takes in at once is the kernel's affair and another for each connection, so that this is tried again, and
        // never asserted.
        if all_waits {
            return;
        }
    }
}

fn thousands_of_pipelined_requests_are_answered_in_order(subject: &Subject) {
    subject.connect().exchange(30_000, 6);
}

fn a_message_that_drips_in_byte_by_byte_is_answered(subject: &Subject) {
    let mut client = subject.connect();
    (0..20).for_each(|_| client.round_trip(1));
    client.exchange(2_000, 1);
}

fn a_message_split_at_any_byte_is_answered(subject: &Subject) {
    const MESSAGE_BYTES: usize = 64;
    let mut client = subject.connect();
    for split in 1..MESSAGE_BYTES {
        // Answered before the rest is sent: the server has seen the parts apart.
        client.round_trip(split);
        client.round_trip(MESSAGE_BYTES - split);
        // And as they may arrive together, or not.
        client.send(split);
        client.send(MESSAGE_BYTES - split);
        client.drain();
    }
}

fn each_of_many_connections_gets_its_own_bytes(subject: &Subject) {
    let mut clients: Vec<_> = (0..subject.up_to(200)).map(|_| subject.connect()).collect();
    for size in [8, 300, 5000] {
        // All at once before the server, and then all answered.
        clients.iter_mut().for_each(|client| client.send(size));
        clients.iter_mut().for_each(|client| client.drain());
    }
}

fn an_acknowledgement_counts_the_bytes_of_one_read(subject: &Subject) {
    let mut client = subject.knock();
    client.write_all(b"hello").expect("sent");
    let mut answer = [0; 12];
    client.read_exact(&mut answer).expect("answered");
    assert_eq!(&answer, b"get bytes 5\n");
}

fn urgent_data_stalls_nothing(subject: &Subject) {
    // Each read stops at the urgent mark, and the urgent byte itself is out of band (tcp(7)).
    for (before, after) in [(6, 5), (0, 5), (6, 0), (0, 0), (70_000, 70_000)] {
        let mut client = subject.connect();
        client.round_trip(1);
        subject.while_stopped(|| {
            client.send(before);
            client.send_urgent();
            client.send(after);
        });
        client.drain();
        subject.await_rest();
        client.round_trip(10);
    }
    // While the connection is idle, one after the other.
    let mut client = subject.connect();
    for _ in 0..5 {
        client.round_trip(1);
        client.send_urgent();
        subject.await_rest();
    }
    subject.assert_rests_and_serves();
    client.round_trip(10);
}

fn a_request_and_its_end_that_arrive_together_are_answered_and_closed(subject: &Subject) {
    let mut client = subject.connect();
    client.round_trip(1);
    subject.while_stopped(|| {
        client.send(10);
        client.half_close();
    });
    client.expect_end();
}

fn a_connection_that_sent_before_it_was_accepted_is_answered(subject: &Subject) {
    let mut client = subject.while_stopped(|| {
        let mut client = subject.connect();
        client.send(5);
        client.half_close();
        client
    });
    client.expect_end();
}

/// Returns the calls that `count` round trips on one connection cost.
fn cost_of_round_trips(subject: &Subject, count: u64) -> model::schema::CallCounters {
    let mut client = subject.connect();
    client.round_trip(1);
    subject.await_rest();
    let before = subject.control().stats();
    (0..count).for_each(|_| client.round_trip(64));
    subject.await_rest();
    let cost = subject.control().stats().since(before);
    assert_eq!(cost.echoes, count);
    cost.calls.expect("counted")
}

fn one_echo_costs_one_wait_one_recv_and_one_send(subject: &Subject) {
    let cost = cost_of_round_trips(subject, 500);
    assert_eq!((cost.waits, cost.events, cost.recv, cost.send), (500, 500, 500, 500));
    assert_eq!((cost.would_block, cost.empty_wakeups), (0, 0));
    // One-shot events are asked for again, by a call of their own.
    let arms_again = subject.mechanism().is_some_and(|mechanism| mechanism.name == "epoll-oneshot");
    assert_eq!(cost.syscalls, if arms_again { 2000 } else { 1500 });
}

fn one_echo_costs_one_recv_and_one_send_without_a_wait(subject: &Subject) {
    let cost = cost_of_round_trips(subject, 500);
    assert_eq!((cost.waits, cost.recv, cost.send, cost.syscalls), (0, 500, 500, 1000));
}

fn one_echo_costs_no_recv_and_no_send(subject: &Subject) {
    let cost = cost_of_round_trips(subject, 500);
    assert_eq!((cost.recv, cost.send, cost.would_block, cost.empty_wakeups), (0, 0, 0, 0));
}

fn descriptors_above_1023_are_served(subject: &Subject) {
    const CONNECTIONS: usize = 1200;
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| subject.connect()).collect();
    subject.await_open(CONNECTIONS as u64);
    for client in clients.iter_mut().rev().step_by(7) {
        client.round_trip(4);
    }
    // A few leave from the middle, the highest among them; those that stay are still served.
    for client in clients.drain(1000..).step_by(2) {
        client.reset();
    }
    subject.assert_rests_and_serves();
    clients.last_mut().expect("a thousand left").round_trip(4);
}

fn several_loops_serve_one_address(subject: &Subject) {
    let mut clients: Vec<_> = (0..60).map(|_| subject.connect()).collect();
    for client in &mut clients {
        client.round_trip(10);
    }
    let server = subject.control();
    assert_eq!(server.stats().accepted, 60);
    assert_eq!(server.listening["threads"], 3);
    let loops: serde_json::Value = {
        server.command("stats");
        serde_json::from_str(&server.line()).expect("a line of counters")
    };
    assert_eq!(loops["loops"].as_array().map(Vec::len), Some(3));
    subject.assert_rests_and_serves();
}
