//! What a campaign of rounds says, as values: figures with intervals, ratios to the reference, saturation, and what was wrong.

use model::campaign::{Campaign, Histograms, Phase};
use model::histogram::Counts;
use model::schema::Point;
use rayon::prelude::*;
use stats::{Family, Interval, Level, LogRatios, Merged, Proportion, Relation, level, median};

use super::headline::{self, Lead};
use super::metrics::{Better, CPU, METRICS, Memory, Metric, RESPONSE, Source, Subject, THROUGHPUT};
use super::resolution;
use super::samples::{Samples, Values, of_candidate};
use super::saturation::{self, Saturated};
use super::troubles::{self, Trouble};
use super::validity::{self, Dropped, Halves};
use crate::format;

/// Ratios nearer to 1 than this are as good as equal.
pub const MARGIN: f64 = 0.02;
/// The share of a slice from which on the generator is full.
const GENERATOR_FULL: f64 = 0.95;
/// The metrics that candidates are put in order by.
pub const MAIN: [&Metric; 3] = [&RESPONSE, &THROUGHPUT, &CPU];

/// Returns whether candidates are put in order by `metric`, and gates decided.
pub fn is_main(metric: &Metric) -> bool {
    MAIN.iter().any(|main| main.key == metric.key)
}

/// The analysis of a campaign.
#[derive(Debug)]
pub struct Analysis<'a> {
    /// The campaign.
    pub campaign: &'a Campaign,
    /// Its points, in the order of the plan.
    pub points: Vec<PointAnalysis<'a>>,
    /// Who leads by each of the [main metrics](MAIN).
    pub leads: Vec<Lead<'a>>,
    /// The rounds that do not count.
    pub dropped: Dropped,
    /// In how many families the twin of the reference was told apart from it, where there is nothing to tell.
    pub false_differences: Option<Proportion>,
}

/// What was measured at a point.
#[derive(Debug)]
pub struct PointAnalysis<'a> {
    /// The point.
    pub point: &'a Point,
    /// Its groups; each is compared with its own reference.
    pub groups: Vec<GroupAnalysis<'a>>,
}

/// What was measured of the candidates that were alive at the same time.
#[derive(Debug)]
pub struct GroupAnalysis<'a> {
    /// The candidates, the reference and its twin among them, in the order of the plan.
    pub candidates: Vec<CandidateAnalysis<'a>>,
    /// The index of the reference.
    pub reference: usize,
    /// The index of its twin.
    pub twin: Option<usize>,
    /// Starts that were measured.
    pub starts: usize,
    /// The rate of the open loop under the light load, in requests per second.
    pub light_per_s: Option<f64>,
    /// The same of the busy load.
    pub busy_per_s: Option<f64>,
    /// Comparisons of the second halves of slices with the first ones.
    pub halves: Vec<Halves<'a>>,
    /// For each of the [main metrics](MAIN) the candidates, best first, as the greatest sets of which no two can be distinguished;
    /// without the twin, and without whoever has no ratio.
    pub order: Vec<Vec<Vec<usize>>>,
    /// What its figures are computed from.
    pub(crate) samples: Samples<'a>,
}

/// What was measured of one candidate.
#[derive(Debug)]
pub struct CandidateAnalysis<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its saturation at the light rate.
    pub light: Option<Saturated>,
    /// Its saturation at the busy rate.
    pub busy: Option<Saturated>,
    /// What it did wrong.
    pub troubles: Vec<Trouble>,
    /// What a connection takes of memory, by its parts: their medians over the starts.
    pub memory: Option<Memory>,
    figures: Vec<Option<Figure>>,
}

/// A figure of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The value, in the unit of its metric.
    pub value: f64,
    /// Its 95 % interval, where there are enough starts or rounds.
    pub interval: Option<Interval>,
    /// Whether the true value may be higher, since the generator was full too.
    pub is_lower_bound: bool,
    /// The ratio to the reference; absent of the reference itself.
    pub comparison: Option<Comparison>,
}

/// The ratio of a candidate's figure to the reference's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The ratio.
    pub ratio: f64,
    /// Its interval, which holds together with those of the other candidates of the family.
    pub interval: Interval,
    /// What the interval says: no difference where the ratio lies within the [resolution].
    pub relation: Relation,
    /// Whether the generator was full with either of the two, so that the ratio understates the difference.
    pub generator_full: bool,
}

/// What there is to show of a metric of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown<'a> {
    /// A figure.
    Figure(&'a Figure),
    /// Saturation in place of a latency.
    Saturated(&'a Saturated),
    /// Nothing was measured.
    Absent,
}

impl Comparison {
    /// The ratio and the ends of its interval.
    pub fn ends(&self) -> [f64; 3] {
        [self.ratio, self.interval.low, self.interval.high]
    }

    /// The same as text.
    pub fn texts(&self) -> [String; 3] {
        let [ratio, low, high] = self.ends();
        format::ratio_and_ends(ratio, low, high)
    }

    /// Returns whether the ratio is surely other than 1.
    pub fn is_difference(&self) -> bool {
        matches!(self.relation, Relation::Below | Relation::Above)
    }

    /// Returns whether the candidate is surely better than the reference by `metric`.
    pub fn is_better(&self, metric: &Metric) -> bool {
        match metric.better {
            Better::Lower => self.relation == Relation::Below,
            Better::Higher => self.relation == Relation::Above,
        }
    }
}

impl CandidateAnalysis<'_> {
    /// The figure of a metric.
    pub fn figure(&self, metric: &Metric) -> Option<&Figure> {
        self.figures[metric.index()].as_ref()
    }

    /// The comparison with the reference by a metric.
    pub fn comparison(&self, metric: &Metric) -> Option<&Comparison> {
        self.figure(metric)?.comparison.as_ref()
    }

    /// Returns whether the generator was full too, so that its figure is a bound.
    pub fn is_bounded(&self, metric: &Metric) -> bool {
        self.figure(metric).is_some_and(|figure| figure.is_lower_bound)
    }

    /// The saturation under a load.
    pub fn saturation(&self, phase: Option<Phase>) -> Option<&Saturated> {
        match phase? {
            Phase::Light => self.light.as_ref(),
            Phase::Busy => self.busy.as_ref(),
            Phase::Saturation => None,
        }
    }

    /// What there is to show of a metric.
    pub fn shown(&self, metric: &Metric) -> Shown<'_> {
        let saturated = self.saturation(metric.phase).filter(|_| metric.subject == Subject::Latency);
        let figure = || self.figure(metric).map_or(Shown::Absent, Shown::Figure);
        saturated.map_or_else(figure, Shown::Saturated)
    }
}

