//! Many at once: nobody starves, and those who come and go disturb nobody who stays.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::subject::Subject;
use crate::suite::{Test, test};
use crate::support::{AtTheEnd, wait_until};

pub const TESTS: &[Test] = &[
    test!(a_drip_beside_a_flood_is_answered_while_the_flood_lasts),
    test!(thousands_that_come_and_go_disturb_no_echo),
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
