//! All connections of a run, held by worker threads, and the windows of load that are put on them.

mod anew;
pub(crate) mod churn;
pub(crate) mod dialer;
pub(crate) mod drive;
mod handle;
pub mod look_up;
mod open_error;
pub(crate) mod opening;
pub(crate) mod rotation;
mod slices;
mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod turnover;
pub(crate) mod turns;
pub(crate) mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use model::histogram::Histogram;
use model::schema::{Connections, EngineKind, LoadMode, LoadReport};
use sys::clock::now_ns;
use sys::descriptor_table::Table;
use sys::{limits, processors, usage};

pub use self::open_error::OpenError;

use self::handle::WorkerHandle;
use crate::client::engine;
use crate::fault::Fault;
use crate::plan::options::{Load, PoolOptions};
use crate::plan::placement::Placement;
use crate::plan::shares::Shares;
use crate::plan::window::Window;
use crate::pool::drive::Task;
use crate::pool::opening::Opened;
use crate::pool::turns::Turns;
use crate::pool::worker::{Answer, Checked, Command, Shared};
use crate::record::live::{LatencyCounts, Live};
use crate::record::observer::{Observer, Progress};
use crate::record::recorder::Recorder;
use crate::record::series::{self, Stock};
use crate::record::watch::Watch;

/// A worker failed while it ran.
#[derive(Debug, thiserror::Error)]
#[error("a worker of the generator failed: {0}")]
pub struct RunError(String);

/// Time from giving an order to its first request: enough to reach every worker, and for it to lay out its recorder.
const HEAD_START_NS: u64 = 5_000_000;

/// The time between two looks for a stop while workers close their connections.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Looks at workers that have been stopped before they are left where they are.
const LOOKS_AT_MOST: u32 = 5;

/// The memory of this process and of the machine's kernel at some moment.
#[derive(Clone, Copy)]
struct Memory {
    resident_bytes: u64,
    slab_bytes: Option<u64>,
}

impl Memory {
    fn now() -> Self {
        let resident_bytes = usage::resident_bytes(std::process::id()).unwrap_or(0);
        Self { resident_bytes, slab_bytes: sys::capacity::slab_bytes() }
    }

    /// The growth of this process and of the kernel since `earlier`, in bytes.
    fn growth_since(self, earlier: Self) -> (u64, Option<u64>) {
        let kernel = self.slab_bytes.zip(earlier.slab_bytes).map(|(now, then)| now.saturating_sub(then));
        (self.resident_bytes.saturating_sub(earlier.resident_bytes), kernel)
    }
}

/// The state that the workers of a pool share.
fn shared(options: PoolOptions, placement: Placement, engine: EngineKind, stop: Arc<AtomicBool>) -> Shared {
    let granted = processors::granted().map_or(1, |processors| processors.ceil() as usize);
    let processors = if options.cpu.is_some() { 1 } else { granted };
    let at_once = processors.clamp(1, placement.tables as usize);
    Shared {
        turns: Turns::new(placement.tables as usize, at_once),
        at_once: at_once as u32,
        local_ports: sys::capacity::local_ports(),
        established_ns: AtomicU64::new(0),
        options,
        placement,
        engine,
        stop,
        give_up: AtomicBool::new(false),
        is_abandoned: AtomicBool::new(false),
    }
}

/// Open connections and the threads that hold them. Dropping it closes all with resets; once it is stopped, that is left to the
/// kernel, since the process is to end.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    answers: Receiver<Answer>,
    connections: Connections,
    connect: Histogram,
    /// Requests that no reply had come to when the connections were last looked after.
    pending: u64,
    /// The progress on the connections that were there before these.
    past: Progress,
    /// The reason that a worker has failed. The others may still answer what they were asked then, so no worker is
    /// asked anything more.
    failure: Option<String>,
}

impl Pool {
    /// Opens the connections and waits until all are open or have failed.
    ///
    /// # Errors
    ///
    /// When not a single one could be opened; a part of them is reported, not an error.
    pub fn open(
        options: PoolOptions,
        stop: Arc<AtomicBool>,
        observer: &mut dyn Observer,
    ) -> Result<Self, OpenError> {
        let engine = engine::choose(options.engine_asked()).map_err(OpenError::Engine)?;
        let limit = limits::raise_descriptors();
        let table = Table::probe();
        let placement = Placement::new(options.conns, options.active, options.threads, limit, table)?;
        if options.workload.rotate_s.is_some() && placement.tables > placement.workers {
            return Err(OpenError::NothingToRotate { threads: placement.tables + 1 });
        }
        let memory_before = Memory::now();
        let shared = Arc::new(shared(options, placement, engine, stop));
        let (answer, answers) = mpsc::channel();
        let began_ns = now_ns();
        let mut pool = Self {
            shared,
            workers: Vec::with_capacity(placement.tables as usize),
            answers,
            connections: Connections::default(),
            connect: model::histogram::empty(),
            pending: 0,
            past: Progress::default(),
            failure: None,
        };
        for table in 0..placement.tables {
            // Without a thread for each table the pool is dropped, which ends those that have one.
            pool.workers.push(WorkerHandle::start(table, &pool.shared, answer.clone())?);
        }
        drop(answer);
        pool.await_open(began_ns, observer)?;
        let (resident, kernel) = Memory::now().growth_since(memory_before);
        pool.connections.rss_growth_bytes = resident;
        pool.connections.kernel_growth_bytes = kernel;
        Ok(pool)
    }

