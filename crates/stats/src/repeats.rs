//! The median of a figure over a few repeats, which are no rounds: of micro-benchmarks, of published tables measured again, of the doctor.

use statrs::distribution::{Binomial, DiscreteCDF};

use crate::interval::student;
use crate::location::{mean_and_squares, median};
use crate::{CONFIDENCE, Interval, Level};

/// Repeats without which no interval is given.
const REPEATS_FOR_INTERVAL: usize = 3;
/// Repeats from which on the interval is exact, whatever the distribution of the values: the range of five holds
/// the median in 93.75 % of cases.
pub const REPEATS_FOR_EXACT: usize = 6;

/// The median of `values` with its 95 % interval; `None` with fewer than three. The order of the values does not matter.
///
/// From [`REPEATS_FOR_EXACT`] values on the interval is the one that inverts the sign test: it lies between two of the values,
/// and holds the median of any distribution in at least 95 % of cases. No such interval exists for fewer;
/// there it is Student's, of the mean of the logarithms, which a skewed distribution makes less sure. A median of ratios of
/// a mechanism to itself is 1 by symmetry, so for the question whether two differ both are as sure as they say.
pub fn of_repeats(values: &[f64]) -> Option<Level> {
    let value = median(values).filter(|_| values.len() >= REPEATS_FOR_INTERVAL)?;
    let interval = if values.len() >= REPEATS_FOR_EXACT { exact(values) } else { students(values, value) };
    Some(Level { value, interval })
}

/// Between the values of equal rank from both ends that the sign test does not reject as medians.
fn exact(values: &[f64]) -> Interval {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = rank_of_end(sorted.len());
    Interval { low: sorted[rank], high: sorted[sorted.len() - 1 - rank] }
}

/// The number of values that are left out at either end. An end of rank `r` is beyond the median where at most `r` values lie on
/// its side of it, and their number is binomial.
fn rank_of_end(count: usize) -> usize {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let beyond =
        |rank: &usize| Binomial::new(0.5, count as u64).is_ok_and(|below| below.cdf(*rank as u64) <= tail);
    (1..count / 2).take_while(beyond).last().unwrap_or(0)
}

