//! select(2).

use std::os::fd::RawFd;

use model::schema::{Answer, Event};

use super::{Watcher, refused};
use crate::semantics::system::{self, FdSet};

/// Nothing is kept in the kernel: the sets are built and handed over on every call, which overwrites them.
///
/// What a set means is fixed in fs/select.c: POLLIN_SET has POLLHUP and POLLERR in it, POLLOUT_SET has
/// POLLERR, POLLEX_SET is POLLPRI alone. So an error makes a descriptor readable and writable, and never
/// exceptional.
pub struct Select(pub RawFd);

impl Watcher for Select {
    fn wait(&mut self) -> Answer {
        let Self(fd) = *self;
        let mut sets = [(); 3].map(|()| FdSet::new(fd, &[fd]));
        match system::select(fd + 1, &mut sets) {
            Ok(_) => {
                let events = [Event::Read, Event::Write, Event::Except];
                let left = events.into_iter().zip(&sets).filter(|(_, set)| set.has(fd));
                Answer::Events { events: left.map(|(event, _)| event).collect() }
            }
            Err(errno) => refused(errno),
        }
    }
}
