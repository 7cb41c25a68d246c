//! The ratio of two samples that are not paired.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::interval::CONFIDENCE;
use super::{Interval, REPEATS_FOR_INTERVAL, Ratio, Summary, Verdict, median};

impl Ratio {
    /// How much greater `numerators` are than `denominators`, which were measured apart: their order means nothing,
    /// and there may be more of one than of the other. `None` without a positive value on both sides.
    ///
    /// The ratio is Hodges and Lehmann's: the median of all quotients of one value of each side, on the scale of
    /// logarithms. Its 95 % interval inverts the Mann-Whitney test (Hodges and Lehmann 1963; Hollander, Wolfe and
    /// Chicken, *Nonparametric Statistical Methods*, 3rd edition, section 4.2 and 4.3; R's `wilcox.test` gives the
    /// same): it is exact whatever the distribution is, where the two sides differ by a factor alone. So few values that
    /// it does not exist (three and three, three and four) have Welch's interval of the logarithms in its place; with
    /// fewer than [`REPEATS_FOR_INTERVAL`] on a side there is none.
    pub fn of_independent(numerators: &[f64], denominators: &[f64]) -> Option<Self> {
        let (numerators, denominators) = (logarithms(numerators), logarithms(denominators));
        let mut differences: Vec<f64> =
            numerators.iter().flat_map(|n| denominators.iter().map(move |d| n - d)).collect();
        differences.sort_by(f64::total_cmp);
        let centre = median(&differences)?;
        let repeats = numerators.len().min(denominators.len());
        let ends = match rank_of_end(numerators.len(), denominators.len()) {
            _ if repeats < REPEATS_FOR_INTERVAL => None,
            Some(rank) => Some((differences[rank], differences[differences.len() - 1 - rank])),
            None => welch(&numerators, &denominators),
        };
        let interval = ends.map(|(low, high)| Interval {
            median: centre.exp(),
            // The median of the quotients need not lie where the means do.
            low: low.min(centre).exp(),
            high: high.max(centre).exp(),
        });
        let summary = Summary { median: centre.exp(), interval, repeats };
        Some(Self { summary, verdict: Verdict::of(interval) })
    }
}

fn logarithms(values: &[f64]) -> Vec<f64> {
    values.iter().filter(|value| value.is_finite() && **value > 0.0).map(|value| value.ln()).collect()
}

/// How many of the sorted differences are left out at either end; `None` where even their whole range holds the shift
/// less often than asked.
///
/// The shift lies beyond the difference of rank `r`, counted from 0, where at most `r` differences lie on its other side.
/// That number is the statistic U of Mann and Whitney.
fn rank_of_end(first: usize, second: usize) -> Option<usize> {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let mut cumulated = 0.0;
    mann_whitney(first, second)
        .iter()
        .take_while(|probability| {
            cumulated += **probability;
            cumulated <= tail
        })
        .count()
        .checked_sub(1)
}

/// The probabilities of U = 0, 1, 2 … for samples of two sizes from one distribution: the coefficients of the Gaussian
/// binomial, which count the arrangements (Mann and Whitney 1947), over the number of all.
fn mann_whitney(first: usize, second: usize) -> Vec<f64> {
    // By symmetry half of them is enough.
    let terms = first * second / 2 + 1;
    let mut counts = vec![0.0; terms];
    counts[0] = 1.0;
    let mut all = 1.0;
    for step in 1..=first {
        // Times 1 - x^(second + step), divided by 1 - x^step.
        for at in (second + step..terms).rev() {
            counts[at] -= counts[at - second - step];
        }
        for at in step..terms {
            counts[at] += counts[at - step];
        }
        all *= (second + step) as f64 / step as f64;
    }
    counts.iter().map(|count| count / all).collect()
}

/// Welch's interval of the difference of two means.
fn welch(first: &[f64], second: &[f64]) -> Option<(f64, f64)> {
    let [(mean, error, part), (other_mean, other_error, other_part)] = [first, second].map(moments);
    let (difference, variance) = (mean - other_mean, error + other_error);
    if variance == 0.0 {
        return Some((difference, difference));
    }
    // The degrees of freedom of Welch and Satterthwaite.
    let freedom = variance * variance / (part + other_part);
    let quantile = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(f64::midpoint(1.0, CONFIDENCE));
    let reach = quantile * variance.sqrt();
    Some((difference - reach, difference + reach))
}