    /// Closes all connections with resets, every worker its own at the same time, and returns how long that took, in
    /// seconds; nothing if it is stopped before that is done. A server still has to notice.
    pub fn close(mut self) -> Option<f64> {
        let began_ns = now_ns();
        self.end();
        (!self.is_stopped()).then(|| (now_ns() - began_ns) as f64 / 1e9)
    }

    /// Ends the workers, which closes their connections.
    fn end(&mut self) {
        // Those that still open connections, or put load on them, need not go on.
        self.shared.is_abandoned.store(true, Relaxed);
        // Without a sender a worker's loop ends, and it closes its connections.
        self.workers.iter_mut().for_each(|worker| drop(worker.commands.take()));
        // What they still answer is of no use, and comes to its end when they do, unless a pool that could not be opened has a sender.
        let mut looks_left = LOOKS_AT_MOST;
        while self.workers.iter().any(WorkerHandle::is_alive)
            && !matches!(self.answers.recv_timeout(LOOK_EVERY), Err(RecvTimeoutError::Disconnected))
        {
            looks_left -= u32::from(self.is_stopped());
            if looks_left == 0 {
                return;
            }
        }
        self.workers
            .iter_mut()
            .filter_map(|worker| worker.thread.take())
            .for_each(|thread| drop(thread.join()));
    }

    fn await_open(&mut self, began_ns: u64, observer: &mut dyn Observer) -> Result<(), OpenError> {
        let target = self.shared.options.target.clone();
        let mut all = Opened::none(&target, began_ns);
        let mut awaited = self.workers.len();
        while awaited > 0 {
            match self.answers.recv_timeout(observer.period()) {
                Ok(Answer::Opened(opened)) => {
                    all.merge(&opened);
                    awaited -= 1;
                }
                Ok(Answer::Unable(error)) => return Err(OpenError::Worker(error)),
                Ok(_) => unreachable!("a worker opens before it does anything else"),
                Err(RecvTimeoutError::Timeout) => {
                    observer.progress(&self.progress(&mut LatencyCounts::default()))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(OpenError::Worker(std::io::Error::other("it ended unexpectedly")));
                }
            }
        }
        self.connections.opened = all.opened;
        self.connections.ramp_s = (all.last_ns - began_ns) as f64 / 1e9;
        self.connections.errors = all.failed.by_name();
        self.connections.errnos = all.failed.by_errno();
        self.connections.targets = all.by_place(&target);
        self.connect = all.durations;
        match all.opened {
            _ if self.shared.stop.load(Relaxed) => Err(OpenError::Interrupted),
            0 if all.failed.count(Fault::Refused) > 0 => Err(OpenError::NothingListens(target)),
            0 => Err(OpenError::Nothing { target, why: all.failed.to_string() }),
            _ => Ok(()),
        }
    }

    /// The counts of the connections so far.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Puts `load` on the active connections and returns what was measured. May be called again: the
    /// connections stay open between windows.
    ///
    /// # Errors
    ///
    /// When a worker thread fails, or has failed before; what goes wrong on connections is in the report.
    pub fn run(&mut self, load: &Load, observer: &mut dyn Observer) -> Result<LoadReport, RunError> {
        self.run_from(None, load, observer)
    }

    /// As [`run`](Self::run), but the load begins at `start_ns`, in nanoseconds of [`sys::clock`], if that is given.
    ///
    /// # Errors
    ///
    /// When a worker thread fails; what goes wrong on connections is in the report.
    pub fn run_from(
        &mut self,
        start_ns: Option<u64>,
        load: &Load,
        observer: &mut dyn Observer,
    ) -> Result<LoadReport, RunError> {
        self.check_failure()?;
        let shared = Arc::clone(&self.shared);
        let Shared { options, placement, .. } = &*shared;
        // A shard may hold idle connections alone.
        let workers = if options.active == 0 { 0 } else { placement.workers };
        let stock = load.interval.map(|_| Stock::new(workers as usize));
        let start_ns = start_ns.unwrap_or_else(|| now_ns() + HEAD_START_NS);
        let shares = Shares::new(options, placement, load, start_ns);
        let window = shares.window();
        let (series, mut writers) =
            series::start(load.interval, window, stock).map_err(|error| RunError(error.to_string()))?;
        for (number, worker) in self.workers.iter().take(workers as usize).enumerate() {
            let task = Task { order: shares.order(number as u32), series: writers.next(), slice: None };
            worker.command(Command::Run(Box::new(task)));
        }
        let mut watch = Watch::new(window, observer.period());
        let recorders = self.await_recorders(workers as usize, window.end_ns, &mut watch, observer)?;
        let Checked { mut lost, .. } = self.check(0)?;
        let open_loop = matches!(load.mode, LoadMode::Open { .. });
        let ends_ns = recorders.iter().map(|recorder| recorder.window.end_ns);
        let earliest_end_ns = ends_ns.fold(window.end_ns, u64::min);
        let recorder = recorders.into_iter().reduce(Recorder::merge).unwrap_or_else(|| {
            let end_ns = window.end_ns.min(now_ns()).max(window.begin_ns);
            Recorder::new(Window { end_ns, ..window }, open_loop, Arc::default())
        });
        lost.merge(&recorder.turnover.lost);
        let end_ns = recorder.window.end_ns;
        let report = self.report(load, recorder, lost, &watch, earliest_end_ns);
        let intervals = series.map_or_else(Vec::new, |series| series.finish(end_ns, open_loop));
        Ok(LoadReport { intervals, ..report })
    }

