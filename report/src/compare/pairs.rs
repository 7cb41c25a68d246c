//! The candidates that two campaigns have both measured: beside the same reference, at the same point.

use model::campaign::{Campaign, Phase};
use model::schema::{Compared, ComparedRatio, ComparedVerdict, Missing, Point};
use stats::{Family, Interval, Relation};

use super::judge::{Change, figure};
use crate::format;
use crate::rounds::analysis::MARGIN;
use crate::rounds::metrics::Metric;
use crate::rounds::samples::{Values, family, of_candidate};
use crate::rounds::{Analysis, CandidateAnalysis, GroupAnalysis, Shown};

/// A group of candidates of each campaign, and those that both have.
pub(super) struct Pair<'a> {
    point: &'a Point,
    sides: [Side<'a>; 2],
    /// The names of the candidates that both have, the reference first.
    names: Vec<&'a str>,
}

/// A group of one campaign.
struct Side<'a> {
    campaign: &'a Campaign,
    group: &'a GroupAnalysis<'a>,
}

/// The comparison of a pair's candidates by one metric.
pub(super) struct OfMetric {
    /// A change for each candidate that has it.
    pub candidates: Vec<Compared>,
    /// The figures that leave a gate undecided: NEW lacks them, or they may be worse than allowed.
    pub missing: Vec<Missing>,
    /// True if the twin of the reference was found to have changed; `None` where that cannot be decided.
    pub twin: Option<bool>,
}

/// The pairs of two campaigns, in the order of NEW.
pub(super) fn of<'a>(base: &'a Analysis<'a>, new: &'a Analysis<'a>) -> Vec<Pair<'a>> {
    let side = |of: &Analysis<'a>, group: &'a GroupAnalysis<'a>| Side { campaign: of.campaign, group };
    let mut pairs = Vec::new();
    for point in &new.points {
        let Some(before) = base.points.iter().find(|other| other.point == point.point) else { continue };
        for group in &point.groups {
            let sides = before.groups.iter().map(|earlier| [side(base, earlier), side(new, group)]);
            pairs.extend(sides.filter_map(|sides| Pair::of(point.point, sides)));
        }
    }
    pairs
}

impl<'a> Side<'a> {
    fn candidate(&self, name: &str) -> &'a CandidateAnalysis<'a> {
        let found = self.group.candidates.iter().find(|candidate| candidate.name == name);
        found.expect("both sides have it")
    }

    /// The names of its candidates, the reference first.
    fn names(&self) -> Vec<&'a str> {
        self.group.candidates.iter().map(|candidate| candidate.name).collect()
    }

    /// The values of `names` in this order, of those that have a figure.
    fn values(&self, metric: &Metric, names: &[&str]) -> Values {
        let place = |name: &&str| {
            let is_it = |one: &CandidateAnalysis<'_>| one.name == *name;
            let at = self.group.candidates.iter().position(is_it)?;
            matches!(self.group.candidates[at].shown(metric), Shown::Figure(_)).then_some(at)
        };
        let places: Vec<Option<usize>> = names.iter().map(place).collect();
        let mut values = self.group.samples.values_of(metric);
        for round in values.iter_mut().flatten() {
            *round = places.iter().map(|place| round[(*place)?]).collect();
        }
        values
    }

    /// The load that a metric is measured under, as far as it is not in the point.
    fn load(&self, point: &Point, metric: &Metric) -> [(&'static str, String); 4] {
        let scenario = &self.campaign.plan.scenario;
        let rate = self.group.light_per_s.filter(|_| metric.phase == Some(Phase::Light));
        let share = (metric.phase == Some(Phase::Busy)).then_some(scenario.rounds.busy_share);
        [
            ("protocol", format!("{:?}", scenario.load.protocol).to_lowercase()),
            ("size", format!("{} B", point.size_bytes.unwrap_or(scenario.load.size_bytes))),
            (
                "rate",
                rate.map(|rate| format!("{} requests/s", format::nominal_rate(rate))).unwrap_or_default(),
            ),
            ("busy share", share.map(format::percent).unwrap_or_default()),
        ]
    }
}

