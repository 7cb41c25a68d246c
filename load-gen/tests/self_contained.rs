//! Tests that need nothing beside this repository.

mod curve;
mod faults;
mod pool;
mod self_check;
mod shard;
mod signals;
mod streams;
mod support;
