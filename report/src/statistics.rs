//! Medians, their bootstrap intervals, and what a ratio of two mechanisms may be called.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Resamples behind a bootstrap interval.
pub const RESAMPLES: usize = 10_000;
/// Repeats without which no interval is given.
pub const REPEATS_FOR_INTERVAL: usize = 3;

/// The seed of every bootstrap: the same values give the same interval on every machine.
const SEED: u64 = 0x6d75_7862_656e_6368;

/// A median with its bootstrap 95 % percentile interval, in the unit of the values.
///
/// Of a handful of values it is at most their range, which [`coverage_of_range`] qualifies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The median of the values.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in the interval, its ends included.
    pub fn covers(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The greater distance of an end from the median, as a share of the median.
    pub fn relative_half_width(&self) -> f64 {
        (self.high - self.median).max(self.median - self.low) / self.median
    }
}

/// What the repeats of one figure amount to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The median over the repeats.
    pub median: f64,
    /// Its interval; absent with fewer than [`REPEATS_FOR_INTERVAL`] repeats.
    pub interval: Option<Interval>,
    /// Repeats that gave a value.
    pub repeats: usize,
}

impl Summary {
    /// Summarises one value a repeat; `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        Some(Self { median: median(values)?, interval: interval(values), repeats: values.len() })
    }
}

/// What a ratio says, given its interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval lies below 1.
    Below,
    /// The interval covers 1: no difference can be claimed.
    Tie,
    /// The whole interval lies above 1.
    Above,
    /// Too few repeats for an interval, so nothing can be claimed.
    NotEnoughRepeats,
}

/// A ratio formed within each repeat and then summarised over the repeats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The median of the repeats' ratios, and its interval.
    pub summary: Summary,
    /// What may be claimed.
    pub verdict: Verdict,
}

impl Ratio {
    /// Summarises `numerator / denominator` pairs, one a repeat; `None` without a usable pair.
    ///
    /// A pair with a zero or a value that is not finite is left out: it has no ratio.
    pub fn of_pairs(pairs: &[(f64, f64)]) -> Option<Self> {
        let ratios: Vec<f64> = pairs
            .iter()
            .map(|(numerator, denominator)| numerator / denominator)
            .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
            .collect();
        let summary = Summary::of(&ratios)?;
        let verdict = match summary.interval {
            None => Verdict::NotEnoughRepeats,
            Some(interval) if interval.covers(1.0) => Verdict::Tie,
            Some(interval) if interval.low > 1.0 => Verdict::Above,
            Some(_) => Verdict::Below,
        };
        Some(Self { summary, verdict })
    }
}

