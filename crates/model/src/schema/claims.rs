//! A claim put to the test: its verdict, and the evidence that the verdict was computed from.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict of the evidence on a claim. It is computed from results, never typed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ClaimVerdict {
    /// Everything that was claimed was found.
    Confirmed,
    /// The core of the claim was found; what it leaves out, or what could not be observed, is listed.
    ConfirmedWithConditions,
    /// Something essential to the claim was found to be otherwise.
    Refuted,
    /// Nothing essential to the claim could be observed on this machine.
    NotMeasurableHere,
    /// Nothing was measured yet that decides it; the result says which command does.
    Open,
}

impl ClaimVerdict {
    /// The words that tables use.
    pub fn words(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::ConfirmedWithConditions => "confirmed with conditions",
            Self::Refuted => "refuted",
            Self::NotMeasurableHere => "not measurable here",
            Self::Open => "open",
        }
    }
}

/// The effect of one piece of evidence on its claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Observed as claimed.
    AsClaimed,
    /// Observed otherwise, in a part that bounds the claim without overturning it.
    Condition,
    /// Observed otherwise, in a part that is essential.
    Contradicts,
    /// Could not be observed in an essential part.
    Open,
    /// Could not be observed in a part that only bounds the claim.
    OpenAside,
    /// Not part of the claim: it shows how far the claim reaches, and does not touch the verdict.
    Context,
}

/// One observation that bears on a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Evidence {
    /// The action: `epoll_ctl(ADD) of a regular file`.
    pub what: String,
    /// The outcome that the claim expects; absent where it expects nothing.
    pub claimed: Option<String>,
    /// The outcome on this kernel, in the same notation; absent where it could not be observed.
    pub observed: Option<String>,
    /// The reason for which it is a condition or could not be observed, or what else is worth knowing.
    pub note: Option<String>,
    /// The consequence for the claim.
    pub finding: Finding,
}

/// The figure that a claim comes down to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ClaimFigure {
    /// Its name in words.
    pub what: String,
    /// Its value.
    pub value: f64,
    /// Lower end of the value's 95 % interval; absent with too few starts, and of a count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub high: Option<f64>,
    /// The unit of all three: `×`, `ns`, `bytes`.
    pub unit: String,
}

/// A claim with its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct ClaimResult {
    /// Its name in docs/CLAIMS.md.
    pub id: String,
    /// The section of the tutorial that makes it.
    pub section: String,
    /// The claim in one sentence.
    pub claim: String,
    /// The verdict of the evidence on it.
    pub verdict: ClaimVerdict,
    /// The conditions under which it holds, what contradicts it, or why it could not be decided.
    pub because: Vec<String>,
    /// The observations.
    pub evidence: Vec<Evidence>,
    /// The figure that it comes down to; absent of a claim that is not about a quantity, or that is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub figure: Option<ClaimFigure>,
    /// The results that were used: the candidates and points of a campaign, or a micro-benchmark.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub used: Vec<String>,
    /// Commands that measure what is missing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub needs: Vec<String>,
}

/// The share of comparisons in which campaigns found the twin of their reference to differ from it, where there is no difference to find.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct FalseDifferences {
    /// Campaigns that measured a twin.
    pub campaigns: u32,
    /// Comparisons: of one metric at one point of one campaign.
    pub comparisons: u64,
    /// Those in which the two differed.
    pub different: u64,
    /// Lower end of the exact 95 % interval (Clopper and Pearson) of the share, 0 to 1.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Every claim with its verdict: `muxbench claims --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Claims {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Version of muxbench that decided them.
    pub muxbench_version: String,
    /// The results that they were decided from, a line each.
    pub sources: Vec<String>,
    /// The share of comparisons in which the twin of the reference differed from it, over all campaigns; absent where none has measured one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub false_differences: Option<FalseDifferences>,
    /// Those about cost and scale, then those about semantics.
    pub claims: Vec<ClaimResult>,
}
