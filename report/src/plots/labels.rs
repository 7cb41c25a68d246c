//! Labels at line ends that do not overlap.

/// Moves label positions apart until neighbours are at least `gap` apart, keeping their order and
/// staying within `low` and `high` where there is room; each stays as near to its wish as the others
/// allow.
pub fn spread(wishes: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|a, b| wishes[*a].total_cmp(&wishes[*b]).then(a.cmp(b)));
    // Each cluster is a run of labels exactly a gap apart, centred on the mean of its wishes.
    let mut clusters: Vec<Cluster> = Vec::new();
    for index in order {
        let mut cluster = Cluster { members: vec![index], sum: wishes[index], start: 0.0 };
        cluster.place(gap, low, high);
        while let Some(before) = clusters.pop_if(|before| before.end(gap) + gap > cluster.start) {
            cluster = before.joined(cluster);
            cluster.place(gap, low, high);
        }
        clusters.push(cluster);
    }
    let mut places = wishes.to_vec();
    for cluster in &clusters {
        for (rank, index) in cluster.members.iter().enumerate() {
            places[*index] = cluster.start + rank as f64 * gap;
        }
    }
    places
}

struct Cluster {
    members: Vec<usize>,
    sum: f64,
    start: f64,
}

impl Cluster {
    fn length(&self, gap: f64) -> f64 {
        (self.members.len() - 1) as f64 * gap
    }

    fn end(&self, gap: f64) -> f64 {
        self.start + self.length(gap)
    }

    fn place(&mut self, gap: f64, low: f64, high: f64) {
        let centred = self.sum / self.members.len() as f64 - self.length(gap) / 2.0;
        // With too little room for all, the top is kept: labels run over at the bottom.
        self.start = centred.min(high - self.length(gap)).max(low);
    }

    fn joined(mut self, after: Self) -> Self {
        self.members.extend(after.members);
        self.sum += after.sum;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_with_room_stay_where_they_are() {
        assert_eq!(spread(&[10.0, 50.0, 90.0], 15.0, 0.0, 100.0), [10.0, 50.0, 90.0]);
    }

    #[test]
    fn coincident_labels_part_evenly() {
        assert_eq!(spread(&[50.0, 50.0], 10.0, 0.0, 100.0), [45.0, 55.0]);
        assert_eq!(spread(&[0.0, 0.0], 10.0, 0.0, 100.0), [0.0, 10.0]);
    }

    proptest! {
        #[test]
        fn no_two_labels_overlap_and_none_leaves(wishes in prop::collection::vec(0.0f64..300.0, 0..15)) {
            let mut places = spread(&wishes, 16.0, 0.0, 300.0);
            places.sort_by(f64::total_cmp);
            prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] > 16.0 - 1e-6), "{places:?}");
            prop_assert!(places.iter().all(|place| (-1e-6..=300.0 + 1e-6).contains(place)), "{places:?}");
        }
    }
}
