//! The parts of Linux that the generator and the servers use.
//!
//! Every optional system call has a fallback, and the function that makes it says which. `unsafe` is allowed for the
//! single call that needs it.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(not(target_os = "linux"))]
compile_error!("muxbench uses epoll(7), /proc and a descriptor table per thread, which exist on Linux only");

pub mod by_number;
pub mod capacity;
pub mod clock;
mod control_groups;
pub mod descriptor_table;
pub mod epoll_pwait2;
#[cfg(test)]
mod hostile_input;
pub mod limits;
pub mod listen_queue;
pub mod objects;
pub mod process_group;
pub mod processors;
pub mod quota;
pub mod ring_size;
pub mod server_sockets;
pub mod shared_counters;
pub mod signals;
pub mod slab;
pub mod socket_options;
pub mod timestamps;
#[cfg(feature = "io-uring")]
pub mod uring;
pub mod usage;