impl<'a> Pair<'a> {
    fn of(point: &'a Point, sides: [Side<'a>; 2]) -> Option<Self> {
        let [base, new] = &sides;
        let [before, mut names] = [base, new].map(Side::names);
        let is_pair = names[0] == before[0] && base.group.starts > 0 && new.group.starts > 0;
        names.retain(|name| before.contains(name));
        // Two groups of the reference alone, or of which nothing else is the same, are one pair at most.
        let is_alone =
            |side: &Side<'_>| side.group.candidates.len() <= 1 + usize::from(side.group.twin.is_some());
        let has_candidates = names.iter().any(|name| !is_twin_or_reference(new.group, name));
        let is_whole = is_pair && (has_candidates || (is_alone(base) && is_alone(new)));
        is_whole.then_some(Self { point, names, sides })
    }

    /// The point and the name of the reference.
    pub fn reference(&self) -> (&Point, &str) {
        (self.point, self.names[0])
    }

    /// Compares all candidates but the reference by a metric.
    pub fn compare(&self, metric: &Metric, fail_above: Option<f64>) -> OfMetric {
        let mut of_metric = OfMetric { candidates: Vec::new(), missing: Vec::new(), twin: None };
        if !metric.has_ratio() {
            return of_metric;
        }
        let [base, new] = &self.sides;
        let families = [base, new].map(|side| family(&side.values(metric, &self.names), 0));
        let ratios = match &families {
            [Some(base), Some(new)] => Family::against(new, base).unwrap_or_default(),
            _ => Vec::new(),
        };
        let obstacle = self.other_load(metric);
        for (at, name) in self.names.iter().enumerate().skip(1) {
            let ratio = ratios.get(at).copied().flatten().map(|ratio| (ratio.ratio, ratio.simultaneous));
            if is_twin_or_reference(new.group, name) {
                let relation = ratio.map(|(_, interval)| Relation::of(interval, MARGIN));
                of_metric.twin =
                    relation.map(|relation| matches!(relation, Relation::Below | Relation::Above));
                continue;
            }
            let candidates = self.sides.each_ref().map(|side| side.candidate(name));
            let is_full = |side: usize, name: &str| self.sides[side].candidate(name).is_bounded(metric);
            let reference = self.names[0];
            let change = Change {
                metric,
                shown: candidates.map(|candidate| candidate.shown(metric)),
                is_saturated: candidates.map(|candidate| candidate.saturation(metric.phase).is_some()),
                ratio,
                may_be: [
                    is_full(1, name) || is_full(0, reference),
                    is_full(0, name) || is_full(1, reference),
                ],
                is_expected: candidates[0].comparison(metric).is_some(),
                obstacle: obstacle.clone(),
            };
            let (compared, missing) = change.judge(name, self.point, fail_above);
            of_metric.candidates.extend(compared);
            of_metric.missing.extend(missing);
        }
        of_metric
    }

    /// The change of the reference's level, which includes any change of the host.
    pub fn compare_reference(&self, metric: &Metric) -> Option<Compared> {
        let name = self.names[0];
        let [base, new] = self.sides.each_ref().map(|side| side.candidate(name).shown(metric));
        let values = self.sides.each_ref().map(|side| of_candidate(&side.values(metric, &[name]), 0));
        let change = stats::change(&values[1], &values[0]).ok().filter(|_| metric.has_ratio());
        let Interval { low, high } = change?.pointwise;
        let ratio = ComparedRatio { value: change?.ratio, low, high };
        Some(Compared {
            candidate: name.to_owned(),
            point: self.point.clone(),
            metric: metric.key.to_owned(),
            base: figure(base),
            new: figure(new),
            ratio: Some(ratio),
            drift_cancelled: false,
            verdict: ComparedVerdict::NotComparable,
            reason: Some("what the host did is not cancelled".to_owned()),
            decides: false,
            fails: false,
        })
    }

    /// The difference between the loads that the two were measured under.
    fn other_load(&self, metric: &Metric) -> Option<String> {
        let [base, new] = self.sides.each_ref().map(|side| side.load(self.point, metric));
        let differs = |((what, there), (_, here)): ((&str, String), (&str, String))| {
            (there != here).then(|| format!("other {what}: BASE {there}, NEW {here}"))
        };
        base.into_iter().zip(new).find_map(differs)
    }
}

fn is_twin_or_reference(group: &GroupAnalysis<'_>, name: &str) -> bool {
    [Some(group.reference), group.twin].into_iter().flatten().any(|at| group.candidates[at].name == name)
}
