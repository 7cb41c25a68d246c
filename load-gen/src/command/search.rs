//! The search for the highest rate at which the server still meets an objective: which rate to try next.

use model::schema::{LoadReport, Objective, RateSearch, SearchEnd};

/// The ratio of the lowest rate that is missed to the highest that is met at which the search stops narrowing.
const CLOSE_ENOUGH: f64 = 1.05;
/// Tries at a rate at which the generator is not sound.
const TRIES_PER_RATE: u32 = 3;
/// Tries in all: far more than halving a range takes, so that only contradictions use them up.
const TRIES: u32 = 60;
/// The rate at which a search without a range ends, in requests per second.
pub const HIGHEST: f64 = 1e7;
/// The rate at which it begins, unless a window at this rate is too short for the percentile.
const LOWEST: f64 = 1_000.0;

/// The verdict of one run at a rate on the objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// The server meets it.
    Met,
    /// The server does not.
    Missed,
    /// The generator or its machine was not sound, so that nothing is said of the server.
    Unsound,
}

/// A percentile asked for has too few samples beyond it to be told.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "about {samples} requests in a window are too few for p{percentile}, which needs well over {needed}: lengthen --duration, or begin at a higher \
     rate (--rate 10k..200k)"
)]
pub struct TooFewSamples {
    samples: u64,
    needed: u64,
    percentile: String,
}

/// Judges a run by `objective`.
///
/// # Errors
///
/// When the run has too few samples for the percentile.
pub fn judge(report: &LoadReport, objective: &Objective) -> Result<Trial, TooFewSamples> {
    let missed_any = report.outstanding > 0 || !report.errors.is_empty() || report.connections.lost > 0;
    if missed_any {
        return Ok(Trial::Missed);
    }
    let over = |latency: Option<&model::schema::Latency>| {
        let histogram = latency.and_then(|latency| latency.histogram().ok());
        let histogram = histogram.unwrap_or_else(model::histogram::empty);
        model::histogram::quantile_ns(&histogram, objective.quantile)
            .map(|value| value > objective.limit_ns)
            .ok_or_else(|| too_few(histogram.len(), objective.quantile))
    };
    Ok(match (over(report.response.as_ref())?, report.valid) {
        (false, true) => Trial::Met,
        (true, true) => Trial::Missed,
        // The service time leaves out what the generator was late.
        (true, false) if over(Some(&report.service))? => Trial::Missed,
        (_, false) => Trial::Unsound,
    })
}

/// Checks that a window of about `expected` samples will tell the percentile at `quantile`, whatever chance does.
///
/// # Errors
///
/// When it may not.
pub fn enough_samples(expected: f64, quantile: f64) -> Result<(), TooFewSamples> {
    // Poisson: five standard deviations below what is expected.
    let at_least = expected - 5.0 * expected.sqrt();
    let error = too_few(expected as u64, quantile);
    if at_least < error.needed as f64 { Err(error) } else { Ok(()) }
}

/// The rate at which a search without a range begins, where a window lasts `window_s` seconds.
pub fn lowest_rate(window_s: f64, quantile: f64) -> f64 {
    // A quarter more than is needed is five standard deviations more where at least 400 are needed.
    let needed = too_few(0, quantile).needed.max(400) as f64;
    (1.25 * needed / window_s).clamp(LOWEST, HIGHEST)
}

fn too_few(samples: u64, quantile: f64) -> TooFewSamples {
    let needed = (model::histogram::SAMPLES_BEYOND as f64 / (1.0 - quantile)).round() as u64;
    TooFewSamples { samples, needed, percentile: percentile(quantile) }
}

