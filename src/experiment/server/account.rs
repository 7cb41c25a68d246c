//! The accounts of a running server, read without its taking part.

use std::io;
use std::time::Duration;

use load_gen::record::slice;
use model::schema::ServerCounters;
use sys::usage::{Account, Scheduled, Scheduling};

use crate::server::SharedCounters;

/// A reader of the accounts of a running server. It works on any thread, and the server takes no part; at the edges of
/// a slice, the generator's thread reads.
#[derive(Debug, Clone)]
pub struct ServerAccount {
    pub(super) cpu: Account,
    pub(super) counters: Option<SharedCounters>,
    pub(super) scheduling: Option<Scheduling>,
}

/// The accounts of a server at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServerReading {
    /// The processor time that it has used since it started.
    pub cpu: Duration,
    /// Its counters, if it shares them.
    pub counters: Option<ServerCounters>,
    /// The scheduler's account of its threads, where they are few.
    pub scheduled: Option<Scheduled>,
}

impl ServerAccount {
    /// The accounts now: one system call, and nothing allocated; of an external server as [`Account::Group`] says.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn read(&self) -> io::Result<ServerReading> {
        // The file accesses first: what they take is not between the processor time and the clock of whoever reads.
        let scheduled = self.scheduling.as_ref().and_then(Scheduling::read);
        Ok(ServerReading {
            scheduled,
            cpu: self.cpu.read()?,
            counters: self.counters.as_ref().and_then(SharedCounters::read),
        })
    }
}

impl slice::Account for ServerAccount {
    fn read(&self) -> slice::ServerReading {
        let has_one_loop = self.scheduling.as_ref().is_some_and(|scheduling| scheduling.named() == 1);
        // What cannot be read has ended, and that is found out after the slice.
        Self::read(self).map_or_else(
            |_| slice::ServerReading::default(),
            |ServerReading { cpu, counters, scheduled }| slice::ServerReading {
                cpu_s: cpu.as_secs_f64(),
                counters,
                wakeups: scheduled.map(|scheduled| scheduled.wakeups),
                starved_s: scheduled.filter(|_| has_one_loop).map(|scheduled| scheduled.starved_s),
            },
        )
    }
}
