//! How often something happened, and how sure that is.

use statrs::distribution::{Beta, ContinuousCDF};

/// The normal distribution's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;

/// A share of cases with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// Cases in which it happened.
    pub hits: usize,
    /// Cases in all.
    pub cases: usize,
    /// Lower end of the interval of the share, 0 to 1.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Proportion {
    /// With Wilson's interval, which holds on average over all shares, for few cases and for shares near 0 as well; `None`
    /// without cases.
    pub fn of(hits: usize, cases: usize) -> Option<Self> {
        if cases == 0 {
            return None;
        }
        let (share, count) = (hits as f64 / cases as f64, cases as f64);
        let centre = (share + Z * Z / (2.0 * count)) / (1.0 + Z * Z / count);
        let reach = Z / (1.0 + Z * Z / count)
            * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
        // At either end the interval ends where the shares do, but for rounding.
        let low = if hits == 0 { 0.0 } else { centre - reach };
        let high = if hits == cases { 1.0 } else { centre + reach };
        Some(Self { hits, cases, low, high })
    }

    /// With the exact interval of Clopper and Pearson, which holds for every share and is therefore the wider one; `None`
    /// without cases.
    pub fn exact(hits: usize, cases: usize) -> Option<Self> {
        if cases == 0 {
            return None;
        }
        // The shares under which so many hits, or more and fewer, are just likely enough: quantiles of beta distributions.
        let quantile =
            |a: usize, b: usize, at: f64| Some(Beta::new(a as f64, b as f64).ok()?.inverse_cdf(at));
        let low = if hits == 0 { 0.0 } else { quantile(hits, cases - hits + 1, 0.025)? };
        let high = if hits == cases { 1.0 } else { quantile(hits + 1, cases - hits, 0.975)? };
        Some(Self { hits, cases, low, high })
    }

    /// The share itself, 0 to 1.
    pub fn share(&self) -> f64 {
        self.hits as f64 / self.cases as f64
    }
}
