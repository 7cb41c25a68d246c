//! One ratio for several points.

use crate::CONFIDENCE;
use crate::interval::{Estimate, Ratio, student};

/// The geometric means of the candidates' ratios over several points.
#[derive(Debug, Clone, PartialEq)]
pub struct GeometricMeans {
    /// The indices of the points at which every candidate has a ratio; all others are left out.
    pub points: Vec<usize>,
    /// The mean of each candidate.
    pub ratios: Vec<Ratio>,
}

/// The geometric mean of each candidate's ratios to the reference, by point and candidate, over the points that are complete; `None` where
/// there is none.
///
/// Points are independent of one another, their starts being others. The simultaneous intervals are Sidak's (Journal of the American Statistical
/// Association 62, 1967), which are a little too wide since candidates share the reference.
pub fn geometric_means(points: &[Vec<Option<Ratio>>]) -> Option<GeometricMeans> {
    let candidates = points.iter().map(Vec::len).max()?;
    let is_complete = |at: &usize| points[*at].iter().flatten().count() == candidates;
    let complete: Vec<usize> = (0..points.len()).filter(is_complete).collect();
    let weight = 1.0 / complete.len() as f64;
    let mean = |candidate: usize| {
        let ratios = complete.iter().filter_map(|point| points[*point][candidate]);
        Estimate::sum(ratios.map(|ratio| ratio.estimate), weight)
    };
    let means: Vec<Estimate> = (0..candidates).map(mean).collect();
    let compared = means.iter().filter(|mean| mean.standard_error > 0.0).count().max(1) as f64;
    let probability = f64::midpoint(1.0, CONFIDENCE.powf(1.0 / compared));
    let ratio = |mean: Estimate| mean.ratio(student(probability, mean.degrees_of_freedom));
    (!complete.is_empty())
        .then(|| GeometricMeans { points: complete, ratios: means.into_iter().map(ratio).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(ratio: f64, standard_error: f64) -> Option<Ratio> {
        Some(Estimate { log: ratio.ln(), standard_error, degrees_of_freedom: 10.0 }.ratio(2.5))
    }

    #[test]
    fn incomplete_points_are_left_out_for_all() {
        let points = [
            vec![ratio(1.0, 0.0), ratio(2.0, 0.02), ratio(1.0, 0.02)],
            vec![ratio(1.0, 0.0), ratio(50.0, 0.02), None],
            vec![ratio(1.0, 0.0), ratio(8.0, 0.02), ratio(1.0, 0.02)],
        ];
        let means = geometric_means(&points).expect("two complete points");
        assert_eq!(means.points, [0, 2]);
        let close = |found: f64, expected: f64| {
            assert!((found / expected - 1.0).abs() < 1e-9, "{found}, not {expected}")
        };
        close(means.ratios[1].ratio, 4.0);
        // Two independent errors of 2 %, halved; 20 degrees of freedom; two candidates beside the reference.
        close(means.ratios[1].estimate.standard_error, 0.02 / 2f64.sqrt());
        close(means.ratios[1].estimate.degrees_of_freedom, 20.0);
        let reach =
            |interval: crate::Interval| (interval.high / 4.0).ln() / means.ratios[1].estimate.standard_error;
        close(reach(means.ratios[1].pointwise), student(0.975, 20.0));
        close(reach(means.ratios[1].simultaneous), student(f64::midpoint(1.0, 0.95f64.sqrt()), 20.0));
        assert_eq!(means.ratios[0].simultaneous, crate::Interval { low: 1.0, high: 1.0 });
    }

    #[test]
    fn without_a_complete_point_there_is_none() {
        assert_eq!(geometric_means(&[]), None);
        assert_eq!(geometric_means(&[vec![ratio(1.0, 0.0), None], vec![None, ratio(1.0, 0.0)]]), None);
        assert_eq!(
            geometric_means(&[vec![ratio(1.0, 0.0)], vec![]]).map(|means| means.points),
            Some(vec![0])
        );
    }
}
