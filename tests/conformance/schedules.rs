//! Random schedules of everything that peers do, against the model of what each must receive.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::process::Signal;

use crate::client::Client;
use crate::subject::{Promise, Subject};
use crate::suite::{Test, test};

pub const TESTS: &[Test] =
    &[test!(whatever_peers_do_each_receives_what_it_must).needs(&[Promise::HalfClose])];

/// Peers at a time.
const PEERS: usize = 4;

/// One action of a schedule. A peer that has no connection makes one first.
#[derive(Debug, Clone)]
enum Action {
    /// It sends as many of these bytes as the kernel takes.
    Send { peer: usize, bytes: usize },
    /// It sends until the kernel has no more room: if it does not read, the server's answers soon have none either.
    Push { peer: usize },
    /// It sends them one by one.
    Drip { peer: usize, bytes: usize },
    /// It sends a byte out of band.
    Urgent { peer: usize },
    /// It reads once what is there, at most so much; a peer reads nothing otherwise.
    Read { peer: usize, bytes: usize },
    /// It reads until all that it sent is answered.
    Settle { peer: usize },
    /// It sends its end, and reads on.
    HalfClose { peer: usize },
    /// It closes, whatever is unread.
    Leave { peer: usize },
    /// It resets the connection.
    Reset { peer: usize },
    /// The server is stopped: what follows comes before it at once.
    Stop,
    /// The server goes on.
    Continue,
    /// The server gets a signal that means nothing to it.
    Signal,
}

/// One action, the usual ones more often.
fn action() -> impl Strategy<Value = Action> {
    let peer = || 0..PEERS;
    let size = || prop_oneof![1..64_usize, 1..5_000_usize, 60_000..140_000_usize];
    prop_oneof![
        6 => (peer(), size()).prop_map(|(peer, bytes)| Action::Send { peer, bytes }),
        1 => peer().prop_map(|peer| Action::Push { peer }),
        2 => (peer(), 1..50_usize).prop_map(|(peer, bytes)| Action::Drip { peer, bytes }),
        4 => (peer(), size()).prop_map(|(peer, bytes)| Action::Read { peer, bytes }),
        2 => peer().prop_map(|peer| Action::Settle { peer }),
        1 => peer().prop_map(|peer| Action::Urgent { peer }),
        1 => peer().prop_map(|peer| Action::HalfClose { peer }),
        1 => peer().prop_map(|peer| Action::Leave { peer }),
        1 => peer().prop_map(|peer| Action::Reset { peer }),
        1 => Just(Action::Stop),
        2 => Just(Action::Continue),
        1 => Just(Action::Signal),
    ]
}

/// A connection, and what the model does not know of it.
struct Peer {
    client: Client,
    has_ended: bool,
    /// The number of bytes that it had sent when it last sent an urgent byte. Until more than these are answered, the
    /// server may not have read the urgent byte, and a second one would make it part of the stream (tcp_check_urg in
    /// net/ipv4/tcp_input.c).
    urgent_at: Option<u64>,
}

/// A server and its peers in the course of a schedule.
struct Play<'s> {
    subject: &'s Subject,
    peers: [Option<Peer>; PEERS],
    is_stopped: bool,
    /// A peer has gone while its urgent byte may have been unread: nothing tells when it is read.
    left_an_urgent_byte: bool,
}

impl<'s> Play<'s> {
    fn new(subject: &'s Subject) -> Self {
        Self { subject, peers: Default::default(), is_stopped: false, left_an_urgent_byte: false }
    }