/// The median: of an even number of values, the mean of the middle two. `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| median_of_sorted(&sorted))
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The bootstrap 95 % percentile interval of the median, over [`RESAMPLES`] resamples.
///
/// `None` with fewer than [`REPEATS_FOR_INTERVAL`] values. The order of the values does not matter.
pub fn interval(values: &[f64]) -> Option<Interval> {
    if values.len() < REPEATS_FOR_INTERVAL {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let centre = median_of_sorted(&sorted);
    let resampled = resampled_middles(sorted.len());
    let mut medians: Vec<(f64, usize)> = resampled
        .iter()
        .map(|((lower, upper), times)| (f64::midpoint(sorted[*lower], sorted[*upper]), *times))
        .collect();
    medians.sort_by(|a, b| a.0.total_cmp(&b.0));
    let tail = RESAMPLES / 40;
    Some(Interval {
        median: centre,
        low: of_rank(&medians, tail).min(centre),
        high: of_rank(&medians, RESAMPLES - 1 - tail).max(centre),
    })
}

/// How often each pair of positions (the same one twice, of an odd number) was in the middle of a resample.
type Middles = BTreeMap<(usize, usize), usize>;

/// The middles of all resamples of `count` sorted values.
///
/// They depend on the number of values alone, so that the thousands of intervals of a campaign share
/// one set of resamples.
fn resampled_middles(count: usize) -> Arc<Middles> {
    static KNOWN: Mutex<BTreeMap<usize, Arc<Middles>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(count).or_insert_with(|| Arc::new(resample(count))).clone()
}

fn resample(count: usize) -> Middles {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut picks = vec![0; count];
    let mut middles = Middles::new();
    for _ in 0..RESAMPLES {
        picks.fill_with(|| random.random_range(0..count));
        picks.sort_unstable();
        *middles.entry((picks[(count - 1) / 2], picks[count / 2])).or_default() += 1;
    }
    middles
}

/// The value of a rank (from 0) among sorted values that each occur several times.
fn of_rank(values: &[(f64, usize)], rank: usize) -> f64 {
    let mut before = 0;
    for (value, times) in values {
        before += times;
        if rank < before {
            return *value;
        }
    }
    f64::NAN
}

/// The probability that the range of `repeats` independent values covers their true median, 0 to 1.
///
/// No interval over so few repeats can be surer than this: three give 75 %, four 88 %. The bootstrap interval is
/// a little narrower than the range from six on, and covers about 92 %.
pub fn coverage_of_range(repeats: usize) -> f64 {
    1.0 - 2.0 * 0.5f64.powi(i32::try_from(repeats).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(1.0f64..1e9, 3..12)
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn two_repeats_give_no_interval_and_no_verdict() {
        assert_eq!(interval(&[1.0, 2.0]), None);
        let ratio = Ratio::of_pairs(&[(2.0, 1.0), (2.0, 1.0)]).expect("a ratio");
        assert_eq!(ratio.verdict, Verdict::NotEnoughRepeats);
        assert_eq!(ratio.summary.median, 2.0);
    }

    #[test]
    fn three_repeats_give_their_range() {
        let interval = interval(&[3.0, 1.0, 2.0]).expect("an interval");
        assert_eq!((interval.low, interval.median, interval.high), (1.0, 2.0, 3.0));
    }

    #[test]
    fn an_interval_that_touches_one_is_a_tie() {
        let verdict = |pairs: &[(f64, f64)]| Ratio::of_pairs(pairs).map(|ratio| ratio.verdict);
        assert_eq!(verdict(&[(1.0, 1.0), (1.1, 1.0), (1.2, 1.0)]), Some(Verdict::Tie));
        assert_eq!(verdict(&[(1.05, 1.0), (1.1, 1.0), (1.2, 1.0)]), Some(Verdict::Above));
        assert_eq!(verdict(&[(1.0, 1.05), (1.0, 1.1), (1.0, 1.2)]), Some(Verdict::Below));
    }

    #[test]
    fn pairs_without_a_ratio_are_left_out() {
        assert_eq!(Ratio::of_pairs(&[(1.0, 0.0), (0.0, 1.0), (f64::NAN, 1.0)]), None);
    }

    #[test]
    fn drift_that_both_sides_share_does_not_widen_the_ratio() {
        let pairs: Vec<_> = [1.0, 5.0, 2.0, 9.0].iter().map(|drift| (2.0 * drift, *drift)).collect();
        let interval = Ratio::of_pairs(&pairs).and_then(|ratio| ratio.summary.interval).expect("an interval");
        assert_eq!((interval.low, interval.high), (2.0, 2.0));
    }

    #[test]
    fn six_repeats_are_needed_for_95_percent() {
        assert_eq!(coverage_of_range(3), 0.75);
        assert!(coverage_of_range(5) < 0.95 && coverage_of_range(6) > 0.95);
    }

    /// The coverage over many samples of a skewed distribution, beside what theory allows.
    #[test]
    fn the_interval_of_nine_repeats_covers_the_true_median_about_as_often_as_it_says() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let true_median = std::f64::consts::LN_2;
        let rounds = 1_000;
        let covered = (0..rounds)
            .filter(|_| {
                let sample: Vec<f64> = (0..9).map(|_| -(1.0 - random.random::<f64>()).ln()).collect();
                interval(&sample).expect("an interval").covers(true_median)
            })
            .count();
        assert!(covered * 100 >= rounds * 88, "covered {covered} of {rounds}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_interval_holds_the_median_and_stays_inside_the_range(values in values()) {
            let interval = interval(&values).expect("enough values");
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
            prop_assert!(interval.covers(interval.median));
            prop_assert!(least <= interval.low && interval.high <= most);
            prop_assert_eq!(Some(interval.median), median(&values));
        }

        #[test]
        fn scaling_the_values_scales_the_interval(values in values(), power in -8i32..8) {
            // A power of two scales without rounding, so equality is exact.
            let factor = 2f64.powi(power);
            let scaled: Vec<f64> = values.iter().map(|value| value * factor).collect();
            let (plain, scaled) = (interval(&values).expect("enough"), interval(&scaled).expect("enough"));
            prop_assert_eq!(plain.low * factor, scaled.low);
            prop_assert_eq!(plain.high * factor, scaled.high);
        }

        #[test]
        fn the_order_of_the_repeats_does_not_matter(values in values()) {
            let mut reversed = values.clone();
            reversed.reverse();
            prop_assert_eq!(interval(&values), interval(&reversed));
        }

        #[test]
        fn a_mechanism_against_itself_is_a_tie(values in values()) {
            let pairs: Vec<_> = values.iter().map(|value| (*value, *value)).collect();
            prop_assert_eq!(Ratio::of_pairs(&pairs).expect("a ratio").verdict, Verdict::Tie);
        }
    }
}