impl GroupAnalysis<'_> {
    /// The relative half-width of the intervals of a metric's ratios, as it is in the middle of all candidates: one that is far noisier than
    /// the others, since it queues, does not count for more. Ratios that the generator bounds are left out.
    pub fn usual_half_width(&self, metric: &Metric) -> Option<f64> {
        let comparisons = self.candidates.iter().filter_map(|candidate| candidate.comparison(metric));
        let widths = comparisons
            .filter(|comparison| !comparison.generator_full)
            .map(|comparison| (comparison.interval.high / comparison.interval.low).ln() / 2.0);
        median(&widths.filter(|width| width.is_finite()).collect::<Vec<_>>())
    }

    /// The durations of a candidate's requests under a load, in nanoseconds, each with its count, of all slices that count; without those that
    /// met a gap of the generator's own clock.
    pub fn durations(&self, phase: Phase, candidate: usize) -> Counts {
        self.samples.undisturbed(phase, candidate).concat().concat()
    }

    /// The ratios to candidate `reference`, which need not be that of the group, by a metric; of candidates without a figure of it there is
    /// none.
    pub fn family(&self, metric: &Metric, reference: usize) -> Option<Family> {
        let has_figure: Vec<bool> =
            self.candidates.iter().map(|candidate| candidate.figure(metric).is_some()).collect();
        family(&known(&self.samples, metric, &has_figure), reference)
    }
}

impl<'a> PointAnalysis<'a> {
    /// The candidate called `name`.
    pub fn candidate(&self, name: &str) -> Option<&CandidateAnalysis<'a>> {
        self.rows().into_iter().map(|(_, candidate)| candidate).find(|candidate| candidate.name == name)
    }

    /// The candidates of all groups, each with its group: each reference once, before those that are compared with it, and twins left out.
    pub fn rows(&self) -> Vec<(&GroupAnalysis<'a>, &CandidateAnalysis<'a>)> {
        let mut known: Vec<&str> = Vec::new();
        let mut rows = Vec::new();
        for group in &self.groups {
            for (at, candidate) in group.candidates.iter().enumerate() {
                let is_repeated = at == group.reference && known.contains(&candidate.name);
                if !is_repeated && Some(at) != group.twin {
                    rows.push((group, candidate));
                }
            }
            known.push(group.candidates[group.reference].name);
        }
        rows
    }
}

impl<'a> Analysis<'a> {
    /// Analyses a campaign. Without `histograms` the quantiles of all samples are absent.
    pub fn of(campaign: &'a Campaign, histograms: &'a Histograms) -> Self {
        let points: Vec<PointAnalysis<'_>> = (0..campaign.plan.points.len())
            .into_par_iter()
            .map(|at| {
                let planned = &campaign.plan.points[at];
                let analysed = |number| {
                    let troubles = troubles::find(&Samples::of_all_lengths(campaign, at, number)?);
                    Some(group(
                        Samples::of(campaign, histograms, at, number)?,
                        troubles,
                        planned.point.active,
                    ))
                };
                let groups = (0..planned.groups.len()).filter_map(analysed);
                PointAnalysis { point: &planned.point, groups: groups.collect() }
            })
            .collect();
        let groups = || points.iter().flat_map(|point| &point.groups);
        Self {
            leads: MAIN.iter().map(|metric| headline::lead(metric, &points)).collect(),
            dropped: Dropped::of(campaign),
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
    let values = known(samples, metric, has_figure);
    let family = metric.has_ratio().then(|| family(&values, samples.reference)).flatten();
    let ratios = family.as_ref().map(Family::ratios).unwrap_or_default();
    let twin = samples.twin.and_then(|at| ratios.get(at).copied().flatten());
    let resolution = twin.map(|twin| resolution::reach(twin.simultaneous));
    let compare = |at: usize| {
        let ratio = ratios.get(at).copied().flatten().filter(|_| at != samples.reference)?;
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

/// The values of a metric of those candidates that may have one.
fn known(samples: &Samples<'_>, metric: &Metric, has_figure: &[bool]) -> Values {
    let mut values = samples.values_of(metric);
    for value in values.iter_mut().flatten().flat_map(|round| round.iter_mut().zip(has_figure)) {
        *value.0 = value.0.filter(|_| *value.1);
    }
    values
}

/// The family of ratios to the reference; `None` where there are too few values.
pub(crate) fn family(values: &Values, reference: usize) -> Option<Family> {
    Family::new(&LogRatios::new(values, reference).ok()?).ok()
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
