//! The echo servers that muxbench compares, one a Linux I/O multiplexing mechanism.
//!
//! [`mechanisms`] holds one file a mechanism, with its system calls in plain sight; [`server`] holds what
//! they share, so that the difference between two of those files is the difference between the mechanisms.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "muxbench measures Linux's own system calls (epoll, accept4, unshare): build it for a Linux target"
);

pub mod experiment;
pub mod mechanisms;
pub mod server;
