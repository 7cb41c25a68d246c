//! The parts of a claim: where each looks, what it expects there, and what it makes of what it sees.

use model::schema::{BenchPoint, ClaimFigure, Finding};
use stats::Relation;

use crate::base::{Base, Number, Place, Spot, mean_ratio, used};
use report::format;
use report::rounds::analysis::MARGIN;
use report::rounds::answer::relation;
use report::rounds::metrics::CPU;
use report::rounds::resolution;
use report::rounds::{Better, Comparison, Metric, Unit};

/// The weight of a part.
#[derive(Debug, Clone, Copy)]
pub enum Weight {
    /// Found otherwise, it refutes the claim.
    Essential,
    /// Found otherwise, it bounds the claim: the condition in words.
    Bounding(&'static str),
    /// It shows how far the claim reaches.
    Context,
}

impl Weight {
    /// Returns the finding where a part of this weight is as claimed, or is not; `None` where it cannot be told.
    pub fn finding(self, holds: Option<bool>) -> Finding {
        match (self, holds) {
            (Self::Context, _) => Finding::Context,
            (_, Some(true)) => Finding::AsClaimed,
            (Self::Essential, Some(false)) => Finding::Contradicts,
            (Self::Bounding(_), Some(false)) => Finding::Condition,
            (Self::Essential, None) => Finding::Open,
            (Self::Bounding(_), None) => Finding::OpenAside,
        }
    }
}

/// The expectation that a part has of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expect {
    /// A ratio by which the first of two is better.
    Better,
    /// One by which it is worse.
    Worse,
    /// One by which it is not.
    NotWorse,
    /// This at most.
    AtMost(f64),
    /// This at least.
    AtLeast(f64),
    /// Nothing: the number is context.
    Nothing,
}

use Expect::{AtLeast, AtMost, NotWorse, Nothing, Worse};

/// The place where a part looks. Metrics are named by their keys.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// The ratio of one candidate's figure to another's, over several points its geometric mean.
    Ratio(&'static str, [&'static str; 2], Place, Expect),
    /// The figure of a candidate.
    Value(&'static str, &'static str, Place, Expect),
    /// One figure of a candidate over another figure of it.
    Quotient([&'static str; 2], &'static str, Place, Expect),
    /// The exponent with which a figure of a candidate grows along the connections of which few are active.
    Growth(&'static str, &'static str, Expect),
    /// The growth of a figure of a candidate for each connection more, along the same.
    Slope(&'static str, &'static str, Expect),
    /// The exponent with which a micro-benchmark of a mechanism grows with the descriptors watched, from so many on.
    BenchGrowth(&'static str, &'static str, u32, Expect),
    /// A micro-benchmark of one mechanism over that of another, with the most descriptors watched.
    BenchRatio(&'static str, [&'static str; 2], Expect),
    /// The observation of an experiment of the semantics: the experiment's words, the claim, and the check of the
    /// observation against it.
    Observed(&'static str, &'static str, fn(&str) -> bool),
    /// Something else.
    Other(fn(&Base<'_>) -> Seen),
}

/// The outcome of a part's look.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Something.
    Found(Box<Found>),
    /// Nothing was measured that it could look at: what, and the command that measures it.
    Lacks(String, &'static str),
    /// This machine cannot show it: what, and why.
    Cannot(String, String),
}

/// The description of something that was measured.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The thing that was looked at.
    pub what: String,
    /// The claim about it.
    pub claimed: String,
    /// The observation.
    pub observed: String,
    /// True if it is as claimed; `None` if the interval does not say.
    pub holds: Option<bool>,
    /// The number.
    pub figure: Option<ClaimFigure>,
    /// The places where it was measured.
    pub used: Vec<String>,
    /// The command that measures more of it, so that the interval becomes narrower.
    pub more: String,
}

impl Found {
    /// A number in `unit`, printed as `observed`, of which `claimed` is expected.
    pub fn new(what: String, number: Number, unit: &str, observed: String) -> Self {
        // A count has no interval.
        let interval = number.interval.filter(|at| at.low < at.high);
        let figure = ClaimFigure {
            what: what.clone(),
            value: number.value,
            low: interval.map(|at| at.low),
            high: interval.map(|at| at.high),
            unit: unit.to_owned(),
        };
        Self { what, observed, figure: Some(figure), ..Self::default() }
    }

