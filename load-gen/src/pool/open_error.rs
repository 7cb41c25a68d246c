//! The reasons that connections could not be opened.

use crate::plan::placement::LimitTooLow;
use crate::plan::target::Target;

/// The reason that a pool could not be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing listens.
    #[error("nothing listens on {0}; start a server first{example}", example = example(.0))]
    NothingListens(Target),
    /// Nothing could be opened for other reasons.
    #[error("no connection to {target} could be opened: {why}")]
    Nothing {
        /// The server.
        target: Target,
        /// The faults, by name and errno.
        why: String,
    },
    /// The engine that was asked for is not to be had.
    #[error("{0}")]
    Engine(String),
    /// The limit of descriptors is too low for anything.
    #[error(transparent)]
    Limit(#[from] LimitTooLow),
    /// The active set cannot move.
    #[error(
        "--rotate moves load over the connections of a worker's own descriptor table, but the idle ones need further \
         tables: raise the limit of descriptors (ulimit -n), or start --threads {threads}"
    )]
    NothingToRotate {
        /// As many threads have room for all connections.
        threads: u32,
    },
    /// A worker could not be set up.
    #[error("cannot set up a worker thread: {0}")]
    Worker(std::io::Error),
    /// The system grants no further thread.
    #[error(
        "cannot start thread {table} of {tables}: {source}; raise the limit of descriptors (ulimit -n), so that fewer \
         threads hold the connections, or that of threads (ulimit -u, kernel.threads-max)"
    )]
    Thread {
        /// The how many-th it is.
        table: u32,
        /// The number of threads that are needed, one per descriptor table.
        tables: u32,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Interrupted before all connections were open.
    #[error("interrupted while opening connections")]
    Interrupted,
}

/// The advice on how to start a server at `target`; empty if no single command does.
fn example(target: &Target) -> String {
    target.server_command().map_or(String::new(), |command| format!(", for example: {command}"))
}
