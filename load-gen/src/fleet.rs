//! All connections of a run, held by worker threads, and the windows of load that are put on them.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

use report::histogram::Histogram;
use report::schema::{Connections, Latency, LoadMode, LoadReport, LoadSettings, Protocol, WaitPolicy};

use crate::clock::now_ns;
use crate::drive::Order;
use crate::fault::{Fault, Faults};
use crate::live::{self, Live, LiveHistogram};
use crate::machine;
use crate::measure::{Recorder, Window};
use crate::placement::{LimitTooLow, Placement};
use crate::schedule::GENERATOR;
use crate::validity;
use crate::watch::{Judgement, Watch};
use crate::worker::{self, Answer, Command, Shared};

/// What a fleet of connections is.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// The server.
    pub target: SocketAddr,
    /// Connections to hold.
    pub conns: u32,
    /// Of those, the ones that carry requests.
    pub active: u32,
    /// Worker threads that carry load.
    pub threads: u32,
    /// Connections to open a second at most.
    pub connect_rate: Option<f64>,
    /// What the server answers.
    pub protocol: Protocol,
    /// Bytes of a request.
    pub size_bytes: u32,
    /// Processor that the workers are pinned to.
    pub cpu: Option<u32>,
    /// How long a connection may take to open, and a reply to come after the window has ended.
    pub timeout: Duration,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether somebody watches latencies while they are measured.
    pub live_latencies: bool,
}

/// One window of load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Closed loop, or open loop at a rate.
    pub mode: LoadMode,
    /// How workers wait.
    pub wait: WaitPolicy,
    /// Load before the window.
    pub warmup: Duration,
    /// The window.
    pub duration: Duration,
}

/// Why a fleet could not be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing listens.
    #[error("nothing listens on {0}; start a server first, for example: muxbench serve --listen {0}")]
    NothingListens(SocketAddr),
    /// Nothing could be opened for other reasons.
    #[error("no connection to {target} could be opened: {names}")]
    Nothing {
        /// The server.
        target: SocketAddr,
        /// Names of what went wrong.
        names: String,
    },
    /// The limit of descriptors is too low for anything.
    #[error(transparent)]
    Limit(#[from] LimitTooLow),
    /// A worker could not be set up.
    #[error("cannot set up a worker thread: {0}")]
    Worker(std::io::Error),
    /// Interrupted before all connections were open.
    #[error("interrupted while opening connections")]
    Interrupted,
}

/// A worker failed while it ran.
#[derive(Debug, thiserror::Error)]
#[error("a worker of the generator failed: {0}")]
pub struct RunError(String);

/// An edge of a measured window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It begins.
    Begin,
    /// It ends.
    End,
}

/// What is known while connections open or load runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Connections opened.
    pub opened: u64,
    /// Requests answered since the connections were opened.
    pub answered: u64,
    /// Median service or response time since the last progress, in nanoseconds.
    pub p50_ns: Option<u64>,
    /// 99th percentile since the last progress, in nanoseconds.
    pub p99_ns: Option<u64>,
}

/// Who wants to know what happens meanwhile.
pub trait Observer {
    /// A measured window begins or ends now; `answered` requests have been answered so far.
    fn edge(&mut self, _edge: Edge, _answered: u64) {}
    /// Called a few times a second.
    fn progress(&mut self, _progress: &Progress) {}
}

/// Nobody.
impl Observer for () {}

/// How often progress is told.
pub(crate) const PROGRESS_EVERY_NS: u64 = 200_000_000;
/// Time from giving an order to its first request: enough to reach every worker.
const HEAD_START_NS: u64 = 1_000_000;

/// Open connections and the threads that hold them. Dropping it closes all with resets.
pub struct Fleet {
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    answers: Receiver<Answer>,
    connections: Connections,
    connect: Histogram,
}

