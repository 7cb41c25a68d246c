//! Whether one campaign is better or worse than another, figure by figure.
//!
//! The two were measured apart, so nothing is paired between them: each figure is a sample of repeats on either side, and their ratio
//! has the interval of [`Ratio::of_independent`](crate::statistics::Ratio::of_independent). That interval holds what varies within a campaign. What changes on a machine between
//! two campaigns it cannot know; [`Options::relative_to`] takes it out, as ratios within a repeat do within a campaign.

mod conditions;
mod missing;
pub mod page;
mod pairs;

use self::conditions::Conditions;
use self::pairs::Pairs;
use crate::agreement::Agreement;
use crate::format;
use crate::statistics::{Proportion, median};
use model::schema::{
    Campaign, Compared, ComparedCampaign, ComparedTotal, ComparedVerdict, Comparison, MainFigure, Missing,
    Point, SCHEMA_VERSION, Share,
};

/// How to compare.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Compare although the machines differ, and warn.
    pub across_machines: bool,
    /// Divide each figure by that of this contender in the same repeat first.
    pub relative_to: Option<String>,
    /// How much worse a figure may be, as a share: 0.1 is 10 %.
    pub fail_above: Option<f64>,
}

/// A campaign and where it came from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its file, as it is to be named.
    pub name: &'a str,
    /// What was measured.
    pub campaign: &'a Campaign,
}

/// Why two campaigns are not compared: a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Refused(pub Vec<String>);

/// Compares `new` with `base`.
///
/// # Errors
///
/// When the campaigns must not be compared (another machine, another build), or have nothing in common.
pub fn compare(base: Source<'_>, new: Source<'_>, options: &Options) -> Result<Comparison, Refused> {
    let Conditions { mut refusals, warnings } = conditions::of(base.campaign, new.campaign, options);
    let pairs = Pairs::of(base.campaign, new.campaign);
    if let Some(yardstick) = &options.relative_to {
        refusals.extend(pairs.lacks(yardstick, options));
    }
    let mut missing = missing::contenders(&pairs);
    // A gate has an answer to a campaign that lacks all that was measured.
    if pairs.both.is_empty() && (options.fail_above.is_none() || missing.is_empty()) {
        refusals.push("nothing to compare: no contender at a point that both campaigns have".to_owned());
    }
    if !refusals.is_empty() {
        return Err(Refused(refusals));
    }
    let compared =
        pairs.both.iter().filter(|(contender, _)| options.relative_to.as_ref() != Some(contender)).flat_map(
            |(contender, point)| {
                MainFigure::ALL.map(|figure| pairs.compare(contender, point, figure, options))
            },
        );
    let (comparisons, figures): (Vec<Compared>, Vec<Option<Missing>>) = compared.unzip();
    let is_known = |one: &Missing| {
        missing.iter().any(|whole| (&whole.contender, &whole.point) == (&one.contender, &one.point))
    };
    let figures: Vec<Missing> = figures.into_iter().flatten().filter(|one| !is_known(one)).collect();
    missing.extend(figures);
    Ok(Comparison {
        schema_version: SCHEMA_VERSION,
        muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
        base: about(base),
        new: about(new),
        relative_to: options.relative_to.clone(),
        fail_above: options.fail_above,
        warnings,
        missing,
        not_paired: pairs.not_paired(),
        totals: MainFigure::ALL.map(|figure| total(&comparisons, figure)).into(),
        comparisons,
    })
}

/// Among how many comparisons with a verdict the two were told apart; `None` without any.
pub fn told_apart(comparison: &Comparison) -> Option<Proportion> {
    let different: u64 = comparison.totals.iter().map(|total| total.better + total.worse).sum();
    Proportion::of(different as usize, comparison.compared() as usize)
}

/// The lines about all that `base` has measured and `new` does not set out to measure: known before `new` has measured anything.
pub fn not_planned(base: &Campaign, new: &Campaign) -> Vec<String> {
    let pairs = Pairs::of(base, new);
    let is_planned = |one: &Missing| pairs.both.contains(&(one.contender.clone(), one.point.clone()));
    let missing = missing::contenders(&pairs).into_iter().filter(|one| !is_planned(one));
    missing::lines(&missing.collect::<Vec<_>>())
}

/// A point in a line: `10k × 10 (idle-scaling)`.
pub(crate) fn place(point: &Point) -> String {
    let [connections, active] = [point.connections, point.active].map(|count| format::count(count.into()));
    let further = [vec![point.sweep.clone()], format::particulars(point)].concat().join(", ");
    format!("{connections} × {active} ({further})")
}

fn about(source: Source<'_>) -> ComparedCampaign {
    let Source { name, campaign } = source;
    let told_apart = Agreement::of(campaign).map(|agreement| {
        let Proportion { hits, cases, low, high } = agreement.different;
        Share { hits: hits as u64, cases: cases as u64, low, high }
    });
    ComparedCampaign {
        source: name.to_owned(),
        scenario: campaign.plan.scenario.name.clone(),
        started: campaign.started.clone(),
        muxbench_version: campaign.muxbench_version.clone(),
        host: campaign.environment.host.clone(),
        kernel: campaign.environment.kernel.clone(),
        processor: campaign.environment.processor.clone(),
        repeats: campaign.repeats(),
        told_apart,
    }
}

fn total(comparisons: &[Compared], figure: MainFigure) -> ComparedTotal {
    let of_figure = || comparisons.iter().filter(move |compared| compared.figure == figure);
    let count = |verdict| of_figure().filter(|compared| compared.verdict == verdict).count() as u64;
    let decided = of_figure().filter(|compared| compared.verdict != ComparedVerdict::NotComparable);
    let ratios: Vec<f64> = decided.filter_map(|compared| Some(compared.ratio?.value)).collect();
    ComparedTotal {
        figure,
        compared: ratios.len() as u64,
        better: count(ComparedVerdict::Better),
        worse: count(ComparedVerdict::Worse),
        ties: count(ComparedVerdict::Tie),
        not_comparable: count(ComparedVerdict::NotComparable),
        failed: of_figure().filter(|compared| compared.fails).count() as u64,
        median_ratio: median(&ratios),
    }
}

#[cfg(test)]
mod tests;
