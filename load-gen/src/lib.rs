//! A TCP load generator that tells the truth about latency.

pub mod machine;
pub mod units;
