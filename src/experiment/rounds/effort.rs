//! The time that a start gets, and its division among the loads: by what the intervals still lack.

use std::collections::BTreeMap;

use model::campaign::{Campaign, Histograms, Phase, PlannedPoint, Round, Start};
use model::schema::Rounds;
use report::rounds::Analysis;
use report::rounds::metrics::{CPU, RESPONSE, THROUGHPUT};

use super::{next_number, starts_made};

/// A slice takes so many times its window, with its warm-up and until its last reply.
const SLICE_IN_WINDOWS: f64 = 1.15;
/// The busy load's share of the time: it decides nothing alone.
const BUSY: f64 = 0.15;
/// The division of the time among the loads as long as nothing is known.
const UNKNOWN: [(Phase, f64); 3] = [(Phase::Saturation, 0.35), (Phase::Light, 0.5), (Phase::Busy, BUSY)];
/// Halves of slices that surely differ by more than this have the slices of later starts doubled. Many are looked at, so it takes more than what
/// is merely reported.
const HALVES_DIFFER: f64 = 0.05;
/// Slices are doubled so often at most.
const DOUBLINGS_AT_MOST: u32 = 3;
/// What a start may take, in parts of what its group would have on average: what is known after few starts is no more than a hint.
/// All starts weigh alike in an interval, so none is made of a round or two.
const SHARE: std::ops::RangeInclusive<f64> = 0.5..=2.5;

/// The time of a start.
#[derive(Debug, Clone, PartialEq)]
pub struct Effort {
    /// The time from before its servers start until after its last round, in seconds.
    pub seconds: f64,
    /// The weights by which the loads share it.
    pub weights: BTreeMap<Phase, f64>,
    /// How often its slices are doubled.
    pub doublings: u32,
}

/// The effort of the next start of `group` at `point`, `now_s` seconds into the campaign.
pub fn of_next_start(campaign: &Campaign, rounds: &Rounds, point: u32, group: u32, now_s: f64) -> Effort {
    let planned = &campaign.plan.points[point as usize];
    let equal_s = rounds.point_s / f64::from(rounds.starts) / planned.groups.len() as f64;
    if next_number(campaign, point, group) == 0 {
        return Effort { seconds: equal_s, weights: unknown(planned).collect(), doublings: 0 };
    }
    let without_histograms = Histograms::default();
    let analysis = Analysis::of(campaign, &without_histograms);
    let (mut lacking_s, mut opening_s, mut own) = (0.0, 0.0, None);
    for (number, planned) in (0..).zip(&campaign.plan.points) {
        for other in 0..planned.groups.len() as u32 {
            let left = f64::from(rounds.starts.saturating_sub(starts_made(campaign, number, other)));
            let known = Known::of(campaign, &analysis, rounds, (number, other));
            lacking_s += if left > 0.0 { known.lacking_s.values().sum() } else { 0.0 };
            opening_s += left * known.opening_s;
            if (number, other) == (point, group) {
                own = Some((known, left));
            }
        }
    }
    let (known, left) = own.expect("the group is one of the plan's");
    let budget_s = rounds.point_s * campaign.plan.points.len() as f64;
    let left_s = budget_s - now_s - opening_s;
    let own_s: f64 = known.lacking_s.values().sum();
    let seconds = known.opening_s + share([own_s, lacking_s], left_s, left, equal_s);
    let doublings = campaign.doublings(point, group);
    let analysed = &analysis.points[point as usize].groups[group as usize];
    // A single start says nothing of starts.
    let is_too_short = analysed.starts > 1
        && analysed.halves.iter().any(|halves| halves.differ_by(HALVES_DIFFER).next().is_some());
    // Late in a campaign too few starts would be left.
    let is_early = 2.0 * left > f64::from(rounds.starts);
    let doublings = doublings + u32::from(is_too_short && is_early && doublings < DOUBLINGS_AT_MOST);
    Effort { seconds, weights: weights(planned, &known.lacking_s), doublings }
}

/// The time for the rounds of a start, in seconds: of a group that lacks `own_s`, of all that is lacking, with `left_s` left for all and so
/// many `starts` to go. An equal share would be `equal_s`.
fn share([own_s, all_s]: [f64; 2], left_s: f64, starts: f64, equal_s: f64) -> f64 {
    let scale = if all_s > 0.0 { (left_s.max(0.0) / all_s).min(1.0) } else { 0.0 };
    (own_s * scale / starts.max(1.0)).clamp(SHARE.start() * equal_s, SHARE.end() * equal_s)
}

