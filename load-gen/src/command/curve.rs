//! Several windows of load on the same connections: a curve of rising rates, or the search for the highest that is met.

use std::str::FromStr;
use std::time::Duration;

use model::schema::{LoadCurve, LoadMode, LoadReport, Objective};
use report::format::nominal_rate;

use crate::command::search::{self, Search, TooFewSamples};
use crate::plan::options::Load;
use crate::plan::units;
use crate::pool::{Pool, RunError};
use crate::record::observer::Observer;

/// Steps of a curve at most: each takes a whole window.
const STEPS: u64 = 1_000;

/// The rates that `--rate` asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OfferedRate {
    /// One rate, in requests per second.
    Constant(f64),
    /// So many rates, evenly spaced, the ends included.
    Steps {
        /// The first.
        from: f64,
        /// The last.
        to: f64,
        /// The number of rates.
        steps: u32,
    },
    /// The rates that a search may try.
    Range {
        /// The lowest.
        from: f64,
        /// The highest.
        to: f64,
    },
}

impl FromStr for OfferedRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((from, rest)) = text.split_once("..") else {
            return units::rate(text)
                .map(Self::Constant)
                .map_err(|error| format!("{error}; or rising rates as 10k..200k:10"));
        };
        let (to, steps) = match rest.split_once(':') {
            Some((to, steps)) => (to, Some(steps)),
            None => (rest, None),
        };
        let (from, to) = (units::rate(from)?, units::rate(to)?);
        if from >= to {
            return Err(format!("'{text}' does not rise: write the lower rate first, as 10k..200k:10"));
        }
        match steps.map(units::count) {
            None => Ok(Self::Range { from, to }),
            Some(Ok(steps @ 2..=STEPS)) => Ok(Self::Steps { from, to, steps: steps as u32 }),
            Some(_) => Err(format!("'{text}' needs a number of steps from 2 to {STEPS}, as in 10k..200k:10")),
        }
    }
}

/// Parses an objective: `p99=1ms`, `p99.9=500us`.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn objective(text: &str) -> Result<Objective, String> {
    let wrong = || format!("'{text}' is not an objective: write a percentile and its bound, as p99=1ms");
    let (percentile, limit) =
        text.strip_prefix('p').and_then(|rest| rest.split_once('=')).ok_or_else(wrong)?;
    let percent: f64 = percentile.parse().map_err(|_| wrong())?;
    if !(1.0..=99.999).contains(&percent) {
        return Err(format!("'{text}' needs a percentile from p1 to p99.999"));
    }
    match units::duration(limit)? {
        Duration::ZERO => Err(wrong()),
        limit => Ok(Objective { quantile: percent / 100.0, limit_ns: limit.as_nanos() as u64 }),
    }
}

/// An observer of the progress of a curve.
pub trait CurveObserver: Observer {
    /// Load at `rate_per_s` begins; `of` are how many steps there are, where that is known.
    fn step(&mut self, number: usize, of: Option<usize>, rate_per_s: f64);
}

/// The reason that a curve could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum CurveError {
    /// A worker failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The windows are too short for the objective.
    #[error(transparent)]
    TooFewSamples(#[from] TooFewSamples),
}

/// Measures `steps` rates from `from` to `to`, each as `load` says.
///
/// It ends early, and says so, where replies stay out for longer than the timeout: what follows would
/// measure the backlog.
///
/// # Errors
///
/// When a worker failed.
pub fn steps(
    pool: &mut Pool,
    load: &Load,
    rates: &[f64],
    observer: &mut dyn CurveObserver,
) -> Result<LoadCurve, CurveError> {
    let mut curve = LoadCurve { valid: true, invalid_reasons: Vec::new(), steps: Vec::new(), search: None };
    for (number, &rate) in rates.iter().enumerate() {
        observer.step(number + 1, Some(rates.len()), rate);
        let report = pool.run(&at_rate(load, rate), observer)?;
        curve.invalid_reasons.extend(reasons(&report, rate));
        let (is_stuck, is_last) = (report.outstanding > 0, number + 1 == rates.len());
        curve.steps.push(report);
        if pool.is_stopped() {
            break;
        }
        if is_stuck && !is_last {
            let reason = "higher rates were left out: they would measure the backlog that this one left";
            curve.invalid_reasons.push(format!("at {}/s: {reason}", nominal_rate(rate)));
            break;
        }
    }
    curve.valid = curve.invalid_reasons.is_empty();
    Ok(curve)
}

