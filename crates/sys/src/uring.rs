//! io_uring(7), for the servers and the generator: a ring, buffers provided to it, and whether this kernel has them.

mod buffers;
mod completion;
mod probe;
mod ring;
mod setup;

use buffers::GROUP;
pub use buffers::{Buffer, ProvidedBuffers};
pub use completion::{Completion, Operation};
pub use probe::{on_a_thread, probe_completion, probe_readiness, reason};
pub use ring::{Ring, Want};
pub use setup::Notice;
