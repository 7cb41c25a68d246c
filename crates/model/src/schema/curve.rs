//! The results of several runs of the load generator at rising rates: `load-gen --rate 10k..200k:10` and `--slo`.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LoadReport;

/// The same connections under several offered rates, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct LoadCurve {
    /// True where the figures may be used: without an objective, every step is valid; with one, the run at the rate that
    /// was found is.
    pub valid: bool,
    /// One sentence for each reason against that, with the rate that it is about.
    pub invalid_reasons: Vec<String>,
    /// A result for each rate, in the order in which they were measured.
    pub steps: Vec<LoadReport>,
    /// The search for the highest rate that meets an objective, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub search: Option<RateSearch>,
}

/// The outcome of the search for the highest rate that meets an objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct RateSearch {
    /// The objective.
    pub objective: Objective,
    /// The highest rate that met it, twice; absent if none did.
    pub met_per_s: Option<f64>,
    /// The lowest rate that did not meet it; absent if all did.
    pub missed_per_s: Option<f64>,
    /// The reason for which the search ended.
    pub ended: SearchEnd,
}

/// A bound on a percentile of the response times. It also asks that every request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Objective {
    /// The percentile, as a quantile: 0.99.
    pub quantile: f64,
    /// The most that it may be, in nanoseconds.
    pub limit_ns: u64,
}

/// The reason for which a search for a rate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SearchEnd {
    /// The highest rate that meets the objective and the lowest that does not are within 5 % of each other.
    Found,
    /// Even the highest rate of the range meets it.
    Ceiling,
    /// Even the lowest rate of the range does not.
    Floor,
    /// Beyond the rate that was met the generator, not the server, was the limit.
    Generator,
    /// The answers contradicted each other too often.
    GaveUp,
    /// The run was interrupted.
    Interrupted,
}
