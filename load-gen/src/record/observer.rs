//! The observer of a run, and the progress that it sees.

use std::time::Duration;

/// An edge of a measured window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It begins.
    Begin,
    /// It ends.
    End,
}

/// Times since the progress before; each absent without samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// Median, in nanoseconds.
    pub p50_ns: Option<u64>,
    /// 99th percentile, in nanoseconds.
    pub p99_ns: Option<u64>,
    /// Largest, in nanoseconds.
    pub max_ns: Option<u64>,
}

/// The progress while connections open or load runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Connections opened.
    pub opened: u64,
    /// Requests answered since the connections were opened.
    pub answered: u64,
    /// From the instant that the schedule intended; closed loop has none.
    pub response: Recent,
    /// From the actual send.
    pub service: Recent,
    /// Requests that fell due since the connections were opened.
    pub due: u64,
    /// Requests that failed since the connections were opened.
    pub failed: u64,
}

/// An observer of a run.
pub trait Observer {
    /// A measured window begins or ends now; `answered` requests have been answered so far.
    fn edge(&mut self, _edge: Edge, _answered: u64) {}
    /// Called every [`Observer::period`].
    fn progress(&mut self, _progress: &Progress) {}
    /// Called a few times per second while all is open and the load is to begin `left` from now.
    fn waiting(&mut self, _left: Duration) {}
    /// The interval between two reports of progress.
    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Nobody.
impl Observer for () {}
