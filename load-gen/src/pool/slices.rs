//! Slices: short windows, many of them, on connections that stay open.

use std::sync::Arc;

use model::campaign::Slice;
use model::schema::LoadMode;
use sys::clock::now_ns;

use super::{Pool, RunError};
use crate::plan::options::Load;
use crate::plan::shares::Shares;
use crate::pool::drive::{SliceOrder, Task};
use crate::pool::worker::{Answer, Command};
use crate::record::recorder::Recorder;
use crate::record::slice::{self, SliceLoad};

impl Pool {
    /// Puts the load of one slice on the active connections, waits until all of it is answered or given up, and returns what
    /// `candidate`, whose connections they are, did.
    ///
    /// Nothing is looked after but the connections that carry load: [`lost`](Self::lost) tells of the others.
    ///
    /// # Errors
    ///
    /// When a worker thread fails, or has failed before.
    pub fn slice(&mut self, load: &SliceLoad, candidate: &str) -> Result<Slice, RunError> {
        self.check_failure()?;
        let shared = Arc::clone(&self.shared);
        let whole = Load {
            mode: load.mode,
            wait: load.wait,
            warmup: std::time::Duration::ZERO,
            duration: load.window,
            interval: None,
        };
        let shares = Shares::new(&shared.options, &shared.placement, &whole, now_ns());
        let workers = shared.placement.workers;
        for (number, worker) in (0..workers).zip(&self.workers) {
            let mut order = shares.order(number);
            order.seed = load.seed;
            // In closed loop the pipeline is the bound.
            order.is_capped &= matches!(load.mode, LoadMode::Open { .. });
            let warmup_ns = load.warmup.as_nanos() as u64;
            let slice = Some(SliceOrder { warmup_ns, account: Arc::clone(&load.account) });
            worker.command(Command::Run(Box::new(Task { order, series: None, slice })));
        }
        let mut all: Vec<Recorder> = Vec::with_capacity(workers as usize);
        while all.len() < workers as usize {
            match self.answers.recv() {
                Ok(Answer::Ran(recorder)) => all.push(*recorder),
                other => return Err(self.failed(other.ok())),
            }
        }
        Ok(slice::summary::of(candidate, all))
    }

    /// Looks after all connections, idle ones too, and returns how many have been lost since they were opened.
    ///
    /// # Errors
    ///
    /// When a worker thread fails, or has failed before.
    pub fn lost(&mut self) -> Result<u64, RunError> {
        Ok(self.check(0)?.lost.total())
    }
}
