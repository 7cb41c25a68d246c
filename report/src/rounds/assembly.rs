//! From the slices of a campaign to its analysis.

use model::campaign::{Campaign, Histograms, Phase, PlannedPoint};
use rayon::prelude::*;
use stats::{Family, Interval, Level, Merged, level, median};

use super::analysis::{
    Analysis, CandidateAnalysis, Comparison, Figure, GroupAnalysis, MAIN, PointAnalysis, is_main,
};
use super::metrics::{Better, METRICS, Memory, Metric, Source, Subject, THROUGHPUT};
use super::samples::{Samples, family, of_candidate};
use super::troubles::{self, Trouble};
use super::{headline, resolution, saturation, validity};

/// The share of a slice from which on the generator is full.
const GENERATOR_FULL: f64 = 0.95;

impl<'a> Analysis<'a> {
    /// Analyses a campaign. Without `histograms` the quantiles of all samples are absent.
    pub fn of(campaign: &'a Campaign, histograms: &'a Histograms) -> Self {
        let of_point = |(at, planned): (usize, &'a PlannedPoint)| {
            let analysed = |number| {
                let troubles = troubles::find(&Samples::of_all_lengths(campaign, at, number)?);
                let samples = Samples::of(campaign, histograms, at, number)?;
                Some(group(samples, troubles, planned.point.active))
            };
            let groups = (0..planned.groups.len()).filter_map(analysed);
            PointAnalysis { point: &planned.point, groups: groups.collect() }
        };
        let points: Vec<PointAnalysis<'_>> =
            campaign.plan.points.par_iter().enumerate().map(of_point).collect();
        let groups = || points.iter().flat_map(|point| &point.groups);
        Self {
            leads: MAIN.iter().map(|metric| headline::lead(metric, &points)).collect(),
            dropped: validity::dropped(campaign),
            false_differences: validity::false_differences(groups()),
            points,
            campaign,
        }
    }
}

