//! Peers that read late, slowly, or never.

use std::thread;

use muxbench::server::Reply;

use crate::client::Client;
use crate::subject::{Promise, Subject};
use crate::suite::{Test, test};

const HOLDS_BACK: &[Promise] = &[Promise::HoldsBack];

pub const TESTS: &[Test] = &[
    test!(a_peer_that_reads_late_gets_every_byte).needs(HOLDS_BACK),
    test!(a_peer_that_reads_in_sips_gets_every_byte).needs(HOLDS_BACK),
    test!(hundreds_that_read_late_get_every_byte)
        .with(&["--ring", "32,32", "--buffers", "1024"])
        .threads(&[1])
        .only(|mechanism| mechanism.name.starts_with("io-uring")),
    test!(peers_that_never_read_cost_bounded_memory_and_no_processor_time)
        .needs(HOLDS_BACK)
        .replies(&[Reply::Echo]),
    test!(peers_that_never_read_their_acknowledgements_are_held_back_too)
        .needs(&[Promise::Control])
        .replies(&[Reply::Ack]),
    test!(a_peer_that_is_held_back_at_small_messages_ends_in_order).needs(&[Promise::Control]),
    test!(a_half_closed_peer_still_gets_its_bytes).needs(&[Promise::HoldsBack, Promise::HalfClose]),
];

fn a_peer_that_reads_late_gets_every_byte(subject: &Subject) {
    let mut client = subject.connect();
    client.block(subject);
    // The rest of a reply goes first, then what has waited, and what is sent while it is read.
    client.exchange(8 << 20, usize::MAX);
}

fn a_peer_that_reads_in_sips_gets_every_byte(subject: &Subject) {
    const SENT: u64 = 8 << 20;
    let mut client = subject.connect();
    // Room for one segment of the loopback device: a smaller buffer waits for the sender's timers.
    client.set_receive_buffer(1 << 17);
    while client.sent_bytes() < SENT {
        client.send_what_fits(50_000);
        client.read_what_is_there(20_000);
    }
    let mut sip = vec![0; 20_000];
    while client.unanswered() > 0 {
        client.read(&mut sip);
    }
    client.drain();
}

/// Replies that find no room at the same time are more than small queues hold what became of. So much is sent that the server's side of each
/// connection is full, however far the kernel lets its buffers grow.
fn hundreds_that_read_late_get_every_byte(subject: &Subject) {
    const PEERS: usize = 150;
    const ROUNDS: usize = 12;
    let connect = |_| Client::connect_through_a_narrow_pipe(subject.address, subject.reply);
    let mut clients: Vec<_> = (0..PEERS).map(connect).collect();
    for _ in 0..ROUNDS {
        subject.while_stopped(|| {
            for client in &mut clients {
                client.send_what_fits(400_000);
            }
        });
        subject.await_rest();
    }
    clients.iter_mut().for_each(Client::drain);
}

fn peers_that_never_read_cost_bounded_memory_and_no_processor_time(subject: &Subject) {
    const PEERS: u64 = 6;
    let mut clients: Vec<_> = (0..PEERS).map(|_| subject.connect()).collect();
    clients.iter_mut().for_each(|client| client.round_trip(1));
    subject.await_rest();
    let before = subject.resident_bytes();
    let pushed: u64 = clients.iter_mut().map(|client| client.block(subject)).sum();
    let grown = subject.resident_bytes().saturating_sub(before);
    let most = subject.blocked_bytes_at_most(PEERS);
    assert!(grown < most, "{grown} bytes for {PEERS} peers that do not read and have sent {pushed}");
    subject.assert_rests_and_serves();
    clients.into_iter().for_each(Client::reset);
    subject.await_open(0);
    subject.assert_rests_and_serves();
}

fn peers_that_never_read_their_acknowledgements_are_held_back_too(subject: &Subject) {
    const PEERS: u64 = 4;
    let mut clients: Vec<_> = (0..PEERS).map(|_| subject.connect()).collect();
    clients.iter_mut().for_each(|client| client.round_trip(1));
    let before = subject.resident_bytes();
    clients.iter_mut().for_each(|client| client.block_in_small_messages(subject));
    let grown = subject.resident_bytes().saturating_sub(before);
    assert!(grown < subject.blocked_bytes_at_most(PEERS), "{grown} bytes for {PEERS} peers that do not read");
    subject.assert_rests_and_serves();
    clients.iter().for_each(Client::widen_receive_buffer);
    clients.iter_mut().for_each(Client::drain);
}

fn a_peer_that_is_held_back_at_small_messages_ends_in_order(subject: &Subject) {
    let mut client = subject.connect();
    client.block_in_small_messages(subject);
    // The server's kernel has room for the end, so it is there to be reported, for as long as it is not read.
    client.half_close();
    subject.assert_rests_and_serves();
    client.widen_receive_buffer();
    client.expect_end();
}

fn a_half_closed_peer_still_gets_its_bytes(subject: &Subject) {
    let mut client = subject.connect();
    client.block(subject);
    client.half_close();
    // The end waits behind bytes that the server does not read yet.
    subject.assert_rests_and_serves();
    thread::scope(|scope| {
        scope.spawn(|| client.expect_end());
        // Others are served while it gets them.
        let mut other = subject.connect();
        (0..50).for_each(|_| other.round_trip(100));
    });
}
