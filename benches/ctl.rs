//! The cost of one epoll_ctl(2), over the descriptors registered: O(log n), as a red-black tree has it?

mod support;

use std::os::fd::OwnedFd;

use load_gen::plan::schedule;
use muxbench::experiment::environment::Pinning;
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use sys::limits;

use support::eventfds::Eventfds;
use support::{Collector, criterion_on, timed};

/// Descriptors registered besides the one that is touched, where the limit allows.
const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];
const OPERATIONS: [&str; 4] = ["add", "mod", "del", "re-arm"];

/// An instance with its descriptors registered.
struct Registered {
    epoll: OwnedFd,
    eventfds: Eventfds,
    size: usize,
    random: Xoshiro256PlusPlus,
    events: Vec<epoll::Event>,
}

impl Registered {
    fn new(size: u32) -> Self {
        let epoll = epoll::create(CreateFlags::CLOEXEC).expect("a descriptor is free");
        let eventfds = Eventfds::new(size);
        let registered = Self {
            epoll,
            eventfds,
            size: size as usize,
            random: schedule::random(1, 0, 0),
            events: Vec::with_capacity(8),
        };
        (0..registered.size).for_each(|at| registered.add(at));
        registered
    }

    /// One of the registered, wherever it is in the tree.
    fn any(&mut self) -> usize {
        self.random.random_range(0..self.size)
    }

    fn add(&self, at: usize) {
        epoll::add(&self.epoll, self.eventfds.get(at), EventData::new_u64(at as u64), EventFlags::IN)
            .expect("new");
    }

    fn modify(&self, at: usize, flags: EventFlags) {
        epoll::modify(&self.epoll, self.eventfds.get(at), EventData::new_u64(at as u64), flags)
            .expect("registered");
    }

    fn delete(&self, at: usize) {
        epoll::delete(&self.epoll, self.eventfds.get(at)).expect("registered");
    }

    /// Nanoseconds of one `operation` on a random descriptor, all others being registered.
    fn operate(&mut self, operation: &str) -> u64 {
        let at = self.any();
        match operation {
            "add" => {
                self.delete(at);
                timed(|| self.add(at)).1
            }
            "del" => {
                let ((), taken_ns) = timed(|| self.delete(at));
                self.add(at);
                taken_ns
            }
            "mod" => {
                let ((), taken_ns) = timed(|| self.modify(at, EventFlags::IN | EventFlags::PRI));
                self.modify(at, EventFlags::IN);
                taken_ns
            }
            _ => self.re_arm(at),
        }
    }

    /// Returns the cost of EPOLLONESHOT per event, in nanoseconds: the descriptor has fired, and is armed again.
    fn re_arm(&mut self, at: usize) -> u64 {
        let oneshot = EventFlags::IN | EventFlags::ONESHOT;
        self.modify(at, oneshot);
        self.eventfds.raise(at);
        self.events.clear();
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), None).expect("waited");
        assert_eq!(self.events.len(), 1);
        self.eventfds.lower(at);
        let ((), taken_ns) = timed(|| self.modify(at, oneshot));
        self.modify(at, EventFlags::IN);
        taken_ns
    }
}

fn main() {
    let pinning = Pinning::choose();
    let room = Eventfds::most(limits::raise_descriptors());
    let mut sizes: Vec<u32> = SIZES.into_iter().map(|size| size.min(room)).collect();
    sizes.dedup();
    let what = "one epoll_ctl(2) on one of the registered descriptors (eventfds, none ready)";
    let collector = Collector::new("ctl", what, OPERATIONS.len() * sizes.len());
    let mut criterion = criterion_on(pinning.server);
    for size in sizes {
        for operation in OPERATIONS {
            collector.point(
                &mut criterion,
                operation,
                size,
                || Registered::new(size),
                |registered| registered.operate(operation),
            );
        }
    }
    criterion.final_summary();
    collector.write();
}
