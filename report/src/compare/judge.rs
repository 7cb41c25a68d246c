//! The verdict on a figure's change.

use model::schema::{Compared, ComparedFigure, ComparedRatio, ComparedVerdict, Missing, Point};
use stats::{Interval, Relation};

use super::missing;
use crate::rounds::Shown;
use crate::rounds::analysis::{MARGIN, is_main};
use crate::rounds::metrics::{Better, Metric};
use crate::rounds::table::saturation;

/// Returns whether two campaigns differ in a figure, by the whole interval of its ratio.
pub(super) fn is_difference(compared: &Compared) -> bool {
    matches!(compared.verdict, ComparedVerdict::Better | ComparedVerdict::Worse)
}

/// A figure of a candidate on both sides, and its change between them.
#[derive(Debug, Clone)]
pub(super) struct Change<'a> {
    /// The metric.
    pub metric: &'a Metric,
    /// The figures of BASE and NEW, or what is shown in their place.
    pub shown: [Shown<'a>; 2],
    /// Two flags, of BASE and of NEW: true if it is saturated under the load of the metric.
    pub is_saturated: [bool; 2],
    /// The ratio NEW/BASE, each divided by its reference, so that what moved both campaigns cancels; and its interval.
    pub ratio: Option<(f64, Interval)>,
    /// Two flags: the true ratio may be higher than this one; it may be lower. Set where the generator was full.
    pub may_be: [bool; 2],
    /// True if BASE has all that a comparison takes: NEW is then expected to have it too.
    pub is_expected: bool,
    /// The reason for which the two cannot be compared: they were measured under different conditions.
    pub obstacle: Option<String>,
}

/// A verdict and what else there is to say.
struct Judgement {
    verdict: ComparedVerdict,
    reason: Option<String>,
    /// True if the gate fails by it: it is worse by more than was allowed.
    fails: bool,
    /// True if a gate cannot be decided: NEW lacks what BASE has, or may be worse than allowed.
    is_missing: bool,
}

impl Change<'_> {
    /// Returns the comparison as results have it, none where neither side has the figure; and what makes a gate undecided, if so.
    pub fn judge(
        &self,
        candidate: &str,
        point: &Point,
        fail_above: Option<f64>,
    ) -> (Option<Compared>, Option<Missing>) {
        let Self { metric, ratio, .. } = self;
        let Judgement { verdict, reason, fails, is_missing } = self.judgement(fail_above);
        let [base, new] = self.shown.map(figure);
        let ratio = ratio.map(|(value, Interval { low, high })| ComparedRatio { value, low, high });
        let missing = is_missing.then(|| Missing {
            metric: Some(metric.key.to_owned()),
            ..missing::of(candidate, point, reason.clone().unwrap_or_default())
        });
        let compared = Compared {
            candidate: candidate.to_owned(),
            point: point.clone(),
            metric: metric.key.to_owned(),
            base,
            new,
            ratio,
            drift_cancelled: true,
            verdict,
            reason,
            decides: is_main(metric),
            fails,
        };
        (self.is_shown().then_some(compared), missing)
    }

    /// Returns whether either side has the figure.
    fn is_shown(&self) -> bool {
        self.shown.iter().any(|shown| *shown != Shown::Absent)
    }

    fn judgement(&self, fail_above: Option<f64>) -> Judgement {
        let not_comparable = |reason: &str, is_missing: bool| Judgement {
            verdict: ComparedVerdict::NotComparable,
            reason: Some(reason.to_owned()),
            fails: false,
            is_missing,
        };
        if let Some(obstacle) = &self.obstacle {
            return not_comparable(obstacle, self.is_expected);
        }
        let gates = is_main(self.metric);
        let by_saturation =
            |verdict, reason, fails| Judgement { verdict, reason: Some(reason), fails, is_missing: false };
        match self.shown {
            [Shown::Figure(_), Shown::Saturated(new)] => {
                return by_saturation(ComparedVerdict::Worse, saturation(new), gates && fail_above.is_some());
            }
            [Shown::Saturated(_), Shown::Figure(_)] => {
                return by_saturation(ComparedVerdict::Better, "no longer saturated".to_owned(), false);
            }
            [Shown::Saturated(_), Shown::Saturated(_)] => return not_comparable("saturated in both", false),
            // Costs per request are not comparable where only one side sustained the rate.
            _ if self.is_saturated[0] != self.is_saturated[1] => {
                return not_comparable("saturated in one of the two", false);
            }
            _ => {}
        }
        let Some((_, interval)) = self.ratio else {
            return not_comparable(self.absence(), self.is_expected);
        };
        let verdict = self.verdict(interval);
        let is_beyond = fail_above.is_some_and(|bound| self.metric.is_worse_by(interval, bound));
        let [may_be_higher, may_be_lower] = self.may_be;
        let may_be_reversed = match Relation::of(interval, MARGIN) {
            Relation::Below => may_be_higher,
            Relation::Above => may_be_lower,
            Relation::Equal | Relation::NotDistinguishable => may_be_higher || may_be_lower,
        };
        match may_be_reversed {
            true => not_comparable("the generator was full too", gates && is_beyond),
            false => Judgement { verdict, reason: None, fails: gates && is_beyond, is_missing: false },
        }
    }

    fn verdict(&self, interval: Interval) -> ComparedVerdict {
        match (Relation::of(interval, MARGIN), self.metric.better) {
            (Relation::Below, Better::Lower) | (Relation::Above, Better::Higher) => ComparedVerdict::Better,
            (Relation::Below, Better::Higher) | (Relation::Above, Better::Lower) => ComparedVerdict::Worse,
            (Relation::Equal, _) => ComparedVerdict::Equal,
            (Relation::NotDistinguishable, _) => ComparedVerdict::NotDistinguishable,
        }
    }

    /// The reason for which there is no ratio.
    fn absence(&self) -> &'static str {
        match self.shown {
            [Shown::Absent, _] => "BASE has no value of it",
            [_, Shown::Absent] => "NEW has no value of it",
            _ => "too few starts in which candidate and reference have it",
        }
    }
}

/// The figure as results have it.
pub(super) fn figure(shown: Shown<'_>) -> Option<ComparedFigure> {
    let Shown::Figure(figure) = shown else { return None };
    Some(ComparedFigure {
        value: figure.value,
        low: figure.interval.map(|interval| interval.low),
        high: figure.interval.map(|interval| interval.high),
        is_lower_bound: figure.is_lower_bound,
    })
}
