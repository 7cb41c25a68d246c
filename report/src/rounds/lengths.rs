//! Slices of several lengths: where halves differed, they were doubled, and what was measured before is part of no interval.

use model::campaign::Campaign;

/// The starts of a point that do not count, since their slices were too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooShort {
    /// The index of the point.
    pub point: usize,
    /// Starts, over all groups.
    pub starts: usize,
}

/// The points at which slices were doubled, with the starts that do not count there.
pub fn too_short(campaign: &Campaign) -> Vec<TooShort> {
    let of_point = |(point, planned): (usize, &model::campaign::PlannedPoint)| {
        let groups = 0..planned.groups.len() as u32;
        let starts = groups.map(|group| campaign.starts_beside(point as u32, group).len()).sum();
        TooShort { point, starts }
    };
    campaign.plan.points.iter().enumerate().map(of_point).filter(|found| found.starts > 0).collect()
}