/// A quantile as people name it: `99`, `99.9`.
pub fn percentile(quantile: f64) -> String {
    format!("{:.4}", quantile * 100.0).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The search for the rate to try next, from the results of the tries so far.
///
/// From the lowest rate on it doubles until the objective is missed. Then it halves the gap between what is met and
/// what is missed (as ratios). At last it tries the rate that it found once more: a rate counts only if it is met
/// twice.
#[derive(Debug, Default)]
pub struct Search {
    ceiling: f64,
    /// Rates that met the objective, rising.
    met: Vec<f64>,
    missed: Option<f64>,
    next: f64,
    is_confirming: bool,
    tries: u32,
    unsound: u32,
    generator_is_the_limit: bool,
    end: Option<SearchEnd>,
}

impl Search {
    /// A search among the rates from `floor` to `ceiling`.
    pub fn new(floor: f64, ceiling: f64) -> Self {
        Self { ceiling, next: floor, ..Self::default() }
    }

    /// The rate to try next; none when the search has ended.
    pub fn next_rate(&self) -> Option<f64> {
        self.end.is_none().then_some(self.next)
    }

    /// Books what the try at [`next_rate`](Self::next_rate) has said.
    pub fn tell(&mut self, trial: Trial) {
        self.tries += 1;
        match trial {
            Trial::Unsound => {
                self.unsound += 1;
                if self.unsound == TRIES_PER_RATE {
                    self.generator_is_the_limit = true;
                    self.miss();
                }
            }
            Trial::Missed => {
                self.generator_is_the_limit = false;
                self.miss();
            }
            Trial::Met if self.is_confirming => {
                self.end = Some(match self.missed {
                    None => SearchEnd::Ceiling,
                    Some(_) if self.generator_is_the_limit => SearchEnd::Generator,
                    Some(_) => SearchEnd::Found,
                });
            }
            Trial::Met => {
                self.met.push(self.next);
                self.choose();
            }
        }
        if self.tries == TRIES && self.end.is_none() {
            self.end = Some(SearchEnd::GaveUp);
        }
    }

    /// The search ends here.
    pub fn interrupt(&mut self) {
        self.end.get_or_insert(SearchEnd::Interrupted);
    }

    /// The result of the search.
    pub fn result(&self, objective: Objective) -> RateSearch {
        let ended = self.end.unwrap_or(SearchEnd::Interrupted);
        let is_confirmed = matches!(ended, SearchEnd::Found | SearchEnd::Ceiling | SearchEnd::Generator);
        RateSearch {
            objective,
            met_per_s: self.met.last().copied().filter(|_| is_confirmed),
            missed_per_s: self.missed,
            ended,
        }
    }

    fn miss(&mut self) {
        self.missed = Some(self.next);
        // What is met must lie below what is missed, also where it was met before.
        self.met.retain(|&met| met < self.next);
        match self.met.is_empty() {
            true => self.end = Some(SearchEnd::Floor),
            false => self.choose(),
        }
    }

    fn choose(&mut self) {
        self.unsound = 0;
        self.is_confirming = false;
        let Some(&met) = self.met.last() else { return };
        self.next = match self.missed {
            None if met < self.ceiling => (met * 2.0).min(self.ceiling),
            Some(missed) if missed > met * CLOSE_ENOUGH => (met * missed).sqrt(),
            _ => {
                self.is_confirming = true;
                met
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Searches where everything up to `limit` is met.
    fn search(floor: f64, ceiling: f64, limit: f64) -> (RateSearch, u32) {
        let mut search = Search::new(floor, ceiling);
        while let Some(rate) = search.next_rate() {
            search.tell(if rate <= limit { Trial::Met } else { Trial::Missed });
        }
        (search.result(Objective { quantile: 0.99, limit_ns: 1_000_000 }), search.tries)
    }

    proptest! {
        #[test]
        fn what_is_found_is_at_most_five_percent_below_what_is_missed(limit in 1_000.0..1e7_f64) {
            let (found, tries) = search(1_000.0, 1e7, limit);
            let (met, missed) = (found.met_per_s.expect("met"), found.missed_per_s.expect("missed"));
            prop_assert_eq!(found.ended, SearchEnd::Found);
            prop_assert!(met <= limit && limit < missed && missed <= met * CLOSE_ENOUGH);
            prop_assert!(tries < 25, "{} tries", tries);
        }

        #[test]
        fn whatever_is_said_a_search_ends(said in prop::collection::vec(0..3_usize, TRIES as usize)) {
            let mut search = Search::new(1_000.0, 1e6);
            for trial in said {
                if search.next_rate().is_some_and(|rate| (1_000.0..=1e6).contains(&rate)) {
                    search.tell([Trial::Met, Trial::Missed, Trial::Unsound][trial]);
                }
            }
            prop_assert!(search.next_rate().is_none());
        }
    }

    #[test]
    fn a_search_without_a_range_begins_where_a_window_tells_the_percentile() {
        for (window_s, quantile) in [(10.0, 0.99), (1.0, 0.5), (0.1, 0.9), (10.0, 0.9999)] {
            let rate = lowest_rate(window_s, quantile);
            assert!(
                rate >= LOWEST && enough_samples(rate * window_s, quantile).is_ok(),
                "{window_s} {quantile}"
            );
        }
    }

    #[test]
    fn the_ends_of_the_range_end_the_search() {
        let (all, _) = search(1_000.0, 64_000.0, 1e9);
        assert_eq!((all.ended, all.met_per_s, all.missed_per_s), (SearchEnd::Ceiling, Some(64_000.0), None));
        let (none, tries) = search(1_000.0, 64_000.0, 1.0);
        assert_eq!((none.ended, none.met_per_s, none.missed_per_s), (SearchEnd::Floor, None, Some(1_000.0)));
        assert_eq!(tries, 1);
    }

    #[test]
    fn a_rate_that_is_met_once_and_missed_once_is_not_met() {
        let mut search = Search::new(1_000.0, 2_000.0);
        search.tell(Trial::Met);
        search.tell(Trial::Met);
        assert_eq!(search.next_rate(), Some(2_000.0), "asked for once more");
        search.tell(Trial::Missed);
        assert!(search.next_rate().is_some_and(|rate| 1_000.0 < rate && rate < 2_000.0));
    }

    #[test]
    fn a_generator_that_is_not_sound_is_tried_again_and_then_named_as_the_limit() {
        let mut search = Search::new(1_000.0, 8_000.0);
        while let Some(rate) = search.next_rate() {
            search.tell(if rate <= 4_000.0 { Trial::Met } else { Trial::Unsound });
        }
        let found = search.result(Objective { quantile: 0.99, limit_ns: 1 });
        assert_eq!(found.ended, SearchEnd::Generator);
        assert!(found.met_per_s.is_some_and(|rate| rate > 3_800.0));
    }
}
