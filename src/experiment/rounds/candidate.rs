//! One candidate of a start: its server, its pool of connections, and its accounts.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use load_gen::plan::options::PoolOptions;
use load_gen::pool::Pool;
use load_gen::record::slice::{Account, ServerReading, SliceLoad};
use model::campaign::{ServerCost, Slice, Started};
use model::schema::{LoadMode, Point, Size, WaitPolicy, Workload};
use rustix::time::{ClockId, clock_getres};
use sys::slab;

use super::super::server::{Place, Server, ServerError};
use super::machine;

/// The longest time that connecting, and draining after a window, may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest window, whatever the connections need.
const LONGEST_WINDOW: Duration = Duration::from_millis(500);

/// The weight of the latest slice in what is known of a candidate's throughput: a single slice may be off.
const NEWER_COUNTS: f64 = 0.5;

/// The share of the time of other candidates' slices in which one that is idle has used a processor.
const RESTS_AT_MOST: f64 = 0.01;

/// Slices in a row without any answer that end a candidate.
const SILENT_AT_MOST: u32 = 3;

/// A reading of a server's accounts, and when it was made.
#[derive(Clone, Copy)]
struct Stamped {
    at: Instant,
    reading: ServerReading,
}

impl Stamped {
    fn now(account: &dyn Account) -> Self {
        Self { at: Instant::now(), reading: account.read() }
    }

    fn cost_since(&self, earlier: &Self) -> ServerCost {
        self.reading.since(&earlier.reading, (self.at - earlier.at).as_secs_f64())
    }
}

/// A candidate whose server runs and whose connections are open.
pub struct Candidate {
    server: Server,
    pool: Pool,
    account: Arc<dyn Account>,
    /// The record of it so far.
    started: Started,
    /// Its throughput in the latest closed-loop slices, in requests per second.
    pub throughput_per_s: f64,
    /// Slices without any answer since the latest with one.
    silent_slices: u32,
    /// A reading since which it should have rested: after the slice of another candidate that followed its own.
    resting: Option<Stamped>,
    /// CPU and wall time since then, up to its next slice, over all slices.
    beside: ServerCost,
}

impl Candidate {
    /// Opens the connections of candidate `name` at `point` to its server, which has been started.
    ///
    /// # Errors
    ///
    /// What is known of a candidate that cannot be measured, with the reason.
    pub fn open(
        name: &str,
        server: Result<Server, ServerError>,
        point: &Point,
        place: &Place<'_>,
        seed: u64,
    ) -> Result<Self, Box<Started>> {
        let mut started = Started { candidate: name.to_owned(), ..Started::default() };
        let opened = server.map_err(|error| error.to_string());
        match opened.and_then(|server| Self::connect(server, &mut started, point, place, seed)) {
            Ok((server, pool, account)) => Ok(Self {
                server,
                pool,
                account,
                started,
                throughput_per_s: 0.0,
                silent_slices: 0,
                resting: None,
                beside: ServerCost::default(),
            }),
            Err(why) => {
                started.failed = Some(why);
                Err(Box::new(started))
            }
        }
    }

