//! A worker: one thread, with a descriptor table of its own where there is one to be had, its connections, and what it
//! does with them.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender};

use model::schema::{EngineKind, Timestamps};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;
use sys::{processors, timestamps};

use crate::client::conversations::Conversations;
use crate::client::engine::{Engine, Epoll};
use crate::client::exchange::Exchange;
use crate::client::payload::Payload;
use crate::fault::{Fault, Faults};
use crate::plan::options::PoolOptions;
use crate::plan::placement::Placement;
use crate::plan::sizes::Sizes;
use crate::plan::source::Sources;
use crate::pool::dialer::{Dialer, close_with_reset, reset_when_closed};
use crate::pool::drive::{self, Task};
use crate::pool::opening::{self, Opened};
use crate::pool::turns::Turns;
use crate::record::live::Live;
use crate::record::recorder::Recorder;

/// Requests of a run that may be under way at once, over all workers: at 32 bytes each 128 MiB, and 4 s of a server that does
/// not answer a million requests per second. Without a bound an hour of them, or a rate beyond all means, takes all memory.
const MOST_PENDING: u64 = 1 << 22;

/// A command from the pool to a worker.
pub enum Command {
    /// Put load on the active connections.
    Run(Box<Task>),
    /// Wait until nothing is under way, at the latest until an instant, and look after all connections.
    Check {
        /// The instant, in nanoseconds of [`sys::clock`]; none has passed 0.
        until_ns: u64,
    },
}

/// An answer of a worker.
pub enum Answer {
    /// Its share of the connections is open, or has failed.
    Opened(Opened),
    /// It could not even begin.
    Unable(std::io::Error),
    /// The run has ended.
    Ran(Box<Recorder>),
    /// The state of its connections.
    Checked(Checked),
}

/// The state of a worker's connections when they are checked.
#[derive(Default)]
pub struct Checked {
    /// All that were lost since they were opened, idle and active, by fault.
    pub lost: Faults,
    /// Requests that are still to be answered.
    pub pending: u64,
}

impl Checked {
    /// Adds what another worker found.
    pub fn merge(&mut self, other: &Self) {
        self.lost.merge(&other.lost);
        self.pending += other.pending;
    }
}

/// The data that all workers of a pool share.
pub struct Shared {
    /// The options of the pool.
    pub options: PoolOptions,
    /// The worker that holds each connection.
    pub placement: Placement,
    /// The engine that moves the bytes.
    pub engine: EngineKind,
    /// The turns in which workers open connections.
    pub turns: Turns,
    /// The number of workers that may open connections at the same time.
    pub at_once: u32,
    /// Local ports that the kernel gives to connections, for each pair of source and target.
    pub local_ports: u32,
    /// The time at which the latest connection was established, as far as workers have reported.
    pub established_ns: AtomicU64,
    /// Set when the run should end.
    pub stop: Arc<AtomicBool>,
    /// Set by a worker that finds the target useless: no further connections are tried.
    pub give_up: AtomicBool,
    /// Set by the pool when it is gone, or has lost a worker: whatever the others do has no more use.
    pub is_abandoned: AtomicBool,
}

impl Shared {
    /// Returns whether no further connection is to be opened.
    pub fn is_over(&self) -> bool {
        self.give_up.load(Relaxed) || self.ends().iter().any(|end| end.load(Relaxed))
    }

    /// Of these flags, whichever is set first ends what is going on.
    fn ends(&self) -> [&AtomicBool; 2] {
        [&self.stop, &self.is_abandoned]
    }
}

/// A worker's life: opens its share, obeys, and closes with resets when the pool is gone. Where the process is to end it leaves that
/// to the kernel.
pub fn live(
    table: u32,
    shared: &Shared,
    live: &Arc<Live>,
    commands: &Receiver<Command>,
    answers: &Sender<Answer>,
) {
    match shared.engine {
        // One that holds idle connections alone needs no ring.
        #[cfg(feature = "io-uring")]
        EngineKind::IoUring if table < shared.placement.workers => {
            live_on::<crate::client::engine::Uring>(table, shared, live, commands, answers);
        }
        _ => live_on::<Epoll>(table, shared, live, commands, answers),
    }
}

fn live_on<E: Engine>(
    table: u32,
    shared: &Shared,
    live: &Arc<Live>,
    commands: &Receiver<Command>,
    answers: &Sender<Answer>,
) {
    let mut worker = match Worker::<E>::new(table, shared, live) {
        Ok(worker) => worker,
        Err(error) => {
            shared.give_up.store(true, Relaxed);
            // A pool that is gone needs no answer, here and below.
            let _ = answers.send(Answer::Unable(error));
            return;
        }
    };
    let _ = answers.send(Answer::Opened(worker.open()));
    for command in commands {
        let answer = match command {
            Command::Run(task) => match drive::run(worker.connections(), *task, live, shared.ends()) {
                Ok(recorder) => Answer::Ran(Box::new(recorder)),
                Err(errno) => Answer::Unable(errno.into()),
            },
            Command::Check { until_ns } => {
                match drive::drain(&mut worker.exchange, until_ns, live, shared.ends()) {
                    Ok(()) => Answer::Checked(worker.check()),
                    Err(errno) => Answer::Unable(errno.into()),
                }
            }
        };
        let _ = answers.send(answer);
    }
    if shared.stop.load(Relaxed) {
        return worker.leave();
    }
    worker.idle.into_iter().chain(worker.exchange.engine.into_sockets()).for_each(close_with_reset);
}

