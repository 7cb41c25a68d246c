//! What two campaigns have both measured: the same candidates beside the same reference at the same point.

use model::campaign::{Campaign, Histograms, Phase};
use model::schema::{Compared, ComparedRatio, ComparedVerdict, Missing, Point};
use stats::{Family, Interval, Relation};

use super::judge::{Change, figure};
use crate::format;
use crate::rounds::analysis::{MARGIN, family};
use crate::rounds::metrics::Metric;
use crate::rounds::samples::{Samples, Values, of_candidate};
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
    samples: Samples<'a>,
    analysis: &'a GroupAnalysis<'a>,
}

/// What a metric says of the candidates of a pair.
pub(super) struct OfMetric {
    /// A change for each candidate that has it.
    pub candidates: Vec<Compared>,
    /// What NEW lacks.
    pub missing: Vec<Missing>,
    /// Whether the twin of the reference was found to have changed; absent where it cannot be told.
    pub twin: Option<bool>,
}

/// The pairs of two campaigns, in the order of NEW.
pub(super) fn of<'a>(
    base: (&'a Analysis<'a>, &'a Histograms),
    new: (&'a Analysis<'a>, &'a Histograms),
) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    for (at, point) in new.0.points.iter().enumerate() {
        let Some(before) = base.0.points.iter().position(|other| other.point == point.point) else {
            continue;
        };
        for group in 0..point.groups.len() {
            let earlier = 0..base.0.points[before].groups.len();
            pairs.extend(earlier.filter_map(|other| {
                let sides = [Side::of(base, before, other)?, Side::of(new, at, group)?];
                Pair::of(point.point, sides)
            }));
        }
    }
    pairs
}

impl<'a> Side<'a> {
    fn of(
        (analysis, histograms): (&'a Analysis<'a>, &'a Histograms),
        point: usize,
        group: usize,
    ) -> Option<Self> {
        let campaign = analysis.campaign;
        let samples = Samples::of(campaign, histograms, point, group)?;
        Some(Self { campaign, samples, analysis: analysis.points.get(point)?.groups.get(group)? })
    }

    /// Returns whether any round of it counts.
    fn counts(&self) -> bool {
        self.samples.measured_starts() > 0
    }

    fn candidate(&self, name: &str) -> &'a CandidateAnalysis<'a> {
        let found = self.analysis.candidates.iter().find(|candidate| candidate.name == name);
        found.expect("both sides have it")
    }

    /// The values of `names` in this order, of those that have a figure.
    fn values(&self, metric: &Metric, names: &[&str]) -> Values {
        let place = |name: &&str| {
            let is_shown = matches!(self.candidate(name).shown(metric), Shown::Figure(_));
            self.samples.candidates.iter().position(|one| one == name).filter(|_| is_shown)
        };
        let places: Vec<Option<usize>> = names.iter().map(place).collect();
        let mut values = self.samples.values_of(metric);
        for round in values.iter_mut().flatten() {
            *round = places.iter().map(|place| round[(*place)?]).collect();
        }
        values
    }

    /// The load that a metric is measured under, as far as it is not in the point.
    fn load(&self, point: &Point, metric: &Metric) -> [(&'static str, String); 4] {
        let scenario = &self.campaign.plan.scenario;
        let rate = self.analysis.light_per_s.filter(|_| metric.phase == Some(Phase::Light));
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
        let reference = base.samples.candidates[0];
        let mut names = new.samples.candidates.clone();
        names.retain(|name| base.samples.candidates.contains(name));
        let is_pair = new.samples.candidates[0] == reference && base.counts() && new.counts();
        // Two groups of the reference alone, or of which nothing else is the same, are one pair at most.
        let is_alone = |side: &Side<'_>| side.samples.len() <= 1 + usize::from(side.samples.twin.is_some());
        let has_candidates = names.iter().any(|name| !is_twin_or_reference(&new.samples, name));
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
            if is_twin_or_reference(&new.samples, name) {
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

    /// What became of the level of the reference, with all that became of the host.
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

fn is_twin_or_reference(samples: &Samples<'_>, name: &str) -> bool {
    let at = samples.candidates.iter().position(|one| *one == name);
    at == Some(samples.reference) || (at.is_some() && at == samples.twin)
}
