//! poll(2).

use std::os::fd::RawFd;

use model::schema::Answer;

use super::{EVERYTHING, Watcher, of_poll, refused};
use crate::semantics::system;

/// Nothing is kept in the kernel: each call asks the file anew (fs/select.c, `do_pollfd`).
pub struct Poll(pub RawFd);

impl Watcher for Poll {
    fn wait(&mut self) -> Answer {
        system::poll_one(self.0, EVERYTHING).map_or_else(refused, of_poll)
    }
}
