//! Trends: whether a series rises, and by how much.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::location::median;
use crate::{CONFIDENCE, Interval};

/// Values up to which the probability of Kendall's statistic is counted out; from there on the normal distribution is as good.
const COUNTED: usize = 60;

/// A trend of a series of values at equal distances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Kendall's tau: 1 for a series that only rises, -1 for one that only falls.
    pub tau: f64,
    /// The probability of a tau at least as far from 0 in either direction, if every order of the values is as likely (Mann, Econometrica 13,
    /// 1945; Kendall, *Rank Correlation Methods*): exact without equal values, else by the normal distribution with corrections for those
    /// and for continuity.
    pub p_value: f64,
    /// The slope per step in the unit of the values: the median of the slopes of all pairs (Sen, Journal of the American Statistical Association
    /// 63, 1968).
    pub slope: f64,
    /// The 95 % interval of the slope.
    pub slope_interval: Interval,
}

impl Trend {
    /// The trend of `values`; `None` with fewer than three, or if one is not a number.
    ///
    /// It supposes that values vary independently around the trend. The host's drift makes the values of neighbouring rounds alike, and then
    /// there are more false trends than `p_value` says: to learn whether a response grows within slices use [`level`](crate::level()), which takes one
    /// value a round.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.len() < 3 || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let pairs = || (0..values.len()).flat_map(|from| (from + 1..values.len()).map(move |to| (from, to)));
        let sign = |(from, to): (usize, usize)| {
            i64::from(values[to] > values[from]) - i64::from(values[to] < values[from])
        };
        let score: i64 = pairs().map(sign).sum();
        let mut slopes: Vec<f64> =
            pairs().map(|(from, to)| (values[to] - values[from]) / (to - from) as f64).collect();
        slopes.sort_unstable_by(f64::total_cmp);
        let (variance, has_ties) = variance(values);
        let (count, slope) = (slopes.len(), median(&slopes)?);
        // So many slopes are left out at either end (Sen; Hollander, Wolfe and Chicken, section 9.3).
        let reach = Normal::standard().inverse_cdf(f64::midpoint(1.0, CONFIDENCE)) * variance.sqrt();
        let left_out = ((count as f64 - reach) / 2.0).round().max(1.0) as usize - 1;
        let slope_interval = Interval { low: slopes[left_out], high: slopes[count - 1 - left_out] };
        let p_value = match has_ties || values.len() > COUNTED {
            true => by_normal(score, variance),
            false => counted(values.len(), (count - score.unsigned_abs() as usize) / 2),
        };
        Some(Self { tau: score as f64 / count as f64, p_value, slope, slope_interval })
    }
}

/// The variance of Kendall's score, and whether there are equal values, which make it smaller.
fn variance(values: &[f64]) -> (f64, bool) {
    let spread = |count: usize| (count * (count - 1) * (2 * count + 5)) as f64 / 18.0;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|equal| spread(equal.len())).sum();
    (spread(values.len()) - ties, ties > 0.0)
}

/// The probability of a score at least as far from 0, by the normal distribution with the correction for continuity.
fn by_normal(score: i64, variance: f64) -> f64 {
    let distance = (score.abs() - 1).max(0) as f64;
    if distance > 0.0 { 2.0 * Normal::standard().cdf(-distance / variance.sqrt()) } else { 1.0 }
}

/// The probability that of all orders of `count` different values one has at most `inversions`, or as few in the reverse order.
fn counted(count: usize, inversions: usize) -> f64 {
    // The share of orders with 0, 1, 2 ... inversions: the next value goes to any place among those before it.
    let mut shares = vec![0.0; inversions + 1];
    shares[0] = 1.0;
    for places in 2..=count {
        let before = shares.clone();
        for (at, share) in shares.iter_mut().enumerate() {
            *share = before[(at + 1).saturating_sub(places)..=at].iter().sum::<f64>() / places as f64;
        }
    }
    (2.0 * shares.iter().sum::<f64>()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, rate};

    #[test]
    fn orders_are_counted() {
        // Of the 24 orders of four values 1, 3, 5, 6, 5, 3, 1 have 0 ... 6 inversions.
        let shares = [2.0, 8.0, 18.0, 24.0].map(|orders| orders / 24.0);
        for (inversions, expected) in shares.iter().enumerate() {
            assert!((counted(4, inversions) - expected).abs() < 1e-12, "{inversions}");
        }
    }

    #[test]
    fn a_line_is_a_trend_and_a_constant_none() {
        let line = Trend::of(&[1.0, 3.0, 5.0, 7.0, 9.0, 11.0]).expect("six values");
        assert_eq!((line.tau, line.slope, line.slope_interval), (1.0, 2.0, Interval { low: 2.0, high: 2.0 }));
        assert!((line.p_value - 2.0 / 720.0).abs() < 1e-12);
        let constant = Trend::of(&[4.0; 9]).expect("nine values");
        assert_eq!((constant.tau, constant.p_value, constant.slope), (0.0, 1.0, 0.0));
        assert_eq!(Trend::of(&[1.0, 2.0]), None);
        assert_eq!(Trend::of(&[1.0, f64::NAN, 2.0]), None);
    }

    #[test]
    fn the_outlier_at_the_end_does_not_make_the_slope() {
        let mut values: Vec<f64> = (0..20).map(|at| f64::from(at % 3)).collect();
        values[19] = 1e6;
        assert!(Trend::of(&values).expect("values").slope.abs() < 0.1);
    }

    #[test]
    fn heavy_tails_without_a_trend_have_one_in_no_more_than_a_case_of_twenty() {
        let mut noise = Noise::new(31);
        for count in [6, 20, 100] {
            let rate = rate(2_000, || {
                let values: Vec<f64> = (0..count).map(|_| noise.tail()).collect();
                Trend::of(&values).expect("values").p_value < 0.05
            });
            assert!(rate.interval.low <= 0.05 && rate.interval.high >= 0.015, "{count} values: {rate:?}");
        }
    }

    #[test]
    fn a_rise_of_its_noise_is_found_in_most_series_of_twenty() {
        let mut noise = Noise::new(32);
        let rate = rate(500, || {
            let values: Vec<f64> = (0..20).map(|at| 0.012 * f64::from(at) + noise.tail()).collect();
            let trend = Trend::of(&values).expect("values");
            trend.p_value < 0.05 && trend.slope > 0.0
        });
        assert!(rate.interval.low > 0.7, "{rate:?}");
    }
}
