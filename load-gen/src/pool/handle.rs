//! A worker as its pool sees it: a thread, and a way to tell it what to do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use sys::descriptor_table::spawn;

use super::OpenError;
use crate::plan::placement::Placement;
use crate::pool::worker::{self, Answer, Command, Shared};
use crate::record::live::{Live, LiveLatencies};

/// Stack of a worker: ample for what it calls, and little where many threads hold idle connections.
const STACK_BYTES: usize = 512 * 1024;

/// One worker.
pub(super) struct WorkerHandle {
    pub(super) live: Arc<Live>,
    pub(super) commands: Option<Sender<Command>>,
    pub(super) thread: Option<JoinHandle<()>>,
}

impl WorkerHandle {
    /// Starts the worker with descriptor table `table`.
    pub(super) fn start(
        table: u32,
        shared: &Arc<Shared>,
        answers: Sender<Answer>,
    ) -> Result<Self, OpenError> {
        let Placement { tables, .. } = shared.placement;
        let carries_load = table < shared.placement.workers;
        let latencies = (carries_load && shared.options.live_latencies).then(LiveLatencies::default);
        let live = Arc::new(Live { latencies, ..Live::default() });
        let (commands, orders) = mpsc::channel();
        let builder = std::thread::Builder::new().name(format!("load-gen-{table}")).stack_size(STACK_BYTES);
        let run = {
            let (shared, live) = (Arc::clone(shared), Arc::clone(&live));
            move |_, _| {
                let life = || worker::live(table, &shared, &live, &orders, &answers);
                if catch_unwind(AssertUnwindSafe(life)).is_err() {
                    let panicked = std::io::Error::other("it panicked; the message is above");
                    // A pool that is gone needs no answer.
                    let _ = answers.send(Answer::Unable(panicked));
                }
            }
        };
        #[allow(unsafe_code)]
        // SAFETY: a worker is given options, counters, recorders and orders, none with a descriptor in it, and its answers are
        // counts. The sockets that it opens stay with it.
        let thread = unsafe { spawn(builder, None, run) };
        let thread = thread.map_err(|source| OpenError::Thread { table: table + 1, tables, source })?;
        Ok(Self { live, commands: Some(commands), thread: Some(thread) })
    }

    /// Returns true while its thread runs.
    pub(super) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Tells it what to do.
    pub(super) fn command(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A worker that is gone is noticed where its answer is awaited.
            let _ = commands.send(command);
        }
    }
}
