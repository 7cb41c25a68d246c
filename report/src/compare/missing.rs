//! All that one campaign measured and a later one did not: a gate that passes for it would pass for anything that is left out.

use model::campaign::Campaign;
use model::schema::{Missing, Point, program_of};

use crate::format;
use crate::rounds::{
    Analysis, CandidateAnalysis, GroupAnalysis, METRICS, Metric, Shown, Trouble, distinct, grouped,
};

/// Candidates of which so many lines are printed before all of one candidate become one line.
const LINES_OF_ONE: usize = 4;
/// Points that a line names before it counts them.
const POINTS_OF_A_LINE: usize = 3;

/// A point in a line: `10k × 10 (idle-scaling)`.
pub(super) fn place(point: &Point) -> String {
    let [connections, active] = [point.connections, point.active].map(|count| format::count(count.into()));
    let further = [vec![point.sweep.clone()], format::particulars(point)].concat().join(", ");
    format!("{connections} × {active} ({further})")
}

/// A candidate of which all is missing at a point, for `reason`.
pub(super) fn of(candidate: &str, point: &Point, reason: String) -> Missing {
    let (candidate, point) = (candidate.to_owned(), point.clone());
    Missing { candidate, point, metric: None, other_reference: None, reason }
}

/// The candidates at points that `base` has figures of, and `new` has none of beside the same reference.
pub(super) fn candidates(base: &Analysis<'_>, new: &Analysis<'_>) -> Vec<Missing> {
    let lacking = measured(base).filter_map(|one| {
        let after = new.points.iter().find(|point| point.point == one.point);
        let groups = after.into_iter().flat_map(|point| &point.groups);
        let all = groups.flat_map(|group| group.candidates.iter().map(|found| (reference(group), found)));
        let found: Vec<_> = all.filter(|(_, found)| found.name == one.candidate).collect();
        match (found.iter().find(|(reference, _)| *reference == one.reference), found.first()) {
            (Some((_, found)), _) if has_figures(found) => None,
            // What failed has failed, whatever it was measured beside.
            (Some((_, found)), _) | (None, Some((_, found))) if !has_figures(found) => {
                Some(one.missing(not_measured(new, found)))
            }
            (_, Some((reference, _))) => Some(one.beside(reference)),
            (_, None) => Some(one.missing(left_out(new.campaign, one))),
        }
    });
    lacking.collect()
}

/// The candidates at points that `base` has figures of, and `campaign`, of which nothing is measured yet, will have none of beside the same
/// reference.
pub(super) fn unplanned(base: &Analysis<'_>, campaign: &Campaign) -> Vec<Missing> {
    let lacking = measured(base).filter_map(|one| {
        let points = campaign.plan.points.iter().filter(|planned| planned.point == *one.point);
        let groups = points.flat_map(|planned| &planned.groups);
        let references: Vec<&String> = groups
            .filter(|group| group.iter().any(|name| name == one.candidate))
            .filter_map(|group| group.first())
            .collect();
        match references.first() {
            _ if references.iter().any(|reference| *reference == one.reference) => None,
            Some(reference) => Some(one.beside(reference)),
            None => Some(one.missing(left_out(campaign, one))),
        }
    });
    lacking.collect()
}

/// A candidate that BASE has figures of at a point.
#[derive(Clone, Copy)]
struct Measured<'a> {
    candidate: &'a str,
    reference: &'a str,
    point: &'a Point,
}

impl Measured<'_> {
    /// It, which NEW does not have for `reason`.
    fn missing(self, reason: String) -> Missing {
        of(self.candidate, self.point, reason)
    }

    /// It, which NEW has beside `reference` alone.
    fn beside(self, reference: &str) -> Missing {
        let reason = format!("the reference is {reference} in NEW, and {} in BASE", self.reference);
        Missing { other_reference: Some(reference.to_owned()), ..self.missing(reason) }
    }
}

