//! The claims of a widespread tutorial on poll and epoll, and published figures, put to the test on a machine.
//!
//! [`cost`] has the claims about cost and scale, as data, each decided from campaigns and micro-benchmarks ([`base`]). [`semantics`]
//! observes what the kernel reports through each mechanism, and decides the claims about that. [`reproductions`] measures again what
//! others have published.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

// As in muxbench itself; the claim `linux-only` reads it here.
#[cfg(not(target_os = "linux"))]
compile_error!(
    "muxbench measures Linux's own system calls (epoll, accept4, unshare): build it for a Linux target"
);

pub mod base;
pub mod cost;
mod part;
pub mod reproductions;
pub mod semantics;
#[cfg(test)]
mod tests;
