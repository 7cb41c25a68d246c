//! The results from which claims about cost are decided, and the place in them at which each claim looks.

use std::collections::BTreeMap;

use model::campaign::{Length, Phase};
use model::schema::{BenchGroup, BenchPoint, Evidence, LoadReport, Point, Semantics};
use stats::{Interval, Ratio};

use report::format;
use report::rounds::{Analysis, GroupAnalysis, Metric};

/// Connections from which on there are many.
const MANY: u32 = 1_000;
/// Connections up to which there are few.
const FEW: u32 = 100;
/// Bytes from which on a message is large.
const LARGE: u32 = 16 * 1024;

/// Results, of whatever there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Base<'a> {
    /// Campaigns, of any scenario.
    pub campaigns: &'a [Analysis<'a>],
    /// Groups of micro-benchmarks.
    pub benches: &'a [BenchGroup],
    /// Single runs of the generator, of which the greatest tells what a machine held.
    pub loads: &'a [LoadReport],
    /// The observations of the kernel's semantics.
    pub semantics: Option<&'a Semantics>,
}

/// The part of the campaigns that a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Ten percent or fewer active: the most connections of the line that reaches furthest, 1,000 or more.
    MostIdle,
    /// The fewest of that line.
    FewestIdle,
    /// All of that line.
    IdleLine,
    /// Every point of 1,000 connections or more of which ten percent or fewer are active.
    ManyIdle,
    /// Every point of 100 connections or fewer, all of them active.
    FewBusy,
    /// Every point of one thread and steady connections whose messages are not large.
    SmallMessages,
    /// Every such point whose messages are.
    LargeMessages,
    /// The most active connections at one thread.
    MostActive,
}

impl Place {
    /// Its name.
    pub fn words(self) -> &'static str {
        match self {
            Self::MostIdle => "1,000 connections or more, few of them active",
            Self::FewestIdle => "the fewest connections of a line along idle ones",
            Self::IdleLine => "connections from few to many, few of them active",
            Self::ManyIdle => "every point of 1,000 connections or more, few of them active",
            Self::FewBusy => "every point of 100 connections or fewer, all active",
            Self::SmallMessages => "every point with small messages",
            Self::LargeMessages => "messages of 16 KiB or more",
            Self::MostActive => "the most active connections",
        }
    }

    /// The command that measures there.
    pub fn command(self) -> &'static str {
        match self {
            Self::FewBusy => "muxbench run few-and-busy",
            Self::LargeMessages => "muxbench run message-size",
            _ => "muxbench run many-idle-few-active",
        }
    }

    fn holds(self, point: &Point) -> bool {
        let is_large = point.size_bytes.is_some_and(|bytes| bytes >= LARGE);
        let is_steady = point.threads == 1 && point.churn_per_s.is_none();
        match self {
            Self::MostIdle | Self::FewestIdle | Self::IdleLine | Self::MostActive => point.is_plain(),
            Self::ManyIdle => point.is_plain() && point.connections >= MANY && few_active(point),
            Self::FewBusy => {
                point.is_plain() && point.connections <= FEW && point.active == point.connections
            }
            Self::SmallMessages => is_steady && !is_large,
            Self::LargeMessages => is_steady && is_large,
        }
    }
}

fn few_active(point: &Point) -> bool {
    point.active <= point.connections / 10
}

/// A number with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// The value.
    pub value: f64,
    /// Its interval, where it has one.
    pub interval: Option<Interval>,
}

impl Number {
    /// A number that is known.
    pub fn exact(value: f64) -> Self {
        Self { value, interval: Some(Interval { low: value, high: value }) }
    }

    /// A number and the ends of its interval.
    pub fn between(value: f64, low: f64, high: f64) -> Self {
        Self { value, interval: Some(Interval { low, high }) }
    }