struct WorkerHandle {
    live: Arc<Live>,
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Opens the connections and waits until all are open or have failed.
    ///
    /// # Errors
    ///
    /// When not a single one could be opened; a part of them is reported, not an error.
    pub fn open(
        options: FleetOptions,
        stop: Arc<AtomicBool>,
        observer: &mut dyn Observer,
    ) -> Result<Self, OpenError> {
        let limit = machine::raise_descriptor_limit();
        let placement = Placement::new(options.conns, options.active, options.threads, limit)?;
        let resident_before = machine::resident_bytes(std::process::id()).unwrap_or(0);
        let round = Barrier::new(placement.tables as usize);
        let live_latencies = options.live_latencies;
        let shared = Arc::new(Shared { options, placement, round, stop, give_up: AtomicBool::new(false) });
        let (answer, answers) = mpsc::channel();
        let began_ns = now_ns();
        let workers = (0..placement.tables)
            .map(|table| WorkerHandle::start(table, &shared, live_latencies, answer.clone()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(OpenError::Worker)?;
        drop(answer);
        let mut fleet = Self {
            shared,
            workers,
            answers,
            connections: Connections::default(),
            connect: report::histogram::empty(),
        };
        fleet.await_open(began_ns, observer)?;
        let resident = machine::resident_bytes(std::process::id()).unwrap_or(0);
        fleet.connections.rss_growth_bytes = resident.saturating_sub(resident_before);
        Ok(fleet)
    }

    fn await_open(&mut self, began_ns: u64, observer: &mut dyn Observer) -> Result<(), OpenError> {
        let mut failed = Faults::default();
        let mut last_ns = began_ns;
        let mut awaited = self.workers.len();
        while awaited > 0 {
            match self.answers.recv_timeout(Duration::from_nanos(PROGRESS_EVERY_NS)) {
                Ok(Answer::Opened(opened)) => {
                    self.connect.add(&opened.durations).expect("all histograms have the project's bounds");
                    failed.merge(&opened.failed);
                    self.connections.opened += opened.opened;
                    last_ns = last_ns.max(opened.last_ns);
                    awaited -= 1;
                }
                Ok(Answer::Unable(error)) => return Err(OpenError::Worker(error)),
                Ok(_) => unreachable!("a worker opens before it does anything else"),
                Err(RecvTimeoutError::Timeout) => observer.progress(&self.progress(&mut Vec::new())),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(OpenError::Worker(std::io::Error::other("it ended unexpectedly")));
                }
            }
        }
        self.connections.ramp_s = (last_ns - began_ns) as f64 / 1e9;
        self.connections.errors = failed.by_name();
        let target = self.shared.options.target;
        match self.connections.opened {
            _ if self.shared.stop.load(Relaxed) => Err(OpenError::Interrupted),
            0 if failed.count(Fault::Refused) > 0 => Err(OpenError::NothingListens(target)),
            0 => {
                let names: Vec<_> = failed.by_name().into_keys().collect();
                Err(OpenError::Nothing { target, names: names.join(", ") })
            }
            _ => Ok(()),
        }
    }

    /// How the connections fared so far.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// From connect(2) to the established connection, one sample a connection.
    pub fn connect_durations(&self) -> &Histogram {
        &self.connect
    }

    /// Puts `load` on the active connections and returns what was measured. May be called again: the
    /// connections stay open between windows.
    ///
    /// # Errors
    ///
    /// When a worker thread fails; what goes wrong on connections is in the report.
    pub fn run(&mut self, load: &Load, observer: &mut dyn Observer) -> Result<LoadReport, RunError> {
        let start_ns = now_ns() + HEAD_START_NS;
        let begin_ns = start_ns + load.warmup.as_nanos() as u64;
        let window = Window { begin_ns, end_ns: begin_ns + load.duration.as_nanos() as u64 };
        let workers = self.shared.placement.workers;
        for (number, worker) in self.workers.iter().take(workers as usize).enumerate() {
            worker.command(Command::Run(Order {
                mode: self.share_of(load.mode, number as u32),
                wait: load.wait,
                start_ns,
                window,
                drain_ns: self.shared.options.timeout.as_nanos() as u64,
                seed: self.shared.options.seed,
                stream: number as u32,
            }));
        }
        let mut watch = Watch::new(window);
        let mut books: Option<Recorder> = None;
        let mut counts_before = live::counts();
        let mut awaited = workers;
        while awaited > 0 {
            let wake_ns = watch.next_wake_ns();
            match self.answers.recv_timeout(Duration::from_nanos(wake_ns.saturating_sub(now_ns()))) {
                Ok(Answer::Ran(theirs)) => {
                    match &mut books {
                        None => books = Some(*theirs),
                        Some(books) => {
                            books.merge(&theirs);
                            books.window.end_ns = books.window.end_ns.max(theirs.window.end_ns);
                        }
                    }
                    awaited -= 1;
                }
                Ok(Answer::Unable(error)) => return Err(RunError(error.to_string())),
                Ok(_) => unreachable!("workers answer in the order they were asked"),
                Err(RecvTimeoutError::Timeout) => {
                    if watch.edge_is_due(now_ns()) {
                        watch.read_edge(self.loaded(), observer);
                    } else {
                        watch.progress_told();
                        observer.progress(&self.progress(&mut counts_before));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(RunError("it ended unexpectedly".into())),
            }
        }
        // A run that ended early still has two edges.
        while watch.edges_read() < 2 {
            watch.read_edge(self.loaded(), observer);
        }
        let lost = self.check()?;
        let books = books.expect("a fleet has at least one worker");
        Ok(self.report(load, &books, &lost, &watch))
    }

    /// What the workers that carry load show of themselves.
    fn loaded(&self) -> impl Iterator<Item = &Live> + Clone {
        let workers = self.shared.placement.workers as usize;
        self.workers.iter().take(workers).map(|worker| &*worker.live)
    }

    /// The share of the load that one worker carries: each request of the whole belongs to one worker.
    fn share_of(&self, mode: LoadMode, number: u32) -> LoadMode {
        let Placement { workers, .. } = self.shared.placement;
        let active = self.shared.options.active;
        let mine = active / workers + u32::from(number < active % workers);
        match mode {
            LoadMode::Open { rate_per_s, arrivals } => {
                LoadMode::Open { rate_per_s: rate_per_s * f64::from(mine) / f64::from(active), arrivals }
            }
            closed @ LoadMode::Closed { .. } => closed,
        }
    }

    /// Asks every worker for the connections that it has lost since they were opened.
    fn check(&mut self) -> Result<Faults, RunError> {
        self.workers.iter().for_each(|worker| worker.command(Command::Check));
        let mut lost = Faults::default();
        for _ in 0..self.workers.len() {
            match self.answers.recv() {
                Ok(Answer::Checked(theirs)) => lost.merge(&theirs),
                Ok(Answer::Unable(error)) => return Err(RunError(error.to_string())),
                Ok(_) => unreachable!("workers answer in the order they were asked"),
                Err(_) => return Err(RunError("it ended unexpectedly".into())),
            }
        }
        Ok(lost)
    }

    fn progress(&self, counts_before: &mut Vec<u64>) -> Progress {
        let sum = |counter: fn(&Live) -> u64| self.workers.iter().map(|worker| counter(&worker.live)).sum();
        let mut counts = live::counts();
        self.workers
            .iter()
            .filter_map(|worker| worker.live.latencies.as_ref())
            .for_each(|latencies| latencies.add_to(&mut counts));
        counts_before.resize(counts.len(), 0);
        let progress = Progress {
            opened: sum(|live| live.opened.load(Relaxed)),
            answered: sum(|live| live.answered.load(Relaxed)),
            p50_ns: live::quantile_between(counts_before, &counts, 0.5),
            p99_ns: live::quantile_between(counts_before, &counts, 0.99),
        };
        *counts_before = counts;
        progress
    }

    fn report(&self, load: &Load, books: &Recorder, lost: &Faults, watch: &Watch) -> LoadReport {
        let options = &self.shared.options;
        let open_loop = matches!(load.mode, LoadMode::Open { .. });
        let window_s = (books.window.end_ns - books.window.begin_ns) as f64 / 1e9;
        let Judgement { busy, starved, steal } = watch.judgement(load.wait);
        let reasons = validity::broken_rules(&validity::Facts {
            open_loop,
            asked: u64::from(options.conns),
            opened: self.connections.opened,
            lost: *lost,
            scheduled: books.scheduled,
            sent_in_time: books.sent_in_time,
            failed: books.faults,
            outstanding: books.outstanding(),
            response: books.response.clone(),
            service: books.service.clone(),
            starved,
            steal,
            interrupted: self.shared.stop.load(Relaxed),
        });
        let mut connections = self.connections.clone();
        connections.lost = lost.total();
        for (name, count) in lost.by_name() {
            *connections.errors.entry(name).or_default() += count;
        }
        LoadReport {
            valid: reasons.is_empty(),
            invalid_reasons: reasons,
            settings: LoadSettings {
                target: options.target.to_string(),
                conns: options.conns.into(),
                active: options.active.into(),
                mode: load.mode,
                size_bytes: options.size_bytes,
                protocol: options.protocol,
                threads: self.shared.placement.tables,
                wait: load.wait,
                duration_s: load.duration.as_secs_f64(),
                warmup_s: load.warmup.as_secs_f64(),
                seed: options.seed,
                generator: GENERATOR.to_owned(),
            },
            connections,
            window_s,
            throughput_per_s: if window_s > 0.0 { books.replies_inside as f64 / window_s } else { 0.0 },
            scheduled: books.scheduled,
            completed: books.completed,
            outstanding: books.outstanding(),
            errors: books.faults.by_name(),
            delayed: books.delayed,
            response: open_loop.then(|| Latency::of(&books.response)),
            service: Latency::of(&books.service),
            lateness: open_loop.then(|| Latency::of(&books.lateness)),
            connect: Some(Latency::of(&self.connect)),
            generator_busy: busy,
            generator_starved: starved,
            steal,
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Without a sender a worker's loop ends, and it closes its connections.
        self.workers.iter_mut().for_each(|worker| drop(worker.commands.take()));
        self.workers
            .iter_mut()
            .filter_map(|worker| worker.thread.take())
            .for_each(|thread| drop(thread.join()));
    }
}

impl WorkerHandle {
    fn start(
        table: u32,
        shared: &Arc<Shared>,
        latencies: bool,
        answers: Sender<Answer>,
    ) -> std::io::Result<Self> {
        let live = Arc::new(Live { latencies: latencies.then(LiveHistogram::default), ..Live::default() });
        let (commands, orders) = mpsc::channel();
        let thread = std::thread::Builder::new().name(format!("load-gen-{table}")).spawn({
            let (shared, live) = (Arc::clone(shared), Arc::clone(&live));
            move || {
                let life = || worker::live(table, &shared, &live, &orders, &answers);
                if catch_unwind(AssertUnwindSafe(life)).is_err() {
                    let panicked = std::io::Error::other("it panicked; the message is above");
                    // A fleet that is gone needs no answer.
                    let _ = answers.send(Answer::Unable(panicked));
                }
            }
        })?;
        Ok(Self { live, commands: Some(commands), thread: Some(thread) })
    }

    fn command(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A worker that is gone is noticed where its answer is awaited.
            let _ = commands.send(command);
        }
    }
}
