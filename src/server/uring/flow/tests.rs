//! A flow against a kernel that does whatever a kernel may.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::server::Options;

const BUFFERS: u16 = 4;

/// The next event at the one connection.
#[derive(Debug, Clone)]
enum Event {
    /// The peer sends so many bytes, and they are received if a receive is under way.
    Arrive(usize),
    /// Somebody else holds all buffers, or no more.
    Starve(bool),
    /// A send of a buffer takes so many bytes; all of them if there are fewer.
    Take(usize),
    /// A cancelled receive ends.
    Cancel,
    /// The mechanism finds that there are buffers.
    Feed,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..3000_usize).prop_map(Event::Arrive),
        1 => any::<bool>().prop_map(Event::Starve),
        4 => prop_oneof![Just(usize::MAX), 0..4000_usize].prop_map(Event::Take),
        1 => Just(Event::Cancel),
        1 => Just(Event::Feed),
    ]
}

/// One connection and the kernel's side of it.
struct World {
    flow: Flow,
    buffers: ProvidedBuffers,
    server: Server,
    free: VecDeque<u16>,
    /// The number of the buffer that is being sent.
    sent_from: Option<u16>,
    starving: bool,
    receiving: bool,
    cancelled: bool,
    sending: Option<Submission>,
    arrived: Vec<u8>,
    delivered: usize,
    sent: Vec<u8>,
    closed: bool,
}

impl World {
    fn new() -> Self {
        Self {
            flow: Flow::default(),
            buffers: ProvidedBuffers::allocate(BUFFERS).expect("memory"),
            server: Server::new(&Options::default()),
            free: (0..BUFFERS).collect(),
            sent_from: None,
            starving: false,
            receiving: false,
            cancelled: false,
            sending: None,
            arrived: Vec::new(),
            delivered: 0,
            sent: Vec::new(),
            closed: false,
        }
    }

    /// Does what the flow asks for, as the mechanism would.
    fn submit_all(&mut self) {
        loop {
            match self.flow.next() {
                Next::Submit(Submission::Receive) => {
                    assert!(!self.receiving, "two receives at once");
                    self.receiving = true;
                }
                Next::Submit(Submission::CancelReceive) => self.cancelled = true,
                Next::Submit(send) => assert_eq!(self.sending.replace(send), None, "two sends at once"),
                Next::Close(errno) => {
                    assert!(!self.receiving && self.sending.is_none(), "closed with something under way");
                    assert_eq!(errno, None);
                    self.closed = true;
                    return;
                }
                Next::Nothing | Next::AwaitSend | Next::AwaitBuffers => return,
            }
        }
    }

    /// Reports the completion of an operation, as the kernel would.
    fn completed(
        &mut self,
        operation: Operation,
        result: rustix::io::Result<usize>,
        id: Option<u16>,
        is_last: bool,
    ) {
        let mut completion = Completion::simulated(operation, 3, result, id, is_last);
        self.flow.completed(&mut completion, &mut self.buffers, &self.server);
    }

    fn received(&mut self, result: rustix::io::Result<usize>, id: Option<u16>, is_last: bool) {
        if is_last {
            (self.receiving, self.cancelled) = (false, false);
        }
        self.completed(Operation::Receive, result, id, is_last);
    }

    /// Delivers what has arrived, a buffer at a time, as long as a receive is under way.
    fn deliver(&mut self) {
        while self.receiving && self.delivered < self.arrived.len() {
            let free = if self.starving { None } else { self.free.pop_front() };
            let Some(id) = free else {
                self.received(Err(Errno::NOBUFS), None, true);
                return;
            };
            let bytes = &self.arrived[self.delivered..];
            let length = bytes.len().min(1000);
            let bytes = bytes[..length].to_vec();
            self.fill(id, &bytes);
            self.delivered += length;
            let available = self.buffers.available();
            self.received(Ok(length), Some(id), false);
            match self.buffers.available() == available {
                true => self.free.push_back(id),
                false => assert_eq!(self.sent_from.replace(id), None, "two buffers held at once"),
            }
        }
    }