    /// `of` this and another, which were measured apart: the ends of its interval are those of theirs that lie furthest apart. It falls
    /// with the other number.
    pub fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        let ends = self.interval.zip(other.interval);
        let interval =
            ends.map(|(one, two)| Interval { low: of(one.low, two.high), high: of(one.high, two.low) });
        Self { value: of(self.value, other.value), interval }
    }

    /// This number over another, which was measured apart.
    pub fn over(self, other: Self) -> Self {
        self.with(other, |one, other| one / other)
    }

    /// The exponent with which this grows from `first`, between two sizes.
    pub fn growth(self, first: Self, (from, to): (u32, u32)) -> Self {
        let decades = (f64::from(to) / f64::from(from)).ln();
        self.with(first, |last, first| (last / first).ln() / decades)
    }

    /// `1.21 (1.20–1.22)`.
    pub fn text(&self) -> String {
        let Self { value, interval } = self;
        let ends = interval.filter(|ends| ends.low < ends.high);
        let ends =
            ends.map(|at| format!(" ({}–{})", format::three_digits(at.low), format::three_digits(at.high)));
        format::three_digits(*value) + &ends.unwrap_or_default()
    }
}

impl From<Ratio> for Number {
    fn from(ratio: Ratio) -> Self {
        Self { value: ratio.ratio, interval: Some(ratio.simultaneous) }
    }
}

impl From<&BenchPoint> for Number {
    fn from(point: &BenchPoint) -> Self {
        Self::between(point.median_ns, point.low_ns, point.high_ns)
    }
}

/// Candidates that were alive together at a point of a campaign.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    /// The campaign.
    pub analysis: &'a Analysis<'a>,
    /// The point.
    pub point: &'a Point,
    /// The candidates.
    pub group: &'a GroupAnalysis<'a>,
}

impl PartialEq for Spot<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.group, other.group)
    }
}

impl<'a> Spot<'a> {
    fn find(&self, name: &str) -> Option<usize> {
        self.group.candidates.iter().position(|candidate| candidate.name == name)
    }

    /// The figure of a candidate, if a verdict may rest on it: nobody was saturated, and the generator not full alone.
    pub fn figure(&self, metric: &Metric, name: &str) -> Option<Number> {
        let candidate = &self.group.candidates[self.find(name)?];
        let figure = candidate.figure(metric).filter(|figure| !figure.is_lower_bound)?;
        let is_sound = candidate.saturation(metric.phase).is_none();
        is_sound.then_some(Number { value: figure.value, interval: figure.interval })
    }

    /// The ratio of a candidate's figure to another's, formed within rounds; its interval holds together with those of the other candidates.
    pub fn ratio(&self, metric: &Metric, [name, other]: [&str; 2]) -> Option<Ratio> {
        let family = self.group.family(metric, self.find(other)?)?;
        family.ratios().get(self.find(name)?).copied().flatten()
    }

    /// The offered rate that `metric` was measured at, in requests per second.
    pub fn rate_per_s(&self, metric: &Metric) -> Option<f64> {
        match metric.phase? {
            Phase::Light => self.group.light_per_s,
            Phase::Busy => self.group.busy_per_s,
            Phase::Saturation => None,
        }
    }

    /// The point in words, with the rate of `metric`.
    pub fn place(&self, metric: &Metric) -> String {
        let rate = self.rate_per_s(metric).filter(|_| self.point.rate_per_s.is_none());
        let rate =
            rate.map(|rate| format!(", {} requests/s", format::nominal_rate(rate))).unwrap_or_default();
        format::place(self.point) + &rate
    }
}

impl<'a> Base<'a> {
    /// Every group of every point.
    pub fn all(&self) -> impl Iterator<Item = Spot<'a>> + use<'a> {
        self.campaigns.iter().flat_map(|analysis| {
            analysis.points.iter().flat_map(move |point| {
                point.groups.iter().map(move |group| Spot { analysis, point: point.point, group })
            })
        })
    }

