//! Both engines against peers that read and answer as they please.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use model::schema::{Protocol, Size};
use proptest::prelude::*;
use sys::clock::now_ns;

use super::*;
use crate::client::exchange::Exchange;
use crate::client::payload::Payload;
use crate::plan::sizes::Sizes;
use crate::plan::window::Window;
use crate::record::recorder::Recorder;

const CONNECTIONS: usize = 4;
/// Turns without any progress after which a test gives up; each waits for a moment.
const PATIENCE: u32 = 1000;

#[derive(Debug, Clone)]
enum Step {
    /// So many requests fall due on a connection.
    Request(usize, u64),
    /// A peer reads at most so many bytes, and sends back at most so many of those that it has.
    Echo(usize, usize),
    /// A peer closes its end.
    Close(usize),
    /// The engine takes what has arrived.
    Turn,
    /// The engine sends at once what is due.
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    let connection = 0..CONNECTIONS;
    prop_oneof![
        6 => (connection.clone(), 1..20_u64).prop_map(|(connection, count)| Step::Request(connection, count)),
        6 => (connection.clone(), 1..300_000_usize).prop_map(|(connection, most)| Step::Echo(connection, most)),
        1 => connection.prop_map(Step::Close),
        6 => Just(Step::Turn),
        2 => Just(Step::Flush),
    ]
}

/// The other end of a connection; absent once closed.
struct Peer {
    stream: Option<UnixStream>,
    held: Vec<u8>,
}

impl Peer {
    fn echo(&mut self, most: usize) {
        let Some(stream) = &mut self.stream else { return };
        let mut buffer = vec![0; most];
        match stream.read(&mut buffer) {
            Ok(length) => self.held.extend(&buffer[..length]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        match stream.write(&self.held[..most.min(self.held.len())]) {
            Ok(length) => drop(self.held.drain(..length)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

struct World<E> {
    exchange: Exchange<E>,
    peers: Vec<Peer>,
}

impl<E: Engine> World<E> {
    fn new(size: u32, ring: &RingSize) -> Self {
        let sizes = Sizes::new(Size::Fixed { bytes: size }, 1, 0, 0);
        let window = Window { begin_ns: 0, end_ns: u64::MAX };
        let recorder = Recorder::new(window, true, Arc::default());
        let payload = Payload::new(Protocol::Echo);
        let conversations = Conversations::new(payload, u32::MAX, u64::MAX, recorder);
        let mut exchange = Exchange::<E>::new(conversations, sizes, ring).expect("this kernel has it");
        let peers = (0..CONNECTIONS).map(|id| {
            let (ours, theirs) = UnixStream::pair().expect("sockets");
            for stream in [&ours, &theirs] {
                stream.set_nonblocking(true).expect("a socket");
            }
            exchange.add(ours.into(), id as u32).expect("room for it");
            Peer { stream: Some(theirs), held: Vec::new() }
        });
        let peers = peers.collect();
        Self { exchange, peers }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Request(connection, count) => {
                let now = now_ns();
                self.exchange.request(connection as u32, count, now, now);
            }
            Step::Echo(connection, most) => self.peers[connection].echo(most),
            Step::Close(connection) => self.peers[connection].stream = None,
            Step::Turn => drop(self.turn(0)),
            Step::Flush => self.exchange.flush().expect("the kernel takes it"),
        }
    }

    /// Handles what has arrived; returns whether anything had.
    fn turn(&mut self, timeout_ns: u64) -> bool {
        let before_ns = now_ns();
        let has_events = self.exchange.wait(timeout_ns).expect("the kernel waits");
        let mut handled = 0;
        while let Some(answered) = self.exchange.handle_next() {
            assert!(answered.at_ns >= before_ns, "whatever an event brings, it bears its instant");
            handled += 1;
        }
        assert_eq!(has_events, handled > 0);
        has_events
    }

    /// Lets all peers answer everything, until nothing is under way.
    fn answer_all(&mut self) {
        let mut idle_turns = 0;
        while self.exchange.conversations.pending > 0 {
            self.peers.iter_mut().for_each(|peer| peer.echo(1 << 20));
            idle_turns = if self.turn(1_000_000) { 0 } else { idle_turns + 1 };
            assert!(
                idle_turns < PATIENCE,
                "{} requests stay unanswered",
                self.exchange.conversations.pending
            );
        }
    }
}

/// Whatever happens in whatever order, each request is answered, or failed with the connection that was closed.
fn every_request_is_accounted_for<E: Engine>(ring: &RingSize, size: u32, steps: &[Step]) {
    let mut world = World::<E>::new(size, ring);
    let mut requested = 0;
    for step in steps {
        requested += if let Step::Request(_, count) = step { *count } else { 0 };
        world.take(step);
    }
    world.answer_all();
    // What was given up is closed when the kernel has let go of it.
    while world.turn(0) {}
    let World { exchange, peers } = world;
    let recorder = &exchange.conversations.recorder;
    let closed = peers.iter().filter(|peer| peer.stream.is_none()).count();
    assert_eq!(recorder.scheduled, requested);
    assert_eq!(recorder.completed + recorder.faults.total(), requested);
    assert_eq!((recorder.response.len(), recorder.service.len()), (recorder.completed, recorder.completed));
    if closed == 0 {
        assert_eq!((recorder.completed, recorder.lateness.len()), (requested, requested));
        assert_eq!(exchange.conversations.alive, CONNECTIONS);
    }
    assert!(exchange.conversations.alive >= CONNECTIONS - closed);
    let alive = exchange.conversations.alive;
    assert_eq!(exchange.engine.into_sockets().count(), alive, "what has failed is closed");
}

/// A peer that has stopped reading holds requests back, and they are counted; when it reads, they come.
fn a_full_socket_delays_and_loses_nothing<E: Engine>(ring: &RingSize) {
    let mut world = World::<E>::new(1 << 20, ring);
    world.take(&Step::Request(0, 3));
    world.turn(0);
    assert!(world.exchange.conversations.is_blocked(0));
    world.take(&Step::Request(0, 1));
    world.answer_all();
    assert!(!world.exchange.conversations.is_blocked(0));
    // The one cut in the middle, the one that fell due after, and no others of the same moment.
    let recorder = &world.exchange.conversations.recorder;
    assert_eq!((recorder.scheduled, recorder.completed, recorder.delayed), (4, 4, 2));
    // All but the first have waited for the peer, which is no lateness of this side's.
    assert_eq!((recorder.lateness.len(), recorder.lateness_held.len()), (4, 3));
}

macro_rules! on_each_engine {
    ($($module:ident: $engine:ty, $ring:expr;)*) => { $(
        mod $module {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(48))]
                #[test]
                fn every_request_is_accounted_for(size in prop_oneof![1..200_u32, 1..150_000_u32], steps in prop::collection::vec(step(), 1..60)) {
                    super::every_request_is_accounted_for::<$engine>(&$ring, size, &steps);
                }
            }

            #[test]
            fn a_full_socket_delays_and_loses_nothing() {
                super::a_full_socket_delays_and_loses_nothing::<$engine>(&$ring);
            }
        }
    )* };
}

on_each_engine! {
    on_epoll: Epoll, RingSize::default();
}
#[cfg(feature = "io-uring")]
on_each_engine! {
    on_io_uring: Uring, RingSize::default();
    on_io_uring_with_little_room: Uring, RingSize::new((RingSize::FEWEST, RingSize::FEWEST), 8);
    on_io_uring_with_one_buffer: Uring, RingSize { buffers: 1, ..RingSize::default() };
}
