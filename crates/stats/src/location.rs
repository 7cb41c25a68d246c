//! The location of a few values with heavy tails, and what its error consists of.

/// The median: of an even number of values, the mean of the middle two. `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The mean of `values`, and the sum of the squared deviations from it.
pub(crate) fn mean_and_squares(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum())
}

/// The midmean of some values, and each value's part in its error.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Midmean {
    /// The mean of the middle half, in the unit of the values.
    pub location: f64,
    /// For each value its deviation after Winsorising, 0 for a missing one, scaled so that the sum of their squares is the squared
    /// standard error of `location`, and the sum of their products with another midmean's the covariance.
    pub parts: Vec<f64>,
    /// Degrees of freedom of that error: values in the middle half, less one.
    pub freedom: f64,
}

/// The mean of the middle half of `values`: a trimmed mean that leaves a quarter out at either end, rounded; the median of three
/// or four. `None` without values.
///
/// Its standard error is that of Tukey and McLaughlin (Sankhya A 25, 1963; Wilcox, *Introduction to Robust Estimation and Hypothesis
/// Testing*, section 4.3): each value outside the middle half is replaced by the nearest one inside.
pub(crate) fn midmean(values: &[Option<f64>]) -> Option<Midmean> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len();
    let left_out = ((count + 2) / 4).min(count.checked_sub(1)? / 2);
    let middle = &sorted[left_out..count - left_out];
    let (low, high, kept) = (middle[0], middle[middle.len() - 1], middle.len() as f64);
    let location = middle.iter().sum::<f64>() / kept;
    let mean = sorted.iter().map(|value| value.clamp(low, high)).sum::<f64>() / count as f64;
    // One value in the middle says nothing of its error; that of two is the nearest there is.
    let scale = (kept * (kept - 1.0).max(1.0)).sqrt();
    let part = |value: &Option<f64>| value.map_or(0.0, |value| (value.clamp(low, high) - mean) / scale);
    Some(Midmean { location, parts: values.iter().map(part).collect(), freedom: kept - 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn location(values: &[f64]) -> f64 {
        midmean(&values.iter().copied().map(Some).collect::<Vec<_>>()).expect("values").location
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_quarter_is_left_out_at_either_end() {
        assert_eq!(location(&[7.0]), 7.0);
        assert_eq!(location(&[7.0, 9.0]), 8.0);
        assert_eq!(location(&[1.0, 2.0, 100.0]), 2.0);
        assert_eq!(location(&[-50.0, 2.0, 4.0, 100.0]), 3.0);
        assert_eq!(location(&[1e9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1e9]), 3.5);
        assert!(midmean(&[]).is_none());
    }

    #[test]
    fn a_missing_value_has_no_part() {
        let gap = midmean(&[Some(1.0), None, Some(3.0), Some(2.0), Some(9.0)]).expect("values");
        let whole = midmean(&[1.0, 3.0, 2.0, 9.0].map(Some)).expect("values");
        assert_eq!((gap.location, gap.freedom, gap.parts[1]), (whole.location, whole.freedom, 0.0));
        assert_eq!([&gap.parts[..1], &gap.parts[2..]].concat(), whole.parts);
        assert!(midmean(&[None, None]).is_none());
    }

    proptest! {
        #[test]
        fn a_quarter_of_wild_values_does_not_move_it_beyond_the_others(
            calm in prop::collection::vec(-1.0f64..1.0, 9..30), wild in prop::collection::vec(-1e12f64..1e12, 1..3),
        ) {
            let all = [&calm[..], &wild[..]].concat();
            prop_assert!(location(&all).abs() <= 1.0);
        }

        #[test]
        fn scaling_and_shifting_scales_and_shifts_it(
            values in prop::collection::vec(-1.0f64..1.0, 1..30), scale in 0.1f64..10.0, shift in -5.0f64..5.0,
        ) {
            let moved: Vec<f64> = values.iter().map(|value| scale * value + shift).collect();
            prop_assert!((location(&moved) - scale * location(&values) - shift).abs() < 1e-9);
        }
    }
}
