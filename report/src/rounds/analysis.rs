//! The analysis of a campaign of rounds, as values: figures with intervals, ratios to the reference, saturation, and
//! what was wrong.

use model::campaign::{Campaign, Phase};
use model::histogram::Counts;
use model::schema::Point;
use stats::{Family, Interval, Proportion, Relation, median};

use super::metrics::{Better, CPU, Memory, Metric, RESPONSE, Subject, THROUGHPUT};
use super::samples::{Samples, family};
use super::saturation::Saturated;
use super::troubles::Trouble;
use crate::format;

/// Ratios nearer to 1 than this are as good as equal.
pub const MARGIN: f64 = 0.02;
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
    /// The leaders by each of the [main metrics](MAIN).
    pub leads: Vec<Lead<'a>>,
    /// The rounds that do not count.
    pub dropped: Dropped,
    /// In how many families the twin of the reference was told apart from it, where there is nothing to tell.
    pub false_differences: Option<Proportion>,
}

/// The candidates that lead by a metric.
#[derive(Debug)]
pub struct Lead<'a> {
    /// The metric.
    pub metric: &'static Metric,
    /// The candidates, and at how many points each cannot be told from the best, most points first.
    pub leaders: Vec<(&'a str, usize)>,
    /// The number of points that have an order.
    pub points: usize,
    /// True if the generator was full with a candidate somewhere, so that its figure is a lower bound.
    pub is_bounded: bool,
    /// The candidates that are saturated in place of a value somewhere, with the index of the first such point and the number of all.
    pub saturated: Vec<(&'a str, usize, usize)>,
    /// The surest gain over the reference.
    pub gain: Option<Extreme<'a>>,
    /// The surest loss against it.
    pub loss: Option<Extreme<'a>>,
}

/// The greatest difference from the reference.
#[derive(Debug, Clone, Copy)]
pub struct Extreme<'a> {
    /// The index of the point.
    pub point: usize,
    /// The candidate.
    pub candidate: &'a str,
    /// Its ratio to the reference.
    pub comparison: Comparison,
    /// The server's utilisation there, at the rate of the metric.
    pub utilisation: Option<f64>,
}

/// The rounds that do not count, for any candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Rounds that do not count.
    pub rounds: usize,
    /// All rounds.
    pub of: usize,
    /// The reasons, the most frequent first: the words of the first such round, and how many there were.
    pub reasons: Vec<(String, usize)>,
}

/// The analysis of a point.
#[derive(Debug)]
pub struct PointAnalysis<'a> {
    /// The point.
    pub point: &'a Point,
    /// Its groups; each is compared with its own reference.
    pub groups: Vec<GroupAnalysis<'a>>,
}

/// The analysis of the candidates that were alive at the same time.
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
    /// The samples that its figures are computed from.
    pub(crate) samples: Samples<'a>,
}

/// The ratios of a group in the second halves of slices, over those in the first: 1 where slices are long enough.
#[derive(Debug)]
pub struct Halves<'a> {
    /// The metric.
    pub metric: &'static Metric,
    /// Each candidate's ratio, without the reference and whoever does not sustain the load.
    pub ratios: Vec<(&'a str, Comparison)>,
}

/// The analysis of one candidate.
#[derive(Debug)]
pub struct CandidateAnalysis<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its saturation at the light rate.
    pub light: Option<Saturated>,
    /// Its saturation at the busy rate.
    pub busy: Option<Saturated>,
    /// Everything that it did wrong.
    pub troubles: Vec<Trouble>,
    /// The memory of a connection, by its parts: their medians over the starts.
    pub memory: Option<Memory>,
    pub(super) figures: Vec<Option<Figure>>,
}

/// A figure of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The value, in the unit of its metric.
    pub value: f64,
    /// Its 95 % interval, where there are enough starts or rounds.
    pub interval: Option<Interval>,
    /// True if the true value may be higher, since the generator was full too.
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
    /// The relation that the interval shows: no difference where the ratio lies within the [resolution](super::resolution).
    pub relation: Relation,
    /// True if the generator was full with either of the two, so that the true ratio may be another.
    pub generator_full: bool,
}

/// A metric of a candidate, as it is shown.
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

impl<'a> Halves<'a> {
    /// The candidates whose ratio differs by more than the [margin](MARGIN), surely.
    pub fn differ(&self) -> impl Iterator<Item = &(&'a str, Comparison)> {
        self.differ_by(MARGIN)
    }

    /// The candidates whose ratio differs by more than `margin`, surely: 0.05 for 5 %.
    pub fn differ_by(&self, margin: f64) -> impl Iterator<Item = &(&'a str, Comparison)> {
        let is_beyond =
            move |interval: Interval| interval.low > 1.0 + margin || interval.high < 1.0 / (1.0 + margin);
        self.ratios.iter().filter(move |(_, compared)| is_beyond(compared.interval))
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

    /// The figure of a metric, or saturation in its place.
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
        family(&self.samples.values_of_those(metric, &has_figure), reference)
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