/// Half of the weights by what is lacking, half as if nothing were known: else the load that is never known well enough has all of the time.
fn weights(planned: &PlannedPoint, lacking_s: &BTreeMap<Phase, f64>) -> BTreeMap<Phase, f64> {
    let all_s: f64 = lacking_s.values().sum();
    let lacks = |phase: &Phase| if all_s > 0.0 { lacking_s[phase] / all_s } else { 0.0 };
    unknown(planned).map(|(phase, usual)| (phase, usual + lacks(&phase))).collect()
}

/// The loads of a point.
pub fn loads(planned: &PlannedPoint) -> impl Iterator<Item = Phase> {
    unknown(planned).map(|(phase, _)| phase)
}

/// The loads of a point, and their shares as long as nothing is known.
fn unknown(planned: &PlannedPoint) -> impl Iterator<Item = (Phase, f64)> {
    // A rate of the point's own takes the place of both.
    let has_busy = planned.point.rate_per_s.is_none();
    UNKNOWN.into_iter().filter(move |(phase, _)| has_busy || *phase != Phase::Busy)
}

/// What is known of a group at a point.
struct Known {
    /// The time that further rounds of each load would take until its intervals are as narrow as asked, in seconds.
    lacking_s: BTreeMap<Phase, f64>,
    /// The time from the begin of a start to its first round, in seconds.
    opening_s: f64,
}

impl Known {
    fn of(campaign: &Campaign, analysis: &Analysis<'_>, rounds: &Rounds, (point, group): (u32, u32)) -> Self {
        let is_here = |round: &&Round| (round.point, round.group) == (point, group);
        let here: Vec<&Round> = campaign.rounds.iter().filter(is_here).collect();
        let asked = [
            (&THROUGHPUT, rounds.half_widths.throughput),
            (&RESPONSE, rounds.half_widths.response),
            (&CPU, rounds.half_widths.cpu),
        ];
        let analysed = &analysis.points[point as usize].groups[group as usize];
        let mut lacking_s: BTreeMap<Phase, f64> = BTreeMap::new();
        for (metric, asked) in asked {
            let phase = metric.phase.expect("it is of a load");
            let spent_s: f64 = here
                .iter()
                .filter(|round| round.phase == phase)
                .flat_map(|round| &round.slices)
                .map(|slice| slice.window_s * SLICE_IN_WINDOWS)
                .sum();
            // Half the width takes four times the rounds.
            if let Some(width) = analysed.usual_half_width(metric) {
                let lacking = spent_s * ((width / asked).powi(2) - 1.0).max(0.0);
                let known = lacking_s.entry(phase).or_insert(0.0);
                *known = known.max(lacking);
            }
        }
        let planned = &campaign.plan.points[point as usize];
        let rest_s: f64 = lacking_s.values().sum::<f64>() * BUSY / (1.0 - BUSY);
        for (phase, share) in unknown(planned) {
            let unknown_s = share * rounds.point_s / planned.groups.len() as f64;
            lacking_s.entry(phase).or_insert(if phase == Phase::Busy { rest_s } else { unknown_s });
        }
        let first = |start: u32| here.iter().find(|round| round.start == start).map(|round| round.began_s);
        let opening_s = |start: &Start| Some(first(start.start)? - start.began_s);
        Self {
            lacking_s,
            opening_s: campaign.starts_of(point, group).filter_map(opening_s).last().unwrap_or(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_group_whose_intervals_are_narrow_enough_takes_the_least_time() {
        assert_eq!(share([0.0, 50.0], 100.0, 3.0, 5.0), 2.5);
        assert_eq!(share([0.0, 0.0], 0.0, 0.0, 5.0), 2.5);
    }

    #[test]
    fn a_group_takes_what_it_lacks_where_there_is_time_for_all() {
        assert_eq!(share([20.0, 50.0], 100.0, 4.0, 5.0), 5.0);
    }

    #[test]
    fn time_that_is_short_is_divided_by_what_is_lacking() {
        let [one, other] = [share([60.0, 90.0], 45.0, 4.0, 5.0), share([30.0, 90.0], 45.0, 4.0, 5.0)];
        assert_eq!((one, other), (7.5, 3.75));
    }

    #[test]
    fn no_group_takes_all_and_none_that_lacks_something_takes_nothing() {
        assert_eq!(share([1e6, 1e6], 1e6, 1.0, 5.0), 12.5);
        assert_eq!(share([1.0, 1e6], 10.0, 6.0, 5.0), 2.5);
        assert_eq!(share([1.0, 2.0], -5.0, 6.0, 5.0), 2.5);
    }
}
