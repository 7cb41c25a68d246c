//! A TCP load generator that tells the truth about latency.
//!
//! A [`fleet::Fleet`] holds the connections: worker threads, each with a descriptor table of its own, open
//! them and keep them. A window of load, [`fleet::Load`], is closed loop (a reply triggers the next request)
//! or open loop (a seeded schedule says when each request is due, whatever has become of the earlier ones).
//! What comes back is a [`model::schema::LoadReport`], which says itself whether it may be used.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(not(target_os = "linux"))]
compile_error!("load-gen uses epoll(7) and a descriptor table a thread, which exist on Linux only");

mod churn;
pub mod cli;
mod connect;
mod conversations;
pub mod curve;
mod dialogue;
mod drive;
mod engine;
mod exchange;
pub mod export;
pub mod fault;
pub mod fleet;
pub mod generate;
#[cfg(test)]
mod hostile_input;
mod live;
pub mod look_up;
mod measure;
mod observer;
mod opening;
pub mod output;
mod payload;
pub mod placement;
pub mod preflight;
mod rotation;
pub mod schedule;
pub mod search;
mod self_check;
mod series;
pub mod shard;
mod shares;
mod sizes;
pub mod slice;
mod source;
pub mod start_at;
pub mod target;
mod think;
mod timestamps;
mod turnover;
mod turns;
pub mod units;
mod validity;
pub mod view;
mod watch;
mod worker;
