//! The division of a load among the workers.

use model::schema::LoadMode;

use crate::plan::options::{Load, PoolOptions};
use crate::plan::order::Order;
use crate::plan::placement::Placement;
use crate::plan::window::Window;

/// A load, and who carries it.
pub struct Shares<'a> {
    options: &'a PoolOptions,
    placement: &'a Placement,
    load: &'a Load,
    start_ns: u64,
}

impl<'a> Shares<'a> {
    /// The shares of `load`, which begins at `start_ns`.
    pub fn new(options: &'a PoolOptions, placement: &'a Placement, load: &'a Load, start_ns: u64) -> Self {
        Self { options, placement, load, start_ns }
    }

    /// The window: after ramp and warm-up.
    pub fn window(&self) -> Window {
        let begin_ns = self.start_ns + self.ramp_ns() + self.load.warmup.as_nanos() as u64;
        Window { begin_ns, end_ns: begin_ns + self.load.duration.as_nanos() as u64 }
    }

    /// The order to worker `number`. Each request of the whole belongs to one worker.
    pub fn order(&self, number: u32) -> Order {
        let Self { options, load, start_ns, .. } = *self;
        let workload = &options.workload;
        Order {
            mode: options.part(load.mode, self.active(number)),
            wait: load.wait,
            start_ns,
            ramp_ns: self.ramp_ns(),
            window: self.window(),
            sampled: self.sampled(),
            drain_ns: options.timeout.as_nanos() as u64,
            seed: options.seed,
            shard: options.shard_number(),
            stream: number,
            timestamps: options.timestamps,
            requests: workload.requests.map(|requests| self.requests(requests, number)),
            think: workload.think,
            is_capped: workload.most_under_way.is_some(),
            rotate_ns: workload.rotate_s.map(nanoseconds),
            churn_per_s: workload.churn_per_s.map(|rate| rate / f64::from(self.replaceable())),
        }
    }

    fn ramp_ns(&self) -> u64 {
        self.options.workload.ramp_s.map_or(0, nanoseconds)
    }

    /// The active connections of worker `number`.
    fn active(&self, number: u32) -> u32 {
        let (workers, active) = (self.placement.workers, self.options.active);
        active / workers + u32::from(number < active % workers)
    }

    /// A part as large as the worker's part of all active connections; all parts together, over all shards, are
    /// exactly `requests`.
    fn requests(&self, requests: u64, number: u32) -> u64 {
        let whole = self.options.whole_active();
        let others =
            self.options.active_before() + (0..number).map(|number| self.active(number)).sum::<u32>();
        let before = |active: u32| (u128::from(requests) * u128::from(active) / u128::from(whole)) as u64;
        before(others + self.active(number)) - before(others)
    }

    /// The part of the window that the self-check looks at: the whole, or where the requests are counted in open loop, as
    /// much of it as they surely take. The last of n requests falls due at an instant with a standard deviation of the
    /// square root of n gaps, and four of those are left out.
    fn sampled(&self) -> Option<Window> {
        let window = self.window();
        let (Some(requests), LoadMode::Open { rate_per_s, .. }) =
            (self.options.workload.requests, self.load.mode)
        else {
            return Some(window);
        };
        let fewest = (0..self.placement.workers).map(|number| self.requests(requests, number)).min()?;
        let share = 1.0 - 4.0 / (fewest.max(1) as f64).sqrt();
        let surely_ns = nanoseconds(requests as f64 / rate_per_s * share.max(0.0));
        let end_ns = window.end_ns.min(window.begin_ns.saturating_add(surely_ns));
        (end_ns > window.begin_ns).then_some(Window { end_ns, ..window })
    }

    /// The number of connections that can be replaced, over all shards: those in the tables of workers.
    fn replaceable(&self) -> u32 {
        let Placement { workers, tables, .. } = *self.placement;
        if tables > workers { self.options.whole_active() } else { self.options.whole_conns() }
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
