//! Descriptors to watch that this thread alone makes ready: eventfd(2), the cheapest that the kernel has.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{EventfdFlags, eventfd};

/// Descriptors for everything else.
const RESERVED: u64 = 50;

/// Counters of the kernel's, none of them above zero.
pub struct Eventfds(Vec<OwnedFd>);

impl Eventfds {
    /// The largest number of them under a descriptor limit.
    pub fn most(limit: u64) -> u32 {
        u32::try_from(limit.saturating_sub(RESERVED)).unwrap_or(u32::MAX)
    }

    /// `count` of them.
    pub fn new(count: u32) -> Self {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Self((0..count).map(|_| eventfd(0, flags).expect("a descriptor is free")).collect())
    }

    /// Their numbers, in ascending order.
    pub fn descriptors(&self) -> Vec<RawFd> {
        self.0.iter().map(AsRawFd::as_raw_fd).collect()
    }

    pub fn get(&self, at: usize) -> BorrowedFd<'_> {
        self.0[at].as_fd()
    }

    /// Makes one ready.
    pub fn raise(&self, at: usize) {
        rustix::io::write(&self.0[at], &1_u64.to_ne_bytes()).expect("room for one more");
    }

    /// Takes the readiness of one away.
    pub fn lower(&self, at: usize) {
        rustix::io::read(&self.0[at], &mut [0_u8; 8]).expect("it was ready");
    }
}
