//! Two campaigns, compared.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Point;

/// The result of `muxbench compare`: whether one campaign is better or worse than another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Comparison {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Version of muxbench that compared.
    pub muxbench_version: String,
    /// The campaign that is compared with.
    pub base: ComparedCampaign,
    /// The campaign that is judged.
    pub new: ComparedCampaign,
    /// The most by which a figure may be worse, as a share: 0.1 is 10 %. Absent where nothing was to fail.
    pub fail_above: Option<f64>,
    /// Other differences between the two, a sentence each.
    pub warnings: Vec<String>,
    /// Everything that BASE measured and NEW did not, or beside another reference: with any of it no gate is passed.
    pub missing: Vec<Missing>,
    /// Candidates and points that only NEW has, a sentence each.
    pub only_in_new: Vec<String>,
    /// The share of families in which the twin of the reference changed beside the reference, where nothing has; absent without any.
    pub twin: Option<Share>,
    /// Each figure of each candidate at each point that both campaigns have.
    pub comparisons: Vec<Compared>,
}

/// Something that BASE measured and NEW did not, or beside another reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Missing {
    /// The mechanism or the external server.
    pub candidate: String,
    /// The point.
    pub point: Point,
    /// The metric; absent where it is all that BASE has of the candidate there.
    pub metric: Option<String>,
    /// The reference that it has in NEW, where that is another than in BASE; absent where NEW has nothing of it.
    pub other_reference: Option<String>,
    /// The reason: why it was left out, or what became of it.
    pub reason: String,
}

/// One of the two campaigns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ComparedCampaign {
    /// Its file, as it was named.
    pub source: String,
    /// Its scenario.
    pub scenario: String,
    /// The candidate that all others are compared with.
    pub reference: String,
    /// Its begin, RFC 3339, UTC.
    pub started: String,
    /// Version of muxbench that measured.
    pub muxbench_version: String,
    /// Host name.
    pub host: String,
    /// Kernel release.
    pub kernel: String,
    /// Processor model.
    pub processor: String,
    /// The share of families in which the twin of the reference differed from it within the campaign; absent without any.
    pub twin: Option<Share>,
}

/// The share of cases in which something happened, with the exact 95 % interval of its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
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

/// One figure of one candidate at one point, in both campaigns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Compared {
    /// The mechanism or the external server.
    pub candidate: String,
    /// The point.
    pub point: Point,
    /// The key of the metric.
    pub metric: String,
    /// The value of BASE, in the metric's unit; absent where it has none.
    pub base: Option<ComparedFigure>,
    /// The value of NEW.
    pub new: Option<ComparedFigure>,
    /// The change: the candidate's ratio to the reference in NEW over that in BASE; of the reference its level in NEW over that in BASE.
    /// Absent where one of them is, or where there are too few starts for an interval.
    pub ratio: Option<ComparedRatio>,
    /// True where what the host did to reference and candidate alike is cancelled from the ratio. It is not of the reference itself,
    /// which decides no gate.
    pub drift_cancelled: bool,
    /// The verdict.
    pub verdict: ComparedVerdict,
    /// The reason in words for which nothing may be said, or the saturation that takes the place of a value.
    pub reason: Option<String>,
    /// True of the figures that decide a gate.
    pub decides: bool,
    /// True where it is worse by more than was allowed: the whole interval lies beyond.
    pub fails: bool,
}

/// A figure of one campaign.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ComparedFigure {
    /// The value.
    pub value: f64,
    /// Lower end of its 95 % interval, where there is one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// True where the value may be higher in truth, since the generator was full too.
    pub is_lower_bound: bool,
}

/// A ratio with its interval, which holds together with those of the other candidates at the point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ComparedRatio {
    /// The ratio itself.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The verdict on a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ComparedVerdict {
    /// The whole interval lies on the better side of 1, or a saturation is gone.
    Better,
    /// The whole interval lies on the worse side of 1, or a saturation is new.
    Worse,
    /// The interval holds 1, and nothing that differs from it by more than 2 %.
    Equal,
    /// The interval holds 1, and differences that matter as well.
    NotDistinguishable,
    /// There is no interval, or what was measured does not bear a comparison.
    NotComparable,
}
