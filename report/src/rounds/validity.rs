//! The worth of a campaign's figures: rounds that do not count, halves of slices, and the twin of the reference.

use std::collections::BTreeMap;

use model::campaign::{Campaign, Phase, Slice};
use stats::{Family, LogRatios, Proportion, Relation};

use super::analysis::{Comparison, Dropped, GroupAnalysis, Halves, MARGIN};
use super::metrics::{METRICS, Metric, RESPONSE, Source, THROUGHPUT};
use super::samples::Samples;
use super::saturation::Saturated;

/// Counts the rounds that were dropped. Reasons that differ in numbers alone are one.
pub fn dropped(campaign: &Campaign) -> Dropped {
    let mut reasons: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for reason in campaign.rounds.iter().filter_map(|round| round.dropped.as_ref()) {
        let kind = reason.chars().filter(|character| !character.is_ascii_digit()).collect();
        reasons.entry(kind).or_insert_with(|| (reason.clone(), 0)).1 += 1;
    }
    let mut reasons: Vec<(String, usize)> = reasons.into_values().collect();
    reasons.sort_by_key(|(_, rounds)| std::cmp::Reverse(*rounds));
    let rounds = reasons.iter().map(|(_, rounds)| rounds).sum();
    Dropped { rounds, of: campaign.rounds.len(), reasons }
}

/// The halves of slices compared: throughput in closed loop, and the response at the light rate of whoever sustains that.
pub fn halves<'a>(samples: &Samples<'a>, light: &[Option<Saturated>]) -> Vec<Halves<'a>> {
    // Ratios to a queue say nothing either.
    let sustained = |metric: &Metric, at: usize| {
        metric.phase != Some(Phase::Light) || light[at].is_none() && light[samples.reference].is_none()
    };
    let of =
        |metric: &'static Metric, first: fn(&Slice) -> Option<f64>, second: fn(&Slice) -> Option<f64>| {
            let ratios = |half| LogRatios::new(&samples.values(metric.phase?, half), samples.reference).ok();
            let family = Family::new(&ratios(second)?.over(&ratios(first)?).ok()?).ok()?;
            let named = family.ratios().into_iter().enumerate().filter(|(at, _)| sustained(metric, *at));
            let others = named.filter(|(at, _)| *at != samples.reference);
            let ratios = others.filter_map(|(at, ratio)| {
                let (ratio, interval) = ratio.map(|ratio| (ratio.ratio, ratio.simultaneous))?;
                let relation = Relation::of(interval, MARGIN);
                let compared = Comparison { ratio, interval, relation, generator_full: false };
                Some((samples.candidates[at], compared))
            });
            Some(Halves { metric, ratios: ratios.collect() })
        };
    let throughput = of(&THROUGHPUT, first_per_s, second_per_s);
    let response =
        of(&RESPONSE, |slice| Some(slice.p50_first_ns? as f64), |slice| Some(slice.p50_second_ns? as f64));
    throughput.into_iter().chain(response).collect()
}

fn first_per_s(slice: &Slice) -> Option<f64> {
    (slice.first_s > 0.0).then(|| slice.answered_first as f64 / slice.first_s)
}

fn second_per_s(slice: &Slice) -> Option<f64> {
    let (answered, rest_s) =
        (slice.answered.checked_sub(slice.answered_first)?, slice.window_s - slice.first_s);
    (rest_s > 0.0).then(|| answered as f64 / rest_s)
}

/// The families in which the twin was found to differ from the reference, of all in which both were compared by a value for each slice.
pub fn false_differences<'a>(groups: impl Iterator<Item = &'a GroupAnalysis<'a>>) -> Option<Proportion> {
    let (mut hits, mut cases) = (0, 0);
    for twin in groups.filter_map(|group| Some(&group.candidates[group.twin?])) {
        let by_slices = METRICS.iter().filter(|metric| matches!(metric.source, Source::Slice(_)));
        for compared in by_slices.filter_map(|metric| twin.comparison(metric)) {
            cases += 1;
            hits += u64::from(compared.is_difference());
        }
    }
    Proportion::of(hits, cases)
}
