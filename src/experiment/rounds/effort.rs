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
/// The bounds of the time for the rounds of a start, as multiples of the average of its group: what is known after few
/// starts is no more than a hint. All starts weigh alike in an interval, so none is made of a round or two.
const SHARE: std::ops::RangeInclusive<f64> = 0.5..=2.5;

/// The time of a start.
#[derive(Debug, Clone, PartialEq)]
pub struct Effort {
    /// The time from before its servers start until after its last round, in seconds.
    pub seconds: f64,
    /// The weights by which the loads share it.
    pub weights: BTreeMap<Phase, f64>,
    /// The number of times that its slices are doubled.
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
    let mut others = Left::default();
    for (number, planned) in (0..).zip(&campaign.plan.points) {
        for other in (0..planned.groups.len() as u32).filter(|other| (number, *other) != (point, group)) {
            let starts = f64::from(rounds.starts.saturating_sub(starts_made(campaign, number, other)));
            let known = Known::of(campaign, &analysis, rounds, (number, other));
            let equal_s = rounds.point_s / f64::from(rounds.starts) / planned.groups.len() as f64;
            others.add(&Left::of(&known, starts, equal_s));
        }
    }
    let budget_s = rounds.point_s * campaign.plan.points.len() as f64;
    let mut known = Known::of(campaign, &analysis, rounds, (point, group));
    let mut starts = f64::from(rounds.starts.saturating_sub(starts_made(campaign, point, group)));
    let mut doublings = campaign.doublings(point, group);
    let anew = known.anew();
    let all_starts = f64::from(rounds.starts);
    let least_s = others.least_s + Left::of(&anew, all_starts, equal_s).least_s;
    if is_too_short(campaign, &analysis, (point, group)) && least_s <= budget_s - now_s {
        // What was measured in shorter slices is part of no interval: the starts begin anew.
        (known, starts, doublings) = (anew, all_starts, doublings + 1);
    }
    let own = Left::of(&known, starts, equal_s);
    let left_s = budget_s - now_s - others.opening_s - own.opening_s;
    let lacking_s = [own.lacking_s, own.lacking_s + others.lacking_s];
    let seconds = known.opening_s + share(lacking_s, left_s, starts, equal_s);
    Effort { seconds, weights: weights(planned, &known.lacking_s), doublings }
}

/// Returns whether slices are to be doubled because their halves differ.
fn is_too_short(campaign: &Campaign, analysis: &Analysis<'_>, (point, group): (u32, u32)) -> bool {
    let doublings = campaign.doublings(point, group);
    let analysed = &analysis.points[point as usize].groups[group as usize];
    // A single start says nothing of starts, and those of shorter slices say nothing of these.
    doublings < DOUBLINGS_AT_MOST
        && doublings == campaign.doublings_that_count(point, group)
        && analysed.starts > 1
        && analysed.halves.iter().any(|halves| halves.differ_by(HALVES_DIFFER).next().is_some())
}

/// The work that is left in a campaign, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Left {
    /// Rounds until all intervals are as narrow as asked.
    lacking_s: f64,
    /// Opening.
    opening_s: f64,
    /// The least time that the starts to come take, opening included.
    least_s: f64,
}

impl Left {
    /// Returns the work that is left for a group with `starts` starts to go, of which each has `equal_s` on average.
    fn of(known: &Known, starts: f64, equal_s: f64) -> Self {
        let lacking_s = if starts > 0.0 { known.lacking_s.values().sum() } else { 0.0 };
        let opening_s = starts * known.opening_s;
        Self { lacking_s, opening_s, least_s: opening_s + starts * SHARE.start() * equal_s }
    }