    /// Judges it by what is expected of the number.
    #[must_use]
    pub fn expecting(mut self, expect: Expect, number: Number) -> Self {
        self.claimed = expect.words();
        self.holds = expect.holds(number);
        self
    }

    /// Says where it was measured: a campaign's points.
    #[must_use]
    pub fn at(mut self, spots: &[Spot<'_>], names: &[&str]) -> Self {
        let scenario = spots.first().map_or("", |spot| &spot.analysis.campaign.plan.scenario.name);
        self.more = format!("muxbench run {scenario} --thorough");
        self.used = used(spots, names);
        self
    }

    /// Says where it was measured: a micro-benchmark.
    #[must_use]
    pub fn by_bench(mut self, group: &str) -> Self {
        self.more = format!("cargo bench -- {group}");
        self.used = vec![format!("cargo bench: {group}")];
        self
    }

    /// The same as what a part saw.
    pub fn seen(self) -> Seen {
        Seen::Found(Box::new(self))
    }
}

impl Expect {
    /// Returns whether `number` is as expected; `None` where its interval does not say.
    pub fn holds(self, number: Number) -> Option<bool> {
        let interval = number.interval?;
        let either = |yes: bool, no: bool| (yes || no).then_some(yes);
        match self {
            Nothing => None,
            AtMost(most) => either(interval.high <= most, interval.low > most),
            AtLeast(least) => either(interval.low >= least, interval.high < least),
            // Of ratios the lower is better: see `Ratio`.
            ratio => match (ratio, Relation::of(interval, MARGIN)) {
                (_, Relation::NotDistinguishable) => None,
                (Worse, relation) => Some(relation == Relation::Above),
                (NotWorse, relation) => Some(relation != Relation::Above),
                (_, relation) => Some(relation == Relation::Below),
            },
        }
    }

    /// The same in words.
    fn words(self) -> String {
        match self {
            Self::Better => "better".to_owned(),
            Worse => "worse".to_owned(),
            NotWorse => "not worse".to_owned(),
            AtMost(most) => format!("{} at most", bound(most)),
            AtLeast(least) => format!("{} at least", bound(least)),
            Nothing => String::new(),
        }
    }
}

fn bound(value: f64) -> String {
    if value >= 1_000.0 { format::thousands(value as u64) } else { format!("{value}") }
}

/// A ratio whose lower values are better, from one by `metric`.
fn oriented(number: Number, metric: &Metric) -> Number {
    match metric.better {
        Better::Lower => number,
        Better::Higher => Number::exact(1.0).over(number),
    }
}

/// A ratio in the words of every table: `slower by 7.2× (7.1–7.4)`.
pub fn in_words(metric: &Metric, number: Number) -> String {
    in_words_beyond(metric, number, None)
}

/// The same, where nothing below a resolution is told.
fn in_words_beyond(metric: &Metric, number: Number, resolution: Option<f64>) -> String {
    number.interval.map_or_else(
        || format!("{}×", format::three_digits(number.value)),
        |interval| {
            let compared = Comparison {
                ratio: number.value,
                interval,
                relation: resolution::relation(number.value, interval, resolution),
                generator_full: false,
            };
            relation(metric, &compared)
        },
    )
}

/// The unit of a metric's values in words.
fn unit(metric: &Metric) -> String {
    match metric.unit {
        Unit::Nanoseconds => "ns".to_owned(),
        Unit::Bytes => "bytes".to_owned(),
        Unit::PerSecond => "requests/s".to_owned(),
        Unit::Share => "of a processor".to_owned(),
        Unit::Count => format!("per {}", metric.denominator),
    }
}

/// The metric of this name.
///
/// # Panics
///
/// Where there is none. A test looks at every part.
pub fn metric(key: &str) -> &'static Metric {
    Metric::of_key(key).unwrap_or_else(|| panic!("no metric {key}"))
}

