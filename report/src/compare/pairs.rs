//! What two campaigns have both measured, and what each figure of it says.

use crate::figure;
use std::collections::BTreeSet;

use super::{Options, place};
use crate::cells;
use crate::format;
use crate::statistics::{REPEATS_FOR_INTERVAL, Ratio, Verdict};
use model::schema::{
    Campaign, Cell, Compared, ComparedRatio, ComparedSide, ComparedVerdict, MainFigure, Missing, Point,
};

/// What two campaigns have in common.
pub(super) struct Pairs<'a> {
    pub(super) base: &'a Campaign,
    pub(super) new: &'a Campaign,
    /// The contenders at the points that BASE planned.
    pub(super) of_base: Vec<(String, Point)>,
    /// The contenders at the points that both planned, in the order of NEW.
    pub(super) both: Vec<(String, Point)>,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(base: &'a Campaign, new: &'a Campaign) -> Self {
        let of_base = planned(base);
        let both = planned(new).into_iter().filter(|pair| of_base.contains(pair)).collect();
        Self { base, new, of_base, both }
    }

    /// The reason for which `yardstick` cannot be one. With a gate it is enough that BASE has it: what cannot be divided by it is then missing.
    pub(super) fn lacks(&self, yardstick: &str, options: &Options) -> Option<String> {
        let pairs = if options.fail_above.is_some() { &self.of_base } else { &self.both };
        let is_there = pairs.iter().any(|(contender, _)| contender == yardstick);
        (!is_there).then(|| {
            let names: BTreeSet<&str> = self.both.iter().map(|(contender, _)| contender.as_str()).collect();
            let names = format::and(&names.into_iter().collect::<Vec<_>>());
            let names = if names.is_empty() { "none".to_owned() } else { names };
            format!("--relative-to {yardstick}: not a contender of both campaigns, which have {names}")
        })
    }

    /// The contenders and points that NEW alone planned.
    pub(super) fn not_paired(&self) -> Vec<String> {
        let pairs = planned(self.new).into_iter().filter(|pair| !self.both.contains(pair));
        pairs.map(|(contender, point)| format!("{contender} at {}: only in NEW", place(&point))).collect()
    }

    /// Compares one figure, and says why NEW lacks it where BASE has it.
    pub(super) fn compare(
        &self,
        contender: &str,
        point: &Point,
        figure: MainFigure,
        options: &Options,
    ) -> (Compared, Option<Missing>) {
        let [base, new] = [self.base, self.new].map(|campaign| Side::of(campaign, contender, point));
        let [base_values, new_values] =
            [&base, &new].map(|side| side.values(figure, options.relative_to.as_deref()));
        let ratio = Ratio::of_independent(&new_values, &base_values);
        let [base, new] = [base.summary(figure), new.summary(figure)];
        let other_load = self.other_load(point, figure);
        let lacks = base.and_then(|_| {
            other_load.clone().or_else(|| lacks(options.relative_to.as_deref(), &base_values, &new_values))
        });
        let obstacle =
            other_load.or_else(|| self.unsteady_yardstick(options.relative_to.as_deref()?, point, figure));
        let known = match (obstacle, ratio) {
            (Some(reason), _) => Err(reason),
            (None, None) => Err(absence(base.as_ref(), new.as_ref()).to_owned()),
            (None, Some(ratio)) => verdict(ratio, figure, [base, new]).map_err(str::to_owned),
        };
        let (verdict, reason) = match known {
            Ok(verdict) => (verdict, None),
            Err(reason) => (ComparedVerdict::NotComparable, Some(reason)),
        };
        let ratio = ratio.and_then(|ratio| ratio.summary.interval).map(|interval| ComparedRatio {
            value: interval.median,
            low: interval.low,
            high: interval.high,
        });
        let beyond =
            |ratio: ComparedRatio| options.fail_above.is_some_and(|most| is_beyond(ratio, figure, most));
        let is_beyond = ratio.is_some_and(beyond);
        let fails = verdict == ComparedVerdict::Worse && is_beyond;
        let is_exact = |side: Option<ComparedSide>| side.is_some_and(|side| !side.lower_bound);
        let is_bound_beyond = is_beyond && verdict == ComparedVerdict::NotComparable;
        let lacks = lacks.or_else(|| {
            let cannot_tell = is_bound_beyond && is_exact(base) && !is_exact(new);
            cannot_tell.then(|| "only a lower bound, and that is worse than allowed".to_owned())
        });
        let (contender, point) = (contender.to_owned(), point.clone());
        let missing = lacks.map(|reason| Missing {
            contender: contender.clone(),
            point: point.clone(),
            figure: Some(figure),
            reason,
        });
        (Compared { contender, point, figure, base, new, ratio, verdict, reason, fails }, missing)
    }

    /// How the load differs that `figure` was measured under at a point that is the same by its numbers.
    fn other_load(&self, point: &Point, figure: MainFigure) -> Option<String> {
        let load = |campaign: &Campaign| {
            let load = &campaign.plan.scenario.load;
            let protocol = format!("{:?}", load.protocol).to_lowercase();
            let size = format!("{} B", point.size_bytes.unwrap_or(load.size_bytes));
            let rate = point.rate_per_s.map_or(load.rate_per_s, f64::from);
            let rate = format!("{} requests/s", format::nominal_rate(rate));
            [("protocol", protocol), ("size", size), ("rate", rate)]
        };
        load(self.base).into_iter().zip(load(self.new)).find_map(|((what, there), (_, here))| {
            let matters = what != "rate" || figure.depends_on_rate();
            (matters && there != here).then(|| format!("other {what}: BASE {there}, NEW {here}"))
        })
    }

    /// Why a figure cannot be relative to that of `yardstick`: a bound divided by a bound says nothing.
    fn unsteady_yardstick(&self, yardstick: &str, point: &Point, figure: MainFigure) -> Option<String> {
        let is_bound = |campaign| {
            Side::of(campaign, yardstick, point).summary(figure).is_some_and(|summary| summary.lower_bound)
        };
        [self.base, self.new]
            .into_iter()
            .any(is_bound)
            .then(|| format!("of {yardstick}, to which it is relative, only a lower bound is known"))
    }
}

