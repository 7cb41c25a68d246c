//! Shares of cases.

use statrs::distribution::{Beta, ContinuousCDF};

use crate::{CONFIDENCE, Interval};

/// A share of cases with its 95 % interval: in how many families the twin of the reference was told apart, say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// Cases in which it happened.
    pub hits: u64,
    /// Cases in all.
    pub cases: u64,
    /// The exact interval of the share, 0 to 1.
    pub interval: Interval,
}

impl Proportion {
    /// The share `hits` / `cases` with the interval of Clopper and Pearson (Biometrika 26, 1934), which holds whatever the true share is; `None`
    /// without cases, or with more hits than cases.
    pub fn of(hits: u64, cases: u64) -> Option<Self> {
        let misses = cases.checked_sub(hits).filter(|_| cases > 0)?;
        // The shares under which so many hits, or more and fewer, are just likely enough: quantiles of beta distributions.
        let quantile = |a: u64, b: u64, at: f64| Some(Beta::new(a as f64, b as f64).ok()?.inverse_cdf(at));
        let tail = (1.0 - CONFIDENCE) / 2.0;
        let low = if hits == 0 { 0.0 } else { quantile(hits, misses + 1, tail)? };
        let high = if misses == 0 { 1.0 } else { quantile(hits + 1, misses, 1.0 - tail)? };
        Some(Self { hits, cases, interval: Interval { low, high } })
    }

    /// The share itself, 0 to 1.
    pub fn share(&self) -> f64 {
        self.hits as f64 / self.cases as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_and_all_have_one_sided_ends() {
        let ends = |hits, cases| Proportion::of(hits, cases).map(|share| share.interval);
        let none = ends(0, 200).expect("cases");
        // 1 - 0.025^(1/200).
        assert_eq!(none.low, 0.0);
        assert!((none.high - 0.018_275).abs() < 1e-6, "{none:?}");
        assert_eq!(ends(200, 200).map(|all| all.high), Some(1.0));
        assert_eq!([ends(0, 0), ends(3, 2)], [None, None]);
    }
}
