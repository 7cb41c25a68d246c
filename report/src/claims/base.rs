//! What claims about cost are decided from, and how what was found is weighed.

use crate::format;
use crate::line::{self, Line};
use crate::statistics::{Ratio, Summary, Verdict};
use model::schema::{
    BenchGroup, BenchPoint, Campaign, ClaimFigure, Evidence, Finding, LoadReport, Point, Semantics,
};

/// Results, of whatever there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Base<'a> {
    /// Campaigns, of any scenario.
    pub campaigns: &'a [Campaign],
    /// Groups of micro-benchmarks.
    pub benches: &'a [BenchGroup],
    /// Single runs of the generator, of which the greatest tells what a machine held.
    pub loads: &'a [LoadReport],
    /// What was observed of the kernel.
    pub semantics: Option<&'a Semantics>,
}

impl<'a> Base<'a> {
    /// The line along connections of which few are active, ten percent or fewer at its end, that reaches furthest from few
    /// connections to many with valid cells of all `contenders`.
    pub fn idle_line(&self, contenders: &[&str]) -> Option<Line<'a>> {
        let complete = |mut line: Line<'a>| {
            let all = |point: &Point| contenders.iter().all(|name| !line.cells(point, name).is_empty());
            let points = line.points.iter().copied().filter(|(_, point)| all(point)).collect();
            line.points = points;
            let few = line.points.len() > 1 && line.last().active <= line.last().connections / 10;
            few.then_some(line)
        };
        let lines = self.campaigns.iter().flat_map(Line::along_connections).filter_map(complete);
        lines.max_by_key(|line| {
            // A line that begins with few connections shows what many add; windows of a quick run are short.
            let begins_with_few = line.first().connections <= 100;
            (
                begins_with_few,
                !line.campaign.quick,
                line.reach() as u64,
                line.points.len(),
                line.campaign.repeats(),
            )
        })
    }

    /// Every point of every campaign, with its campaign.
    pub fn points(&self) -> impl Iterator<Item = (&'a Campaign, &'a Point)> + use<'a> {
        self.campaigns
            .iter()
            .flat_map(|campaign| campaign.plan.points.iter().map(move |point| (campaign, point)))
    }

    /// The points of a micro-benchmark, of one mechanism, by the number of descriptors watched.
    pub fn bench(&self, group: &str, mechanism: &str) -> Vec<&'a BenchPoint> {
        let groups = self.benches.iter().filter(|found| found.group == group);
        let of_mechanism = |point: &&BenchPoint| point.mechanism == mechanism;
        let mut points: Vec<&BenchPoint> =
            groups.flat_map(|found| &found.points).filter(of_mechanism).collect();
        points.sort_by_key(|point| point.watched);
        points
    }

    /// What an experiment of the semantics observed, by its words.
    pub fn observed(&self, what: &str) -> Option<&'a Evidence> {
        self.semantics?.claims.iter().flat_map(|claim| &claim.evidence).find(|evidence| evidence.what == what)
    }
}

/// What one piece of evidence is to its claim.
#[derive(Debug, Clone, Copy)]
pub enum Weight {
    /// Found otherwise, it refutes the claim.
    Essential,
    /// Found otherwise, it bounds the claim: the condition in words.
    Bounding(&'static str),
    /// It shows how far the claim reaches.
    Context,
}

/// A ratio that is too small to be claimed as a difference, if it is one.
pub const SMALL: f64 = 1.1;

/// What was found, and whether it is as claimed; absent where the interval does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    text: String,
    holds: Option<bool>,
}

impl Seen {
    /// What is certain without an interval.
    pub fn certain(text: impl Into<String>, holds: bool) -> Self {
        Self { text: text.into(), holds: Some(holds) }
    }

    /// What does not say whether it is as claimed.
    pub fn unsure(text: impl Into<String>) -> Self {
        Self { text: text.into(), holds: None }
    }

