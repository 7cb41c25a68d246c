//! The outcome of a gate.

use model::schema::{Compared, ComparedVerdict, Missing};

use super::judge::Change;
use super::{missing, page};
use crate::rounds::analysis::MAIN;
use crate::rounds::{Analysis, CandidateAnalysis, Metric, distinct};

/// The outcome of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing is worse than allowed, or nothing was to be.
    Passed,
    /// Something is.
    Worse,
    /// That cannot be said.
    Undecided,
}

impl Gate {
    /// The outcome of what was compared, with nothing allowed to be worse by more than `fail_above`.
    pub fn of(fail_above: Option<f64>, comparisons: &[Compared], missing: &[Missing]) -> Self {
        let decides =
            comparisons.iter().any(|one| one.decides && one.verdict != ComparedVerdict::NotComparable);
        match fail_above {
            None => Self::Passed,
            Some(_) if comparisons.iter().any(|one| one.fails) => Self::Worse,
            Some(_) if !missing.is_empty() || !decides || !undecided(comparisons).is_empty() => {
                Self::Undecided
            }
            Some(_) => Self::Passed,
        }
    }
}

/// The candidates of which none of the figures that decide came to a verdict: nothing can be said of them.
pub fn undecided(comparisons: &[Compared]) -> Vec<&str> {
    let decides = || comparisons.iter().filter(|one| one.decides);
    let is_decided = |name: &str| {
        decides().any(|one| one.candidate == name && one.verdict != ComparedVerdict::NotComparable)
    };
    distinct(decides().map(|one| one.candidate.as_str()).filter(|name| !is_decided(name)))
}

/// The outcome of a campaign in which each candidate was measured beside that of another build, its reference: whether it is worse than that by
/// more than `most`, and a line for each figure that is, or cannot be told.
pub fn against(analysis: &Analysis<'_>, most: f64) -> (Gate, Vec<String>) {
    let (mut comparisons, mut missing) = (Vec::new(), Vec::new());
    let groups =
        analysis.points.iter().flat_map(|point| point.groups.iter().map(move |group| (point.point, group)));
    for (point, group) in groups {
        let base = &group.candidates[group.reference];
        let others =
            (0..group.candidates.len()).filter(|at| *at != group.reference && Some(*at) != group.twin);
        for candidate in others.map(|at| &group.candidates[at]) {
            if let Some(side) = [base, candidate].into_iter().find(|side| !missing::has_figures(side)) {
                missing.push(missing::of(side.name, point, missing::not_measured(analysis, side)));
                continue;
            }
            for change in MAIN.map(|metric| beside(base, candidate, metric)) {
                let (compared, lacking) = change.judge(candidate.name, point, Some(most));
                comparisons.extend(compared);
                missing.extend(lacking);
            }
        }
    }
    let worse = comparisons.iter().filter(|one| one.fails).map(page::line);
    (Gate::of(Some(most), &comparisons, &missing), worse.chain(missing::lines(&missing)).collect())
}

/// The change of a figure from the base, which was measured in the same rounds.
fn beside<'a>(
    base: &'a CandidateAnalysis<'a>,
    candidate: &'a CandidateAnalysis<'a>,
    metric: &'a Metric,
) -> Change<'a> {
    let sides = [base, candidate];
    let [base_is_full, new_is_full] = sides.map(|side| side.is_bounded(metric));
    Change {
        metric,
        shown: sides.map(|side| side.shown(metric)),
        is_saturated: sides.map(|side| side.saturation(metric.phase).is_some()),
        ratio: candidate.comparison(metric).map(|one| (one.ratio, one.interval)),
        may_be: [new_is_full, base_is_full],
        is_expected: true,
        obstacle: None,
    }
}
