//! The plan of a run: where to, from where, how much, when, and by which worker.

pub mod options;
pub(crate) mod order;
pub mod placement;
pub mod preflight;
pub mod schedule;
pub mod shard;
pub(crate) mod shares;
pub(crate) mod sizes;
pub(crate) mod source;
pub mod target;
pub(crate) mod think;
pub mod units;
pub(crate) mod window;