fn reference<'a>(group: &GroupAnalysis<'a>) -> &'a str {
    group.candidates[group.reference].name
}

fn measured<'a>(base: &'a Analysis<'a>) -> impl Iterator<Item = Measured<'a>> {
    base.points.iter().flat_map(|point| {
        let rows = point.rows().into_iter().filter(|(_, candidate)| has_figures(candidate));
        rows.map(|(group, candidate)| Measured {
            candidate: candidate.name,
            reference: reference(group),
            point: point.point,
        })
    })
}

/// Returns whether anything was measured of a candidate under load.
pub(super) fn has_figures(candidate: &CandidateAnalysis<'_>) -> bool {
    let under_load = METRICS.iter().filter(|metric| metric.phase.is_some());
    under_load.into_iter().any(|metric| candidate.shown(metric) != Shown::Absent)
}

/// The reason for which a candidate is not in the plan of NEW.
fn left_out(new: &Campaign, one: Measured<'_>) -> String {
    let scenario = &new.plan.scenario;
    let has_point = new.plan.points.iter().any(|planned| planned.point == *one.point);
    match scenario.exclusion(one.candidate, one.point) {
        Some(exclude) => format!("left out: {}", exclude.reason.replace('\n', " ")),
        None if !has_point && scenario.candidates().any(|known| known == program_of(one.candidate)) => {
            "NEW does not measure at such a point".to_owned()
        }
        None => "NEW was not asked to measure it".to_owned(),
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
    let key = |one: &Missing| (one.candidate.clone(), one.metric.clone(), one.reason.clone());
    let groups = grouped(missing.iter().map(|one| (key(one), one)));
    let has_many =
        |name: &str| groups.iter().filter(|(_, group)| group[0].candidate == name).count() > LINES_OF_ONE;
    let mut lines = Vec::new();
    for (_, group) in &groups {
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

/// `missing: poll, at 10k × 10 (idle-scaling): it failed in 6 of 6 starts: the server died`. What NEW has beside another reference is not
/// missing, but `not comparable`.
fn line(group: &[&Missing]) -> String {
    let Missing { candidate, metric, reason, other_reference, .. } = group[0];
    let what = if other_reference.is_some() { "not comparable" } else { "missing" };
    let places: Vec<String> = group.iter().take(POINTS_OF_A_LINE).map(|one| place(&one.point)).collect();
    let beyond = group.len().saturating_sub(POINTS_OF_A_LINE);
    let further = format::further(beyond, |more| format!(" and {more} more"));
    let metric = metric.as_deref().and_then(Metric::of_key).map(|metric| format!(", {}", metric.name));
    let metric = metric.unwrap_or_default();
    format!("{what}: {candidate}{metric}, at {}{further}: {reason}", places.join(", "))
}

/// Clauses that say how much is missing: `; NEW measured less than BASE: it lacks io-uring at 7 points, poll at 1 point`, and the same of what has
/// another reference. Empty where nothing is.
pub(super) fn summary(missing: &[Missing]) -> String {
    let (elsewhere, lacking): (Vec<&Missing>, Vec<&Missing>) =
        missing.iter().partition(|one| one.other_reference.is_some());
    let clause = |words: &str, missing: &[&Missing]| match missing {
        [] => String::new(),
        missing => format!("; {words} {}", counted(missing)),
    };
    clause("NEW measured less than BASE: it lacks", &lacking)
        + &clause("NEW has another reference for", &elsewhere)
}

/// `io-uring at 7 points, poll at 1 point`.
fn counted(missing: &[&Missing]) -> String {
    let of_one = |name: &str| {
        let points = distinct(missing.iter().filter(|one| one.candidate == name).map(|one| &one.point));
        format!("{name} at {}", format::plural(points.len(), "point"))
    };
    let names = distinct(missing.iter().map(|one| one.candidate.as_str()));
    names.into_iter().map(of_one).collect::<Vec<_>>().join(", ")
}