impl Look {
    /// Looks.
    pub fn see(self, base: &Base<'_>) -> Seen {
        match self {
            Self::Ratio(key, pair, place, expect) => ratio(base, metric(key), pair, place, expect),
            Self::Value(key, name, place, expect) => value(base, metric(key), name, place, expect),
            Self::Quotient(keys, name, place, expect) => {
                quotient(base, keys.map(metric), name, place, expect)
            }
            Self::Growth(key, name, expect) => along(base, metric(key), name, expect, true),
            Self::Slope(key, name, expect) => along(base, metric(key), name, expect, false),
            Self::BenchGrowth(group, name, from, expect) => bench_growth(base, group, name, from, expect),
            Self::BenchRatio(group, pair, expect) => bench_ratio(base, group, pair, expect),
            Self::Observed(what, claimed, is_it) => observed(base, what, claimed, is_it),
            Self::Other(see) => see(base),
        }
    }
}

fn ratio(base: &Base<'_>, metric: &Metric, pair: [&str; 2], place: Place, expect: Expect) -> Seen {
    let spots = base.spots(place, &[metric], &pair);
    let [name, other] = pair;
    let what = format!("{} of {name} against {other}", metric.name);
    let Some(number) = mean_ratio(&spots, metric, pair) else {
        return Seen::Lacks(format!("{what}, {}", place.words()), place.command());
    };
    let place = match &spots[..] {
        [one] => format!(" at {}", one.place(metric)),
        several => format!(", mean of {}", format::plural(several.len(), "point")),
    };
    let bound = resolution_of(&spots, metric, other);
    let found = Found::new(what + &place, number, "×", in_words_beyond(metric, number, bound));
    let mut found = found.expecting(expect, oriented(number, metric)).at(&spots, &pair);
    // What the report tells as no difference decides nothing here.
    let relation = |bound| Some(resolution::relation(number.value, number.interval?, bound));
    if relation(bound) != relation(None) {
        found.holds = None;
    }
    found.seen()
}

/// The resolution of a ratio to the reference at a single spot: a mean of several points has that of none of them.
fn resolution_of(spots: &[Spot<'_>], metric: &Metric, other: &str) -> Option<f64> {
    let [spot] = spots else { return None };
    let is_reference = spot.group.candidates[spot.group.reference].name == other;
    resolution::of_group(spot.group, metric).filter(|_| is_reference)
}

fn value(base: &Base<'_>, metric: &Metric, name: &str, place: Place, expect: Expect) -> Seen {
    let spots = base.spots(place, &[metric], &[name]);
    let what = format!("{} of {name}", metric.name);
    let Some((spot, number)) = spots.last().and_then(|spot| Some((spot, spot.figure(metric, name)?))) else {
        return Seen::Lacks(format!("{what}, {}", place.words()), place.command());
    };
    let what = format!("{what} at {}", spot.place(metric));
    let text = number.interval.map_or_else(
        || format::quantity(metric.unit, number.value),
        |at| format::quantity_and_ends(metric.unit, number.value, at.low, at.high),
    );
    Found::new(what, number, &unit(metric), text).expecting(expect, number).at(&[*spot], &[name]).seen()
}

fn quotient(base: &Base<'_>, metrics: [&Metric; 2], name: &str, place: Place, expect: Expect) -> Seen {
    let spots = base.spots(place, &metrics, &[name]);
    let what = format!("{} of {name} over {}", metrics[0].name, metrics[1].name);
    let quotient =
        |spot: &Spot<'_>| Some(spot.figure(metrics[0], name)?.over(spot.figure(metrics[1], name)?));
    let Some((spot, number)) = spots.last().and_then(|spot| Some((spot, quotient(spot)?))) else {
        return Seen::Lacks(format!("{what}, {}", place.words()), place.command());
    };
    let found = Found::new(format!("{what} at {}", spot.place(metrics[0])), number, "×", number.text());
    found.expecting(expect, number).at(&[*spot], &[name]).seen()
}

/// The growth of a figure along connections: its exponent, or what each connection more adds.
fn along(base: &Base<'_>, metric: &Metric, name: &str, expect: Expect, is_power: bool) -> Seen {
    let spots = of_one_rate(base.spots(Place::IdleLine, &[metric], &[name]), metric);
    let kind = if is_power { "growth" } else { "growth per connection" };
    let what = format!("{kind} of {} of {name}", metric.name);
    let ends =
        spots.first().zip(spots.last()).filter(|(from, to)| from.point.connections < to.point.connections);
    let numbers =
        ends.and_then(|(from, to)| Some((from, to, from.figure(metric, name)?, to.figure(metric, name)?)));
    let Some((from, to, first, last)) = numbers else {
        return Seen::Lacks(format!("{what}, {}", Place::IdleLine.words()), Place::IdleLine.command());
    };
    let sizes = (from.point.connections, to.point.connections);
    let what = format!("{what} from {} to {}", format::thousands(sizes.0.into()), to.place(metric));
    let more = f64::from(sizes.1 - sizes.0);
    let (number, unit) = match is_power {
        true => (last.growth(first, sizes), "exponent of n".to_owned()),
        false => (last.with(first, |last, first| (last - first) / more), unit(metric)),
    };
    let text = if is_power { power(number) } else { format!("{} {unit}", number.text()) };
    Found::new(what, number, &unit, text).expecting(expect, number).at(&[*from, *to], &[name]).seen()
}

/// Those of `spots` that met one and the same rate, as many as there are: at another one a server sleeps more or less between requests, which is no growth.
fn of_one_rate<'a>(spots: Vec<Spot<'a>>, metric: &Metric) -> Vec<Spot<'a>> {
    let rate = |spot: &Spot<'_>| spot.rate_per_s(metric).map(f64::to_bits);
    let met = |wanted| spots.iter().filter(|spot| rate(spot) == wanted).count();
    let usual = spots.iter().map(rate).max_by_key(|wanted| met(*wanted)).flatten();
    spots.into_iter().filter(|spot| rate(spot) == usual).collect()
}

