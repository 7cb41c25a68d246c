//! The order of candidates as groups that cannot be distinguished.

use crate::family::{Family, pairs};
use crate::interval::Ratio;

/// The candidates of a family in order, and which of them cannot be distinguished.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// The indices of the candidates that were measured, the reference among them, by ascending ratio.
    pub order: Vec<usize>,
    /// The greatest sets of candidates of which no two can be distinguished, each in that order, the one that begins first being the
    /// first. A candidate may stand in several; two can be distinguished exactly if no group has both. A compact letter display gives each
    /// group a letter.
    pub groups: Vec<Vec<usize>>,
    /// All pairs, in that order: two candidates, and the ratio of the second to the first with intervals that hold for all pairs.
    pub pairs: Vec<(usize, usize, Ratio)>,
}

impl Family {
    /// Compares all pairs of candidates. All intervals hold together, so that in 95 % of families no two equal candidates are told apart
    /// (Tukey's comparisons, whatever the covariance is); the groups are found by insertion and absorption (Piepho, Journal of Computational
    /// and Graphical Statistics 13, 2004).
    pub fn groups(&self) -> Groups {
        let log = |at| Some((at, self.estimate(at, self.reference())?.log));
        let mut order: Vec<(usize, f64)> = (0..self.candidates()).filter_map(log).collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let order: Vec<usize> = order.into_iter().map(|(at, _)| at).collect();
        let all: Vec<(usize, usize)> = pairs(&order).collect();
        let critical = self.critical(&all);
        let ratio = |(first, second)| Some((first, second, self.estimate(second, first)?.ratio(critical)));
        let pairs: Vec<(usize, usize, Ratio)> = all.into_iter().filter_map(ratio).collect();
        let told_apart = pairs.iter().filter(|(.., ratio)| !ratio.simultaneous.covers(1.0));
        let told_apart: Vec<_> = told_apart.map(|(first, second, _)| (*first, *second)).collect();
        Groups { groups: grouped(&order, &told_apart), order, pairs }
    }
}

/// The greatest sets of `order` that have no pair of `told_apart`.
fn grouped(order: &[usize], told_apart: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut groups = vec![order.to_vec()];
    for (first, second) in told_apart {
        let (split, mut kept): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.contains(first) && group.contains(second));
        for group in split {
            let without = |gone| group.iter().copied().filter(|at| at != gone).collect::<Vec<usize>>();
            for part in [without(first), without(second)] {
                let holds_part = |group: &Vec<usize>| part.iter().all(|at| group.contains(at));
                if !kept.iter().any(holds_part) {
                    kept.push(part);
                }
            }
        }
        groups = kept;
    }
    let places = |group: &Vec<usize>| -> Vec<_> {
        group.iter().map(|member| order.iter().position(|at| at == member)).collect()
    };
    groups.sort_by_key(places);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_difference_there_is_one_group_and_with_all_each_stands_alone() {
        assert_eq!(grouped(&[2, 0, 1], &[]), [vec![2, 0, 1]]);
        assert_eq!(grouped(&[2, 0, 1], &[(2, 0), (2, 1), (0, 1)]), [[2], [0], [1]]);
    }

    #[test]
    fn groups_overlap_where_the_ends_alone_can_be_told_apart() {
        assert_eq!(grouped(&[0, 1, 2, 3], &[(0, 2), (0, 3), (1, 3)]), [[0, 1], [1, 2], [2, 3]]);
    }

    #[test]
    fn a_noisy_candidate_joins_groups_that_are_apart() {
        assert_eq!(grouped(&[0, 1, 2], &[(0, 2)]), [[0, 1], [1, 2]]);
        // One that is known less well than its neighbours: 0 and 3 cannot be told apart, 1 and 2 can.
        assert_eq!(grouped(&[0, 1, 2, 3], &[(1, 2)]), [[0, 1, 3], [0, 2, 3]]);
    }

    proptest! {
        #[test]
        fn a_pair_is_told_apart_exactly_if_no_group_has_both(told in prop::collection::vec(any::<bool>(), 21)) {
            let order = [6, 2, 4, 0, 5, 1, 3];
            let told_apart: Vec<_> = pairs(&order).zip(told).filter_map(|(pair, told)| told.then_some(pair)).collect();
            let groups = grouped(&order, &told_apart);
            for (first, second) in pairs(&order) {
                let together = groups.iter().any(|group| group.contains(&first) && group.contains(&second));
                prop_assert_eq!(together, !told_apart.contains(&(first, second)));
            }
            for (at, group) in groups.iter().enumerate() {
                let is_inside = |other: &Vec<usize>| group.iter().all(|member| other.contains(member));
                prop_assert!(!groups.iter().enumerate().any(|(other, of)| other != at && is_inside(of)));
            }
        }
    }
}
