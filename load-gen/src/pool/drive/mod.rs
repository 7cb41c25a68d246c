//! The two ways to drive the connections of one worker through a window: [open](self::open) and closed loop.

mod closed;
mod drain;
mod open;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use model::histogram;
use model::schema::{Arrivals, LoadMode, Timestamps, WaitPolicy};
use rustix::io::Errno;
use sys::clock::{self, now_ns};

use crate::client::engine::Engine;
use crate::client::exchange::Exchange;
use crate::plan::order::Order;
use crate::plan::schedule::{self, Purpose, Schedule};
use crate::plan::window::Window;
use crate::pool::churn::{Churn, Replacement};
use crate::pool::dialer::Dialer;
use crate::pool::rotation::Rotation;
use crate::pool::turnover::Turnover;
use crate::record::live::Live;
use crate::record::recorder::Recorder;
use crate::record::sample::Sample;
use crate::record::series::Writer;
use crate::record::slice::{Account, SliceRecorder};
use crate::record::timestamps::KernelStamps;

pub use self::drain::drain;

/// Requests sent in a row before replies are looked at again, when the worker is behind.
const BURST: u32 = 64;
/// The longest sleep: how soon a worker notices that it should stop.
const LONGEST_SLEEP_NS: u64 = 50_000_000;

/// The order to a worker for one run, and the destinations of what it sees besides its own recorder.
pub struct Task {
    /// The order itself.
    pub order: Order,
    /// The writer of the time series, if one was asked for.
    pub series: Option<Writer>,
    /// The rest of the order for a slice, if this is one.
    pub slice: Option<SliceOrder>,
}

/// The part of an order that only a slice has.
pub struct SliceOrder {
    /// The time for which a closed loop keeps every connection busy before the window, in nanoseconds.
    pub warmup_ns: u64,
    /// The server's.
    pub account: Arc<dyn Account>,
}

impl Task {
    /// An empty recorder for all that is to be kept.
    fn recorder(&mut self, live: &Arc<Live>) -> Recorder {
        let order = &self.order;
        let open_loop = matches!(order.mode, LoadMode::Open { .. });
        let mut recorder = Recorder::new(order.window, open_loop, Arc::clone(live));
        if let (LoadMode::Open { rate_per_s, .. }, Some(sampled)) = (order.mode, order.sampled)
            && rate_per_s > 0.0
        {
            recorder.samples.push(Sample::new(sampled, rate_per_s));
        }
        recorder.turnover.connect = order.churn_per_s.map(|_| histogram::empty());
        recorder.series = self.series.take();
        recorder.stamps = (order.timestamps == Timestamps::Kernel).then(|| KernelStamps::new(open_loop));
        recorder
    }
}

/// The connections of a worker.
pub struct Connections<'a, E> {
    /// The active ones.
    pub exchange: &'a mut Exchange<E>,
    /// The others.
    pub idle: &'a mut Vec<OwnedFd>,
    /// Opens those that replace others.
    pub dialer: Dialer<'a, Replacement>,
}

/// Runs `task` on `connections` and returns what was recorded.
///
/// Ends early, with the window cut short, when one of `ends` is set or every connection has failed.
pub fn run<E: Engine>(
    connections: Connections<'_, E>,
    mut task: Task,
    live: &Arc<Live>,
    ends: [&AtomicBool; 2],
) -> Result<Recorder, Errno> {
    let Connections { exchange, idle, dialer } = connections;
    let slice = warm_up(exchange, idle, &mut task, live, ends)?;
    let mut recorder = task.recorder(live);
    recorder.slice = slice;
    let idle_recorder = std::mem::replace(exchange.recorder(), recorder);
    let order = &task.order;
    let turnover = match exchange.conversations.len() {
        0 => Turnover::new(idle, 0, None, None, false, order.window),
        _ => turnover(order, exchange, idle, dialer)?,
    };
    // All workers begin together, and nothing is sent before the load begins: without warm-up the window begins
    // with it.
    clock::sleep_until(order.start_ns);
    let load_end_ns = order.window.end_ns;
    let mut run = Run { exchange, order, live, ends, turnover, load_end_ns };
    // What is varied costs the plain loops nothing: they are compiled apart.
    match (order.mode, order.is_varied()) {
        // None of this worker's active connections could be opened.
        _ if run.exchange.conversations.alive == 0 => drop(run.is_over(now_ns())),
        (LoadMode::Open { rate_per_s, arrivals }, is_varied) => {
            let random = schedule::random(order.seed, order.shard, order.stream);
            let connections = run.exchange.conversations.len() as u32;
            let schedule = Schedule::new(arrivals, rate_per_s, connections, random);
            match is_varied {
                false => run.open_loop::<false>(schedule)?,
                true => run.open_loop::<true>(schedule)?,
            }
        }
        (LoadMode::Closed { pipeline }, false) => run.closed_loop::<false>(pipeline.into())?,
        (LoadMode::Closed { pipeline }, true) => run.closed_loop::<true>(pipeline.into())?,
    }
    Ok(run.finish(idle_recorder))
}

