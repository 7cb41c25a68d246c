//! One wait of each mechanism, and the scan that finds what is ready: what a loop does before it serves.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// A mechanism that watches descriptors.
pub trait Wait {
    /// Waits until one is ready and returns it.
    ///
    /// # Panics
    ///
    /// When not exactly one is.
    fn wait(&mut self) -> RawFd;
}

/// select(2), with sets of any size, copied for each call since the kernel overwrites them.
pub struct Select {
    watched: Vec<u64>,
    ready: Vec<u64>,
    end: i32,
}

impl Select {
    pub fn new(descriptors: &[RawFd]) -> Self {
        let highest = descriptors.iter().copied().max().expect("something to watch");
        let mut watched = vec![0; highest as usize / 64 + 1];
        descriptors.iter().for_each(|&fd| watched[fd as usize / 64] |= 1 << (fd % 64));
        Self { ready: watched.clone(), watched, end: highest + 1 }
    }
}

impl Wait for Select {
    fn wait(&mut self) -> RawFd {
        self.ready.copy_from_slice(&self.watched);
        #[allow(unsafe_code)]
        // SAFETY: the set has a bit for every descriptor below `end`.
        let ready = unsafe {
            let none = std::ptr::null_mut();
            libc::select(self.end, self.ready.as_mut_ptr().cast(), none, none, std::ptr::null_mut())
        };
        assert_eq!(ready, 1);
        let word = self.ready.iter().position(|&word| word != 0).expect("one is ready");
        (word * 64) as RawFd + self.ready[word].trailing_zeros() as RawFd
    }
}

/// poll(2), with one array that lives on.
pub struct Poll(Vec<libc::pollfd>);

impl Poll {
    pub fn new(descriptors: &[RawFd]) -> Self {
        Self(descriptors.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect())
    }
}

impl Wait for Poll {
    fn wait(&mut self) -> RawFd {
        #[allow(unsafe_code)]
        // SAFETY: pointer and length are those of one exclusively borrowed vector.
        let ready = unsafe { libc::poll(self.0.as_mut_ptr(), self.0.len() as libc::nfds_t, -1) };
        assert_eq!(ready, 1);
        self.0.iter().find(|entry| entry.revents != 0).expect("one is ready").fd
    }
}

/// epoll(7), level- or edge-triggered.
pub struct Epoll {
    instance: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Epoll {
    pub fn level(descriptors: &[RawFd]) -> Self {
        Self::new(descriptors, EventFlags::IN)
    }

    pub fn edge(descriptors: &[RawFd]) -> Self {
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
        Self { instance, events: Vec::with_capacity(1_024) }
    }
}

impl Wait for Epoll {
    fn wait(&mut self) -> RawFd {
        self.events.clear();
        epoll::wait(&self.instance, rustix::buffer::spare_capacity(&mut self.events), None).expect("waited");
        assert_eq!(self.events.len(), 1);
        self.events[0].data.u64() as RawFd
    }
}
