//! Two campaigns, compared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Point;

/// What `muxbench compare` says: whether one campaign is better or worse than another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Version of muxbench that compared.
    pub muxbench_version: String,
    /// The campaign that is compared with.
    pub base: ComparedCampaign,
    /// The campaign that is judged.
    pub new: ComparedCampaign,
    /// The contender by which each figure was divided within its repeat, if one was: what the machine does to both then
    /// cancels out.
    pub relative_to: Option<String>,
    /// How much worse a figure may be, as a share: 0.1 is 10 %. Absent where nothing was to fail.
    pub fail_above: Option<f64>,
    /// What else differs between the two, a sentence each.
    pub warnings: Vec<String>,
    /// Everything that BASE measured and NEW did not: with any of it no gate is passed.
    pub missing: Vec<Missing>,
    /// Contenders and points that only NEW has, a sentence each.
    pub not_paired: Vec<String>,
    /// What became of each figure over all contenders and points.
    pub totals: Vec<ComparedTotal>,
    /// Each figure of each contender at each point that both campaigns have.
    pub comparisons: Vec<Compared>,
}

/// Something that BASE measured and NEW did not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Missing {
    /// The mechanism or the external server.
    pub contender: String,
    /// Where.
    pub point: Point,
    /// The figure; absent where it is all that BASE has of the contender there.
    pub figure: Option<MainFigure>,
    /// The reason: why it was left out, or what made its cells invalid.
    pub reason: String,
}

/// One of the two campaigns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedCampaign {
    /// Its file, as it was named.
    pub source: String,
    /// Its scenario.
    pub scenario: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Version of muxbench that measured.
    pub muxbench_version: String,
    /// Host name.
    pub host: String,
    /// Kernel release.
    pub kernel: String,
    /// Processor model.
    pub processor: String,
    /// Repeats of the whole.
    pub repeats: u32,
    /// How often its A/A pair was told apart within it; absent without such a pair.
    pub told_apart: Option<Share>,
}

/// How often something happened, with Wilson's 95 % interval of its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Cases in which it happened.
    pub hits: u64,
    /// Cases in all.
    pub cases: u64,
    /// Lower end of the interval, 0 to 1.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What became of one figure over all contenders and points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedTotal {
    /// The figure.
    pub figure: MainFigure,
    /// Comparisons that came to a verdict.
    pub compared: u64,
    /// Of those, better.
    pub better: u64,
    /// Of those, worse.
    pub worse: u64,
    /// Of those, not told apart.
    pub ties: u64,
    /// Comparisons that came to none.
    pub not_comparable: u64,
    /// Of the worse ones, those that are worse by more than was allowed.
    pub failed: u64,
    /// The median of the ratios NEW/BASE that came to a verdict; absent without one.
    pub median_ratio: Option<f64>,
}

/// A figure by which campaigns are compared and published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MainFigure {
    /// Median response time in open loop, in nanoseconds.
    ResponseP50,
    /// 99th percentile of the response time in open loop, in nanoseconds.
    ResponseP99,
    /// Echoes a second in closed loop.
    Capacity,
    /// Processor time of the server for one echo in closed loop, in nanoseconds.
    ServerCpu,
}

/// One figure of one contender at one point, in both campaigns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// The mechanism or the external server.
    pub contender: String,
    /// Where.
    pub point: Point,
    /// The figure.
    pub figure: MainFigure,
    /// What BASE measured; absent without a valid repeat that has it.
    pub base: Option<ComparedSide>,
    /// What NEW measured.
    pub new: Option<ComparedSide>,
    /// NEW/BASE; absent where one of them is, or where there are too few repeats for an interval.
    pub ratio: Option<ComparedRatio>,
    /// What may be said.
    pub verdict: ComparedVerdict,
    /// Why nothing may be said, where that is so.
    pub reason: Option<String>,
    /// Whether it is worse by more than was allowed: the whole interval lies beyond.
    pub fails: bool,
}

/// A figure of one campaign.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedSide {
    /// The median over the repeats, in the figure's unit.
    pub median: f64,
    /// Valid repeats that have it.
    pub repeats: u32,
    /// Of a capacity: whether it is only a lower bound, since the generator was full or the server was not.
    pub lower_bound: bool,
}

/// A ratio with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedRatio {
    /// Hodges and Lehmann's estimate of NEW/BASE.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What may be said of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ComparedVerdict {
    /// The whole interval lies on the better side of 1.
    Better,
    /// The whole interval lies on the worse side of 1.
    Worse,
    /// The interval covers 1.
    Tie,
    /// There is no interval, or what was measured does not bear a comparison.
    NotComparable,
}

impl Comparison {
    /// How many figures are worse by more than was allowed.
    pub fn failed(&self) -> usize {
        self.comparisons.iter().filter(|compared| compared.fails).count()
    }

    /// The contenders that BASE has figures of and of which not a single one came to a verdict: nothing can be said of them.
    pub fn undecided(&self) -> Vec<&str> {
        let decided = |name: &str| {
            let mut of_it = self.comparisons.iter().filter(|compared| compared.contender == name);
            of_it.any(|compared| compared.verdict != ComparedVerdict::NotComparable)
        };
        let mut names: Vec<&str> = Vec::new();
        for Compared { contender, .. } in self.comparisons.iter().filter(|compared| compared.base.is_some()) {
            if !names.contains(&contender.as_str()) && !decided(contender) {
                names.push(contender);
            }
        }
        names
    }

    /// The number of figures that came to a verdict.
    pub fn compared(&self) -> u64 {
        self.totals.iter().map(|total| total.compared).sum()
    }
}

impl MainFigure {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::ResponseP50, Self::ResponseP99, Self::Capacity, Self::ServerCpu];

    /// The end of a series' name: `epoll-et/10000c/10a/p99`.
    pub fn slug(self) -> &'static str {
        match self {
            Self::ResponseP50 => "p50",
            Self::ResponseP99 => "p99",
            Self::Capacity => "capacity",
            Self::ServerCpu => "cpu",
        }
    }

    /// Whether more of it is better; the others are times.
    pub fn is_better_when_greater(self) -> bool {
        self == Self::Capacity
    }

    /// Whether it is measured in open loop, and so depends on the rate that was offered.
    pub fn depends_on_rate(self) -> bool {
        matches!(self, Self::ResponseP50 | Self::ResponseP99)
    }
}
