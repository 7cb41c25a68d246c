//! All that one campaign measured and a later one did not: a gate that passes for it would pass for anything that is left out.

use model::campaign::Campaign;
use model::schema::{Missing, Point, program_of};

use super::place;
use crate::format;
use crate::rounds::{
    Analysis, CandidateAnalysis, GroupAnalysis, METRICS, Metric, PointAnalysis, Shown, Trouble,
};

/// Candidates of which so many lines are printed before all of one candidate become one line.
const LINES_OF_ONE: usize = 4;
/// Points that a line names before it counts them.
const POINTS_OF_A_LINE: usize = 3;

/// The candidates at points that `base` has figures of, and `new` has none of beside the same reference.
pub(super) fn candidates(base: &Analysis<'_>, new: &Analysis<'_>) -> Vec<Missing> {
    let mut missing = Vec::new();
    for before in &base.points {
        let after = new.points.iter().find(|point| point.point == before.point);
        for (group, candidate) in before.rows().into_iter().filter(|(_, candidate)| has_figures(candidate)) {
            let reference = group.candidates[group.reference].name;
            missing.extend(reason(new, after, before.point, candidate.name, reference).map(|reason| {
                Missing {
                    candidate: candidate.name.to_owned(),
                    point: before.point.clone(),
                    metric: None,
                    reason,
                }
            }));
        }
    }
    missing
}

/// Returns whether `campaign` sets out to measure what is missing.
pub(super) fn is_planned(campaign: &Campaign, one: &Missing) -> bool {
    let points = campaign.plan.points.iter().filter(|planned| planned.point == one.point);
    points.flat_map(|planned| planned.groups.iter().flatten()).any(|name| *name == one.candidate)
}

/// Returns whether anything was measured of a candidate under load.
pub(super) fn has_figures(candidate: &CandidateAnalysis<'_>) -> bool {
    let under_load = METRICS.iter().filter(|metric| metric.phase.is_some());
    under_load.into_iter().any(|metric| candidate.shown(metric) != Shown::Absent)
}

/// The reason for which `new` has no figures of a candidate beside `reference` at a point, where that is so.
fn reason(
    new: &Analysis<'_>,
    after: Option<&PointAnalysis<'_>>,
    point: &Point,
    candidate: &str,
    reference: &str,
) -> Option<String> {
    let scenario = &new.campaign.plan.scenario;
    let groups = after.into_iter().flat_map(|point| &point.groups);
    let found =
        groups.filter_map(|group| Some((group, group.candidates.iter().find(|one| one.name == candidate)?)));
    let found: Vec<_> = found.collect();
    let beside = |(group, _): &&(&GroupAnalysis<'_>, _)| group.candidates[group.reference].name == reference;
    match (found.iter().find(beside), found.first()) {
        (Some((_, found)), _) if has_figures(found) => None,
        (Some((_, found)), _) => Some(not_measured(new, found)),
        (None, Some((group, _))) => Some(format!(
            "NEW compares it with {}, and BASE with {reference}",
            group.candidates[group.reference].name
        )),
        (None, None) => Some(match scenario.exclusion(candidate, point) {
            Some(exclude) => format!("left out: {}", exclude.reason.replace('\n', " ")),
            None if after.is_none() && scenario.candidates().any(|known| known == program_of(candidate)) => {
                "NEW does not measure at such a point".to_owned()
            }
            None => "NEW was not asked to measure it".to_owned(),
        }),
    }
}

/// The reason for which a candidate that was planned has no figures.
pub(super) fn not_measured(analysis: &Analysis<'_>, candidate: &CandidateAnalysis<'_>) -> String {
    let failed = candidate.troubles.iter().find_map(|trouble| match trouble {
        Trouble::Failed { starts, of, why } => Some((starts, of, why)),
        _ => None,
    });
    match (failed, analysis.dropped.reasons.first()) {
        (Some((starts, of, why)), _) => {
            format!("it failed in {starts} of {}: {}", format::plural(*of, "start"), why.replace('\n', " "))
        }
        (None, _) if !analysis.campaign.complete => "the run was interrupted before it".to_owned(),
        (None, Some((why, _))) => format!("no round of it counts: {why}"),
        (None, None) => "there is no round of it".to_owned(),
    }
}

/// A line for each thing that is missing; what has the same reason is one, and so is a candidate that would have many lines.
pub(super) fn lines(missing: &[Missing]) -> Vec<String> {
    let mut groups: Vec<Vec<&Missing>> = Vec::new();
    let key = |one: &Missing| (one.candidate.clone(), one.metric.clone(), one.reason.clone());
    for one in missing {
        match groups.iter_mut().find(|group| key(group[0]) == key(one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let has_many =
        |name: &str| groups.iter().filter(|group| group[0].candidate == name).count() > LINES_OF_ONE;
    let mut lines = Vec::new();
    for group in &groups {
        let name = group[0].candidate.as_str();
        if !has_many(name) {
            lines.push(line(group));
        } else if missing.iter().find(|one| one.candidate == name) == Some(group[0]) {
            let all = missing.iter().filter(|one| one.candidate == name).count();
            lines.push(format!("{}, and {} more of {name}", line(&group[..1]), all - 1));
        }
    }
    lines
}

/// `missing: poll, at 10k × 10 (idle-scaling): it failed in 6 of 6 starts: the server died`.
fn line(group: &[&Missing]) -> String {
    let Missing { candidate, metric, reason, .. } = group[0];
    let places: Vec<String> = group.iter().take(POINTS_OF_A_LINE).map(|one| place(&one.point)).collect();
    let further = match group.len().saturating_sub(POINTS_OF_A_LINE) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let metric = metric.as_deref().and_then(Metric::of_key).map(|metric| format!(", {}", metric.name));
    let metric = metric.unwrap_or_default();
    format!("missing: {candidate}{metric}, at {}{further}: {reason}", places.join(", "))
}

/// A clause that says how much is missing: `io-uring at 7 points, poll at 1 point`.
pub(super) fn summary(missing: &[Missing]) -> String {
    let mut candidates: Vec<&str> = Vec::new();
    for one in missing {
        if !candidates.contains(&one.candidate.as_str()) {
            candidates.push(&one.candidate);
        }
    }
    let of_one = |name: &&str| {
        let mut points: Vec<&Point> = Vec::new();
        for one in missing.iter().filter(|one| one.candidate == **name) {
            if !points.contains(&&one.point) {
                points.push(&one.point);
            }
        }
        format!("{name} at {}", format::plural(points.len(), "point"))
    };
    candidates.iter().map(of_one).collect::<Vec<_>>().join(", ")
}