    /// The groups at `place` of which all `names` have sound figures of all `metrics`.
    pub fn spots(&self, place: Place, metrics: &[&Metric], names: &[&str]) -> Vec<Spot<'a>> {
        let is_sound = |spot: &Spot<'_>| {
            let mut pairs = metrics.iter().flat_map(|metric| names.iter().map(move |name| (metric, name)));
            pairs.all(|(metric, name)| spot.figure(metric, name).is_some())
        };
        let found: Vec<Spot<'a>> =
            self.all().filter(|spot| place.holds(spot.point)).filter(is_sound).collect();
        match place {
            Place::MostIdle => {
                line(found).pop().filter(|spot| spot.point.connections >= MANY).into_iter().collect()
            }
            Place::IdleLine => line(found),
            Place::FewestIdle => line(found).into_iter().take(1).collect(),
            Place::MostActive => found.into_iter().max_by_key(|spot| spot.point.active).into_iter().collect(),
            _ => found,
        }
    }

    /// The points of a micro-benchmark, of one mechanism, by the number of descriptors watched.
    pub fn bench(&self, group: &str, mechanism: &str) -> Vec<&'a BenchPoint> {
        let groups = self.benches.iter().filter(|found| found.group == group);
        let mut points: Vec<&BenchPoint> =
            groups.flat_map(|found| &found.points).filter(|point| point.mechanism == mechanism).collect();
        points.sort_by_key(|point| point.watched);
        points
    }

    /// The observation of an experiment of the semantics, which is found by its words.
    pub fn observed(&self, what: &str) -> Option<&'a str> {
        let mut all = self.semantics?.claims.iter().flat_map(|claim| &claim.evidence);
        all.find(|evidence: &&Evidence| evidence.what == what)?.observed.as_deref()
    }
}

/// The longest of the lines along connections that end with few of them active, one that begins with few connections before any other.
fn line(spots: Vec<Spot<'_>>) -> Vec<Spot<'_>> {
    let mut lines: BTreeMap<(usize, &str, u32), Vec<Spot<'_>>> = BTreeMap::new();
    for spot in spots {
        let campaign = std::ptr::from_ref(spot.analysis) as usize;
        lines.entry((campaign, &spot.point.sweep, spot.point.active)).or_default().push(spot);
    }
    let rank = |line: &Vec<Spot<'_>>| {
        let (first, last) = (line[0], line[line.len() - 1]);
        let is_quick = first.analysis.campaign.length == Length::Quick;
        let reach = last.point.connections / first.point.connections.max(1);
        (first.point.connections <= FEW, !is_quick, reach, line.len())
    };
    for line in lines.values_mut() {
        line.sort_by_key(|spot| spot.point.connections);
        line.dedup_by_key(|spot| spot.point.connections);
    }
    let is_line = |line: &Vec<Spot<'_>>| line.len() > 1 && few_active(line[line.len() - 1].point);
    lines.into_values().filter(is_line).max_by_key(rank).unwrap_or_default()
}

/// The ratio of a candidate's figure to another's over several points: its geometric mean.
pub fn mean_ratio(spots: &[Spot<'_>], metric: &Metric, pair: [&str; 2]) -> Option<Number> {
    let ratios: Vec<Ratio> = spots.iter().filter_map(|spot| spot.ratio(metric, pair)).collect();
    match &ratios[..] {
        [] => None,
        [one] => Some((*one).into()),
        several => Ratio::geometric_mean(several).map(Number::from),
    }
}

/// The spots that were used, in words: `few-and-busy: poll and epoll-lt at 10 × 10; 100 × 100`.
pub fn used(spots: &[Spot<'_>], names: &[&str]) -> Vec<String> {
    let same = |one: &Spot<'_>, other: &Spot<'_>| std::ptr::eq(one.analysis, other.analysis);
    let of_campaign = |spots: &[Spot<'_>]| {
        let places: Vec<String> = spots.iter().map(|spot| format::place_in_short(spot.point)).collect();
        let scenario = &spots[0].analysis.campaign.plan.scenario.name;
        format!("{scenario}: {} at {}", format::and(names), places.join("; "))
    };
    spots.chunk_by(same).map(of_campaign).collect()
}