    /// A ratio of which it is claimed that it lies above 1. It does not where it can be [`SMALL`] at most; an interval that
    /// reaches from 1 or less to more than that does not say.
    pub fn above(ratio: &Ratio) -> Self {
        Self::of_ratio(ratio, |low, high| (low > 1.0, high < SMALL))
    }

    /// A ratio of which it is claimed that it lies below 1, the other way round.
    pub fn below(ratio: &Ratio) -> Self {
        Self::of_ratio(ratio, |low, high| (high < 1.0, low > 1.0 / SMALL))
    }

    /// A ratio of which it is claimed that it does not lie below 1, but for a little.
    pub fn not_below(ratio: &Ratio) -> Self {
        Self::of_ratio(ratio, |low, high| (low > 1.0 / SMALL, high < 1.0))
    }

    /// `judge` tells from the ends of the interval whether it is as claimed, and whether it is otherwise.
    fn of_ratio(ratio: &Ratio, judge: impl Fn(f64, f64) -> (bool, bool)) -> Self {
        let tie = if ratio.verdict == Verdict::Tie { "a tie, " } else { "" };
        let holds = ratio.summary.interval.and_then(|interval| match judge(interval.low, interval.high) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        });
        Self { text: tie.to_owned() + &format::ratio(ratio), holds }
    }

    /// A figure of which it is claimed that it is `most` or less.
    pub fn at_most(summary: &Summary, most: f64, text: impl Into<String>) -> Self {
        let Some(interval) = summary.interval else { return Self::unsure(text) };
        let holds = if interval.high <= most {
            Some(true)
        } else if interval.low > most {
            Some(false)
        } else {
            None
        };
        Self { text: text.into(), holds }
    }

    /// A figure of which it is claimed that it is `least` or more.
    pub fn at_least(summary: &Summary, least: f64, text: impl Into<String>) -> Self {
        let Some(interval) = summary.interval else { return Self::unsure(text) };
        let holds = if interval.low >= least {
            Some(true)
        } else if interval.high < least {
            Some(false)
        } else {
            None
        };
        Self { text: text.into(), holds }
    }
}

/// What was gathered for a claim.
#[derive(Debug, Default)]
pub struct Case {
    /// The evidence, in the order in which it is printed.
    pub evidence: Vec<Evidence>,
    /// See [`ClaimResult::figure`](model::schema::ClaimResult::figure).
    pub figure: Option<ClaimFigure>,
    /// See [`ClaimResult::cells`](model::schema::ClaimResult::cells).
    pub cells: Vec<String>,
    /// See [`ClaimResult::needs`](model::schema::ClaimResult::needs).
    pub needs: Vec<String>,
    /// The scenarios, and the groups of micro-benchmarks, that were used.
    scenarios: Vec<String>,
    groups: Vec<String>,
    /// Whether anything essential came to a verdict.
    pub is_decided: bool,
    /// Whether anything essential was measured and did not.
    pub is_unsure: bool,
}

impl Case {
    /// Adds what was seen.
    pub fn add(&mut self, weight: Weight, what: impl Into<String>, claimed: &str, seen: Seen) {
        let Seen { text, holds } = seen;
        self.is_decided |= matches!(weight, Weight::Essential) && holds.is_some();
        self.is_unsure |= matches!(weight, Weight::Essential) && holds.is_none();
        let unsure = || Some("the interval is too wide to say; more repeats make it narrower".to_owned());
        let (finding, note) = match (weight, holds) {
            (Weight::Context, _) => (Finding::Context, None),
            (_, Some(true)) => (Finding::AsClaimed, None),
            (Weight::Essential, Some(false)) => (Finding::Contradicts, None),
            (Weight::Bounding(condition), Some(false)) => (Finding::Condition, Some(condition.to_owned())),
            (Weight::Essential, None) => (Finding::Open, unsure()),
            (Weight::Bounding(_), None) => (Finding::OpenAside, unsure()),
        };
        let claimed = (finding != Finding::Context).then(|| claimed.to_owned());
        self.evidence.push(Evidence { what: what.into(), claimed, observed: Some(text), note, finding });
    }