/// Keeps every connection busy before a slice, and lets the slice begin after that. In closed loop the load goes on into the window; in
/// open loop it ends first, so that the schedule meets an idle server. Returns the recorder that the slice goes on with; what is no slice has none.
fn warm_up<E: Engine>(
    exchange: &mut Exchange<E>,
    idle: &mut Vec<OwnedFd>,
    task: &mut Task,
    live: &Arc<Live>,
    ends: [&AtomicBool; 2],
) -> Result<Option<SliceRecorder>, Errno> {
    let Task { order, slice: Some(SliceOrder { warmup_ns, account }), .. } = task else { return Ok(None) };
    let open_loop = matches!(order.mode, LoadMode::Open { .. });
    let mut slice = Some(SliceRecorder::new(Arc::clone(account), open_loop, order.wait == WaitPolicy::Spin));
    let warmup_ns = *warmup_ns;
    let length_ns = order.window.end_ns - order.window.begin_ns;
    order.start_ns = now_ns();
    let mut begin_ns = order.start_ns + warmup_ns;
    if open_loop {
        exchange.recorder().slice = slice;
        let turnover = Turnover::new(idle, 0, None, None, false, Window::NEVER);
        let mut run = Run { exchange, order, live, ends, turnover, load_end_ns: begin_ns };
        run.closed_loop::<false>(1)?;
        slice = exchange.recorder().slice.take();
        exchange.acknowledge();
        order.start_ns = now_ns();
        // The first requests find nobody waiting.
        begin_ns = order.start_ns + length_ns / 16;
    }
    order.window = Window { begin_ns, end_ns: begin_ns + length_ns };
    slice.iter_mut().for_each(|slice| slice.plan(order.window));
    Ok(slice)
}

/// The turnover of the connections that `order` asks for; EOPNOTSUPP if the engine cannot move them.
fn turnover<'a, E: Engine>(
    order: &Order,
    exchange: &mut Exchange<E>,
    idle: &'a mut Vec<OwnedFd>,
    mut dialer: Dialer<'a, Replacement>,
) -> Result<Turnover<'a>, Errno> {
    if order.moves_connections() && exchange.engine.moving().is_none() {
        return Err(Errno::OPNOTSUPP);
    }
    let Order { start_ns, window, seed, shard, stream, .. } = *order;
    let active = exchange.conversations.len();
    let rotation = order.rotate_ns.map(|every_ns| {
        let mut random = schedule::random_for(Purpose::Rotation, seed, shard, stream);
        Rotation::new(every_ns, start_ns, window.end_ns, idle, &mut random)
    });
    let mut churn = None;
    if let Some(rate) = order.churn_per_s {
        let random = schedule::random_for(Purpose::Churn, seed, shard, stream);
        let all = (active + idle.len()) as u32;
        let schedule = Schedule::new(Arrivals::Poisson, rate * f64::from(all), all, random);
        exchange.engine.moving().ok_or(Errno::OPNOTSUPP)?.wake_on(dialer.news()?)?;
        churn = Some(Churn::new(schedule, (start_ns, window.end_ns), active as u32, dialer));
    }
    let holds = matches!(order.mode, LoadMode::Closed { .. });
    Ok(Turnover::new(idle, active, rotation, churn, holds, window))
}

