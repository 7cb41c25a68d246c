//! The counters of a server in memory that whoever started it reads: they are what the server itself says, and it has no part
//! in the reading.

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use model::schema::{Point, Protocol};
use muxbench::experiment::server::{self, Own};
use muxbench::mechanisms;
use muxbench::server::SharedCounters;
use rustix::event::{EventfdFlags, eventfd};
use sys::usage::ProcessClock;
use trials::test;

use crate::support::{Server, connect, container, muxbench, round_trip};

const CONNECTIONS: u64 = 40;
const ROUNDS: u64 = 5;

/// Connections that come, send, and go.
fn load(connect: impl Fn() -> TcpStream) {
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| connect()).collect();
    for round in 0..ROUNDS {
        clients.iter_mut().for_each(|client| round_trip(client, &[round as u8; 64]));
    }
}

#[test]
fn of_an_idle_server_they_are_what_it_says_itself() {
    for (mechanism, threads) in
        mechanisms::compiled().flat_map(|mechanism| [(mechanism, "1"), (mechanism, "3")])
    {
        let (server, counters) =
            Server::sharing_counters(&["--mechanism", mechanism.name, "--threads", threads]);
        // The second time a thread may count where another has before.
        for time in 1..=2 {
            load(|| server.connect());
            server.await_stats("all are closed", |stats| stats.closed == time * CONNECTIONS);
            server.await_rest();
            let said = server.stats();
            let name = mechanism.name;
            assert_eq!(
                (said.accepted, said.echoes),
                (time * CONNECTIONS, time * CONNECTIONS * ROUNDS),
                "{name}"
            );
            assert_eq!(said.calls.is_some(), mechanism.counts_calls, "{name}");
            assert_eq!(counters.read(), Some(said), "{name}, {threads} threads");
        }
    }
}

#[test]
fn reading_them_and_the_process_s_clock_takes_no_time_of_the_server() {
    for mechanism in mechanisms::compiled() {
        let (server, counters) = Server::sharing_counters(&["--mechanism", mechanism.name]);
        let mut client = server.connect();
        round_trip(&mut client, b"count me");
        server.await_rest();
        let clock = ProcessClock::of(server.id()).expect("it lives");
        let (used, counted) = (clock.read().expect("it lives"), counters.read());
        assert_eq!(counted.map(|counters| counters.echoes), Some(1), "{}", mechanism.name);
        for _ in 0..1_000 {
            assert_eq!(counters.read(), counted, "{}", mechanism.name);
            assert_eq!(clock.read().expect("it lives"), used, "{}", mechanism.name);
        }
    }
}

#[test]
fn they_outlive_the_server() {
    let (server, counters) = Server::sharing_counters(&[]);
    load(|| server.connect());
    server.await_stats("all are closed", |stats| stats.closed == CONNECTIONS);
    server.end_input();
    server.await_end();
    assert_eq!(counters.read().expect("they were counted").closed, CONNECTIONS);
}

#[test]
fn a_server_that_cannot_share_them_tells_them_when_asked() {
    const NOTE: &str = "the counters are not shared, only told";
    let serves = |server: &Server| {
        load(|| server.connect());
        server.await_stats("all are closed", |stats| stats.closed == CONNECTIONS);
        server.await_stderr(NOTE);
    };
    for errno in [libc::EPERM, libc::ENOSYS] {
        let filter = [container::refuse_shared_mappings(errno)];
        let (counters, file) = SharedCounters::create().expect("memory");
        let server = container::inside(&filter, || Server::counting_in(&file, &["--mechanism", "epoll-lt"]));
        serves(&server);
        assert_eq!(counters.read(), None, "errno {errno}");
    }
    // Files of another kind, among them one that closes when it is started.
    serves(&Server::counting_in(&File::from(eventfd(0, EventfdFlags::empty()).expect("a file")), &[]));
    serves(&Server::counting_in(&File::open("/dev/null").expect("a file"), &[]));
    let (shared, _) = Server::sharing_counters(&[]);
    assert!(!shared.stderr().contains(NOTE), "{}", shared.stderr());
}

/// A server as a campaign starts it.
fn own() -> server::Server {
    let program = muxbench();
    let point = Point::new("idle-scaling", 1, 1);
    let stop = Arc::new(AtomicBool::new(false));
    Own::start(Path::new(program.get_program()), "epoll-lt", &point, Protocol::Echo, &[], &stop)
        .expect("it starts")
}

/// One connection that sends, comes and goes.
fn one_client(own: &mut server::Server) {
    round_trip(&mut connect(own.address()), b"count me");
    own.await_accepted(1).expect("it came");
    assert!(own.await_closed());
}

#[test]
fn a_campaign_reads_them_and_the_clock_on_another_thread() {
    let mut own = own();
    let account = own.account().expect("it lives");
    let before = account.read().expect("it lives");
    one_client(&mut own);
    let elsewhere = account.clone();
    let after = thread::spawn(move || elsewhere.read().expect("it lives")).join().expect("no panic");
    assert!(after.cpu > before.cpu, "{before:?} {after:?}");
    let counted = after.counters.expect("shared").since(before.counters.expect("shared"));
    assert_eq!((counted.accepted, counted.echoes, counted.closed), (1, 1, 1));
    assert_eq!(own.counters().expect("it lives"), after.counters);
    own.stop();
    assert!(account.read().is_err(), "it was waited for");
}

#[test]
fn a_campaign_that_has_no_such_memory_asks_the_server() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        for filter in [container::refuse("memfd_create", errno), container::refuse_shared_mappings(errno)] {
            container::inside(&[filter], || {
                let mut own = own();
                one_client(&mut own);
                let reading = own.account().and_then(|account| account.read()).expect("it lives");
                assert_eq!(reading.counters, None);
                let counted = own.counters().expect("it answers").expect("it counts");
                assert_eq!((counted.accepted, counted.echoes, counted.closed), (1, 1, 1));
                own.stop();
            });
        }
    }
}