/// Every contender at every point that a campaign planned to measure it at.
fn planned(campaign: &Campaign) -> Vec<(String, Point)> {
    let scenario = &campaign.plan.scenario;
    let at = |point: &Point| -> Vec<(String, Point)> {
        let measured =
            scenario.contenders().filter(|contender| scenario.exclusion(contender, point).is_none());
        measured.map(|contender| (contender.to_owned(), point.clone())).collect()
    };
    campaign.plan.points.iter().flat_map(at).collect()
}

/// The reason for which a figure cannot be compared where NEW has too few values of it and BASE has enough.
fn lacks(yardstick: Option<&str>, base_values: &[f64], new_values: &[f64]) -> Option<String> {
    let of_both = yardstick.map(|name| format!(" that {name} has too")).unwrap_or_default();
    match (base_values.len(), new_values.len()) {
        (1.., 0) => Some(format!("no valid repeat has it{of_both}")),
        (REPEATS_FOR_INTERVAL.., few) if few < REPEATS_FOR_INTERVAL => {
            Some(format!("too few valid repeats have it{of_both}: {few}, and BASE {}", base_values.len()))
        }
        _ => None,
    }
}

/// The valid cells of one contender at one point of one campaign.
pub(super) struct Side<'a> {
    campaign: &'a Campaign,
    point: &'a Point,
    cells: Vec<&'a Cell>,
}

impl<'a> Side<'a> {
    pub(super) fn of(campaign: &'a Campaign, contender: &str, point: &'a Point) -> Self {
        Self { campaign, point, cells: cells::valid(campaign, point, contender) }
    }

    /// Returns true if any of them has the figure.
    pub(super) fn has(&self, figure: MainFigure) -> bool {
        self.cells.iter().any(|cell| figure::figure(figure).of(cell).is_some())
    }

    fn summary(&self, figure: MainFigure) -> Option<ComparedSide> {
        let summary = figure::summary(figure, &self.cells)?;
        let is_bound = |cell: &&Cell| cell.capacity.as_ref().is_some_and(|phase| !phase.is_capacity);
        let lower_bound = figure == MainFigure::Capacity && self.cells.iter().any(is_bound);
        Some(ComparedSide { median: summary.median, repeats: summary.repeats as u32, lower_bound })
    }

    /// One value a repeat, divided by that of `yardstick` in the same repeat where there is one.
    fn values(&self, figure: MainFigure, yardstick: Option<&str>) -> Vec<f64> {
        let figure = figure::figure(figure);
        let Some(yardstick) = yardstick else {
            return self.cells.iter().filter_map(|cell| figure.of(cell)).collect();
        };
        let beside = cells::valid(self.campaign, self.point, yardstick);
        let value = |cell: &&Cell| {
            let partner = beside.iter().find(|partner| partner.repeat == cell.repeat)?;
            Some(figure.of(cell)? / figure.of(partner)?)
        };
        self.cells.iter().filter_map(value).collect()
    }
}

/// Why there is no ratio.
fn absence(base: Option<&ComparedSide>, new: Option<&ComparedSide>) -> &'static str {
    match (base, new) {
        (None, None) => "neither campaign has a valid repeat with it",
        (None, Some(_)) => "BASE has no valid repeat with it",
        (Some(_), None) => "NEW has no valid repeat with it",
        (Some(_), Some(_)) => "no repeat has it and that of the contender that it is relative to",
    }
}

/// What a ratio NEW/BASE says of a figure, given what is known of either side; or why it says nothing.
fn verdict(
    ratio: Ratio,
    figure: MainFigure,
    [base, new]: [Option<ComparedSide>; 2],
) -> Result<ComparedVerdict, &'static str> {
    let when_greater = |is_greater: bool| match is_greater == figure.is_better_when_greater() {
        true => ComparedVerdict::Better,
        false => ComparedVerdict::Worse,
    };
    let said = match ratio.verdict {
        Verdict::Above => when_greater(true),
        Verdict::Below => when_greater(false),
        Verdict::Tie => ComparedVerdict::Tie,
        Verdict::NotEnoughRepeats => return Err(TOO_FEW),
    };
    let is_bound = |side: Option<ComparedSide>| side.is_some_and(|side| side.lower_bound);
    // What was at least so much, and is less now, is worse by at least the ratio; the other way round likewise.
    match (is_bound(base), is_bound(new), said) {
        (false, false, _)
        | (true, false, ComparedVerdict::Worse)
        | (false, true, ComparedVerdict::Better) => Ok(said),
        (true, true, _) => {
            Err("a lower bound in both: the generator's processor was full, or the server's was not")
        }
        (true, false, _) => Err("in BASE it is only a lower bound"),
        (false, true, _) => Err("in NEW it is only a lower bound"),
    }
}

const TOO_FEW: &str = "too few repeats for an interval: each campaign needs three that are valid";
const _: () = assert!(REPEATS_FOR_INTERVAL == 3, "the sentence says so");

/// Whether the whole interval lies beyond what is allowed: a time that is `most` longer, a capacity that many times smaller.
fn is_beyond(ratio: ComparedRatio, figure: MainFigure, most: f64) -> bool {
    match figure.is_better_when_greater() {
        true => 1.0 / ratio.high > 1.0 + most,
        false => ratio.low > 1.0 + most,
    }
}