    /// Writes into a buffer as the kernel would.
    fn fill(&mut self, id: u16, bytes: &[u8]) {
        let mut completion = Completion::simulated(Operation::Receive, 3, Ok(bytes.len()), Some(id), false);
        let mut buffer = completion.take_buffer(&mut self.buffers).expect("it names one");
        self.buffers.bytes_mut(&mut buffer)[..bytes.len()].copy_from_slice(bytes);
        self.buffers.give_back(buffer);
    }

    fn take(&mut self, count: usize) {
        match self.sending.take() {
            None => {}
            Some(Submission::SendRest) => {
                let count = count.min(self.flow.rest().len());
                self.sent.extend_from_slice(&self.flow.rest()[..count]);
                self.completed(Operation::SendRest, Ok(count), None, true);
            }
            Some(Submission::Send(start, length)) => {
                let count = count.min(length);
                let Sending::Buffer(buffer, _) = &self.flow.sending else { panic!("the buffer is held") };
                assert_eq!(buffer.address(), start);
                self.sent.extend_from_slice(&self.buffers.bytes(buffer)[..count]);
                match count {
                    0 => self.completed(Operation::Send, Err(Errno::WOULDBLOCK), None, true),
                    _ if count == length => self.flow.sent_whole(&mut self.buffers),
                    _ => self.completed(Operation::Send, Ok(count), None, true),
                }
                self.free.extend(self.sent_from.take());
            }
            Some(other) => panic!("{other:?} is no send"),
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Arrive(count) => {
                let from = self.arrived.len();
                self.arrived.extend((from..from + count).map(|at| (at % 251) as u8));
            }
            Event::Starve(starving) => self.starving = starving,
            Event::Take(count) => self.take(count),
            Event::Cancel if self.cancelled => {
                self.received(Err(Errno::CANCELED), None, true);
            }
            Event::Cancel => {}
            Event::Feed => self.flow.feed(),
        }
        self.deliver();
        self.submit_all();
    }

    /// Lets everything end well: buffers for all, a reader that reads, and the end of the stream.
    fn finish(&mut self) {
        self.starving = false;
        for _ in 0..10_000 {
            if self.receiving && self.delivered == self.arrived.len() && !self.cancelled {
                self.received(Ok(0), None, true);
            }
            for event in [Event::Cancel, Event::Take(usize::MAX), Event::Feed] {
                if self.closed {
                    return;
                }
                self.happen(&event);
            }
        }
        panic!("it stalls: {:?}", self.flow);
    }
}

proptest! {
    #[test]
    fn whatever_the_kernel_does_every_byte_goes_back_once_and_in_order(
        events in prop::collection::vec(event(), 0..120),
    ) {
        let mut world = World::new();
        world.submit_all();
        events.iter().for_each(|event| world.happen(event));
        world.finish();
        prop_assert!(world.sent == world.arrived, "{} of {} bytes", world.sent.len(), world.arrived.len());
        prop_assert_eq!(world.buffers.available(), usize::from(BUFFERS));
    }
}

#[test]
fn a_peer_that_does_not_read_is_soon_not_received_from() {
    let mut world = World::new();
    world.submit_all();
    for _ in 0..1000 {
        world.happen(&Event::Arrive(1000));
        world.happen(&Event::Cancel);
        if matches!(world.sending, Some(Submission::Send(..))) {
            world.happen(&Event::Take(0));
        }
    }
    assert!(!world.receiving);
    assert!(world.flow.unsent() < HELD_BACK_BYTES + 4000, "{} bytes", world.flow.unsent());
}

#[test]
fn an_idle_flow_is_small() {
    assert!(size_of::<Flow>() <= 80, "{}", size_of::<Flow>());
}
