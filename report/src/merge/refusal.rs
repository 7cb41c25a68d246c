//! Why results cannot be merged, each in one line.

use std::time::Duration;

use model::schema::Shard;

/// Why results cannot be merged. Each is one line that names the results concerned.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Refusal {
    /// There is nothing to merge.
    #[error("no result to merge: name the files that load-gen --shard i/N --json wrote")]
    Nothing,
    /// A result of a whole run.
    #[error("{0} is not a shard: it was measured without --shard")]
    NoShard(String),
    /// A result that was merged before.
    #[error("{0} is merged already: name the files of the shards themselves")]
    Merged(String),
    /// A shard that cannot exist.
    #[error("{name} is damaged: {what}")]
    Damaged {
        /// The result.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// Shards of runs that were cut differently.
    #[error("{first} is shard {} and {second} is shard {}: merge takes the shards of one run", shards.0, shards.1)]
    OtherCount {
        /// A result.
        first: String,
        /// One that differs.
        second: String,
        /// Their shards.
        shards: (Shard, Shard),
    },
    /// The same shard twice.
    #[error("shard {shard} is there twice: {first} and {second}")]
    Doubled {
        /// The shard.
        shard: Shard,
        /// A result.
        first: String,
        /// The other.
        second: String,
    },
    /// Not all shards are there.
    #[error("{missing} of {count} shards are missing: {}", first.join(", "))]
    Missing {
        /// How many are not.
        missing: usize,
        /// How many there should be.
        count: u32,
        /// The names of the first that are not.
        first: Vec<String>,
    },
    /// Results of different configurations.
    #[error(
        "{first} and {second} were not measured with the same settings: {key} is {} and {}; merge takes the shards of one run",
        values.0, values.1
    )]
    OtherSettings {
        /// A result.
        first: String,
        /// One that differs.
        second: String,
        /// The first key that differs, as a path.
        key: String,
        /// Its values, as JSON.
        values: (String, String),
    },
    /// The windows began too far apart.
    #[error(
        "{last} began {skew:.1?} after {first}, more than the {bound:?} allowed: give all shards the same --start-at (and their machines the same time), or allow more with --max-skew"
    )]
    Skew {
        /// The shard that began first.
        first: String,
        /// The one that began last.
        last: String,
        /// How much later.
        skew: Duration,
        /// What is allowed.
        bound: Duration,
    },
}
