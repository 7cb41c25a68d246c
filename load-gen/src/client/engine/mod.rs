//! The engines that move the bytes of conversations, one for each way to ask the kernel.

mod epoll;
#[cfg(test)]
mod tests;
#[cfg(feature = "io-uring")]
mod uring;

use std::os::fd::{BorrowedFd, OwnedFd};

use model::schema::EngineKind;
use rustix::io::Errno;
use sys::ring_size::RingSize;

use crate::client::conversations::Conversations;

pub use epoll::Epoll;
#[cfg(feature = "io-uring")]
pub use uring::Uring;

/// The engine that is asked for, or the lightest that this kernel has.
///
/// # Errors
///
/// Why the one asked for is not to be had.
pub fn choose(asked: Option<EngineKind>) -> Result<EngineKind, String> {
    let lacking = match asked {
        Some(EngineKind::Epoll) => return Ok(EngineKind::Epoll),
        _ => lacking(),
    };
    match (lacking, asked) {
        (None, _) => Ok(EngineKind::IoUring),
        (Some(_), None) => Ok(EngineKind::Epoll),
        (Some(why), Some(_)) => {
            Err(format!("--engine io-uring cannot run: {why}; leave it out, or use --engine epoll"))
        }
    }
}

/// The reason that the engine on io_uring cannot run here; `None` if it can.
#[cfg(feature = "io-uring")]
fn lacking() -> Option<String> {
    sys::uring::probe_completion().err()
}

/// The reason that the engine on io_uring cannot run here; `None` if it can.
#[cfg(not(feature = "io-uring"))]
fn lacking() -> Option<String> {
    Some("this build has no io_uring; build it with --features io-uring".to_owned())
}

/// The result of an event.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// The conversation.
    pub index: u32,
    /// The number of its requests that were answered.
    pub count: u64,
    /// The instant at which it was handled, whatever it brought: requests may have fallen due by then.
    pub at_ns: u64,
}

/// Exchanges the sockets of conversations while load runs.
pub trait MoveSockets {
    /// Gives back the socket of conversation `index`, on which nothing is under way, and watches it no longer; none
    /// where it has none.
    fn take(&mut self, index: u32) -> Option<OwnedFd>;

    /// Takes over another socket for conversation `index`, which has none.
    ///
    /// # Errors
    ///
    /// When the kernel cannot watch one more.
    fn put(&mut self, index: u32, socket: OwnedFd) -> Result<(), Errno>;

    /// Lets [`Engine::wait`] return as soon as `descriptor` is readable, and as long as it is. That is no event of a
    /// conversation's: nothing comes of it.
    ///
    /// # Errors
    ///
    /// When the kernel cannot watch one more.
    fn wake_on(&mut self, descriptor: BorrowedFd<'_>) -> Result<(), Errno>;
}

/// Moves the bytes of conversations. What is due, sent and right is known to [`Conversations`] alone.
pub trait Engine: Sized {
    /// An engine without sockets, with so much room where it has a ring.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for it, or does not know it.
    fn new(ring: &RingSize) -> Result<Self, Errno>;

    /// Takes over the socket of the conversation that was added last.
    ///
    /// # Errors
    ///
    /// When the kernel cannot watch one more.
    fn add(&mut self, socket: OwnedFd) -> Result<(), Errno>;

    /// This engine, where it can exchange the sockets of its conversations while load runs.
    fn moving(&mut self) -> Option<&mut dyn MoveSockets> {
        None
    }

    /// Sends what is due on conversation `index`, as much as its socket takes, at the latest with the next
    /// [`flush`](Self::flush) or [`wait`](Self::wait).
    fn send(&mut self, index: u32, now_ns: u64, conversations: &mut Conversations);

    /// Sees to it that all that was to be sent is with the kernel.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it.
    fn flush(&mut self, conversations: &mut Conversations) -> Result<(), Errno>;

    /// Flushes, takes events from the kernel, and waits for the first at most so long; returns whether there is one.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait. To be interrupted is no error.
    fn wait(&mut self, timeout_ns: u64, conversations: &mut Conversations) -> Result<bool, Errno>;

    /// Handles the next of these events; none when all are handled.
    fn handle_next(&mut self, conversations: &mut Conversations) -> Option<Answered>;

    /// The open sockets.
    fn sockets(&self) -> impl Iterator<Item = &OwnedFd>;

    /// The open sockets, to close them.
    fn into_sockets(self) -> impl Iterator<Item = OwnedFd>;
}
