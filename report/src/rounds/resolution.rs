//! The machine's resolution: the smallest difference that this campaign can tell from none. A second server of the reference is as good as
//! the first, and whatever its interval does not exclude, two equal servers may show here.

use stats::{Interval, Relation};

use super::analysis::{Analysis, GroupAnalysis, MAIN, MARGIN};
use super::metrics::Metric;

/// The resolution by one metric, over the groups of a campaign.
#[derive(Debug, Clone, Copy)]
pub struct Resolution {
    /// The metric.
    pub metric: &'static Metric,
    /// The smallest difference that is told where it is least, 0.05 for 5 %.
    pub least: f64,
    /// The same where it is most.
    pub most: f64,
}

/// The resolutions of a campaign by the [main metrics](MAIN), where the twin has a ratio.
pub fn of(analysis: &Analysis<'_>) -> Vec<Resolution> {
    let groups = || analysis.points.iter().flat_map(|point| &point.groups);
    let by = |metric: &'static Metric| {
        let all = || groups().filter_map(|group| of_group(group, metric));
        let (least, most) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
        Some(Resolution { metric, least, most })
    };
    MAIN.into_iter().filter_map(by).collect()
}

/// The resolution of a group by a metric: how far the interval of the twin reaches from 1.
pub fn of_group(group: &GroupAnalysis<'_>, metric: &Metric) -> Option<f64> {
    Some(reach(group.candidates[group.twin?].comparison(metric)?.interval)).filter(|reach| reach.is_finite())
}

/// The greatest difference that an interval of a ratio does not exclude, 0.05 for 5 %; a ratio and its reciprocal differ alike.
pub fn reach(interval: Interval) -> f64 {
    interval.low.recip().max(interval.high) - 1.0
}

/// The relation of a ratio to 1 by its `interval`, where a difference within `resolution` counts as none.
pub fn relation(ratio: f64, interval: Interval, resolution: Option<f64>) -> Relation {
    let relation = Relation::of(interval, MARGIN);
    let is_within = resolution.is_some_and(|bound| ratio.recip().max(ratio) - 1.0 <= bound);
    match relation {
        Relation::Below | Relation::Above if is_within => Relation::NotDistinguishable,
        told => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_and_its_reciprocal_are_resolved_alike() {
        let interval = Interval { low: 0.96, high: 1.02 };
        assert!((reach(interval) - (1.0 / 0.96 - 1.0)).abs() < 1e-12);
        assert_eq!(reach(interval), reach(Interval { low: 1.0 / 1.02, high: 1.0 / 0.96 }));
    }

    #[test]
    fn a_difference_within_the_resolution_is_none_and_a_greater_one_stays() {
        let above = |ratio: f64| Interval { low: ratio * 0.99, high: ratio * 1.01 };
        let told = |ratio| relation(ratio, above(ratio), Some(0.05));
        assert_eq!(told(1.04), Relation::NotDistinguishable);
        assert_eq!(told(1.0 / 1.04), Relation::NotDistinguishable);
        assert_eq!((told(1.06), told(1.0 / 1.06)), (Relation::Above, Relation::Below));
        assert_eq!(told(1.0), Relation::Equal, "what is equal stays so");
        assert_eq!(relation(1.04, above(1.04), None), Relation::Above, "without a twin nothing is known");
    }
}
