//! The errors of a server that cannot be measured, and the times for which a server is waited for.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// The longest time that a server may take to listen, to answer, and to end, unless the scenario sets another.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time that a server may take to accept all connections once they are open, or to close them.
///
/// A connection that overflows the listener's queue looks established to its other end and never gets there (tcp(7),
/// syncookies), hence a bound.
pub(super) const ACCEPT_PATIENCE: Duration = Duration::from_secs(5);
/// The longest time that a wait for a server may take to notice that the campaign is to end.
pub(super) const NOTICE_WITHIN: Duration = Duration::from_millis(50);
/// Pause between two looks at what cannot be awaited.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The reason that there is no server to measure.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It could not be started.
    #[error("cannot start the server: {0}")]
    Start(#[from] io::Error),
    /// It ended before it should.
    #[error("the server ended {0}")]
    Ended(String),
    /// It said nothing, or something else than it should.
    #[error("the server did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// It runs, but nothing can be connected to.
    #[error("the server did not listen on {address} within {} s{said}", patience.as_secs_f64())]
    NotListening {
        /// The address that it should listen on.
        address: SocketAddr,
        /// The time that it was given.
        patience: Duration,
        /// The last line that it wrote, in parentheses; empty if there is none.
        said: String,
    },
    /// It had no room for some connections.
    #[error(
        "the server refused {refused} of {opened} connections: its descriptor limit is too low; raise it with ulimit -n"
    )]
    Refused {
        /// Those it refused.
        refused: u64,
        /// Those that were opened.
        opened: u64,
    },
    /// It did not take all connections that were opened.
    #[error(
        "the server accepted only {accepted} of {opened} connections: its listener's queue overflowed, or it closed some"
    )]
    NotAccepted {
        /// Those it holds.
        accepted: u64,
        /// Those that were opened.
        opened: u64,
    },
    /// The campaign is to end.
    #[error("interrupted")]
    Interrupted,
}

/// Returns how a process ended, in words, from its signal or its exit status.
pub(super) fn describe(signal: Option<i32>, status: Option<i32>) -> String {
    match (signal, status) {
        (Some(signal), _) => format!("by signal {signal}"),
        (None, Some(status)) => format!("with exit status {status}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}
