//! io_uring(7), for the servers and the generator: a ring, buffers provided to it, and whether this kernel has them.

mod buffers;
mod completion;
mod poll;
mod probe;
mod ring;
mod setup;

use std::io;

use io_uring::{IoUring, opcode};

use buffers::GROUP;
pub use buffers::{Buffer, ProvidedBuffers};
pub use completion::{Completion, Operation};
pub use poll::Poll;
pub use probe::{on_a_thread, probe_completion, probe_readiness, reason};
pub use ring::{Ring, Want};
pub use setup::Notice;

/// Queues `poll` on a ring that is the caller's own, where [`Ring`] would add to what is measured.
///
/// # Errors
///
/// When the queue is full.
pub fn queue_poll(ring: &mut IoUring, poll: opcode::PollAdd) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: a poll refers to no memory.
    let queued = unsafe { ring.submission().push(&poll.build()) };
    queued.map_err(|_| io::ErrorKind::WouldBlock.into())
}
