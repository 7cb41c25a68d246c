//! The analysis of a campaign of rounds, and its answer.
//!
//! A result flows straight down: `samples` puts slices in order, [`metrics`] make figures of them, `assembly` ratios, verdicts and
//! what was wrong, and [`headline`] says who leads. Together they are an [`analysis`], which is values. [`table`] and [`answer`] print them.

pub mod analysis;
pub mod answer;
mod assembly;
pub mod headline;
mod lengths;
pub mod metrics;
pub mod resolution;
pub(crate) mod samples;
mod saturation;
pub mod table;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod troubles;
mod validity;

pub use analysis::{
    Analysis, CandidateAnalysis, Comparison, Dropped, Extreme, Figure, GroupAnalysis, Halves, Lead,
    PointAnalysis, Shown,
};
pub use metrics::{Better, METRICS, Memory, Metric, Unit};
pub use saturation::{Overload, Saturated};
pub use troubles::{Silences, Trouble};

/// Those of `all` that are none of those before them.
pub fn distinct<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for one in all {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

/// All of the second kind by those of the first, in the order in which these come first.
pub(crate) fn grouped<K: PartialEq, T>(all: impl IntoIterator<Item = (K, T)>) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for (key, one) in all {
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(one),
            None => groups.push((key, vec![one])),
        }
    }
    groups
}
