//! The slices of a group of candidates at a point, put in order.

use std::collections::{BTreeMap, BTreeSet};

use model::campaign::{Campaign, Histograms, Phase, Round, Slice, Start, Started};
use model::histogram::{Counts, without};
use model::schema::twin_of;
use stats::{Family, LogRatios};

use super::metrics::{Memory, Metric, Source};

/// Values by start, round and candidate.
pub type Values = Vec<Vec<Vec<Option<f64>>>>;

/// The samples of a group of candidates at a point, without the rounds that were dropped, and in slices of one length.
#[derive(Debug)]
pub struct Samples<'a> {
    /// The candidates, the reference and its twin among them.
    pub candidates: Vec<&'a str>,
    /// The index of the reference.
    pub reference: usize,
    /// The index of its twin.
    pub twin: Option<usize>,
    /// The starts of the group.
    pub starts: Vec<&'a Start>,
    phases: BTreeMap<Phase, Rounds<'a>>,
}

/// The rounds of one load that count.
#[derive(Debug, Default)]
struct Rounds<'a> {
    rates: Vec<f64>,
    /// By start, round and candidate.
    slices: BTreeMap<u32, Vec<Vec<Option<Seen<'a>>>>>,
}

/// A slice and its histogram.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The slice.
    pub slice: &'a Slice,
    /// The round that it is part of.
    pub round: &'a Round,
    counts: &'a [(u64, u64)],
    disturbed: &'a [(u64, u64)],
}

impl AsRef<[(u64, u64)]> for Seen<'_> {
    fn as_ref(&self) -> &[(u64, u64)] {
        self.counts
    }
}

impl<'a> Samples<'a> {
    /// The samples of group `group` of point `point`, in slices of the length that counts; `None` where there is nobody in it.
    pub fn of(
        campaign: &'a Campaign,
        histograms: &'a Histograms,
        point: usize,
        group: usize,
    ) -> Option<Self> {
        let beside = campaign.starts_beside(point as u32, group as u32);
        Self::without(&beside, campaign, histograms, (point, group))
    }

    /// Those in slices of any length: for what a server did, and not how long it took.
    pub fn of_all_lengths(campaign: &'a Campaign, point: usize, group: usize) -> Option<Self> {
        static NONE: Histograms = Histograms::none();
        Self::without(&BTreeSet::new(), campaign, &NONE, (point, group))
    }

    /// Those of the starts that are not `left_out`.
    fn without(
        left_out: &BTreeSet<u32>,
        campaign: &'a Campaign,
        histograms: &'a Histograms,
        (point, group): (usize, usize),
    ) -> Option<Self> {
        let candidates: Vec<&str> =
            campaign.plan.points.get(point)?.groups.get(group)?.iter().map(String::as_str).collect();
        let twin = twin_of(candidates.first()?);
        let is_here = |round: &Round| {
            (round.point as usize, round.group as usize) == (point, group) && !left_out.contains(&round.start)
        };
        let starts = campaign.starts_of(point as u32, group as u32);
        let mut samples = Self {
            reference: 0,
            twin: candidates.iter().position(|name| *name == twin),
            starts: starts.filter(|start| !left_out.contains(&start.start)).collect(),
            phases: BTreeMap::new(),
            candidates,
        };
        let rounds = campaign.rounds.iter().enumerate();
        let here = rounds.filter(|(_, round)| is_here(round) && round.dropped.is_none());
        here.for_each(|(at, round)| samples.take(at, round, histograms));
        Some(samples)
    }

    fn take(&mut self, at: usize, round: &'a Round, histograms: &'a Histograms) {
        let slices = round.slices.iter().enumerate();
        let seen = |name: &str| {
            let (place, slice) = slices.clone().find(|(_, slice)| slice.candidate == name)?;
            Some(Seen {
                slice,
                round,
                counts: histograms.slice(at, place),
                disturbed: histograms.disturbed(at, place),
            })
        };
        let seen = self.candidates.iter().map(|name| seen(name)).collect();
        let phase = self.phases.entry(round.phase).or_default();
        phase.rates.extend(round.rate_per_s);
        phase.slices.entry(round.start).or_default().push(seen);
    }