    fn add(&mut self, other: &Self) {
        self.lacking_s += other.lacking_s;
        self.opening_s += other.opening_s;
        self.least_s += other.least_s;
    }
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

/// The times of a group at a point, as far as they are known.
#[derive(Debug, Clone)]
struct Known {
    /// The time that further rounds of each load would take until its intervals are as narrow as asked, in seconds.
    lacking_s: BTreeMap<Phase, f64>,
    /// The time that those took which are known, in seconds.
    spent_s: BTreeMap<Phase, f64>,
    /// The time from the begin of a start to its first round, in seconds.
    opening_s: f64,
}

impl Known {
    fn of(campaign: &Campaign, analysis: &Analysis<'_>, rounds: &Rounds, (point, group): (u32, u32)) -> Self {
        let beside = campaign.starts_beside(point, group);
        let is_here =
            |round: &&Round| (round.point, round.group) == (point, group) && !beside.contains(&round.start);
        let here: Vec<&Round> = campaign.rounds.iter().filter(is_here).collect();
        let asked = [
            (&THROUGHPUT, rounds.half_widths.throughput),
            (&RESPONSE, rounds.half_widths.response),
            (&CPU, rounds.half_widths.cpu),
        ];
        let analysed = &analysis.points[point as usize].groups[group as usize];
        let mut lacking_s: BTreeMap<Phase, f64> = BTreeMap::new();
        let mut all_spent_s: BTreeMap<Phase, f64> = BTreeMap::new();
        for (metric, asked) in asked {
            let phase = metric.phase.expect("it is of a load");
            let spent_s: f64 = here
                .iter()
                .filter(|round| round.phase == phase)
                .flat_map(|round| &round.slices)
                .map(|slice| slice.window_s * SLICE_IN_WINDOWS)
                .sum();
            all_spent_s.insert(phase, spent_s);
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
            spent_s: all_spent_s,
            opening_s: campaign.starts_that_count(point, group).filter_map(opening_s).last().unwrap_or(0.0),
        }
    }

    /// The same, had none of its rounds been made.
    fn anew(&self) -> Self {
        let spent_s = |phase: &Phase| self.spent_s.get(phase).copied().unwrap_or(0.0);
        let lacking_s = self.lacking_s.iter().map(|(phase, lacking_s)| (*phase, lacking_s + spent_s(phase)));
        Self { lacking_s: lacking_s.collect(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::rounds::testing::{Behaviour, Shape};

    /// The first starts of six, in which the second halves of one candidate's slices have less done than the first ones.
    fn tiring(starts: u32) -> Campaign {
        let mut campaign = Shape::of(&["poll"]).campaign(|_, _| Behaviour::default());
        campaign.starts.truncate(starts as usize);
        campaign.rounds.retain(|round| round.start < starts);
        let slices = campaign.rounds.iter_mut().flat_map(|round| &mut round.slices);
        slices
            .filter(|slice| slice.candidate == "poll")
            .for_each(|slice| slice.answered_first = slice.answered * 6 / 10);
        campaign
    }

    fn effort(campaign: &Campaign, now_s: f64) -> Effort {
        of_next_start(campaign, &campaign.plan.scenario.rounds, 0, 0, now_s)
    }

    #[test]
    fn where_halves_differ_the_starts_begin_anew_within_the_time_that_is_left() {
        let mut campaign = tiring(2);
        let Rounds { point_s, starts, .. } = campaign.plan.scenario.rounds;
        let now_s = point_s / 3.0;
        let next = effort(&campaign, now_s);
        assert_eq!(next.doublings, 1);
        assert!(next.seconds * f64::from(starts) <= point_s - now_s + 1e-9, "{next:?}");
        // With longer slices none has been made yet, and one start of them tells nothing of their halves.
        let mut of_twice = campaign.starts[1].clone();
        (of_twice.start, of_twice.doublings) = (2, 1);
        let rounds: Vec<Round> = campaign.rounds.iter().filter(|round| round.start == 1).cloned().collect();
        campaign.rounds.extend(rounds.into_iter().map(|round| Round { start: 2, ..round }));
        campaign.starts.push(of_twice);
        assert_eq!(starts_made(&campaign, 0, 0), 1);
        assert_eq!(effort(&campaign, now_s + next.seconds).doublings, 1);
    }

    #[test]
    fn nothing_is_begun_anew_that_the_time_does_not_allow_for() {
        let campaign = tiring(4);
        let point_s = campaign.plan.scenario.rounds.point_s;
        assert_eq!(effort(&campaign, point_s * 0.45).doublings, 1);
        assert_eq!(
            effort(&campaign, point_s * 0.6).doublings,
            0,
            "six starts of half their usual time are too many"
        );
    }

    #[test]
    fn halves_that_agree_keep_slices_as_they_are() {
        let mut campaign = tiring(2);
        let slices = campaign.rounds.iter_mut().flat_map(|round| &mut round.slices);
        slices.for_each(|slice| slice.answered_first = slice.answered / 2);
        assert_eq!(effort(&campaign, 0.0).doublings, 0);
    }

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