/// `n^0.97 (0.95–0.99)`.
fn power(number: Number) -> String {
    let ends = number.interval.map(|at| format!(" ({:.2}–{:.2})", at.low, at.high));
    format!("n^{:.2}{}", number.value, ends.unwrap_or_default())
}

fn bench_growth(base: &Base<'_>, group: &str, mechanism: &str, from: u32, expect: Expect) -> Seen {
    let points: Vec<&BenchPoint> =
        base.bench(group, mechanism).into_iter().filter(|point| point.watched >= from).collect();
    let what = format!("growth of cargo bench {group}/{mechanism} with the descriptors watched");
    let (Some(first), Some(last), true) = (points.first(), points.last(), points.len() > 1) else {
        return Seen::Lacks(what, command(group));
    };
    let number = Number::from(*last).growth((*first).into(), (first.watched, last.watched));
    let reach = [first, last].map(|point| format::thousands(point.watched.into()));
    let what = format!("{what}, {} to {}", reach[0], reach[1]);
    Found::new(what, number, "exponent of n", power(number)).expecting(expect, number).by_bench(group).seen()
}

fn bench_ratio(base: &Base<'_>, group: &str, pair: [&str; 2], expect: Expect) -> Seen {
    let [ours, others] = pair.map(|mechanism| base.bench(group, mechanism));
    let partner = |one: &&&BenchPoint| others.iter().find(|other| other.watched == one.watched).copied();
    let [name, other] = pair;
    let what = format!("cargo bench {group}/{name} against {other}");
    let most = ours.iter().rev().find_map(|one| Some((*one, partner(&one)?)));
    let Some((one, partner)) = most else { return Seen::Lacks(what, command(group)) };
    let number = Number::from(one).over(partner.into());
    let what = format!("{what}, {} descriptors watched", format::thousands(one.watched.into()));
    // The words are those of costs.
    Found::new(what, number, "×", in_words(&CPU, number)).expecting(expect, number).by_bench(group).seen()
}

/// The command that runs a micro-benchmark. Those of one wait are one group.
fn command(group: &str) -> &'static str {
    if group == "ctl" { "cargo bench -- ctl" } else { "cargo bench -- wait" }
}

fn observed(base: &Base<'_>, what: &str, claimed: &str, is_it: fn(&str) -> bool) -> Seen {
    let Some(observed) = base.observed(what) else {
        return Seen::Lacks(what.to_owned(), "muxbench semantics");
    };
    let number = observed.parse::<f64>().ok();
    let found = match number {
        Some(value) => Found::new(what.to_owned(), Number::exact(value), "connections", observed.to_owned()),
        None => Found { what: what.to_owned(), observed: observed.to_owned(), ..Found::default() },
    };
    Found { claimed: claimed.to_owned(), holds: Some(is_it(observed)), ..found }.seen()
}