struct Worker<'a, E> {
    table: u32,
    shared: &'a Shared,
    live: &'a Live,
    exchange: Exchange<E>,
    idle: Vec<OwnedFd>,
    idle_lost: Faults,
}

impl<'a, E: Engine> Worker<'a, E> {
    fn new(table: u32, shared: &'a Shared, live: &'a Arc<Live>) -> std::io::Result<Self> {
        let options = &shared.options;
        if let Some(cpu) = options.cpu {
            let named =
                |error| std::io::Error::other(format!("it cannot be bound to processor {cpu}: {error}"));
            processors::pin_to(&[cpu]).map_err(named)?;
        }
        // The default slack of 50 us makes every timed sleep that much late (prctl(2)). Where it must stay, the result says
        // how late requests were.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        live.thread_id.store(rustix::thread::gettid().as_raw_nonzero().get() as u64, Relaxed);
        let mut sizes = Sizes::new(options.size, options.seed, options.shard_number(), table);
        let payload = match &options.workload.dialogue {
            Some(dialogue) => Payload::by_template(dialogue, &mut sizes).map_err(std::io::Error::other)?,
            None => Payload::new(options.protocol),
        };
        let most = options.workload.most_under_way.unwrap_or(u32::MAX);
        let most_pending = MOST_PENDING / u64::from(shared.placement.workers.max(1));
        let conversations = Conversations::new(payload, most, most_pending, Recorder::idle(Arc::clone(live)));
        let exchange = Exchange::new(conversations, sizes, &options.ring)?;
        Ok(Self { table, shared, live, exchange, idle: Vec::new(), idle_lost: Faults::default() })
    }

    fn open(&mut self) -> Opened {
        let Self { table, shared, live, exchange, idle, .. } = self;
        // Of what grows by doubling, up to half is room that nobody uses.
        idle.reserve_exact(shared.placement.idle_of(*table).len());
        let opened = opening::open(*table, shared, live, |index, socket| {
            if shared.placement.is_active(index) {
                if shared.options.timestamps == Timestamps::Kernel {
                    // A socket that cannot is one without time-stamps, and the result says that there are none.
                    let _ = timestamps::enable(&socket);
                }
                return exchange.add(socket, shared.options.connection_id(index));
            }
            idle.push(socket);
            Ok(())
        });
        if shared.options.timestamps == Timestamps::Kernel {
            timestamps::await_stamps(&shared.stop);
        }
        opened
    }

    /// Leaves all connections to the kernel, which resets them when this thread's table goes, or the process: who waits for its end
    /// does not wait for each close(2), nor for what a ring has under way.
    fn leave(self) {
        self.idle.iter().chain(self.exchange.engine.sockets()).for_each(reset_when_closed);
        std::mem::forget(self);
    }

    /// The connections that load is put on.
    fn connections(&mut self) -> drive::Connections<'_, E> {
        let Shared { options, local_ports, .. } = self.shared;
        let sources = Sources::new(&options.target, options.conns, *local_ports);
        let dialer = Dialer::new(&options.target, sources, options.timeout);
        drive::Connections { exchange: &mut self.exchange, idle: &mut self.idle, dialer }
    }

    /// Looks at every idle connection once: an idle one has nothing to say, so anything to read on it
    /// means that it was closed, reset or refused. Idle connections are watched by nothing else, so that
    /// holding them costs the generator no more than their descriptors.
    fn check(&mut self) -> Checked {
        const AT_ONCE: usize = 1024;
        let mut lost = Faults::default();
        let mut sound = Vec::with_capacity(self.idle.len());
        let mut idle = std::mem::take(&mut self.idle).into_iter().peekable();
        while idle.peek().is_some() {
            let chunk: Vec<OwnedFd> = idle.by_ref().take(AT_ONCE).collect();
            let mut watched: Vec<_> =
                chunk.iter().map(|socket| PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP)).collect();
            let _ = poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
            let quiet: Vec<bool> = watched.iter().map(|watched| watched.revents().is_empty()).collect();
            for (socket, quiet) in chunk.into_iter().zip(quiet) {
                if quiet {
                    sound.push(socket);
                } else {
                    lost.add(why_readable(&socket));
                }
            }
        }
        self.idle = sound;
        self.idle_lost.merge(&lost);
        let conversations = &self.exchange.conversations;
        let mut all = Checked { lost: self.idle_lost, pending: conversations.pending };
        all.lost.merge(&conversations.failed);
        all
    }
}

/// The fault of an idle connection that has something to read.
fn why_readable(socket: &OwnedFd) -> Fault {
    let mut said = [0_u8; 64];
    match rustix::net::recv(socket, &mut said, RecvFlags::DONTWAIT) {
        Ok((0, _)) => Fault::Lost,
        Ok((length, _)) if said[..length].starts_with(b"server is full") => Fault::ServerFull,
        Ok(_) => Fault::Surplus,
        Err(errno) => errno.into(),
    }
}