/// Mean, squared standard error, and its square over the degrees of freedom.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let error = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0) / count;
    (mean, error, error * error / (count - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Proportion;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn verdict(numerators: &[f64], denominators: &[f64]) -> Verdict {
        Ratio::of_independent(numerators, denominators).expect("a ratio").verdict
    }

    #[test]
    fn arrangements_are_counted_as_in_the_tables() {
        // Five and five: 252 arrangements, of which 1, 1, 2, 3, 5, 7 have U = 0 … 5.
        let counts: Vec<f64> =
            mann_whitney(5, 5).iter().take(6).map(|share| (share * 252.0).round()).collect();
        assert_eq!(counts, [1.0, 1.0, 2.0, 3.0, 5.0, 7.0]);
        // Critical values of the two-sided test at 5 %, as in any table: U may be at most this.
        let critical = |first, second| rank_of_end(first, second);
        assert_eq!(
            [(3, 3), (3, 4), (3, 5), (4, 4), (5, 5), (6, 6), (8, 10), (20, 20)].map(|(m, n)| critical(m, n)),
            [None, None, Some(0), Some(0), Some(2), Some(5), Some(17), Some(127)]
        );
    }

    #[test]
    fn two_repeats_on_a_side_give_a_ratio_without_a_verdict() {
        let ratio = Ratio::of_independent(&[4.0, 4.0], &[2.0; 7]).expect("a ratio");
        assert_eq!((ratio.verdict, ratio.summary.repeats), (Verdict::NotEnoughRepeats, 2));
        assert!((ratio.summary.median - 2.0).abs() < 1e-12);
        assert_eq!(Ratio::of_independent(&[], &[1.0]), None);
        assert_eq!(Ratio::of_independent(&[0.0, f64::NAN], &[1.0]), None);
    }

    #[test]
    fn a_clear_difference_is_found_and_equal_values_tie() {
        let base = [30.0, 31.0, 29.5, 30.5, 32.0];
        assert_eq!(verdict(&base.map(|value| value * 1.3), &base), Verdict::Above);
        assert_eq!(verdict(&base, &base.map(|value| value * 1.3)), Verdict::Below);
        assert_eq!(verdict(&base, &base), Verdict::Tie);
        assert_eq!(verdict(&[7.0; 3], &[7.0; 3]), Verdict::Tie);
    }

    /// Figures with the heavy tail of a shared machine, one in twelve of which something disturbed.
    fn figures(random: &mut Xoshiro256PlusPlus, count: usize, slower: f64) -> Vec<f64> {
        let mut figure = || {
            let exponential = -(1.0 - random.random::<f64>()).ln();
            let disturbance =
                if random.random::<f64>() < 1.0 / 12.0 { 1.0 + 9.0 * random.random::<f64>() } else { 1.0 };
            slower * (30.0 + 3.0 * exponential) * disturbance
        };
        (0..count).map(|_| figure()).collect()
    }

    fn rate(first: usize, second: usize, slower: f64, wanted: fn(Verdict) -> bool) -> Proportion {
        let random = &mut Xoshiro256PlusPlus::seed_from_u64(11);
        let rounds = 3_000;
        let is_wanted = |_: &usize| {
            let (new, base) = (figures(random, first, slower), figures(random, second, 1.0));
            wanted(verdict(&new, &base))
        };
        Proportion::of((0..rounds).filter(is_wanted).count(), rounds).expect("cases")
    }

    #[test]
    fn a_campaign_against_itself_is_called_different_no_more_often_than_in_one_case_of_twenty() {
        for (first, second) in [(3, 3), (3, 4), (4, 4), (5, 5), (5, 8), (6, 6), (9, 9), (12, 12)] {
            let rate = rate(first, second, 1.0, |verdict| verdict != Verdict::Tie);
            println!("{first} and {second} repeats: {rate:?}");
            assert!(rate.low <= 0.05, "{first} and {second}: {rate:?}");
            // Nor is it that nothing is ever called a difference; of three heavy tails hardly anything can be.
            assert!(rate.high >= 0.005 || first == 3, "{first} and {second}: {rate:?}");
        }
    }

    #[test]
    fn a_server_slower_by_thirty_percent_is_found_the_more_often_the_more_repeats_there_are() {
        let found = |repeats| rate(repeats, repeats, 1.3, |verdict| verdict == Verdict::Above);
        let (six, twelve) = (found(6), found(12));
        println!("found by six: {six:?}; by twelve: {twelve:?}");
        // Of six on a side one is disturbed in most cases, and then the range of the others has to do.
        assert!(six.low > 0.6 && twelve.low > 0.9, "{six:?} {twelve:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn turning_the_question_round_turns_the_interval_round(
            new in prop::collection::vec(1.0f64..1e9, 3..9),
            base in prop::collection::vec(1.0f64..1e9, 3..9),
        ) {
            let interval = |a: &[f64], b: &[f64]| {
                Ratio::of_independent(a, b).and_then(|ratio| ratio.summary.interval).expect("an interval")
            };
            let (ratio, turned) = (interval(&new, &base), interval(&base, &new));
            prop_assert!(ratio.covers(ratio.median));
            prop_assert!((ratio.low * turned.high - 1.0).abs() < 1e-9);
            prop_assert!((ratio.high * turned.low - 1.0).abs() < 1e-9);
            prop_assert!((ratio.median * turned.median - 1.0).abs() < 1e-9);
        }
    }
}
