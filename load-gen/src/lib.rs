//! A TCP load generator that tells the truth about latency.
//!
//! A [`pool::Pool`] holds the connections: worker threads, each with a descriptor table of its own, open
//! them and keep them. A window of load, [`plan::options::Load`], is closed loop (a reply triggers the next request)
//! or open loop (a seeded schedule says when each request is due, whatever has become of the earlier ones).
//! What comes back is a [`model::schema::LoadReport`], which says itself whether it may be used.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(not(target_os = "linux"))]
compile_error!("load-gen uses epoll(7) and a descriptor table a thread, which exist on Linux only");

mod client;
pub mod command;
pub mod fault;
#[cfg(test)]
mod hostile_input;
pub mod plan;
pub mod pool;
pub mod record;