    /// Adds what is missing, and the command that measures it.
    pub fn lacks(&mut self, weight: Weight, what: impl Into<String>, command: &str) {
        let finding = match weight {
            Weight::Essential => Finding::Open,
            Weight::Bounding(_) | Weight::Context => Finding::OpenAside,
        };
        let note = Some(format!("needs {command}"));
        self.evidence.push(Evidence { what: what.into(), claimed: None, observed: None, note, finding });
        add_once(&mut self.needs, command);
    }

    /// Adds what this machine cannot show, and why.
    pub fn cannot(&mut self, weight: Weight, what: impl Into<String>, why: String) {
        let finding = match weight {
            Weight::Essential => Finding::Open,
            Weight::Bounding(_) | Weight::Context => Finding::OpenAside,
        };
        let note = Some(why);
        self.evidence.push(Evidence { what: what.into(), claimed: None, observed: None, note, finding });
    }

    /// Adds the ratio of a figure of one contender to that of another at a point of a line, where both have it.
    pub fn compare(&mut self, weight: Weight, at: &Comparison<'_>, claimed: &str, see: fn(&Ratio) -> Seen) {
        let Comparison { line, point, contender, other, figure } = at;
        let what =
            format!("{} of {contender} over that of {other} at {}", figure.words(), line::place(point));
        match line.ratio(point, contender, other, *figure) {
            Some(ratio) => self.add(weight, what, claimed, see(&ratio)),
            None => self.cannot(weight, what, "no repeat has both".to_owned()),
        }
    }

    /// Makes a ratio the figure that the claim comes down to.
    pub fn headline(&mut self, at: &Comparison<'_>) {
        let Comparison { line, point, contender, other, figure } = at;
        let Some(ratio) = line.ratio(point, contender, other, *figure) else { return };
        let what = format!("{} of {contender} over that of {other}, {}", figure.words(), line::place(point));
        self.figure = Some(figure_of(what, &ratio.summary, "×"));
    }

    /// The commands that measure more of what was used, so that intervals become narrower.
    pub fn more(&self) -> Vec<String> {
        let campaigns = (!self.scenarios.is_empty())
            .then(|| format!("muxbench run {} --repeats 20", self.scenarios.join(" ")));
        let benches = self.groups.iter().map(|group| format!("cargo bench -- {group}"));
        campaigns.into_iter().chain(benches).collect()
    }

    /// Names cells that were used, once.
    pub fn used(&mut self, campaign: &Campaign, contenders: &[&str], point: &Point) {
        let name = &campaign.plan.scenario.name;
        add_once(&mut self.scenarios, name);
        let cells =
            format!("{name} ({}): {} at {}", point.sweep, format::and(contenders), line::place(point));
        add_once(&mut self.cells, &cells);
    }

    /// Names a micro-benchmark that was used, once.
    pub fn used_bench(&mut self, group: &str) {
        add_once(&mut self.groups, group);
        add_once(&mut self.cells, &format!("cargo bench: {group}"));
    }
}

fn add_once(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|known| known == text) {
        list.push(text.to_owned());
    }
}

/// Two contenders at a point of a line, by one figure.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The line.
    pub line: &'a Line<'a>,
    /// The point.
    pub point: &'a Point,
    /// Whose figure is the numerator.
    pub contender: &'a str,
    /// Whose is the denominator.
    pub other: &'a str,
    /// The figure.
    pub figure: crate::cells::Figure,
}

/// A figure with its interval.
pub fn figure_of(what: impl Into<String>, summary: &Summary, unit: &str) -> ClaimFigure {
    ClaimFigure {
        what: what.into(),
        value: summary.median,
        low: summary.interval.map(|interval| interval.low),
        high: summary.interval.map(|interval| interval.high),
        unit: unit.to_owned(),
    }
}
