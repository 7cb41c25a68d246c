//! A TCP load generator that tells the truth about latency.
//!
//! A [`fleet::Fleet`] holds the connections: worker threads, each with a descriptor table of its own, open
//! them and keep them. A window of load, [`fleet::Load`], is closed loop (a reply triggers the next request)
//! or open loop (a seeded schedule says when each request is due, whatever has become of the earlier ones).
//! What comes back is a [`report::schema::LoadReport`], which says itself whether it may be used.

#[cfg(not(target_os = "linux"))]
compile_error!("load-gen uses epoll(7) and a descriptor table a thread, which exist on Linux only");

pub mod cli;
pub mod clock;
mod connect;
mod drive;
mod exchange;
pub mod fault;
pub mod fleet;
mod live;
pub mod machine;
mod measure;
pub mod output;
mod payload;
mod placement;
pub mod schedule;
pub mod units;
mod validity;
mod watch;
mod worker;