    fn peer(&mut self, peer: usize) -> &mut Peer {
        let connect = || Peer { client: self.subject.connect(), has_ended: false, urgent_at: None };
        self.peers[peer].get_or_insert_with(connect)
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Send { peer, bytes } => {
                self.peer(peer).send(bytes);
            }
            Action::Push { peer } => while self.peer(peer).send(usize::MAX) > 0 {},
            Action::Drip { peer, bytes } => {
                for _ in 0..bytes {
                    self.peer(peer).send(1);
                }
            }
            Action::Urgent { peer } if self.subject.bears_urgent_bytes() => self.peer(peer).send_urgent(),
            Action::Urgent { .. } => {}
            Action::Read { peer, bytes } => self.peer(peer).client.read_what_is_there(bytes),
            Action::Settle { peer } => {
                self.resume();
                self.peer(peer).client.drain();
            }
            Action::HalfClose { peer } => {
                let peer = self.peer(peer);
                if !std::mem::replace(&mut peer.has_ended, true) {
                    peer.client.half_close();
                }
            }
            Action::Leave { peer } => drop(self.farewell(peer)),
            Action::Reset { peer } => {
                self.farewell(peer).into_iter().for_each(|peer| peer.client.reset());
            }
            // Interrupted at an urgent mark, a recv says that nothing is there although more is (tcp_recvmsg_locked in
            // net/ipv4/tcp.c), and a server that waits for edges waits for ever: epoll-et and mio as well as io-uring.
            Action::Stop if !self.is_stopped && !self.an_urgent_byte_may_be_unread() => {
                self.subject.stop();
                self.is_stopped = true;
            }
            Action::Stop => {}
            Action::Continue => self.resume(),
            Action::Signal => self.subject.signal(Signal::WINCH),
        }
    }

    fn farewell(&mut self, peer: usize) -> Option<Peer> {
        let peer = self.peers[peer].take();
        self.left_an_urgent_byte |= peer.as_ref().is_some_and(Peer::urgent_byte_may_be_unread);
        peer
    }

    fn an_urgent_byte_may_be_unread(&self) -> bool {
        self.left_an_urgent_byte || self.peers.iter().flatten().any(Peer::urgent_byte_may_be_unread)
    }

    fn resume(&mut self) {
        if std::mem::take(&mut self.is_stopped) {
            self.subject.signal(Signal::CONT);
        }
    }

    /// Ends every connection in order: each must have received all that the model says.
    fn finish(mut self) {
        self.resume();
        for peer in self.peers.iter_mut().flatten() {
            if !peer.has_ended {
                peer.client.half_close();
            }
            peer.client.expect_end();
        }
        self.peers = Default::default();
        self.subject.await_open(0);
        self.subject.connect().round_trip(1);
    }
}

impl Peer {
    /// Sends what fits of so many bytes, unless its end is sent; returns how much that was.
    fn send(&mut self, bytes: usize) -> usize {
        match self.has_ended {
            true => 0,
            false => self.client.send_what_fits(bytes),
        }
    }

    fn send_urgent(&mut self) {
        if !self.has_ended && !self.urgent_byte_may_be_unread() && self.client.send_urgent() {
            self.urgent_at = Some(self.client.sent_bytes());
        }
    }

    fn urgent_byte_may_be_unread(&self) -> bool {
        let answered = self.client.sent_bytes() - self.client.unanswered();
        self.urgent_at.is_some_and(|at| answered <= at)
    }
}

impl Drop for Play<'_> {
    fn drop(&mut self) {
        self.resume();
    }
}

fn whatever_peers_do_each_receives_what_it_must(subject: &Subject) {
    // More with PROPTEST_CASES. What is found is told in full, so that no file has to remember it.
    let mut config = Config { failure_persistence: None, max_shrink_time: 20_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 16;
    }
    // A failure may leave the server wrecked, and the search for a shorter one needs a sound one.
    let fresh: RefCell<Option<Subject>> = RefCell::new(None);
    let outcome = TestRunner::new(config).run(&prop::collection::vec(action(), 1..60), |schedule| {
        let played = catch_unwind(AssertUnwindSafe(|| {
            let fresh = fresh.borrow();
            let subject = fresh.as_ref().unwrap_or(subject);
            let mut play = Play::new(subject);
            schedule.iter().for_each(|action| play.act(action));
            play.finish();
        }));
        played.map_err(|panic| {
            *fresh.borrow_mut() = Some(subject.another());
            resume_unwind(panic)
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
