//! One wait of each mechanism, and the scan that finds what is ready: what a loop does before it serves.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// The mechanisms that there is a waiter for.
pub const MECHANISMS: [&str; 4] = ["select", "poll", "epoll-lt", "epoll-et"];

/// A mechanism that watches descriptors.
pub trait Wait {
    /// Waits until some are ready, and puts them into `ready`.
    fn wait(&mut self, ready: &mut Vec<RawFd>);

    /// Takes every descriptor off, and puts all of `descriptors` on again.
    fn watch_anew(&mut self, descriptors: &[RawFd]);
}

/// A waiter of `mechanism` that watches `descriptors`, whose owner outlives it.
pub fn waiter(mechanism: &str, descriptors: &[RawFd]) -> Box<dyn Wait> {
    match mechanism {
        "select" => Box::new(Select::new(descriptors)),
        "poll" => Box::new(Poll::new(descriptors)),
        "epoll-lt" => Box::new(Epoll::level(descriptors)),
        "epoll-et" => Box::new(Epoll::edge(descriptors)),
        other => panic!("no waiter of {other}"),
    }
}

/// select(2), with sets of any size, copied for each call since the kernel overwrites them.
struct Select {
    watched: Vec<u64>,
    ready: Vec<u64>,
    end: i32,
}

impl Select {
    fn new(descriptors: &[RawFd]) -> Self {
        let highest = descriptors.iter().copied().max().expect("something to watch");
        let mut watched = vec![0; highest as usize / 64 + 1];
        descriptors.iter().for_each(|&fd| watched[fd as usize / 64] |= 1 << (fd % 64));
        Self { ready: watched.clone(), watched, end: highest + 1 }
    }
}

impl Wait for Select {
    fn watch_anew(&mut self, descriptors: &[RawFd]) {
        descriptors.iter().for_each(|&fd| self.watched[fd as usize / 64] &= !(1 << (fd % 64)));
        descriptors.iter().for_each(|&fd| self.watched[fd as usize / 64] |= 1 << (fd % 64));
    }

    fn wait(&mut self, found: &mut Vec<RawFd>) {
        self.ready.copy_from_slice(&self.watched);
        #[allow(unsafe_code)]
        // SAFETY: the set has a bit for every descriptor below `end`.
        let mut left = unsafe {
            let none = std::ptr::null_mut();
            libc::select(self.end, self.ready.as_mut_ptr().cast(), none, none, std::ptr::null_mut())
        };
        for (at, word) in self.ready.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                found.push((at * 64) as RawFd + word.trailing_zeros() as RawFd);
                word &= word - 1;
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
    }
}

/// poll(2), with one array that lives on.
struct Poll(Vec<libc::pollfd>);

impl Poll {
    fn new(descriptors: &[RawFd]) -> Self {
        Self(descriptors.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect())
    }
}

impl Wait for Poll {
    fn watch_anew(&mut self, descriptors: &[RawFd]) {
        self.0.clear();
        self.0.extend(descriptors.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }));
    }

    fn wait(&mut self, found: &mut Vec<RawFd>) {
        #[allow(unsafe_code)]
        // SAFETY: pointer and length are those of one exclusively borrowed vector.
        let ready = unsafe { libc::poll(self.0.as_mut_ptr(), self.0.len() as libc::nfds_t, -1) };
        let is_ready = |entry: &&libc::pollfd| entry.revents != 0;
        found.extend(self.0.iter().filter(is_ready).map(|entry| entry.fd).take(ready as usize));
    }
}

/// epoll(7), level- or edge-triggered.
struct Epoll {
    instance: OwnedFd,
    flags: EventFlags,
    events: Vec<epoll::Event>,
}

impl Epoll {
    fn level(descriptors: &[RawFd]) -> Self {
        Self::new(descriptors, EventFlags::IN)
    }

    fn edge(descriptors: &[RawFd]) -> Self {
        Self::new(descriptors, EventFlags::IN | EventFlags::ET)
    }

    fn new(descriptors: &[RawFd], flags: EventFlags) -> Self {
        let instance = epoll::create(CreateFlags::CLOEXEC).expect("a descriptor is free");
        for &fd in descriptors {
            #[allow(unsafe_code)]
            // SAFETY: the descriptors outlive this call: their owner outlives the waiter.
            let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
            epoll::add(&instance, descriptor, EventData::new_u64(fd as u64), flags).expect("a socket");
        }
        Self { instance, flags, events: Vec::with_capacity(1_024) }
    }
}

impl Wait for Epoll {
    fn watch_anew(&mut self, descriptors: &[RawFd]) {
        for &fd in descriptors {
            #[allow(unsafe_code)]
            // SAFETY: as in `new`.
            let descriptor = unsafe { BorrowedFd::borrow_raw(fd) };
            epoll::delete(&self.instance, descriptor).expect("registered");
            epoll::add(&self.instance, descriptor, EventData::new_u64(fd as u64), self.flags)
                .expect("new again");
        }
    }

    fn wait(&mut self, found: &mut Vec<RawFd>) {
        self.events.clear();
        // A closed ring interrupts the thread that used it once more, though there is no signal.
        rustix::io::retry_on_intr(|| {
            epoll::wait(&self.instance, rustix::buffer::spare_capacity(&mut self.events), None)
        })
        .expect("waited");
        found.extend(self.events.iter().map(|event| event.data.u64() as RawFd));
    }
}
