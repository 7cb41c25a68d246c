//! The comparison of two campaigns, figure by figure: whether one is better or worse than the other.
//!
//! The two were measured at different times, and a host differs from day to day. So a candidate's figures are not
//! compared directly, but its ratios to the reference, which were formed within rounds. The reference has no such
//! ratio: the change of its level is reported, and decides nothing.

mod conditions;
mod gate;
mod judge;
mod missing;
pub mod page;
mod pairs;

pub use self::gate::{Gate, against};
use self::missing::place;
use self::pairs::Pair;
use crate::rounds::{Analysis, METRICS, Metric};
use model::campaign::{Campaign, Histograms};
use model::schema::{Compared, ComparedCampaign, Comparison, Missing, SCHEMA_VERSION, Share};
use stats::Proportion;

/// The way of comparing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Options {
    /// Compare although the machines differ, and warn.
    pub across_machines: bool,
    /// The share by which a figure may be worse: 0.1 is 10 %.
    pub fail_above: Option<f64>,
}

/// A campaign and where it came from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its file, as it is to be named.
    pub name: &'a str,
    /// The campaign.
    pub campaign: &'a Campaign,
    /// Its histograms, decoded.
    pub histograms: &'a Histograms,
}

/// The reasons for which two campaigns are not compared, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Refused(pub Vec<String>);

/// Compares `new` with `base`.
///
/// # Errors
///
/// When the campaigns must not be compared (another machine, another build), or have nothing in common.
pub fn compare(base: Source<'_>, new: Source<'_>, options: &Options) -> Result<Comparison, Refused> {
    let conditions = conditions::of(base.campaign, new.campaign, options);
    if !conditions.refusals.is_empty() {
        return Err(Refused(conditions.refusals));
    }
    let [before, after] = [base, new].map(|source| Analysis::of(source.campaign, source.histograms));
    let pairs = pairs::of(&before, &after);
    let mut missing = missing::candidates(&before, &after);
    // A gate has an answer to campaigns that have nothing in common: it cannot be told.
    if pairs.is_empty() && options.fail_above.is_none() {
        let nothing =
            "nothing to compare: no candidate at a point that both campaigns have, beside the same reference";
        return Err(Refused(vec![nothing.to_owned()]));
    }
    let mut comparisons = references(&pairs);
    let (mut changed, mut families) = (0, 0);
    for (pair, metric) in pairs.iter().flat_map(|pair| METRICS.iter().map(move |metric| (pair, metric))) {
        let compared = pair.compare(metric, options.fail_above);
        let news: Vec<Missing> =
            compared.missing.into_iter().filter(|one| !is_known(&missing, one)).collect();
        missing.extend(news);
        comparisons.extend(compared.candidates);
        families += u64::from(compared.twin.is_some());
        changed += u64::from(compared.twin == Some(true));
    }
    Ok(Comparison {
        schema_version: SCHEMA_VERSION,
        muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
        base: about(base.name, &before),
        new: about(new.name, &after),
        fail_above: options.fail_above,
        warnings: conditions.warnings,
        only_in_new: only_in_new(&after, &before),
        missing,
        twin: Proportion::of(changed, families).map(share),
        comparisons,
    })
}

/// Finds out before `new` has measured anything whether it can be compared with `base`, and the lines about all that `base` has measured and
/// it does not set out to measure.
///
/// # Errors
///
/// When the campaigns must not be compared.
pub fn prospect(base: Source<'_>, new: Source<'_>, options: &Options) -> Result<Vec<String>, Refused> {
    let refusals = conditions::of(base.campaign, new.campaign, options).refusals;
    if !refusals.is_empty() {
        return Err(Refused(refusals));
    }
    let before = Analysis::of(base.campaign, base.histograms);
    Ok(missing::lines(&missing::unplanned(&before, new.campaign)))
}

/// The levels of each reference, once at each point.
fn references(pairs: &[Pair<'_>]) -> Vec<Compared> {
    let is_first = |at: usize| !pairs[..at].iter().any(|before| before.reference() == pairs[at].reference());
    let firsts = (0..pairs.len()).filter(|at| is_first(*at)).map(|at| &pairs[at]);
    let levels =
        firsts.flat_map(|pair| METRICS.iter().filter_map(|metric: &Metric| pair.compare_reference(metric)));
    levels.collect()
}

/// Returns whether all that BASE has of the candidate there is missing already.
fn is_known(missing: &[Missing], one: &Missing) -> bool {
    let is_whole = |known: &Missing| known.metric.is_none();
    missing
        .iter()
        .any(|known| is_whole(known) && (&known.candidate, &known.point) == (&one.candidate, &one.point))
}

fn only_in_new(new: &Analysis<'_>, base: &Analysis<'_>) -> Vec<String> {
    let news = missing::candidates(new, base).into_iter().filter(|one| one.other_reference.is_none());
    news.map(|one| format!("{} at {}: only in NEW", one.candidate, place(&one.point))).collect()
}

fn about(name: &str, analysis: &Analysis<'_>) -> ComparedCampaign {
    let Campaign { plan, started, muxbench_version, environment, .. } = analysis.campaign;
    ComparedCampaign {
        source: name.to_owned(),
        scenario: plan.scenario.name.clone(),
        reference: plan.reference.clone(),
        started: started.clone(),
        muxbench_version: muxbench_version.clone(),
        host: environment.host.clone(),
        kernel: environment.kernel.clone(),
        processor: environment.processor.clone(),
        twin: analysis.false_differences.map(share),
    }
}

fn share(of: Proportion) -> Share {
    Share { hits: of.hits, cases: of.cases, low: of.interval.low, high: of.interval.high }
}

#[cfg(test)]
mod tests;
