//! The two ways to drive the connections of one worker through a window: open loop and closed loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use report::schema::{LoadMode, WaitPolicy};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::clock::{self, now_ns};
use crate::exchange::Exchange;
use crate::live::{self, Live};
use crate::measure::{Recorder, Window};
use crate::schedule::{self, Due, Schedule};

/// Events taken from the kernel at once.
const EVENTS_A_WAIT: usize = 256;
/// Requests sent in a row before replies are looked at again, when the worker is behind.
const BURST: u32 = 64;
/// The longest sleep: how soon a worker notices that it should stop.
const LONGEST_SLEEP_NS: u64 = 50_000_000;

/// What a worker is to do in one run.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The worker's own share of the load.
    pub mode: LoadMode,
    /// How to wait.
    pub wait: WaitPolicy,
    /// When the load begins; the time until the window begins is warm-up.
    pub start_ns: u64,
    /// The measured window; load ends with it.
    pub window: Window,
    /// How long replies may still come after the window.
    pub drain_ns: u64,
    /// Seed and stream of the schedule.
    pub seed: u64,
    /// Number of the worker.
    pub stream: u32,
}

/// Runs `order` on the connections of `exchange` and returns the books.
///
/// Ends early, with the window cut short, when `stop` is set or every connection has failed.
pub fn run(
    exchange: &mut Exchange,
    order: &Order,
    live: &Arc<Live>,
    stop: &AtomicBool,
) -> Result<Recorder, Errno> {
    let books = Recorder::new(order.window, matches!(order.mode, LoadMode::Open { .. }), Arc::clone(live));
    // All workers begin together, and nothing is sent before the load begins: without warm-up the window begins
    // with it.
    clock::sleep_until(order.start_ns);
    let mut run = Run { exchange, order, live, stop, books, events: Vec::with_capacity(EVENTS_A_WAIT) };
    match order.mode {
        // None of this worker's active connections could be opened.
        _ if run.exchange.alive == 0 => drop(run.is_over(now_ns())),
        LoadMode::Open { rate_per_s, arrivals } => {
            let random = schedule::random(order.seed, order.stream);
            let connections = run.exchange.len() as u32;
            run.open_loop(Schedule::new(arrivals, rate_per_s, connections, random))?;
        }
        LoadMode::Closed { pipeline } => run.closed_loop(u64::from(pipeline))?,
    }
    Ok(run.books)
}

struct Run<'a> {
    exchange: &'a mut Exchange,
    order: &'a Order,
    live: &'a Live,
    stop: &'a AtomicBool,
    books: Recorder,
    events: Vec<epoll::Event>,
}

impl Run<'_> {
    /// Sends each request when its schedule says so, whatever has become of the earlier ones.
    fn open_loop(&mut self, mut schedule: Schedule) -> Result<(), Errno> {
        let mut due = self.next_due(&mut schedule);
        let mut now = now_ns();
        loop {
            now = self.send_due(&mut schedule, &mut due, now);
            if self.is_over(now) {
                self.count_unsent(&mut schedule, due);
                return Ok(());
            }
            let before = now;
            self.wait(due.at_ns.saturating_sub(now))?;
            for at in 0..self.events.len() {
                let epoll::Event { data, flags } = self.events[at];
                let (answered, at_ns) = self.exchange.handle(data.u64() as u32, flags, &mut self.books);
                if answered > 0 {
                    live::add(&self.live.answered, answered);
                }
                // A long batch of replies must not make the next request late.
                if due.at_ns <= at_ns {
                    self.send_due(&mut schedule, &mut due, at_ns);
                }
            }
            now = now_ns();
            if self.events.is_empty() {
                live::add(&self.live.idle_ns, now - before);
            }
        }
    }

    /// Enters requests that fell due and were never sent, because this worker fell behind: they are in the count.
    fn count_unsent(&mut self, schedule: &mut Schedule, mut due: Due) {
        while due.at_ns < self.books.window.end_ns {
            self.books.due(due.at_ns);
            due = self.next_due(schedule);
        }
    }

    /// The next request of the schedule, in nanoseconds of the clock; never due once the window has ended.
    fn next_due(&self, schedule: &mut Schedule) -> Due {
        let due = schedule.next().expect("a schedule is endless");
        let at_ns = self.order.start_ns + due.at_ns;
        Due { at_ns: if at_ns < self.order.window.end_ns { at_ns } else { u64::MAX }, ..due }
    }

    /// Sends what is due, at most a burst of it, and returns the time.
    #[inline]
    fn send_due(&mut self, schedule: &mut Schedule, due: &mut Due, mut now: u64) -> u64 {
        for _ in 0..BURST {
            if due.at_ns > now {
                break;
            }
            self.exchange.request(due.connection, 1, due.at_ns, now, &mut self.books);
            *due = self.next_due(schedule);
            now = now_ns();
        }
        now
    }

    /// Keeps `pipeline` requests under way on every connection: a reply triggers the next request.
    fn closed_loop(&mut self, pipeline: u64) -> Result<(), Errno> {
        for index in 0..self.exchange.len() as u32 {
            let now = now_ns();
            self.exchange.request(index, pipeline, now, now, &mut self.books);
        }
        let mut now = now_ns();
        loop {
            if self.is_over(now) {
                return Ok(());
            }
            let before = now;
            self.wait(u64::MAX)?;
            for at in 0..self.events.len() {
                let epoll::Event { data, flags } = self.events[at];
                let index = data.u64() as u32;
                let (answered, at_ns) = self.exchange.handle(index, flags, &mut self.books);
                if answered > 0 {
                    live::add(&self.live.answered, answered);
                    now = at_ns;
                    if now < self.books.window.end_ns {
                        self.exchange.request(index, answered, now, now, &mut self.books);
                    }
                }
            }
            if now == before {
                now = now_ns();
            }
            if self.events.is_empty() {
                live::add(&self.live.idle_ns, now - before);
            }
        }
    }

    /// Takes events from the kernel; waits for them at most `until_due_ns`, or not at all when spinning.
    #[inline]
    fn wait(&mut self, until_due_ns: u64) -> Result<(), Errno> {
        let nanoseconds = match self.order.wait {
            WaitPolicy::Spin => 0,
            WaitPolicy::Sleep => until_due_ns.min(LONGEST_SLEEP_NS) as i64,
        };
        let timeout = Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        self.events.clear();
        match epoll::wait(
            self.exchange.epoll(),
            rustix::buffer::spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Whether the run has ended: all replies are in, or waiting for them has no more use.
    #[inline]
    fn is_over(&mut self, now: u64) -> bool {
        if self.exchange.alive == 0 || self.stop.load(Relaxed) {
            self.books.window.end_ns = self.books.window.end_ns.min(now.max(self.books.window.begin_ns));
            return true;
        }
        let end = self.books.window.end_ns;
        now >= end && (self.exchange.pending == 0 || now >= end + self.order.drain_ns)
    }
}