/// Returns whether one of the flags that end a run is set.
#[inline]
fn is_set(ends: [&AtomicBool; 2]) -> bool {
    ends.iter().any(|end| end.load(Relaxed))
}

struct Run<'a, E> {
    exchange: &'a mut Exchange<E>,
    order: &'a Order,
    live: &'a Live,
    ends: [&'a AtomicBool; 2],
    turnover: Turnover<'a>,
    /// The end of the load: no request falls due later.
    load_end_ns: u64,
}

impl<E: Engine> Run<'_, E> {
    /// Takes events from the kernel; waits for them at most `until_due_ns`, or not at all when spinning.
    #[inline]
    fn wait(&mut self, until_due_ns: u64) -> Result<bool, Errno> {
        let timeout_ns = match self.order.wait {
            WaitPolicy::Spin => 0,
            WaitPolicy::Sleep => self.sleep_at_most_ns(until_due_ns),
        };
        let has_events = self.exchange.wait(timeout_ns)?;
        if let (WaitPolicy::Sleep, Some(slice)) = (self.order.wait, &mut self.exchange.recorder().slice) {
            slice.edges.woken(now_ns());
        }
        Ok(has_events)
    }

    fn sleep_at_most_ns(&self, until_due_ns: u64) -> u64 {
        let slice = &self.exchange.conversations.recorder.slice;
        let edge_ns = slice.as_ref().map_or(u64::MAX, |slice| slice.edges.next_ns());
        let until_edge_ns = if edge_ns == u64::MAX { u64::MAX } else { edge_ns.saturating_sub(now_ns()) };
        until_due_ns.min(LONGEST_SLEEP_NS).min(until_edge_ns)
    }

    /// Moves connections, as far as that is due, and returns the time.
    #[inline]
    fn turn_over(&mut self, now: u64) -> u64 {
        if now < self.turnover.next_ns() && !self.turnover.is_connecting() {
            return now;
        }
        self.turnover.advance(now, self.exchange);
        now_ns()
    }

    /// Ends the load: the requests that were asked for have all fallen due.
    #[cold]
    fn exhaust(&mut self, now: u64) {
        self.load_end_ns = self.load_end_ns.min(now.max(self.order.window.begin_ns));
        self.turnover.end_load();
    }

    /// Ends the window, unless it has ended already.
    fn end_window(&mut self, now: u64) {
        let window = &mut self.exchange.recorder().window;
        window.end_ns = window.end_ns.min(now.max(window.begin_ns));
    }

    /// Returns whether the run has ended: all replies are in, or waiting for them has no more use.
    #[inline]
    fn is_over(&mut self, now: u64) -> bool {
        let conversations = &mut self.exchange.conversations;
        if let Some(slice) = &mut conversations.recorder.slice {
            slice.edges.pass(now, self.live);
        }
        if conversations.alive == 0 || is_set(self.ends) {
            self.end_window(now);
            return true;
        }
        let end = self.load_end_ns;
        if now < end {
            return false;
        }
        if conversations.recorder.slice.is_some() {
            conversations.abandon_held();
        }
        let is_answered = conversations.pending == 0;
        let is_late = now >= end + self.order.drain_ns;
        let window = &mut conversations.recorder.window;
        if (is_answered || is_late) && end < window.end_ns {
            // So many requests take until the last is answered; what never comes takes no time.
            let end = if is_answered { now } else { end };
            window.end_ns = window.end_ns.min(end + 1);
        }
        // Connections on their way are awaited, so that they are not lost, but the window is over without them.
        is_late || is_answered && !self.turnover.is_connecting()
    }

    /// Returns the recorder, once nothing more will be entered; `idle` takes its place.
    fn finish(self, idle: Recorder) -> Recorder {
        let Self { exchange, turnover, live, .. } = self;
        turnover.finish(exchange);
        exchange.conversations.record_rest();
        let mut recorder = std::mem::replace(exchange.recorder(), idle);
        if let Some(slice) = &mut recorder.slice {
            slice.edges.finish(live);
            exchange.acknowledge();
        }
        if let Some(stamps) = &mut recorder.stamps {
            stamps.close();
        }
        recorder
    }
}