    /// The number of candidates.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// The number of starts that have rounds which count.
    pub fn measured_starts(&self) -> usize {
        self.phases.values().map(|rounds| rounds.slices.len()).max().unwrap_or(0)
    }

    /// The mean rate of the open loop of `phase`, in requests per second.
    pub fn rate_per_s(&self, phase: Phase) -> Option<f64> {
        let rates = &self.phases.get(&phase)?.rates;
        (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
    }

    /// The slices of a candidate under one load.
    pub fn slices(&self, phase: Phase, candidate: usize) -> impl Iterator<Item = &'a Slice> {
        let starts = self.phases.get(&phase).into_iter().flat_map(|rounds| rounds.slices.values());
        starts.flatten().filter_map(move |round| Some(round[candidate]?.slice))
    }

    /// The values of `of` under one load.
    pub fn values(&self, phase: Phase, of: impl Fn(&Slice) -> Option<f64>) -> Values {
        let value = |seen: &Option<Seen<'_>>| of((*seen)?.slice);
        let rounds =
            |rounds: &Vec<Vec<_>>| rounds.iter().map(|round| round.iter().map(value).collect()).collect();
        self.phases.get(&phase).map(|phase| phase.slices.values().map(rounds).collect()).unwrap_or_default()
    }

    /// The values of a metric; of one that is measured at set-up each start is a round. A quantile of all samples has none.
    pub fn values_of(&self, metric: &Metric) -> Values {
        match (metric.source, metric.phase) {
            (Source::Slice(of), Some(phase)) => self.values(phase, of),
            (Source::Start(of), _) => self.of_starts(of),
            (Source::Memory(of), _) => self.of_starts(|started| Memory::of(started).map(of)),
            _ => Vec::new(),
        }
    }

    /// The same of those candidates alone that may have a figure.
    pub fn values_of_those(&self, metric: &Metric, has_figure: &[bool]) -> Values {
        let mut values = self.values_of(metric);
        for (value, may) in values.iter_mut().flatten().flat_map(|round| round.iter_mut().zip(has_figure)) {
            *value = value.filter(|_| *may);
        }
        values
    }

    fn of_starts(&self, of: impl Fn(&Started) -> Option<f64>) -> Values {
        let value =
            |start: &Start, name: &str| of(start.candidates.iter().find(|one| one.candidate == name)?);
        let values = |start: &&Start| vec![self.candidates.iter().map(|name| value(start, name)).collect()];
        self.starts.iter().map(values).collect()
    }

    /// The slices of a candidate with their histograms, by start and round.
    pub fn seen(&self, phase: Phase, candidate: usize) -> Vec<Vec<Seen<'a>>> {
        let starts = self.phases.get(&phase).into_iter().flat_map(|rounds| rounds.slices.values());
        starts.map(|rounds| rounds.iter().filter_map(|round| round[candidate]).collect()).collect()
    }

    /// The histograms of a candidate's slices without the requests that met a gap of the generator's own clock, by start and round.
    pub fn undisturbed(&self, phase: Phase, candidate: usize) -> Vec<Vec<Counts>> {
        let of_slice = |seen: &Seen<'_>| without(seen.counts, seen.disturbed);
        self.seen(phase, candidate).iter().map(|rounds| rounds.iter().map(of_slice).collect()).collect()
    }
}

/// The values of one candidate, by start and round.
pub fn of_candidate(values: &Values, candidate: usize) -> Vec<Vec<Option<f64>>> {
    values.iter().map(|start| start.iter().map(|round| round[candidate]).collect()).collect()
}

/// The family of ratios to the reference; `None` where there are too few values.
pub fn family(values: &Values, reference: usize) -> Option<Family> {
    Family::new(&LogRatios::new(values, reference).ok()?).ok()
}