/// Searches among the rates from `floor` to `ceiling` for the highest that meets `objective`.
///
/// A try that leaves requests unanswered is followed by a wait for the replies, and where they do not come within the
/// timeout, or connections were lost, by new connections.
///
/// # Errors
///
/// When a worker failed, or the windows are too short for the objective.
pub fn search(
    pool: &mut Pool,
    load: &Load,
    (floor, ceiling): (f64, f64),
    objective: Objective,
    observer: &mut dyn CurveObserver,
) -> Result<LoadCurve, CurveError> {
    let mut search = Search::new(floor, ceiling);
    let mut steps = Vec::new();
    let mut trouble = None;
    while let Some(rate) = search.next_rate() {
        observer.step(steps.len() + 1, None, rate);
        let report = pool.run(&at_rate(load, rate), observer)?;
        if pool.is_stopped() {
            steps.push(report);
            search.interrupt();
            break;
        }
        let trial = search::judge(&report, &objective)?;
        let has_lost = report.connections.lost > 0;
        steps.push(report);
        search.tell(trial);
        if search.next_rate().is_none() {
            break;
        }
        // The next try is one of the server at another rate, not of what this one has left: a queue that is still worked
        // off, and connections that are no more.
        let is_clean = !has_lost && pool.drain()?;
        if pool.is_stopped() {
            search.interrupt();
        } else if !is_clean && let Err(error) = pool.reopen() {
            trouble = Some(format!("the search could not go on: {error}"));
            search.interrupt();
        }
    }
    let found = search.result(objective);
    let reasons = match (found.met_per_s, steps.last()) {
        _ if trouble.is_some() => trouble.into_iter().collect(),
        (Some(_), _) => Vec::new(),
        (None, Some(last)) if !last.valid => last.invalid_reasons.clone(),
        (None, _) => vec!["no rate met the objective twice".to_owned()],
    };
    Ok(LoadCurve { valid: reasons.is_empty(), invalid_reasons: reasons, steps, search: Some(found) })
}

/// The rates of [`OfferedRate::Steps`].
pub fn spaced(from: f64, to: f64, steps: u32) -> Vec<f64> {
    let gap = (to - from) / f64::from(steps - 1);
    (0..steps).map(|step| if step + 1 == steps { to } else { from + gap * f64::from(step) }).collect()
}

fn at_rate(load: &Load, rate: f64) -> Load {
    match load.mode {
        LoadMode::Open { arrivals, .. } => {
            Load { mode: LoadMode::Open { rate_per_s: rate, arrivals }, ..*load }
        }
        LoadMode::Closed { .. } => *load,
    }
}

fn reasons(report: &LoadReport, rate: f64) -> impl Iterator<Item = String> {
    report.invalid_reasons.iter().map(move |reason| format!("at {}/s: {reason}", nominal_rate(rate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_one_or_several_or_a_range() {
        assert_eq!("20k".parse(), Ok(OfferedRate::Constant(20_000.0)));
        assert_eq!(
            "10k..200k:10".parse(),
            Ok(OfferedRate::Steps { from: 10_000.0, to: 200_000.0, steps: 10 })
        );
        assert_eq!("1k..2k".parse(), Ok(OfferedRate::Range { from: 1_000.0, to: 2_000.0 }));
        for wrong in [
            "",
            "2k..1k:3",
            "1k..1k:2",
            "1k..2k:1",
            "1k..2k:0",
            "1k..2k:x",
            "..",
            "1k..",
            "..2k:3",
            "1k..2k:1k1",
        ] {
            assert!(wrong.parse::<OfferedRate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn steps_are_evenly_spaced_and_include_both_ends() {
        assert_eq!(spaced(10.0, 40.0, 4), [10.0, 20.0, 30.0, 40.0]);
        assert_eq!(spaced(1.0, 2.0, 2), [1.0, 2.0]);
    }

    #[test]
    fn an_objective_is_a_percentile_and_a_bound() {
        assert_eq!(objective("p99=1ms"), Ok(Objective { quantile: 0.99, limit_ns: 1_000_000 }));
        assert_eq!(objective("p99.9=500us").map(|slo| slo.limit_ns), Ok(500_000));
        for wrong in ["", "99=1ms", "p99", "p99=", "p99=0s", "p100=1ms", "p0=1ms", "p99=1", "pp=1ms"] {
            assert!(objective(wrong).is_err(), "{wrong}");
        }
    }
}
