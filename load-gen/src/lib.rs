//! A TCP load generator whose latencies are free of coordinated omission.
//!
//! A [`pool::Pool`] opens the connections and keeps them, on worker threads that each have their own descriptor table. It
//! runs windows of load on them, each described by [`plan::options::Load`]: in closed loop a reply triggers the next
//! request, in open loop a seeded schedule says when each request is due, whatever has become of the earlier ones. Each window
//! gives a [`model::schema::LoadReport`], which says itself whether it is valid.
//!
//! - [`plan`]: what will be done: options, targets, schedules, who holds which connection.
//! - [`record`]: what was seen: counts, histograms, time series, and whether the result is valid.
//! - `client`: the requests and replies of active connections, on epoll or io_uring.
//! - [`pool`]: worker threads, and opening, driving and replacing connections.
//! - [`command`]: the command line and its output.
//! - [`fault`]: the names of what can go wrong with a connection.

// These panic when a write fails; model::streams has replacements that do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(not(target_os = "linux"))]
compile_error!("load-gen uses epoll(7) and descriptor tables of single threads, which exist on Linux only");

mod client;
pub mod command;
pub mod fault;
#[cfg(test)]
mod hostile_input;
pub mod plan;
pub mod pool;
pub mod record;
