//! What everything on io_uring(7) needs, here and in a server: a ring, buffers provided to it, and to know whether
//! this kernel has them.

mod buffers;
mod completion;
mod probe;
mod setup;

pub use buffers::{Buffer, GROUP, ProvidedBuffers};
pub use completion::{Completion, completions};
pub use probe::{on_a_thread, probe_completion, probe_readiness, reason};
pub use setup::{Setup, set_up};