    fn connect(
        mut server: Server,
        started: &mut Started,
        point: &Point,
        place: &Place<'_>,
        seed: u64,
    ) -> Result<(Server, Pool, Arc<dyn Account>), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let account: Arc<dyn Account> = Arc::new(server.account().map_err(|error| text(&error))?);
        let load = &place.scenario.load;
        let options = PoolOptions {
            protocol: load.protocol,
            size: Size::Fixed { bytes: point.size_bytes.unwrap_or(load.size_bytes) },
            workload: Workload {
                churn_per_s: point.churn_per_s.map(f64::from),
                // One request outstanding per connection: what clients do, and what flatters no slow server.
                most_under_way: Some(1),
                ..Workload::default()
            },
            cpu: place.pinning.generator,
            timeout: TIMEOUT,
            seed,
            ..PoolOptions::new(server.address(), point.connections, point.active)
        };
        let slab_before = slab::Reading::now();
        let resident_before = server.resident_bytes().unwrap_or(0);
        let before = Stamped::now(&*account);
        let pool = Pool::open(options, Arc::clone(&place.stop), &mut ()).map_err(|error| {
            server.ended().map_or_else(|| text(&error), |how| format!("the server ended {how}"))
        })?;
        let connections = pool.connections().clone();
        let opened = connections.opened;
        started.connections = Some(connections);
        if opened < u64::from(point.connections) {
            return Err(format!("only {opened} of {} connections could be opened", point.connections));
        }
        server.await_accepted(opened).map_err(|error| text(&error))?;
        started.setup = Some(Stamped::now(&*account).cost_since(&before));
        // Some servers have more threads now.
        let account: Arc<dyn Account> = Arc::new(server.account().map_err(|error| text(&error))?);
        let resident = server.resident_bytes().unwrap_or(0);
        started.server_rss_growth_bytes = Some(resident.saturating_sub(resident_before));
        started.slab = slab::Reading::now().since(&slab_before, opened);
        Ok((server, pool, account))
    }

    /// The candidate's name.
    pub fn name(&self) -> &str {
        &self.started.candidate
    }

    /// The record of it so far.
    pub fn so_far(&self) -> Started {
        self.started.clone()
    }

    /// Returns whether it has used hardly any CPU time in the slices of others.
    pub fn rests(&self) -> bool {
        self.beside.cpu_s <= self.beside.wall_s * RESTS_AT_MOST
    }

    /// Another has had a slice since: whatever its own had left to do is done. Whoever walks thousands of connections is not at rest when the
    /// last reply is out.
    pub fn rest(&mut self) {
        if self.resting.is_none() {
            self.resting = Some(Stamped::now(&*self.account));
        }
    }

    /// Gives it one slice.
    ///
    /// # Errors
    ///
    /// Why it can be measured no more.
    pub fn slice(&mut self, load: &Shape) -> Result<Slice, String> {
        let before = Stamped::now(&*self.account);
        if let Some(resting) = self.resting.take() {
            let beside = before.cost_since(&resting);
            self.beside.cpu_s += beside.cpu_s;
            self.beside.wall_s += beside.wall_s;
        }
        let warmup_s = load.warmup_requests / self.throughput_per_s.max(1.0);
        let window = self.window(load);
        let whole = SliceLoad {
            mode: load.mode,
            wait: load.wait,
            warmup: Duration::from_secs_f64(warmup_s.min(window.as_secs_f64() * 2.0)),
            window,
            seed: load.seed,
            account: Arc::clone(&self.account),
        };
        let slice = self.pool.slice(&whole, &self.started.candidate).map_err(|error| error.to_string());
        if let Some(how) = self.server.ended() {
            return Err(format!("the server ended {how}"));
        }
        let slice = slice?;
        // On a busy machine a server, or the generator, may have no processor for as long as a slice: that says nothing of the server.
        if slice.answered + slice.completed > 0 {
            self.silent_slices = 0;
        } else if slice.faults.is_empty() && !self.is_starved(&slice, &before) {
            self.silent_slices += 1;
        }
        if self.silent_slices == SILENT_AT_MOST {
            return Err(format!("the server answered nothing in {SILENT_AT_MOST} slices"));
        }
        if matches!(load.mode, LoadMode::Closed { .. }) && slice.answered > 0 {
            let per_s = slice.answered as f64 / slice.window_s;
            let newer = if self.throughput_per_s > 0.0 { NEWER_COUNTS } else { 1.0 };
            self.throughput_per_s += newer * (per_s - self.throughput_per_s);
        }
        Ok(slice)
    }

    /// Returns whether its server waited for a processor for long in `slice`, or in all the time since `earlier`, or waits for one now.
    fn is_starved(&self, slice: &Slice, earlier: &Stamped) -> bool {
        let is_ready = self.server.is_ready_to_run();
        let ServerCost { cpu_s, starved_s, wall_s, .. } = Stamped::now(&*self.account).cost_since(earlier);
        let little_s = wall_s * machine::STARVED_AT_MOST;
        // One that runs on and on is ready, too, and has a processor.
        machine::starved(std::slice::from_ref(slice)).is_some()
            || is_ready && cpu_s < little_s
            || starved_s.is_some_and(|starved_s| starved_s > little_s)
    }

    /// The window of its next slice: in closed loop a slow candidate needs more time for as many requests.
    fn window(&self, load: &Shape) -> Duration {
        let is_known = matches!(load.mode, LoadMode::Closed { .. }) && self.throughput_per_s > 0.0;
        let needed_s = if is_known { load.requests / self.throughput_per_s } else { 0.0 };
        in_ticks(load.window.max(Duration::from_secs_f64(needed_s).min(LONGEST_WINDOW)))
    }

    /// Closes its connections, and returns what is known of it, and its server; `failed` says why it can be measured no more.
    pub fn close(mut self, failed: Option<String>, place: &Place<'_>) -> (Started, Server) {
        self.started.failed = failed;
        if self.beside.wall_s > 0.0 {
            self.started.cpu_beside_others = Some(self.beside.cpu_s / self.beside.wall_s);
        }
        let lost = self.pool.lost().unwrap_or(0);
        if lost > 0 && self.started.failed.is_none() && !place.stop.load(Relaxed) {
            self.started.failed = Some(format!("{lost} of its connections were lost"));
        }
        let before = Stamped::now(&*self.account);
        let closed_s = self.pool.close();
        if let Some(connections) = &mut self.started.connections {
            connections.closed_s = closed_s;
        }
        if self.server.await_closed() {
            self.started.teardown = Some(Stamped::now(&*self.account).cost_since(&before));
        }
        (self.started, self.server)
    }
}

/// The load of a slice, the same for all candidates of a round.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Closed loop, or open loop at a rate.
    pub mode: LoadMode,
    /// The way in which the generator waits.
    pub wait: WaitPolicy,
    /// Requests before the window, over all connections.
    pub warmup_requests: f64,
    /// The window, at least.
    pub window: Duration,
    /// Requests, over all connections, that the window of a closed loop has room for.
    pub requests: f64,
    /// The seed of the arrivals.
    pub seed: u64,
}

/// A window that is a whole number of the kernel's ticks, and no shorter. The CPU time of another process, while it runs, is as old as the latest
/// tick of its processor (task_cputime, kernel/sched/cputime.c): the same at both edges then.
pub fn in_ticks(window: Duration) -> Duration {
    // The coarse clock goes on with each tick, and says how long that is.
    let tick = Duration::try_from(clock_getres(ClockId::MonotonicCoarse)).unwrap_or_default();
    in_ticks_of(tick, window)
}

fn in_ticks_of(tick: Duration, window: Duration) -> Duration {
    let [tick_ns, window_ns] = [tick, window].map(|time| time.as_nanos() as u64);
    Duration::from_nanos(window_ns.next_multiple_of(tick_ns.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_whole_number_of_ticks() {
        for tick_ms in [1, 4, 10] {
            let tick = Duration::from_millis(tick_ms);
            for micros in [1, 999, 1_000, 11_999, 12_000, 12_001, 500_000] {
                let (window, rounded) =
                    (Duration::from_micros(micros), in_ticks_of(tick, Duration::from_micros(micros)));
                assert_eq!(rounded.as_nanos() % tick.as_nanos(), 0);
                assert!(rounded >= window && rounded < window + tick, "{window:?} became {rounded:?}");
            }
        }
    }
}
