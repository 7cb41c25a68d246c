//! The parts that the mechanisms on io_uring share: the state of a connection whose operations are under way in the
//! kernel, and the count of a ring's calls. The ring itself is [`sys::uring::Ring`].

mod flow;
mod flows;

use sys::uring::{Completion, Notice, Ring, Want};

pub use self::flow::{Flow, Submission};
pub use self::flows::Flows;
use super::{ServeError, Server};

/// Sets up the ring of a loop.
///
/// # Errors
///
/// When the kernel has no io_uring, or forbids it.
pub fn ring(server: &Server) -> Result<Ring, ServeError> {
    server.counters().other_calls.add(1);
    Ring::new(server.ring(), Notice::ByCall)
        .map_err(|source| ServeError::Call { call: "io_uring_setup", source })
}

/// Submits what is queued and replaces `completions` by those that are there, or come because they are wanted ([`Ring::wait`]).
/// Calls beyond this one are counted among the others.
///
/// # Errors
///
/// When the kernel refuses to wait.
#[inline]
pub fn wait(
    ring: &mut Ring,
    want: Want,
    completions: &mut Vec<Completion>,
    server: &Server,
) -> Result<(), ServeError> {
    completions.clear();
    ring.wait(want, |completion| completions.push(completion)).map_err(ServeError::call("io_uring_enter"))?;
    server.counters().other_calls.add(ring.take_calls() - 1);
    Ok(())
}
