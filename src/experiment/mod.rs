//! From a scenario to a campaign: what is measured, in which order, on which machine, and how every
//! finished cell is kept.

pub mod cell;
pub mod environment;
pub mod expectation;
pub mod journal;
pub mod plan;
pub mod rounds;
pub mod run;
pub mod scenario;
pub mod server;
