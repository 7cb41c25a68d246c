//! epoll(7), in the modes that a flag chooses.

use std::os::fd::{OwnedFd, RawFd};

use model::schema::Answer;
use rustix::io::Errno;

use super::{Watcher, of_epoll, refused};
use crate::semantics::system::{epoll, epoll_add, epoll_look, epoll_mod};

/// A set of one. The kernel keeps the watch, and a list of what its callback found ready
/// (fs/eventpoll.c, `ep_poll_callback`); a wait asks those files again and, level-triggered, puts those
/// that are still ready back into the list (`ep_send_events`).
pub struct Epoll {
    set: OwnedFd,
    fd: RawFd,
    flags: libc::c_int,
    /// The answer of epoll_ctl(2) when the descriptor was added.
    added: Result<(), Errno>,
}

impl Epoll {
    /// Adds `fd` to a new set, for all events and with `mode`: 0, EPOLLET or EPOLLONESHOT.
    pub fn new(fd: RawFd, mode: libc::c_int) -> Result<Self, Errno> {
        let flags = libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLOUT | libc::EPOLLRDHUP | mode;
        let set = epoll()?;
        let added = epoll_add(&set, fd, flags);
        Ok(Self { set, fd, flags, added })
    }
}

impl Watcher for Epoll {
    fn wait(&mut self) -> Answer {
        self.added.and_then(|()| epoll_look(&self.set)).map_or_else(refused, of_epoll)
    }

    fn arm_again(&mut self) -> Result<(), Errno> {
        self.added.and_then(|()| epoll_mod(&self.set, self.fd, self.flags))
    }
}
