//! Slices: short windows, many of them, on connections that stay open.

use std::sync::Arc;

use model::campaign::Slice;
use model::schema::LoadMode;
use sys::clock::now_ns;

use super::{Fleet, Load, RunError};
use crate::drive::SliceOrder;
use crate::measure::Recorder;
use crate::shares::Shares;
use crate::slice::{self, SliceLoad};
use crate::worker::{Answer, Command};

impl Fleet {
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
            let mut order = shares.order(number, None);
            order.seed = load.seed;
            // In closed loop the pipeline is the bound.
            order.is_capped &= matches!(load.mode, LoadMode::Open { .. });
            let warmup_ns = load.warmup.as_nanos() as u64;
            order.slice = Some(SliceOrder { warmup_ns, account: Arc::clone(&load.account) });
            worker.command(Command::Run(Box::new(order)));
        }
        let mut all: Vec<Recorder> = Vec::with_capacity(workers as usize);
        while all.len() < workers as usize {
            match self.answers.recv() {
                Ok(Answer::Ran(books)) => all.push(*books),
                Ok(Answer::Unable(error)) => return Err(self.failed(&error.to_string())),
                Ok(_) => unreachable!("workers answer in the order they were asked"),
                Err(_) => return Err(self.failed("it ended unexpectedly")),
            }
        }
        Ok(slice::of(candidate, &all))
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
