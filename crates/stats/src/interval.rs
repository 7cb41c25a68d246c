//! Intervals of ratios, what they say, and how independent estimates are combined.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The share of cases in which an interval, or all intervals of a family together, hold the true value. A family is what is compared
/// with one reference: the candidates of a point.
pub const CONFIDENCE: f64 = 0.95;

/// The ends of an interval, in the unit of the figure or without one for a ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// The interval around a logarithm, as an interval of the number itself.
    pub(crate) fn around_log(log: f64, half_width: f64) -> Self {
        Self { low: (log - half_width).exp(), high: (log + half_width).exp() }
    }

    /// Returns whether `value` lies in the interval, its ends included.
    pub fn covers(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The greater distance of an end from `value`, as a share of `value`: 0.03 for 97-103 around 100.
    pub fn relative_half_width(&self, value: f64) -> f64 {
        (self.high - value).max(value - self.low) / value
    }
}

/// The relation of a ratio to 1, as its interval tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The whole interval lies below 1.
    Below,
    /// The whole interval lies above 1.
    Above,
    /// The interval holds 1, and nothing that differs from it by more than the margin.
    Equal,
    /// The interval holds 1, and differences that matter as well.
    NotDistinguishable,
}

impl Relation {
    /// The relation of a ratio with `interval` to 1; ratios between 1 / (1 + `margin`) and 1 + `margin` are as good as equal, so that
    /// a ratio and its reciprocal are judged alike.
    ///
    /// An interval that touches 1 does not exclude it. One that excludes 1 inside the margin is a small difference, not equality.
    pub fn of(interval: Interval, margin: f64) -> Self {
        match interval {
            Interval { high, .. } if high < 1.0 => Self::Below,
            Interval { low, .. } if low > 1.0 => Self::Above,
            Interval { low, high } if low >= 1.0 / (1.0 + margin) && high <= 1.0 + margin => Self::Equal,
            _ => Self::NotDistinguishable,
        }
    }
}

/// The logarithm of a ratio and its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The natural logarithm of the ratio.
    pub log: f64,
    /// The standard error of `log`.
    pub standard_error: f64,
    /// The degrees of freedom of Student's distribution that `standard_error` has.
    pub degrees_of_freedom: f64,
}

impl Estimate {
    /// The estimate of something known to be 1.
    pub(crate) const ONE: Self = Self { log: 0.0, standard_error: 0.0, degrees_of_freedom: f64::INFINITY };

    /// The sum of `estimates`, which are independent, each times `weight`; the degrees of freedom are those of Welch and Satterthwaite
    /// (Biometrics Bulletin 2, 1946).
    pub(crate) fn sum(estimates: impl IntoIterator<Item = Self>, weight: f64) -> Self {
        let (mut log, mut variance, mut welch) = (0.0, 0.0, 0.0);
        for estimate in estimates {
            let square = (weight * estimate.standard_error).powi(2);
            log += weight * estimate.log;
            variance += square;
            welch += square * square / estimate.degrees_of_freedom;
        }
        let degrees_of_freedom = if welch > 0.0 { variance * variance / welch } else { f64::INFINITY };
        Self { log, standard_error: variance.sqrt(), degrees_of_freedom }
    }

    /// The estimate of the reciprocal.
    pub(crate) fn reciprocal(self) -> Self {
        Self { log: -self.log, ..self }
    }

    /// The ratio with its intervals. The simultaneous one is `critical` standard errors wide on each side, but never narrower than
    /// the pointwise one: with 0 they are the same.
    pub(crate) fn ratio(self, critical: f64) -> Ratio {
        let pointwise = student(f64::midpoint(1.0, CONFIDENCE), self.degrees_of_freedom);
        let interval = |multiplier: f64| Interval::around_log(self.log, multiplier * self.standard_error);
        Ratio {
            ratio: self.log.exp(),
            pointwise: interval(pointwise),
            simultaneous: interval(critical.max(pointwise)),
            estimate: self,
        }
    }
}

/// A ratio with its intervals, which hold with [`CONFIDENCE`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ratio itself.
    pub ratio: f64,
    /// The interval for this ratio alone.
    pub pointwise: Interval,
    /// The interval that holds together with those of the other candidates of its family; of a mean, the pointwise one.
    pub simultaneous: Interval,
    /// The logarithm, for what is computed further.
    pub estimate: Estimate,
}

