//! What a figure shows, in a sentence: its title. Nothing is told that an interval does not carry.

use super::course::Facet;
use super::measure::Measure;
use crate::analysis::{self, Analysis, PointAnalysis};
use crate::cells;
use crate::line;
use crate::statistics::{REPEATS_FOR_INTERVAL, Ratio, Verdict};
use model::schema::{Campaign, Cell, Point};

/// The finding by the first of `measures` that contenders can be compared by: at the furthest point of the last facet at which
/// two of them have an interval, or else at which two of them have anything.
pub fn of_facets(analysis: &Analysis<'_>, facets: &[Facet<'_>], measures: &[Measure]) -> String {
    let campaign = analysis.campaign;
    let from_the_end = || facets.iter().rev().flat_map(|facet| facet.points.iter().rev().map(|(_, at)| *at));
    let with = |at: &PointAnalysis, measure: Measure, repeats: usize| {
        let known = |name: &str| {
            let cells = cells::valid(campaign, &at.point, name);
            cells.iter().filter(|cell| measure.of(cell).is_some()).count()
        };
        at.rows.iter().filter(|row| known(&row.mechanism) >= repeats).count()
    };
    let furthest = |least: usize, repeats: usize| {
        let place = |measure: &Measure| {
            let at = from_the_end().find(|at| with(at, *measure, repeats) >= least)?;
            Some((at, *measure))
        };
        measures.iter().find_map(place)
    };
    match furthest(2, REPEATS_FOR_INTERVAL).or_else(|| furthest(2, 1)) {
        Some((at, measure)) => at_point(campaign, at, measure),
        None if furthest(1, 1).is_some() => "One mechanism alone: nothing to compare it with".to_owned(),
        None => "Too little was measured in a repeat to compare anything".to_owned(),
    }
}

/// The finding at one point: the best against the worst, by an interval that leaves 1 out.
pub fn at_point(campaign: &Campaign, at: &PointAnalysis, measure: Measure) -> String {
    if let Some(metric) = measure.metric() {
        return analysis::finding_at(at, metric);
    }
    let wherever = format!("At {}", line::place(&at.point));
    let names = at.rows.iter().map(|row| row.mechanism.as_str());
    let all: Vec<(&str, Vec<&Cell>)> =
        names.map(|name| (name, cells::valid(campaign, &at.point, name))).collect();
    let median =
        |cells: &[&Cell]| cells::summary(cells, |cell| measure.of(cell)).map(|summary| summary.median);
    let sign = if measure.more_is_better() { -1.0 } else { 1.0 };
    let known = all.iter().filter_map(|(name, cells)| Some((name, cells, sign * median(cells)?)));
    let Some((best, best_cells, _)) = known.min_by(|a, b| a.2.total_cmp(&b.2)) else {
        return format!("{wherever}: too little was measured in a repeat to compare anything");
    };
    // How many times worse than the best.
    let behind: Vec<(&str, Ratio)> = all
        .iter()
        .filter(|(name, _)| name != best)
        .filter_map(|(name, cells)| {
            let (top, bottom) =
                if measure.more_is_better() { (best_cells, cells) } else { (cells, best_cells) };
            Some((*name, ratio(top, bottom, measure)?))
        })
        .collect();
    let with = |verdict: Verdict| behind.iter().filter(move |(_, ratio)| ratio.verdict == verdict);
    let worst = with(Verdict::Above).max_by(|a, b| a.1.summary.median.total_cmp(&b.1.summary.median));
    let Some((worst, ratio)) = worst else {
        return without(&wherever, with(Verdict::NotEnoughRepeats).count() > 0);
    };
    let tied: Vec<&str> = with(Verdict::Tie).chain(with(Verdict::Below)).map(|(name, _)| *name).collect();
    analysis::sentence(&wherever, best, measure.claim(), ratio, worst, &tied)
}

fn without(wherever: &str, is_for_want_of_repeats: bool) -> String {
    match is_for_want_of_repeats {
        true => format!("{wherever}: too few repeats for an interval, so no finding"),
        false => format!("{wherever}: no difference that the interval carries"),
    }
}

/// Which way to meet the listener differs most from another, for one contender with the most threads: of the facets, each
/// with a way of its own.
pub fn of_ways(campaign: &Campaign, facets: &[Facet<'_>], measure: Measure) -> String {
    let most = facets.iter().filter_map(|facet| facet.points.last()).map(|(threads, _)| *threads);
    let most = most.fold(0.0, f64::max);
    let at: Vec<&PointAnalysis> = facets
        .iter()
        .flat_map(|facet| &facet.points)
        .filter(|(threads, _)| *threads == most)
        .map(|(_, at)| *at)
        .collect();
    let Some(first) = at.first() else { return "Nothing was measured".to_owned() };
    let wherever = format!("At {}", line::place(&Point { accept: None, ..first.point.clone() }));
    let mut compared: Vec<(&str, &Point, &Point, Ratio)> = Vec::new();
    for (one, other) in at.iter().flat_map(|one| at.iter().map(move |other| (*one, *other))) {
        for name in one.rows.iter().map(|row| row.mechanism.as_str()) {
            let cells = |at: &PointAnalysis| cells::valid(campaign, &at.point, name);
            let ratio = ratio(&cells(one), &cells(other), measure);
            compared.extend(
                ratio
                    .filter(|_| one.point != other.point)
                    .map(|ratio| (name, &one.point, &other.point, ratio)),
            );
        }
    }
    let above = compared.iter().filter(|(.., ratio)| ratio.verdict == Verdict::Above);
    let Some((name, worse, better, ratio)) =
        above.max_by(|a, b| a.3.summary.median.total_cmp(&b.3.summary.median))
    else {
        return without(
            &wherever,
            compared.iter().any(|(.., ratio)| ratio.verdict == Verdict::NotEnoughRepeats),
        );
    };
    let way = |point: &Point| point.accept.clone().unwrap_or_else(|| "its own way".to_owned());
    let best = format!("{name} with {}", way(better));
    analysis::sentence(&wherever, &best, measure.claim(), ratio, &format!("with {}", way(worse)), &[])
}

/// The ratio of a measure of one contender to that of another, formed within repeats.
fn ratio(numerators: &[&Cell], denominators: &[&Cell], measure: Measure) -> Option<Ratio> {
    let pairs: Vec<(f64, f64)> = numerators
        .iter()
        .filter_map(|cell| {
            let partner = denominators.iter().find(|partner| partner.repeat == cell.repeat)?;
            Some((measure.of(cell)?, measure.of(partner)?))
        })
        .collect();
    Ratio::of_pairs(&pairs)
}
