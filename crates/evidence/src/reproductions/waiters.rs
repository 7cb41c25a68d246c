//! One wait of each mechanism, and the scan that finds what is ready: what a loop does before it serves.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::event::epoll::{self, CreateFlags};
use rustix::io::retry_on_intr;
use sys::by_number::{self, Word};

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
        "epoll-lt" => Box::new(Epoll::new(descriptors, libc::EPOLLIN)),
        "epoll-et" => Box::new(Epoll::new(descriptors, libc::EPOLLIN | libc::EPOLLET)),
        other => panic!("no waiter of {other}"),
    }
}

/// select(2), with sets of any size, copied for each call since the kernel overwrites them.
struct Select {
    watched: Vec<Word>,
    ready: Vec<Word>,
    end: RawFd,
}

impl Select {
    const BITS: usize = Word::BITS as usize;

    /// The index of the word that has the bit of `fd`, and the bit.
    fn place(fd: RawFd) -> (usize, Word) {
        (fd as usize / Self::BITS, 1 << (fd as usize % Self::BITS))
    }

    fn new(descriptors: &[RawFd]) -> Self {
        let highest = descriptors.iter().copied().max().expect("something to watch");
        let mut watched = vec![0; highest as usize / Self::BITS + 1];
        for (word, bit) in descriptors.iter().copied().map(Self::place) {
            watched[word] |= bit;
        }
        Self { ready: watched.clone(), watched, end: highest + 1 }
    }
}

impl Wait for Select {
    fn watch_anew(&mut self, descriptors: &[RawFd]) {
        descriptors.iter().copied().map(Self::place).for_each(|(word, bit)| self.watched[word] &= !bit);
        descriptors.iter().copied().map(Self::place).for_each(|(word, bit)| self.watched[word] |= bit);
    }

    fn wait(&mut self, found: &mut Vec<RawFd>) {
        self.ready.copy_from_slice(&self.watched);
        let wait = || by_number::select(self.end, [Some(&mut self.ready), None, None], None);
        let mut left = retry_on_intr(wait).expect("waited");
        for (at, word) in self.ready.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                found.push((at * Self::BITS) as RawFd + word.trailing_zeros() as RawFd);
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
        let ready = retry_on_intr(|| by_number::poll(&mut self.0, -1)).expect("waited");
        let is_ready = |entry: &&libc::pollfd| entry.revents != 0;
        found.extend(self.0.iter().filter(is_ready).map(|entry| entry.fd).take(ready));
    }
}

/// epoll(7), level- or edge-triggered.
struct Epoll {
    instance: OwnedFd,
    flags: libc::c_int,
    events: Vec<epoll::Event>,
}

impl Epoll {
    fn new(descriptors: &[RawFd], flags: libc::c_int) -> Self {
        let instance = epoll::create(CreateFlags::CLOEXEC).expect("a descriptor is free");
        for &fd in descriptors {
            by_number::epoll_ctl(instance.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, flags).expect("a socket");
        }
        Self { instance, flags, events: Vec::with_capacity(1_024) }
    }
}

impl Wait for Epoll {
    fn watch_anew(&mut self, descriptors: &[RawFd]) {
        let set = self.instance.as_raw_fd();
        for &fd in descriptors {
            by_number::epoll_ctl(set, libc::EPOLL_CTL_DEL, fd, 0).expect("registered");
            by_number::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, self.flags).expect("new again");
        }
    }

    fn wait(&mut self, found: &mut Vec<RawFd>) {
        self.events.clear();
        // A closed ring interrupts the thread that used it once more, though there is no signal.
        retry_on_intr(|| epoll::wait(&self.instance, rustix::buffer::spare_capacity(&mut self.events), None))
            .expect("waited");
        found.extend(self.events.iter().map(|event| event.data.u64() as RawFd));
    }
}