impl Ratio {
    /// The geometric mean of ratios at several points, which are independent because each point has its own starts; `None` of none.
    pub fn geometric_mean(ratios: &[Self]) -> Option<Self> {
        let mean = Estimate::sum(ratios.iter().map(|ratio| ratio.estimate), 1.0 / ratios.len() as f64);
        (!ratios.is_empty()).then(|| mean.ratio(0.0))
    }
}

/// The quantile of Student's distribution below which `probability` lies; the normal distribution's for infinitely many degrees of
/// freedom.
///
/// # Panics
///
/// With degrees of freedom that are not positive.
pub fn student(probability: f64, degrees_of_freedom: f64) -> f64 {
    // Above this the two differ in the sixth digit.
    if degrees_of_freedom > 1e6 {
        return Normal::standard().inverse_cdf(probability);
    }
    let student = StudentsT::new(0.0, 1.0, degrees_of_freedom).expect("positive degrees of freedom");
    student.inverse_cdf(probability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relation(low: f64, high: f64) -> Relation {
        Relation::of(Interval { low, high }, 0.02)
    }

    #[test]
    fn an_interval_without_one_is_a_difference_however_small() {
        assert_eq!(relation(0.8, 0.999), Relation::Below);
        assert_eq!(relation(1.001, 1.3), Relation::Above);
        assert_eq!(relation(1.001, 1.002), Relation::Above);
    }

    #[test]
    fn an_interval_around_one_is_equality_inside_the_margin_alone() {
        assert_eq!(relation(0.985, 1.015), Relation::Equal);
        assert_eq!(relation(1.0, 1.02), Relation::Equal);
        assert_eq!(relation(0.975, 1.001), Relation::NotDistinguishable);
        assert_eq!(relation(0.999, 1.021), Relation::NotDistinguishable);
    }

    #[test]
    fn the_half_width_is_that_of_the_farther_end() {
        let interval = Interval { low: 97.0, high: 104.0 };
        assert!((interval.relative_half_width(100.0) - 0.04).abs() < 1e-12);
    }

    #[test]
    fn the_difference_of_two_estimates_has_the_degrees_of_freedom_of_welch() {
        let estimate =
            |standard_error, degrees_of_freedom| Estimate { log: 0.3, standard_error, degrees_of_freedom };
        let equal = Estimate::sum([estimate(0.01, 5.0), estimate(0.01, 5.0).reciprocal()], 1.0);
        assert!(equal.log.abs() < 1e-12 && (equal.degrees_of_freedom - 10.0).abs() < 1e-9);
        assert!((equal.standard_error - 0.01 * 2f64.sqrt()).abs() < 1e-12);
        let with_a_known = Estimate::sum([estimate(0.01, 5.0), Estimate::ONE], 1.0);
        assert!((with_a_known.degrees_of_freedom - 5.0).abs() < 1e-9);
    }

    #[test]
    fn the_logarithm_of_a_geometric_mean_of_two_has_half_the_error_of_the_sum_of_logarithms() {
        let at = |ratio: f64| {
            Estimate { log: ratio.ln(), standard_error: 0.02, degrees_of_freedom: 10.0 }.ratio(2.5)
        };
        let mean = Ratio::geometric_mean(&[at(2.0), at(8.0)]).expect("two points");
        let close = |found: f64, expected: f64| {
            assert!((found / expected - 1.0).abs() < 1e-9, "{found}, not {expected}")
        };
        close(mean.ratio, 4.0);
        close(mean.estimate.standard_error, 0.02 / 2f64.sqrt());
        close(mean.estimate.degrees_of_freedom, 20.0);
        close((mean.simultaneous.high / 4.0).ln() / mean.estimate.standard_error, student(0.975, 20.0));
        assert_eq!(Ratio::geometric_mean(&[]), None);
    }

    proptest! {
        #[test]
        fn the_reciprocal_has_the_opposite_relation(low in 0.5f64..1.5, factor in 1.0f64..1.2) {
            let turned = match relation(low, low * factor) {
                Relation::Below => Relation::Above,
                Relation::Above => Relation::Below,
                same => same,
            };
            prop_assert_eq!(relation(1.0 / (low * factor), 1.0 / low), turned);
        }
    }
}
