//! The echo servers that muxbench compares, one a Linux I/O multiplexing mechanism.
//!
//! [`mechanisms`] holds one file a mechanism, with its system calls in plain sight; [`server`] holds what
//! they share, so that the difference between two of those files is the difference between the mechanisms.
//! [`experiment`] measures campaigns; [`doctor`] asks whether a machine is fit to measure on.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "muxbench measures Linux's own system calls (epoll, accept4, unshare): build it for a Linux target"
);

pub mod doctor;
pub mod experiment;
#[cfg(test)]
mod hostile_input;
pub mod mechanisms;
pub mod server;
