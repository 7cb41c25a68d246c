//! The leaders, by how much they lead, and at what cost: without saturated candidates, and without points at which the
//! generator was the limit.

use std::collections::BTreeMap;

use super::analysis::{
    CandidateAnalysis, Comparison, Extreme, GroupAnalysis, Lead, MAIN, PointAnalysis, Shown,
};
use super::metrics::{Better, Metric, Subject, UTILISATION};
use super::{distinct, grouped};

/// The leaders by `metric`, one of the [main ones](MAIN).
pub fn lead<'a>(metric: &'static Metric, points: &[PointAnalysis<'a>]) -> Lead<'a> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ordered = 0;
    for leaders in points.iter().map(|point| leaders(metric, point)).filter(|leaders| !leaders.is_empty()) {
        ordered += 1;
        leaders.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
    }
    let mut leaders: Vec<(&str, usize)> = counts.into_iter().collect();
    leaders.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
    let all: Vec<&PointAnalysis<'a>> = points.iter().collect();
    let extreme = |better| extreme(metric, &all, better);
    let is_bounded = rows(points.iter()).any(|(_, one)| one.is_bounded(metric));
    let saturated = saturated(metric, points);
    let [gain, loss] = [true, false].map(extreme);
    Lead { metric, leaders, is_bounded, saturated, points: ordered, gain, loss }
}

/// The candidates of `points`, each with the index of its point.
fn rows<'a: 'b, 'b>(
    points: impl Iterator<Item = &'b PointAnalysis<'a>>,
) -> impl Iterator<Item = (usize, &'b CandidateAnalysis<'a>)> {
    points.enumerate().flat_map(|(at, point)| point.rows().into_iter().map(move |row| (at, row.1)))
}

fn saturated<'a>(metric: &Metric, points: &[PointAnalysis<'a>]) -> Vec<(&'a str, usize, usize)> {
    let is_saturated = |one: &CandidateAnalysis<'_>| matches!(one.shown(metric), Shown::Saturated(_));
    let found = rows(points.iter()).filter(|(_, candidate)| is_saturated(candidate));
    let by_name = grouped(found.map(|(at, candidate)| (candidate.name, at)));
    by_name.into_iter().map(|(name, points)| (name, points[0], points.len())).collect()
}

/// The candidates that cannot be told from the best at a point, best first. Where there are several groups, the best of each are compared by
/// their ratios to the reference.
pub fn leaders<'a>(metric: &Metric, point: &PointAnalysis<'a>) -> Vec<&'a str> {
    let of_group = |group| first(metric, group).into_iter().map(move |at| (group, &group.candidates[at]));
    let mut leaders: Vec<(&GroupAnalysis<'a>, &CandidateAnalysis<'a>)> =
        point.groups.iter().flat_map(of_group).collect();
    let ratio = |candidate: &CandidateAnalysis<'_>| {
        let [ratio, low, high] = candidate.comparison(metric).map_or([1.0; 3], Comparison::ends);
        (if metric.better == Better::Lower { ratio } else { -ratio }, low, high)
    };
    let best = leaders.iter().copied().min_by(|one, other| ratio(one.1).0.total_cmp(&ratio(other.1).0));
    let Some((best_group, best)) = best else { return Vec::new() };
    let (_, low, high) = ratio(best);
    leaders.retain(|(group, candidate)| {
        let (_, other_low, other_high) = ratio(candidate);
        std::ptr::eq(*group, best_group) || (low <= other_high && other_low <= high)
    });
    distinct(leaders.iter().map(|(_, one)| one.name))
}

/// The candidates of a group that cannot be told from its best.
fn first(metric: &Metric, group: &GroupAnalysis<'_>) -> Vec<usize> {
    let place = MAIN.iter().position(|main| main.key == metric.key);
    let Some(order) = place.map(|place| &group.order[place]) else { return Vec::new() };
    let Some(best) = order.first().and_then(|first| first.first()) else { return Vec::new() };
    // Where the generator was full with the best, nobody knows who it is.
    if group.candidates[*best].is_bounded(metric) {
        return Vec::new();
    }
    let is_sustained = |at: &&usize| group.candidates[**at].saturation(metric.phase).is_none();
    let with_best = order.iter().filter(|members| members.contains(best)).flatten().filter(is_sustained);
    distinct(with_best.copied())
}

/// The surest difference from the reference in one direction: that whose interval stays farthest from 1.
pub fn extreme<'a>(metric: &Metric, points: &[&PointAnalysis<'a>], better: bool) -> Option<Extreme<'a>> {
    let different = rows(points.iter().copied()).filter_map(|(point, candidate)| {
        let Shown::Figure(figure) = candidate.shown(metric) else { return None };
        let comparison = figure.comparison.filter(|one| one.is_difference() && !one.generator_full)?;
        // A cost per request is no cost at the offered rate where that is missed.
        let is_sustained =
            metric.subject == Subject::Throughput || candidate.saturation(metric.phase).is_none();
        let utilisation = candidate.figure(&UTILISATION).map(|figure| figure.value);
        (is_sustained && comparison.is_better(metric) == better).then_some(Extreme {
            point,
            candidate: candidate.name,
            comparison,
            utilisation,
        })
    });
    let distance = |extreme: &Extreme<'_>| {
        let interval = extreme.comparison.interval;
        interval.low.ln().abs().min(interval.high.ln().abs())
    };
    different.max_by(|one, other| distance(one).total_cmp(&distance(other)))
}
