//! The generator tests itself: whether what it sent was the load that was asked for, and whether the run was one
//! experiment from its begin to its end. docs/LOAD-GEN.md gives the reasons for each check and its bounds.

mod arrivals;
#[cfg(test)]
mod oracle;
mod stationarity;
mod statistics;
#[cfg(test)]
mod tests;

use model::schema::{Arrivals, Check, LoadMode, SelfCheck};

use crate::record::sample::Sample;
use crate::record::validity::{self, Facts};

/// The tests of a run in open loop, with those of the rules of validity that are on the generator. What the former found
/// is added to `reasons`; what the latter found is there already.
pub fn of(mode: LoadMode, end_ns: u64, facts: &Facts, reasons: &mut Vec<String>) -> Option<SelfCheck> {
    let LoadMode::Open { rate_per_s, arrivals } = mode else { return None };
    let response_p50_ns = facts.recorder.response.value_at_quantile(0.5);
    let (is_held_back, samples) = (facts.is_held_back(), &facts.recorder.samples);
    let run = Run { arrivals, rate_per_s, end_ns, response_p50_ns, is_held_back, samples };
    let mut checks = checks(&run);
    for advice in checks.iter_mut().filter_map(|check| check.advice.as_mut()) {
        *advice = advice.replace(OWN_PROCESSOR, &facts.more_time(OWN_PROCESSOR));
    }
    reasons.extend(checks.iter().filter_map(|check| check.advice.clone()));
    checks.extend(validity::generator_checks(facts));
    Some(SelfCheck::of(checks))
}

/// The data that the checks look at.
struct Run<'a> {
    /// The distribution of the gaps that was asked for.
    arrivals: Arrivals,
    /// Requests a second that were asked for, over all workers.
    rate_per_s: f64,
    /// The end of the window: early if the run was interrupted or all connections were lost.
    end_ns: u64,
    /// Median response, in nanoseconds.
    response_p50_ns: u64,
    /// True if a CPU quota held the generator back, and with it a server that shares the quota.
    is_held_back: bool,
    /// The sample of each worker.
    samples: &'a [Sample],
}

/// Every check for which there are enough samples.
fn checks(run: &Run<'_>) -> Vec<Check> {
    let mut checks = arrivals::checks(run);
    checks.extend(stationarity::check(run));
    checks
}

/// The advice for requests that leave late, unless a quota limits the generator's CPU time.
const OWN_PROCESSOR: &str = "give the generator a processor of its own (--cpu, --wait spin)";
/// Observations without which a test says nothing.
const FEWEST: usize = 50;

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
