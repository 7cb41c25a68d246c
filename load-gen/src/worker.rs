//! A worker: one thread with a descriptor table of its own, its connections, and what it does with them.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Barrier};

use report::histogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;

use crate::clock::{self, now_ns};
use crate::connect::{Connector, close_with_reset};
use crate::drive::{self, Order};
use crate::exchange::Exchange;
use crate::fault::{Fault, Faults};
use crate::fleet::FleetOptions;
use crate::live::{self, Live};
use crate::machine;
use crate::measure::Recorder;
use crate::payload::Payload;
use crate::placement::{Placement, ROUND};

/// Connections on their way at once: well below the backlog of an ordinary listener (somaxconn, 4096).
const CONNECTS_AT_ONCE: usize = 256;

/// What the fleet asks of a worker.
pub enum Command {
    /// Put load on the active connections.
    Run(Order),
    /// Look after the idle connections.
    Check,
}

/// What a worker answers.
pub enum Answer {
    /// Its share of the connections is open, or has failed.
    Opened(Opened),
    /// It could not even begin.
    Unable(std::io::Error),
    /// The run has ended.
    Ran(Box<Recorder>),
    /// All its connections that were lost since they were opened, idle and active, by fault.
    Checked(Faults),
}

/// How opening its share of the connections went.
pub struct Opened {
    /// From connect(2) to the established connection.
    pub durations: Histogram,
    /// Connections that could not be opened.
    pub failed: Faults,
    /// Connections that are open and, if active, watched.
    pub opened: u64,
    /// When the last one was established.
    pub last_ns: u64,
}

/// What all workers of a fleet share.
pub struct Shared {
    /// What was asked for.
    pub options: FleetOptions,
    /// Who holds which connection.
    pub placement: Placement,
    /// Where the workers meet after each round of connections.
    pub round: Barrier,
    /// Set when the run should end.
    pub stop: Arc<AtomicBool>,
    /// Set by a worker that finds the target useless: no further connections are tried.
    pub give_up: AtomicBool,
}

/// A worker's life: opens its share, obeys, and closes with resets when the fleet is gone.
pub fn live(
    table: u32,
    shared: &Shared,
    live: &Arc<Live>,
    commands: &Receiver<Command>,
    answers: &Sender<Answer>,
) {
    let mut worker = match Worker::new(table, shared, live) {
        Ok(worker) => worker,
        Err(error) => {
            shared.give_up.store(true, Relaxed);
            // The others count on everybody at the meeting point.
            for _ in 0..shared.placement.rounds() {
                shared.round.wait();
            }
            // A fleet that is gone needs no answer, here and below.
            let _ = answers.send(Answer::Unable(error));
            return;
        }
    };
    let _ = answers.send(Answer::Opened(worker.open()));
    for command in commands {
        let answer = match command {
            Command::Run(order) => match drive::run(&mut worker.exchange, &order, live, &shared.stop) {
                Ok(books) => Answer::Ran(Box::new(books)),
                Err(errno) => Answer::Unable(errno.into()),
            },
            Command::Check => Answer::Checked(worker.check()),
        };
        let _ = answers.send(answer);
    }
    worker.idle.into_iter().chain(worker.exchange.into_sockets()).for_each(close_with_reset);
}

struct Worker<'a> {
    table: u32,
    shared: &'a Shared,
    live: &'a Live,
    exchange: Exchange,
    idle: Vec<OwnedFd>,
    idle_lost: Faults,
}

impl<'a> Worker<'a> {
    fn new(table: u32, shared: &'a Shared, live: &'a Live) -> std::io::Result<Self> {
        let options = &shared.options;
        if let Some(cpu) = options.cpu {
            machine::pin_to(cpu)?;
        }
        machine::own_descriptor_table(None)?;
        // The default slack of 50 us would make every timed sleep that much late (prctl(2)).
        rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1))?;
        live.thread_id.store(rustix::thread::gettid().as_raw_nonzero().get() as u64, Relaxed);
        let exchange = Exchange::new(options.size_bytes, Payload::new(options.protocol))?;
        Ok(Self { table, shared, live, exchange, idle: Vec::new(), idle_lost: Faults::default() })
    }

    /// Opens this worker's share, round by round in step with the others, so that the active connections
    /// end up evenly spread over the order in which the server accepts.
    fn open(&mut self) -> Opened {
        let Shared { options, placement, round, stop, give_up } = self.shared;
        let mut connector = Connector::new(options.target, options.conns, options.timeout);
        let began_ns = now_ns();
        let mut last_ns = began_ns;
        for first in (0..options.conns).step_by(ROUND as usize) {
            for index in first..options.conns.min(first + ROUND) {
                if placement.table(index) != self.table || give_up.load(Relaxed) || stop.load(Relaxed) {
                    continue;
                }
                if let Some(rate) = options.connect_rate {
                    clock::sleep_until(began_ns + (f64::from(index) / rate * 1e9) as u64);
                }
                if let Some(socket) = connector.start(index) {
                    self.keep(index, socket, &mut connector.failed);
                }
                if connector.pending() >= CONNECTS_AT_ONCE {
                    self.finish(&mut connector);
                }
                if is_useless(&connector.failed, self.opened()) {
                    give_up.store(true, Relaxed);
                }
            }
            self.finish(&mut connector);
            last_ns = now_ns();
            live::add(&self.live.opened, self.opened() - self.live.opened.load(Relaxed));
            round.wait();
        }
        Opened { durations: connector.durations, failed: connector.failed, opened: self.opened(), last_ns }
    }

    fn opened(&self) -> u64 {
        (self.idle.len() + self.exchange.len()) as u64
    }

    fn finish(&mut self, connector: &mut Connector) {
        let mut failed = Faults::default();
        connector.finish(|index, socket| self.keep(index, socket, &mut failed));
        connector.failed.merge(&failed);
    }

    fn keep(&mut self, index: u32, socket: OwnedFd, failed: &mut Faults) {
        if self.shared.placement.is_active(index) {
            if let Err(errno) = self.exchange.add(socket, index) {
                failed.add(errno.into());
            }
        } else {
            self.idle.push(socket);
        }
    }

    /// Looks at every idle connection once: an idle one has nothing to say, so anything to read on it
    /// means that it was closed, reset or refused. Idle connections are watched by nothing else, so that
    /// holding them costs the generator no more than their descriptors.
    fn check(&mut self) -> Faults {
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
        let mut all = self.idle_lost;
        all.merge(&self.exchange.failed);
        all
    }
}

/// What became of an idle connection that has something to read.
fn why_readable(socket: &OwnedFd) -> Fault {
    let mut said = [0_u8; 64];
    match rustix::net::recv(socket, &mut said, RecvFlags::DONTWAIT) {
        Ok((0, _)) => Fault::Lost,
        Ok((length, _)) if said[..length].starts_with(b"server is full") => Fault::ServerFull,
        Ok(_) => Fault::Surplus,
        Err(errno) => errno.into(),
    }
}

/// Whether going on makes no sense: the target answers nothing, or this side has run out of something.
fn is_useless(failed: &Faults, opened: u64) -> bool {
    const ENOUGH: u64 = 16;
    let nobody_there =
        failed.count(Fault::Refused) + failed.count(Fault::Unreachable) + failed.count(Fault::TimedOut);
    (opened == 0 && nobody_there > 0)
        || nobody_there >= ENOUGH.max(opened)
        || failed.count(Fault::OutOfDescriptors) + failed.count(Fault::OutOfPorts) >= ENOUGH
}
