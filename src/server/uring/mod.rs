//! What the mechanisms on io_uring share: the ring, the buffers provided to it, and the state of a connection
//! whose operations are under way in the kernel.

mod completion;
mod flow;
mod flows;
mod ring;

pub use completion::{Completion, Operation};
pub use flow::{Flow, Submission};
pub use flows::Flows;
pub use ring::{Ring, Want};
pub use sys::uring::{Buffer, ProvidedBuffers, on_a_thread, probe_completion, probe_readiness, reason};
