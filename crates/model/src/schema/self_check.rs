//! The load generator's check of itself in a run.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tests that an open-loop run put itself to; docs/LOAD-GEN.md says how each is done.
///
/// A check that had too few samples is not in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct SelfCheck {
    /// True where every check passed. One that fails makes the run invalid.
    pub passed: bool,
    /// The probability below which a p-value counts as a deviation and not as chance.
    pub significance: f64,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One test. It fails where `statistic` is above `threshold` and, if there is a `p_value`, that is below
/// [`SelfCheck::significance`]: a deviation must be both real and large enough to matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Check {
    /// Its name, for scripts: `gaps_intended`.
    pub name: String,
    /// The kind of statistic, and of what it is.
    pub method: String,
    /// The deviation of what was found from what should be.
    pub statistic: f64,
    /// The probability of a deviation at least as large by chance alone; absent where nothing is left to chance.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p_value: Option<f64>,
    /// The largest deviation that does not matter.
    pub threshold: f64,
    /// Number of observations that the statistic is of.
    pub samples: u64,
    /// True where the run passed.
    pub passed: bool,
    /// The finding and what to do about it, where it did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub advice: Option<String>,
}

impl SelfCheck {
    /// The probability of calling a deviation what is chance, in each check that has a p-value.
    ///
    /// There are at most six of them, so that a sound run fails by chance less than once in 1,600.
    pub const SIGNIFICANCE: f64 = 1e-4;

    /// All of `checks` together.
    pub fn of(checks: Vec<Check>) -> Self {
        Self { passed: checks.iter().all(|check| check.passed), significance: Self::SIGNIFICANCE, checks }
    }
}

impl Check {
    /// The verdict on a deviation of `statistic`; `advice` is asked for only where it fails.
    pub fn new(
        name: &str,
        method: &str,
        (statistic, threshold): (f64, f64),
        p_value: Option<f64>,
        samples: u64,
        advice: impl FnOnce() -> String,
    ) -> Self {
        let failed = statistic > threshold && p_value.is_none_or(|p| p < SelfCheck::SIGNIFICANCE);
        Self {
            name: name.to_owned(),
            method: method.to_owned(),
            statistic,
            p_value,
            threshold,
            samples,
            passed: !failed,
            advice: failed.then(advice),
        }
    }
}
