//! Descriptors to watch, and their other ends, by which one thread makes them ready itself.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::pipe;

/// Descriptors for everything else.
const RESERVED: u32 = 60;

/// Both ends of each channel.
pub struct Channels {
    near: Vec<OwnedFd>,
    far: Vec<OwnedFd>,
}

impl Channels {
    /// Returns the number of channels that a descriptor limit leaves room for, at most `wanted`.
    pub fn at_most(wanted: u32, limit: u32) -> u32 {
        wanted.min(limit.saturating_sub(RESERVED) / 2)
    }

    /// `count` pipes; the reading ends are near.
    pub fn pipes(count: u32) -> Self {
        Self::of(count, || pipe().expect("a descriptor is free"))
    }

    /// `count` pairs of connected Unix sockets.
    pub fn pairs(count: u32) -> Self {
        let pair = || socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        Self::of(count, || pair().expect("a descriptor is free"))
    }

    fn of(count: u32, make: impl Fn() -> (OwnedFd, OwnedFd)) -> Self {
        let (near, far) = (0..count).map(|_| make()).unzip();
        Self { near, far }
    }

    pub fn len(&self) -> usize {
        self.near.len()
    }

    /// The descriptors to watch.
    pub fn descriptors(&self) -> Vec<RawFd> {
        self.near.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Makes one ready.
    pub fn raise(&self, at: usize) {
        rustix::io::write(&self.far[at], b"e").expect("room for a byte");
    }

    /// Takes a byte.
    pub fn lower(&self, at: usize) {
        rustix::io::read(self.near[at].as_fd(), &mut [0]).expect("the byte that was written");
    }
}
