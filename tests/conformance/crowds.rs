//! Many at once: nobody starves, and those who come and go disturb nobody who stays.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use muxbench::server::Reply;

use crate::client::Client;
use crate::subject::Subject;
use crate::suite::{Test, test};
use crate::support::{AtTheEnd, wait_until};

pub const TESTS: &[Test] = &[
    test!(a_drip_beside_a_flood_is_answered_while_the_flood_lasts),
    test!(thousands_that_come_and_go_disturb_no_echo),
    test!(those_served_have_their_turns_while_a_flood_is_taken_in)
        .with(&["--log"])
        .replies(&[Reply::Echo])
        .threads(&[1])
        // With one thread per connection the order is the scheduler's.
        .only(|mechanism| mechanism.family != "blocking"),
];

/// A connection that sends and reads without a pause until `end` is set; `answered_bytes` counts its answers.
fn flood(subject: &Subject, end: &AtomicBool, answered_bytes: &AtomicU64) {
    const ROUND_BYTES: usize = 1 << 20;
    let mut client = subject.connect();
    while !end.load(Ordering::Relaxed) {
        // Ahead of its own answers by up to a whole round, which is more than a loop's turn.
        client.exchange(ROUND_BYTES, usize::MAX);
        answered_bytes.fetch_add(ROUND_BYTES as u64, Ordering::Relaxed);
    }
}

fn a_drip_beside_a_flood_is_answered_while_the_flood_lasts(subject: &Subject) {
    // The flood ends only when the drips have been answered: a loop that never leaves it runs into the patience
    // of the one who drips. And it goes on between any two drips, so that each was answered beside it.
    let (end, flooded) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let _end = AtTheEnd(|| end.store(true, Ordering::Relaxed));
        for _ in 0..2 {
            scope.spawn(|| flood(subject, &end, &flooded));
        }
        let mut client = subject.connect();
        for _ in 0..8 {
            let before = flooded.load(Ordering::Relaxed);
            wait_until(|| flooded.load(Ordering::Relaxed) > before, || "the flood goes on".into());
            (0..10).for_each(|_| client.round_trip(1));
        }
    });
}

/// Connects and closes until `enough` says so, in every way in which a client can go, and returns how often.
fn come_and_go(subject: &Subject, enough: impl Fn(usize) -> bool) -> usize {
    for number in 0.. {
        if enough(number) {
            return number;
        }
        let mut client = subject.connect();
        match number % 4 {
            0 => drop(client),
            1 => client.reset(),
            2 => {
                client.send(10);
                client.reset();
            }
            // Answered before it goes: they come no faster than the server takes them in.
            _ => client.round_trip(10),
        }
    }
    unreachable!("it is enough some time")
}

fn thousands_that_come_and_go_disturb_no_echo(subject: &Subject) {
    const COMERS: usize = 2;
    const ROUNDS: usize = 50;
    let at_least = subject.up_to(4_000) / COMERS / 2;
    let mut clients: Vec<_> = (0..4).map(|_| subject.connect()).collect();
    clients.iter_mut().for_each(|client| client.round_trip(1));
    let begun = Instant::now();
    // They come and go until the echoes have come, and the echoes go on until enough have come and gone.
    let (echoed, come) = (AtomicBool::new(false), AtomicU64::new(0));
    let enough = |number| {
        come.fetch_add(1, Ordering::Relaxed);
        number >= at_least && echoed.load(Ordering::Relaxed)
    };
    let came_and_went: usize = thread::scope(|scope| {
        let _end = AtTheEnd(|| echoed.store(true, Ordering::Relaxed));
        let comers: Vec<_> = (0..COMERS).map(|_| scope.spawn(|| come_and_go(subject, enough))).collect();
        for _ in 0..ROUNDS {
            let before = come.load(Ordering::Relaxed);
            clients.iter_mut().for_each(|client| client.round_trip(100));
            wait_until(|| come.load(Ordering::Relaxed) > before, || "others come and go".into());
        }
        echoed.store(true, Ordering::Relaxed);
        comers.into_iter().map(|comer| comer.join().expect("connected")).sum()
    });
    let rate_per_s = came_and_went as f64 / begun.elapsed().as_secs_f64();
    println!("{came_and_went} connections came and went, {rate_per_s:.0} a second");
    subject.await_open(clients.len() as u64);
    clients.iter_mut().for_each(|client| client.round_trip(1));
    subject.assert_rests_and_serves();
}

fn those_served_have_their_turns_while_a_flood_is_taken_in(subject: &Subject) {
    const ATTEMPTS: usize = 5;
    let before = (0..ATTEMPTS).map(|_| taken_in_before_a_request(subject));
    // On a busy machine a request may come late; a server that serves nobody meanwhile never answers one in between.
    let is_served_in_between = |before: &usize| *before < FLOOD / 10 * 9;
    assert!(
        before.into_iter().any(|before| is_served_in_between(&before)),
        "{ATTEMPTS} times a request was answered only when a flood of {FLOOD} had been taken in"
    );
}

/// Connections that come at once.
const FLOOD: usize = 3_000;

/// Lets [`FLOOD`] connections lie before the server, sends a request on another when it has begun to take them in, and
/// returns how many it had taken in when that was answered: its own log says in which order it did what.
fn taken_in_before_a_request(subject: &Subject) -> usize {
    let count = |what: &str| subject.stderr().matches(what).count();
    wait_until(|| count(" disconnected") == count(" connected\n"), || "the log is complete".into());
    let begun = subject.stderr().len();
    let mut client = subject.connect();
    client.round_trip(1);
    let flood: Vec<_> = subject.while_stopped(|| (0..FLOOD).map(|_| subject.connect()).collect());
    let first = format!("{} connected\n", flood[0].stream.local_addr().expect("an address"));
    wait_until(|| subject.stderr()[begun..].contains(&first), || "the flood is taken in".into());
    client.send(9);
    client.half_close();
    client.expect_end();
    let left = format!("{} disconnected\n", client.stream.local_addr().expect("an address"));
    wait_until(|| subject.stderr()[begun..].contains(&left), || "the client is gone".into());
    let log = subject.stderr();
    let (_, log) = log[begun..].split_once(&first).expect("it was there");
    let (meanwhile, _) = log.split_once(&left).expect("it came later");
    let taken_in = meanwhile.matches(" connected\n").count();
    println!("answered after {taken_in} of {FLOOD} had been taken in");
    flood.into_iter().for_each(Client::reset);
    subject.await_open(0);
    taken_in
}
