//! The library's front: a pool of connections, its windows, and what lies between them.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

use crate::support::servers::{echo, replying};
use crate::support::wait_until;
use clap::Parser;
use load_gen::command::cli::Cli;
use load_gen::plan::options::Load;
use load_gen::pool::Pool;
use load_gen::record::observer::{Edge, Observer, Progress};

/// Opens the pool that `arguments` of the command describe, and returns it with their load.
fn parse(target: SocketAddr, arguments: &str) -> (Pool, Load) {
    let always = ["load-gen", "--warmup", "0s", "--wait", "sleep"];
    let cli = Cli::try_parse_from(always.into_iter().chain(arguments.split_whitespace()));
    let cli = cli.unwrap_or_else(|error| panic!("{error}"));
    let pool = Pool::open(cli.pool(target.into(), false), Arc::default(), &mut ());
    let pool = pool.expect("the server listens");
    (pool, cli.load(1.0))
}

/// Fails in the middle of a run, as a worker that fails does for the pool.
struct Failing;

impl Observer for Failing {
    fn edge(&mut self, _edge: Edge, _answered: u64) {
        panic!("as this test means it to");
    }
}

#[test]
fn a_pool_that_is_dropped_in_the_middle_of_a_window_does_not_wait_for_its_end() {
    for mode in ["", "--rate 1k"] {
        let (mut pool, load) = parse(echo(), &format!("--conns 4 --threads 2 -d 1h {mode}"));
        let run = thread::spawn(move || pool.run(&load, &mut Failing).map(drop));
        wait_until("the workers have ended with the pool", || run.is_finished());
        assert!(run.join().is_err(), "the observer panicked");
    }
}

#[test]
fn a_pool_that_drains_waits_for_the_replies_that_its_last_window_left() {
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write().expect("nobody panics");
    let target = replying({
        let gate = Arc::clone(&gate);
        move |bytes, _| {
            drop(gate.read());
            Some(bytes.to_vec())
        }
    });
    let (mut pool, load) = parse(target, "--conns 3 --pipeline 2 -d 50ms --timeout 100ms");
    let report = pool.run(&load, &mut ()).expect("the workers live");
    assert_eq!((report.completed, report.outstanding), (0, 6));
    assert!(!pool.drain().expect("the workers live"), "the server answers nothing");
    drop(closed);
    wait_until("everything is answered", || pool.drain().expect("the workers live"));
    let report = pool.run(&load, &mut ()).expect("the workers live");
    assert_eq!(
        report.completed + report.outstanding,
        report.scheduled,
        "no reply of another window is among them"
    );
}

/// Remembers what it was told.
#[derive(Default)]
struct Counting(Vec<Progress>);

impl Observer for Counting {
    fn progress(&mut self, progress: &Progress) {
        self.0.push(*progress);
    }

    fn period(&self) -> Duration {
        Duration::from_millis(1)
    }
}

#[test]
fn what_an_observer_counts_goes_on_when_connections_are_opened_anew() {
    let (mut pool, load) = parse(echo(), "--conns 3 -d 50ms");
    let mut observer = Counting::default();
    for _ in 0..2 {
        pool.run(&load, &mut observer).expect("the workers live");
        pool.reopen().expect("the server listens");
    }
    assert!(observer.0.iter().all(|progress| progress.opened == 3));
    assert!(observer.0.is_sorted_by_key(|progress| (progress.due, progress.answered)), "{:?}", observer.0);
    assert!(observer.0.len() > 1 && observer.0.last().is_some_and(|last| last.answered > 0));
}
