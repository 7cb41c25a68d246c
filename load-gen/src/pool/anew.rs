//! Between two windows of which the second is to measure nothing of the first.

use std::sync::Arc;

use sys::clock::now_ns;

use super::{OpenError, Pool, RunError};
use crate::record::live::LatencyCounts;

impl Pool {
    /// Waits until nothing of earlier windows is under way, at most for as long as a reply may take after its window, and
    /// returns whether that came about.
    ///
    /// # Errors
    ///
    /// When a worker thread fails.
    pub fn drain(&mut self) -> Result<bool, RunError> {
        if self.pending > 0 {
            self.check(now_ns() + self.shared.options.timeout.as_nanos() as u64)?;
        }
        Ok(self.pending == 0)
    }

    /// Closes all connections with resets and opens as many, which nothing has happened to yet. What an observer counts
    /// goes on from where it was.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open). The pool has then no connections.
    pub fn reopen(&mut self) -> Result<(), OpenError> {
        let past = self.progress(&mut LatencyCounts::default());
        self.end();
        let mut fresh = Self::open(self.shared.options.clone(), Arc::clone(&self.shared.stop), &mut ())?;
        fresh.past = past;
        *self = fresh;
        Ok(())
    }
}
