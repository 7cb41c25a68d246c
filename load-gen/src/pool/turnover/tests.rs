//! Connections that move at given instants, over sockets whose other ends the tests hold.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use model::schema::{Arrivals, Protocol, Size};
use sys::clock::now_ns;
use sys::ring_size::RingSize;

use super::*;
use crate::client::conversations::Conversations;
use crate::client::engine::Epoll;
use crate::client::payload::Payload;
use crate::plan::schedule::{Purpose, Schedule, random_for};
use crate::plan::sizes::Sizes;
use crate::plan::source::Sources;
use crate::plan::target::Target;
use crate::pool::dialer::Dialer;
use crate::record::recorder::Recorder;
use crate::record::turnover::TurnoverCounts;

const SIZE: usize = 64;
const WINDOW: Window = Window { begin_ns: 0, end_ns: u64::MAX };

/// One active connection and one idle one, with their peers.
struct World {
    exchange: Exchange<Epoll>,
    idle: Vec<OwnedFd>,
    active_peer: UnixStream,
    idle_peer: UnixStream,
}

impl World {
    fn new() -> Self {
        let [(active, active_peer), (idle, idle_peer)] = [(); 2].map(|()| pair());
        let sizes = Sizes::new(Size::Fixed { bytes: SIZE as u32 }, 1, 0, 0);
        let recorder = Recorder::new(WINDOW, true, Arc::default());
        let payload = Payload::new(Protocol::Echo);
        let conversations = Conversations::new(payload, u32::MAX, u64::MAX, recorder);
        let mut exchange =
            Exchange::new(conversations, sizes, &RingSize::default()).expect("Linux has epoll");
        exchange.add(active.into(), 0).expect("room for it");
        Self { exchange, idle: vec![idle.into()], active_peer, idle_peer }
    }

    fn request(&mut self) {
        let now_ns = now_ns();
        self.exchange.request(0, 1, now_ns, now_ns);
    }

    /// The active peer sends back the request that it has received, and the reply is handled.
    fn answer(&mut self) {
        let mut request = [0; SIZE];
        self.active_peer.read_exact(&mut request).expect("a request was sent");
        self.active_peer.write_all(&request).expect("room for a reply");
        assert!(self.exchange.wait(0).expect("epoll waits"), "a reply is there");
        assert_eq!(self.exchange.handle_next().map(|answered| answered.count), Some(1));
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    ours.set_nonblocking(true).expect("a socket");
    theirs.set_nonblocking(true).expect("a socket");
    (ours, theirs)
}

/// The number of bytes that `peer` has received and that were not read yet.
fn received(mut peer: &UnixStream) -> usize {
    let mut buffer = [0; 16 * SIZE];
    match peer.read(&mut buffer) {
        Ok(length) => length,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    }
}

/// A rotation that is due at 1, and then no more.
fn rotation(idle: &mut [OwnedFd]) -> Rotation {
    Rotation::new(1, 0, 2, idle, &mut random_for(Purpose::Rotation, 1, 0, 0))
}

#[test]
fn what_was_held_back_for_an_exchange_is_sent_at_the_instant_after_it() {
    let mut world = World::new();
    let rotation = rotation(&mut world.idle);
    let World { exchange, idle, .. } = &mut world;
    let mut turnover = Turnover::new(idle, 1, Some(rotation), None, true, WINDOW);
    let due_ns = now_ns() - 1_000_000_000;
    exchange.conversations.hold(0);
    exchange.request(0, 1, due_ns, due_ns);
    // The instant of the event for which the exchange is made lies a second before the exchange itself.
    turnover.advance(due_ns, exchange);
    let recorder = exchange.recorder();
    assert_eq!((recorder.turnover.rotated, recorder.lateness.len()), (1, 1));
    assert!(recorder.lateness.min() > 900_000_000, "{} ns", recorder.lateness.min());
    assert_eq!((received(&world.active_peer), received(&world.idle_peer)), (0, SIZE));
}

#[test]
fn an_exchange_for_an_answer_tells_the_time_at_which_it_is_over() {
    let mut world = World::new();
    let rotation = rotation(&mut world.idle);
    world.request();
    let mut idle = std::mem::take(&mut world.idle);
    let mut turnover = Turnover::new(&mut idle, 1, Some(rotation), None, true, WINDOW);
    turnover.advance(1, &mut world.exchange);
    let asked_ns = now_ns();
    let untouched_ns = turnover.answered(0, 1, &mut world.exchange);
    assert_eq!(
        (untouched_ns, world.exchange.recorder().turnover.rotated),
        (1, 0),
        "a reply is still to come"
    );
    world.answer();
    let over_ns = turnover.answered(0, 1, &mut world.exchange);
    assert_eq!(world.exchange.recorder().turnover.rotated, 1);
    assert!(over_ns >= asked_ns, "not the instant of the event, which was 1");
}

#[test]
fn what_is_held_back_when_the_run_ends_is_not_sent_after_it() {
    let mut world = World::new();
    let rotation = rotation(&mut world.idle);
    world.request();
    let World { exchange, idle, .. } = &mut world;
    let mut turnover = Turnover::new(idle, 1, Some(rotation), None, true, WINDOW);
    turnover.advance(1, exchange);
    exchange.request(0, 1, 2, 2);
    turnover.finish(exchange);
    exchange.conversations.record_rest();
    let recorder = exchange.recorder();
    assert_eq!((recorder.unsent, recorder.outstanding()), (1, 2));
    assert_eq!(received(&world.active_peer), SIZE, "only the first of the two");
    // The next run is bound by nothing: what is due there goes, and what was left goes before it.
    world.request();
    assert_eq!(received(&world.active_peer), 2 * SIZE);
}

#[test]
fn after_the_load_no_further_connection_begins_to_move() {
    let mut world = World::new();
    let target: Target = "127.0.0.1:1".parse().expect("a target");
    let schedule = Schedule::new(Arrivals::Poisson, 1e9, 2, random_for(Purpose::Churn, 1, 0, 0));
    let dialer = Dialer::new(&target, Sources::new(&target, 2, 28_000), Duration::ZERO);
    let churn = Churn::new(schedule, (0, u64::MAX), 1, dialer);
    let rotation = rotation(&mut world.idle);
    let World { exchange, idle, .. } = &mut world;
    let mut turnover = Turnover::new(idle, 1, Some(rotation), Some(churn), false, WINDOW);
    assert!(turnover.next_ns() < u64::MAX);
    turnover.end_load();
    assert_eq!(turnover.next_ns(), u64::MAX);
    turnover.advance(u64::MAX - 1, exchange);
    let TurnoverCounts { churn, rotated, .. } = &exchange.recorder().turnover;
    assert_eq!((churn.scheduled, *rotated), (0, 0));
    assert_eq!((idle.len(), exchange.conversations.alive), (1, 1));
}
