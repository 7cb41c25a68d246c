//! The interval of a median.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

use super::{median, median_of_sorted};

/// Repeats without which no interval is given.
pub const REPEATS_FOR_INTERVAL: usize = 3;
/// Repeats from which on the interval is exact, whatever the distribution of the values: the range of five holds
/// the median in 93.75 % of cases.
pub const REPEATS_FOR_EXACT: usize = 6;
/// What every interval aims at.
pub(super) const CONFIDENCE: f64 = 0.95;

/// A median with its 95 % interval, in the unit of the values.
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

/// The 95 % interval of the median; `None` with fewer than [`REPEATS_FOR_INTERVAL`] values. The order of the values
/// does not matter.
///
/// From [`REPEATS_FOR_EXACT`] values on it is the one that inverts the sign test: it lies between two of the values,
/// and holds the median of any distribution in at least 95 % of cases. No such interval exists for fewer;
/// there it is Student's, of the mean of the logarithms, which a skewed distribution makes less sure. A median of ratios of
/// a mechanism to itself is 1 by symmetry, so for the question whether two differ both are as sure as they say.
pub fn interval(values: &[f64]) -> Option<Interval> {
    if values.len() >= REPEATS_FOR_EXACT {
        return Some(exact(values));
    }
    if values.len() >= REPEATS_FOR_INTERVAL { students(values) } else { None }
}

/// Between the values of equal rank from both ends that the sign test does not reject as medians.
fn exact(values: &[f64]) -> Interval {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = rank_of_end(sorted.len());
    Interval { median: median_of_sorted(&sorted), low: sorted[rank], high: sorted[sorted.len() - 1 - rank] }
}

/// How many values are left out at either end. An end of rank `r` is beyond the median where at most `r` values lie on
/// its side of it, and their number is binomial.
fn rank_of_end(count: usize) -> usize {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let beyond =
        |rank: &usize| Binomial::new(0.5, count as u64).is_ok_and(|below| below.cdf(*rank as u64) <= tail);
    (1..count / 2).take_while(beyond).last().unwrap_or(0)
}

/// Student's interval of the mean, on the scale of logarithms unless a value has none.
fn students(values: &[f64]) -> Option<Interval> {
    let logarithmic = values.iter().all(|value| *value > 0.0);
    let back = |value: f64| if logarithmic { value.exp() } else { value };
    let scaled: Vec<f64> =
        if logarithmic { values.iter().map(|value| value.ln()).collect() } else { values.to_vec() };
    let count = scaled.len() as f64;
    let mean = scaled.iter().sum::<f64>() / count;
    let variance = scaled.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let quantile = StudentsT::new(0.0, 1.0, count - 1.0).ok()?.inverse_cdf(f64::midpoint(1.0, CONFIDENCE));
    let reach = quantile * (variance / count).sqrt();
    let centre = median(values)?;
    // The median need not lie where the mean does, and equal values must give an interval without width.
    let (low, high) =
        if variance == 0.0 { (centre, centre) } else { (back(mean - reach), back(mean + reach)) };
    Some(Interval { median: centre, low: low.min(centre), high: high.max(centre) })
}