/// Student's interval of the mean, on the scale of logarithms unless a value has none.
fn students(values: &[f64], centre: f64) -> Interval {
    // No rounding may give equal values an interval with a width.
    if values.iter().all(|value| *value == centre) {
        return Interval { low: centre, high: centre };
    }
    let is_logarithmic = values.iter().all(|value| *value > 0.0);
    let scaled: Vec<f64> =
        values.iter().map(|value| if is_logarithmic { value.ln() } else { *value }).collect();
    let count = scaled.len() as f64;
    let (mean, squares) = mean_and_squares(&scaled);
    let error = (squares / (count - 1.0) / count).sqrt();
    let reach = student(f64::midpoint(1.0, CONFIDENCE), count - 1.0) * error;
    let [low, high] = [mean - reach, mean + reach].map(|end| if is_logarithmic { end.exp() } else { end });
    // The median need not lie where the mean does.
    Interval { low: low.min(centre), high: high.max(centre) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, rate};
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(1.0f64..1e9, 3..12)
    }

    fn interval(values: &[f64]) -> Interval {
        of_repeats(values).expect("enough repeats").interval
    }

    #[test]
    fn two_repeats_give_no_interval() {
        assert_eq!(of_repeats(&[1.0, 2.0]), None);
    }

    #[test]
    fn five_equal_values_whose_logarithms_have_another_mean_have_an_interval_without_width() {
        let value = 1_629_687.448_246_611_7;
        assert_eq!(interval(&[value; 5]), Interval { low: value, high: value });
    }

    #[test]
    fn six_repeats_give_their_range_and_nine_leave_one_out_at_either_end() {
        let ends = |count: u32| {
            let Interval { low, high } = interval(&(1..=count).map(f64::from).collect::<Vec<_>>());
            (low, high)
        };
        assert_eq!([6, 8, 9].map(ends), [(1.0, 6.0), (1.0, 8.0), (2.0, 8.0)]);
    }

    /// The figures are those of `scipy.stats.quantile_test(values, q=1, p=0.5).confidence_interval(0.95)` for six values and more, and for
    /// fewer the exponentials of `scipy.stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=scipy.stats.sem(logs))` (scipy 1.17).
    #[test]
    fn intervals_are_those_of_scipy() {
        let fifty: Vec<f64> = (0..50).map(|index| f64::from(index * 37 % 101) / 7.0 + 1.0).collect();
        let fifteen = [3.1, 2.7, 9.9, 3.3, 2.9, 3.0, 2.8, 3.6, 3.2, 2.6, 3.4, 0.4, 3.05, 2.95, 3.15];
        let cases: [(&[f64], f64, f64); 7] = [
            (&[1.02, 0.97, 1.31, 1.08, 1.11, 0.99], 0.97, 1.31),
            (&[1.4, 1.1, 1.3, 0.8, 1.2, 1.9, 1.15, 1.25, 1.05], 1.05, 1.4),
            (&fifteen, 2.8, 3.3),
            (&fifty, 6.142857142857143, 10.428571428571429),
            (&[1.02, 0.97, 1.31], 0.73098186, 1.62625584),
            (&[45.0, 22.0, 68.0, 31.0], 17.55122878, 82.30863005),
            (&[1.4, 1.1, 1.3, 0.8, 1.2], 0.87014653, 1.49245666),
        ];
        for (values, low, high) in cases {
            let ours = interval(values);
            assert!((ours.low - low).abs() < 1e-7 * low, "{ours:?}, scipy {low}");
            assert!((ours.high - high).abs() < 1e-7 * high, "{ours:?}, scipy {high}");
        }
    }

    /// A mechanism against itself: figures with the heavy tail of a shared machine, one in twelve of which something disturbed.
    #[test]
    fn a_ratio_of_equal_things_leaves_one_out_no_more_often_than_in_one_case_of_twenty() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut uniform = move || random.random::<f64>();
        let mut figure = || {
            let exponential = -(1.0 - uniform()).ln();
            let disturbance = if uniform() < 1.0 / 12.0 { 1.0 + 9.0 * uniform() } else { 1.0 };
            (30.0 + 3.0 * exponential) * disturbance
        };
        for repeats in [3, 4, 5, 6, 7, 9, 12, 20] {
            let different = rate(4_000, || {
                let ratios: Vec<f64> = (0..repeats).map(|_| figure() / figure()).collect();
                !interval(&ratios).covers(1.0)
            });
            println!("{repeats} repeats: {different:?}");
            // Nominal within the simulation's own error, and never as much as 8 %.
            let Interval { low, high } = different.interval;
            assert!(low <= 0.05 && high <= 0.08, "{repeats} repeats: {different:?}");
            // Nor is it that nothing is ever called a difference.
            assert!(high >= 0.005, "{repeats} repeats: {different:?}");
        }
    }

    #[test]
    fn six_and_more_repeats_of_a_skewed_distribution_cover_its_median_as_often_as_they_say() {
        let mut noise = Noise::new(1);
        for repeats in [6, 9, 12, 20] {
            let covered = rate(2_000, || {
                let sample: Vec<f64> = (0..repeats).map(|_| noise.normal().exp()).collect();
                interval(&sample).covers(1.0)
            });
            assert!(covered.interval.high >= 0.95, "{repeats} repeats: {covered:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_interval_holds_the_median_and_from_six_on_stays_inside_the_range(values in values()) {
            let Level { value, interval } = of_repeats(&values).expect("enough values");
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
            prop_assert!(interval.covers(value));
            let inside = least <= interval.low && interval.high <= most;
            prop_assert!(inside || values.len() < REPEATS_FOR_EXACT);
        }

        #[test]
        fn scaling_the_values_scales_the_interval_and_their_order_does_not_matter(values in values(), power in -8i32..8) {
            let factor = 2f64.powi(power);
            let scaled: Vec<f64> = values.iter().rev().map(|value| value * factor).collect();
            let (plain, scaled) = (interval(&values), interval(&scaled));
            // Logarithms round, and their sum depends on their order in its last digit.
            prop_assert!((plain.low * factor / scaled.low - 1.0).abs() < 1e-9);
            prop_assert!((plain.high * factor / scaled.high - 1.0).abs() < 1e-9);
        }

        #[test]
        fn equal_values_have_an_interval_without_width(value in 1.0f64..1e9, count in 3usize..12) {
            prop_assert_eq!(interval(&vec![value; count]), Interval { low: value, high: value });
        }
    }
}
