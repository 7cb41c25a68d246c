//! Medians, their intervals, what a ratio of two mechanisms may be called, and the tests beside them.

mod correlation;
mod interval;
#[cfg(test)]
mod oracle;
mod proportion;

pub use correlation::{Tested, spearman};
pub use interval::{Interval, REPEATS_FOR_EXACT, REPEATS_FOR_INTERVAL, interval};
pub use proportion::Proportion;

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

impl Verdict {
    /// What the interval of a ratio says.
    pub(crate) fn of(interval: Option<Interval>) -> Self {
        match interval {
            None => Self::NotEnoughRepeats,
            Some(interval) if interval.covers(1.0) => Self::Tie,
            Some(interval) if interval.low > 1.0 => Self::Above,
            Some(_) => Self::Below,
        }
    }
}

/// A ratio of two figures over several repeats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The median of the ratios, and its interval.
    pub summary: Summary,
    /// What may be claimed.
    pub verdict: Verdict,
}

impl Ratio {
    /// Summarises `numerator / denominator` pairs, each formed within a repeat; `None` without a usable pair.
    ///
    /// A pair with a zero or a value that is not finite is left out: it has no ratio.
    pub fn of_pairs(pairs: &[(f64, f64)]) -> Option<Self> {
        let ratios: Vec<f64> = pairs
            .iter()
            .map(|(numerator, denominator)| numerator / denominator)
            .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
            .collect();
        let summary = Summary::of(&ratios)?;
        Some(Self { summary, verdict: Verdict::of(summary.interval) })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

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
    fn six_repeats_give_their_range_and_nine_leave_one_out_at_either_end() {
        let ends = |count: u32| {
            let values: Vec<f64> = (1..=count).map(f64::from).collect();
            interval(&values).map(|interval| (interval.low, interval.high))
        };
        assert_eq!(ends(6), Some((1.0, 6.0)));
        assert_eq!(ends(8), Some((1.0, 8.0)));
        assert_eq!(ends(9), Some((2.0, 8.0)));
    }

    #[test]
    fn an_interval_that_touches_one_is_a_tie() {
        let verdict = |least: f64| {
            let pairs = [least, 1.1, 1.2, 1.15, 1.3, 1.25].map(|ratio| (ratio, 1.0));
            let turned = pairs.map(|(numerator, denominator)| (denominator, numerator));
            [&pairs, &turned].map(|pairs| Ratio::of_pairs(pairs).expect("a ratio").verdict)
        };
        assert_eq!(verdict(1.0), [Verdict::Tie, Verdict::Tie]);
        assert_eq!(verdict(1.05), [Verdict::Above, Verdict::Below]);
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

    /// A mechanism against itself: figures with the heavy tail of a shared machine, which drifts by repeat, and one
    /// in twelve of which something disturbed.
    #[test]
    fn a_mechanism_against_itself_is_called_different_no_more_often_than_in_one_case_of_twenty() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut uniform = move || random.random::<f64>();
        let mut figure = |drift: f64| {
            let exponential = -(1.0 - uniform()).ln();
            let disturbance = if uniform() < 1.0 / 12.0 { 1.0 + 9.0 * uniform() } else { 1.0 };
            drift * (30.0 + 3.0 * exponential) * disturbance
        };
        for repeats in [3, 4, 5, 6, 7, 9, 12, 20] {
            let rounds = 4_000;
            let is_difference = |_: &u32| {
                let pairs: Vec<_> = (0..repeats)
                    .map(|repeat| (figure(1.0 + f64::from(repeat)), figure(1.0 + f64::from(repeat))))
                    .collect();
                Ratio::of_pairs(&pairs).is_some_and(|ratio| ratio.verdict != Verdict::Tie)
            };
            let rate = Proportion::of((0..rounds).filter(is_difference).count(), 4_000).expect("cases");
            println!("{repeats} repeats: {rate:?}");
            // Nominal within the simulation's own error, and never as much as 8 %.
            assert!(rate.low <= 0.05 && rate.high <= 0.08, "{repeats} repeats: {rate:?}");
            // Nor is it that nothing is ever called a difference.
            assert!(rate.high >= 0.005, "{repeats} repeats: {rate:?}");
        }
    }

    /// The coverage over many samples of a skewed distribution.
    #[test]
    fn the_interval_of_six_and_more_repeats_covers_the_true_median_as_often_as_it_says() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let true_median = std::f64::consts::LN_2;
        for repeats in [6, 9, 12, 20] {
            let covers = |_: &u32| {
                let sample: Vec<f64> = (0..repeats).map(|_| -(1.0 - random.random::<f64>()).ln()).collect();
                interval(&sample).expect("an interval").covers(true_median)
            };
            let covered = Proportion::of((0..2_000).filter(covers).count(), 2_000).expect("cases");
            assert!(covered.high >= 0.95, "{repeats} repeats: {covered:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_interval_holds_the_median_and_from_six_on_stays_inside_the_range(values in values()) {
            let interval = interval(&values).expect("enough values");
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
            prop_assert!(interval.covers(interval.median));
            let inside = least <= interval.low && interval.high <= most;
            prop_assert!(inside || values.len() < REPEATS_FOR_EXACT);
            prop_assert_eq!(Some(interval.median), median(&values));
        }

        #[test]
        fn scaling_the_values_scales_the_interval(values in values(), power in -8i32..8) {
            let factor = 2f64.powi(power);
            let scaled: Vec<f64> = values.iter().map(|value| value * factor).collect();
            let (plain, scaled) = (interval(&values).expect("enough"), interval(&scaled).expect("enough"));
            // Logarithms round.
            prop_assert!((plain.low * factor / scaled.low - 1.0).abs() < 1e-9);
            prop_assert!((plain.high * factor / scaled.high - 1.0).abs() < 1e-9);
        }

        #[test]
        fn the_order_of_the_repeats_does_not_matter(values in values()) {
            let mut reversed = values.clone();
            reversed.reverse();
            let (plain, reversed) = (interval(&values).expect("enough"), interval(&reversed).expect("enough"));
            // A sum of logarithms depends on their order in its last digit.
            prop_assert!((plain.low / reversed.low - 1.0).abs() < 1e-9);
            prop_assert!((plain.high / reversed.high - 1.0).abs() < 1e-9);
        }

        #[test]
        fn a_mechanism_against_itself_is_a_tie(values in values()) {
            let pairs: Vec<_> = values.iter().map(|value| (*value, *value)).collect();
            prop_assert_eq!(Ratio::of_pairs(&pairs).expect("a ratio").verdict, Verdict::Tie);
        }
    }
}
