//! Saturation: a candidate that cannot keep up with a rate has a queue, and no response time of its own.

use model::campaign::{Phase, Slice};
use stats::level;

use super::samples::{Samples, of_candidate};

/// The share of the scheduled requests that a candidate which keeps up answers at least.
const KEEPS_UP: f64 = 0.98;
/// The share of the slices that show whether it keeps up, those that lack least: a queue is in all of them. In a few a server that keeps up
/// stands still, when the machine is taken from it.
const USUAL: f64 = 0.75;
/// The factor by which the response of the second half of a slice exceeds that of the first where it grows. A queue that grows
/// since the slice began makes it 1.4 even after a warm-up as long as the window; caches that are still cold make it less than 1.
const GROWS: f64 = 1.1;
/// The share of its own throughput from which on a rate saturates a candidate.
const NEAR_THROUGHPUT: f64 = 0.9;

/// A candidate's saturation at a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saturated {
    /// Requests that it answered per second.
    pub answered_per_s: f64,
    /// Requests per second that were scheduled.
    pub rate_per_s: f64,
    /// The sign of it.
    pub why: Overload,
}

/// The sign of a candidate's saturation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Overload {
    /// It answered less than was scheduled.
    MissesRate,
    /// Its response grew over the slice by this factor.
    ResponseGrows(f64),
    /// The rate is this share of its own closed-loop throughput.
    NearThroughput(f64),
}

/// The saturation of each candidate under the open loop of `phase`. `throughput` is each one's own with `active` requests outstanding, where
/// the generator was not full.
pub fn find(
    samples: &Samples<'_>,
    phase: Phase,
    throughput: &[Option<f64>],
    active: u32,
) -> Vec<Option<Saturated>> {
    let Some(rate_per_s) = samples.rate_per_s(phase) else { return vec![None; samples.len()] };
    let halves =
        samples.values(phase, |slice| Some(slice.p50_second_ns? as f64 / slice.p50_first_ns? as f64));
    let sign = |candidate: usize| {
        let growth = level(&of_candidate(&halves, candidate)).ok();
        let share = throughput[candidate].map(|per_s| rate_per_s / per_s);
        // A wait that brings one request takes no longer than one that brings all: whoever answers so many a second one by one has no queue.
        let has_room = share.is_some_and(|share| share * f64::from(active) < 1.0);
        let growth = growth.filter(|growth| growth.interval.low > GROWS && !has_room);
        let misses = misses_rate(samples.slices(phase, candidate)).then_some(Overload::MissesRate);
        let grows = growth.map(|growth| Overload::ResponseGrows(growth.value));
        let is_near = share.filter(|share| *share >= NEAR_THROUGHPUT).map(Overload::NearThroughput);
        misses.or(grows).or(is_near)
    };
    let saturated = |candidate: usize| {
        let slices = || samples.slices(phase, candidate);
        let why = sign(candidate).filter(|_| slices().next().is_some())?;
        let answered: u64 = slices().map(|slice| slice.answered).sum();
        let answered_per_s = answered as f64 / slices().map(|slice| slice.window_s).sum::<f64>();
        Some(Saturated { answered_per_s, rate_per_s, why })
    };
    (0..samples.len()).map(saturated).collect()
}

/// Returns whether less was answered than scheduled in its usual slices, of the requests that fell due in the windows or in the windows
/// themselves: a queue that is emptied after the window is a queue. Whichever is less is so of all slices together: in a single one a few that
/// are under way at its edges make either less. What failed, or was never sent, is no matter of speed.
fn misses_rate<'a>(slices: impl Iterator<Item = &'a Slice>) -> bool {
    let failed = |slice: &Slice| slice.missed + slice.errors.values().sum::<u64>();
    let lacks =
        |slice: &&Slice| slice.scheduled.saturating_sub(slice.completed.min(slice.answered) + failed(slice));
    let mut usual: Vec<&Slice> = slices.collect();
    usual.sort_by_key(lacks);
    usual.truncate((usual.len() as f64 * USUAL).ceil() as usize);
    let sum = |of: &dyn Fn(&Slice) -> u64| usual.iter().map(|slice| of(slice)).sum::<u64>();
    let answered = sum(&|slice| slice.completed).min(sum(&|slice| slice.answered)) + sum(&failed);
    (answered as f64) < KEEPS_UP * sum(&|slice| slice.scheduled) as f64
}