fn group(of: Samples<'_>, troubles: Vec<Vec<Trouble>>, active: u32) -> GroupAnalysis<'_> {
    let samples = &of;
    let full: Vec<bool> = (0..samples.len()).map(|candidate| is_generator_full(samples, candidate)).collect();
    let values = samples.values_of(&THROUGHPUT);
    let own = |candidate: usize| Some(estimate(&of_candidate(&values, candidate))?.0);
    let throughput: Vec<Option<f64>> =
        (0..samples.len()).map(|candidate| own(candidate).filter(|_| !full[candidate])).collect();
    let [light, busy] =
        [Phase::Light, Phase::Busy].map(|phase| saturation::find(samples, phase, &throughput, active));
    let saturated = |metric: &Metric, candidate: usize| match metric.phase {
        Some(Phase::Light) => light[candidate].is_some(),
        Some(Phase::Busy) => busy[candidate].is_some(),
        _ => false,
    };
    let measured = METRICS.par_iter().map(|metric| {
        let has_figure: Vec<bool> = (0..samples.len())
            .map(|at| metric.subject != Subject::Latency || !saturated(metric, at))
            .collect();
        measure(samples, metric, &has_figure, &full)
    });
    let (mut figures, orders): (Vec<Vec<_>>, Vec<_>) = measured.unzip();
    let candidate = |(at, troubles): (usize, Vec<Trouble>)| CandidateAnalysis {
        name: samples.candidates[at],
        light: light[at],
        busy: busy[at],
        troubles,
        memory: memory(samples, samples.candidates[at]),
        figures: figures.iter_mut().map(|of_metric| of_metric[at].take()).collect(),
    };
    GroupAnalysis {
        candidates: troubles.into_iter().enumerate().map(candidate).collect(),
        reference: samples.reference,
        twin: samples.twin,
        starts: samples.measured_starts(),
        light_per_s: samples.rate_per_s(Phase::Light),
        busy_per_s: samples.rate_per_s(Phase::Busy),
        halves: validity::halves(samples, &light),
        order: MAIN.iter().map(|metric| orders[metric.index()].clone()).collect(),
        samples: of,
    }
}

fn memory(samples: &Samples<'_>, name: &str) -> Option<Memory> {
    let started = samples.starts.iter().flat_map(|start| &start.candidates);
    let all: Vec<Memory> = started.filter(|one| one.candidate == name).filter_map(Memory::of).collect();
    let middle = |part: fn(&Memory) -> f64| median(&all.iter().map(part).collect::<Vec<_>>());
    Some(Memory { user: middle(|memory| memory.user)?, kernel: middle(|memory| memory.kernel)? })
}

/// Returns whether the generator was full in most of a candidate's closed-loop slices.
fn is_generator_full(samples: &Samples<'_>, candidate: usize) -> bool {
    let slices = || samples.slices(Phase::Saturation, candidate);
    let full = slices().filter(|slice| slice.generator_busy >= GENERATOR_FULL).count();
    2 * full > slices().count()
}

/// The figure of each candidate that may have one, and their order.
fn measure(
    samples: &Samples<'_>,
    metric: &Metric,
    has_figure: &[bool],
    full: &[bool],
) -> (Vec<Option<Figure>>, Vec<Vec<usize>>) {
    let is_full = |at: usize| metric.subject == Subject::Throughput && full[at];
    let values = samples.values_of_those(metric, has_figure);
    let family = metric.has_ratio().then(|| family(&values, samples.reference)).flatten();
    let ratios = family.as_ref().map(Family::ratios).unwrap_or_default();
    let ratio = |at: usize| ratios.get(at).copied().flatten();
    let resolution = samples.twin.and_then(ratio).map(|twin| resolution::reach(twin.simultaneous));
    let compare = |at: usize| {
        let ratio = ratio(at).filter(|_| at != samples.reference)?;
        let interval = ratio.simultaneous;
        let generator_full = is_full(at) || is_full(samples.reference);
        // The twin shows how often equal things differ by their intervals alone.
        let bound = resolution.filter(|_| Some(at) != samples.twin);
        let relation = resolution::relation(ratio.ratio, interval, bound);
        Some(Comparison { ratio: ratio.ratio, interval, relation, generator_full })
    };
    let known = |level: Level| (level.value, Some(level.interval));
    let value = |at: usize| match (metric.source, metric.phase) {
        (Source::Quantile(quantile), Some(phase)) => {
            Merged::new(&samples.seen(phase, at)).quantile(quantile).map(known)
        }
        (Source::Undisturbed(quantile), Some(phase)) => {
            Merged::new(&samples.undisturbed(phase, at)).quantile(quantile).map(known)
        }
        _ => estimate(&of_candidate(&values, at)),
    };
    let figure = |at: usize| {
        let (value, interval) = value(at).filter(|_| has_figure[at])?;
        Some(Figure { value, interval, is_lower_bound: is_full(at), comparison: compare(at) })
    };
    let order = family.filter(|_| is_main(metric)).map(|family| order(&family, metric, samples.twin));
    ((0..samples.len()).map(figure).collect(), order.unwrap_or_default())
}

/// The level of values, and where there are too few for an interval their median.
fn estimate(values: &[Vec<Option<f64>>]) -> Option<(f64, Option<Interval>)> {
    if let Ok(Level { value, interval, .. }) = level(values) {
        return Some((value, Some(interval)));
    }
    let known: Vec<f64> =
        values.iter().flatten().flatten().copied().filter(|value| value.is_finite()).collect();
    Some((median(&known)?, None))
}

/// The groups of a family without the twin, best first.
fn order(family: &Family, metric: &Metric, twin: Option<usize>) -> Vec<Vec<usize>> {
    let stats::Groups { mut order, mut groups, .. } = family.groups();
    if metric.better == Better::Higher {
        order.reverse();
    }
    let place = |at: &usize| order.iter().position(|other| other == at);
    for group in &mut groups {
        group.retain(|at| Some(*at) != twin);
        group.sort_by_key(place);
    }
    groups.sort_by_key(|group| group.iter().map(place).collect::<Vec<_>>());
    let mut kept: Vec<Vec<usize>> = Vec::new();
    // Without the twin a group may be part of another.
    for (at, group) in groups.iter().enumerate() {
        let holds = |other: &Vec<usize>| group.iter().all(|member| other.contains(member));
        let is_part = groups
            .iter()
            .enumerate()
            .any(|(place, other)| place != at && holds(other) && (other.len() > group.len() || place < at));
        if !is_part {
            kept.push(group.clone());
        }
    }
    kept
}