    /// Awaits what so many workers record in a window that ends at `end_ns`; `watch` reads its edges meanwhile.
    fn await_recorders(
        &mut self,
        workers: usize,
        end_ns: u64,
        watch: &mut Watch,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Recorder>, RunError> {
        let mut recorders = Vec::with_capacity(workers);
        let mut latencies_before = LatencyCounts::default();
        while recorders.len() < workers || self.sits_idle_until(end_ns) {
            let wake_ns = watch.next_wake_ns();
            let answer = self.answers.recv_timeout(Duration::from_nanos(wake_ns.saturating_sub(now_ns())));
            watch.woken(wake_ns, now_ns());
            match answer {
                Ok(Answer::Ran(mut recorder)) => {
                    if let Some(series) = recorder.series.take() {
                        series.finish();
                    }
                    recorders.push(*recorder);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now_ns = now_ns();
                    if watch.edge_is_due(now_ns) {
                        watch.read_edge(self.loaded(), observer);
                    } else if watch.progress_is_due(now_ns) {
                        watch.progress_told();
                        observer.progress(&self.progress(&mut latencies_before));
                    }
                }
                other => return Err(self.failed(other.ok())),
            }
        }
        // A run that ended early still has two edges.
        while watch.edges_read() < 2 {
            watch.read_edge(self.loaded(), observer);
        }
        Ok(recorders)
    }

    /// Returns whether a pool without active connections still has to hold its idle ones.
    fn sits_idle_until(&self, end_ns: u64) -> bool {
        self.shared.options.active == 0 && now_ns() < end_ns && !self.shared.stop.load(Relaxed)
    }

    /// Returns whether the run was stopped by its flag.
    pub fn is_stopped(&self) -> bool {
        self.shared.stop.load(Relaxed)
    }

    /// The counters of the workers that carry load.
    fn loaded(&self) -> impl Iterator<Item = &Live> + Clone {
        let workers = self.shared.placement.workers as usize;
        self.workers.iter().take(workers).map(|worker| &*worker.live)
    }

    /// Asks every worker how its connections are, once nothing is under way on them, or `until_ns` has come.
    fn check(&mut self, until_ns: u64) -> Result<Checked, RunError> {
        self.check_failure()?;
        self.workers.iter().for_each(|worker| worker.command(Command::Check { until_ns }));
        let mut all = Checked::default();
        for _ in 0..self.workers.len() {
            match self.answers.recv() {
                Ok(Answer::Checked(theirs)) => all.merge(&theirs),
                other => return Err(self.failed(other.ok())),
            }
        }
        self.pending = all.pending;
        Ok(all)
    }

    /// A worker has failed, as its answer says, or without any: what the others measure has no more use, so they end at once.
    fn failed(&mut self, answer: Option<Answer>) -> RunError {
        let why = match answer {
            None => "it ended unexpectedly".to_owned(),
            Some(Answer::Unable(error)) => error.to_string(),
            Some(_) => unreachable!("workers answer in the order they were asked"),
        };
        self.shared.is_abandoned.store(true, Relaxed);
        RunError(self.failure.insert(why).clone())
    }

    /// Checks that no worker has failed.
    fn check_failure(&self) -> Result<(), RunError> {
        self.failure.as_ref().map_or(Ok(()), |why| Err(RunError(why.clone())))
    }

    fn progress(&self, latencies_before: &mut LatencyCounts) -> Progress {
        let sum = |counter: fn(&Live) -> u64| self.workers.iter().map(|worker| counter(&worker.live)).sum();
        let latencies = LatencyCounts::now(self.workers.iter().map(|worker| &*worker.live));
        let (response, service) = latencies.since(latencies_before);
        *latencies_before = latencies;
        Progress {
            opened: sum(|live| live.opened.load(Relaxed)),
            answered: self.past.answered + sum(|live| live.answered.load(Relaxed)),
            response,
            service,
            due: self.past.due + sum(|live| live.due.load(Relaxed)),
            failed: self.past.failed + sum(|live| live.failed.load(Relaxed)),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.end();
    }
}
