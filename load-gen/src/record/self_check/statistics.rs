//! The tests of hypotheses that the self-check uses. A test compares them with scipy's; the special functions are those
//! of `statrs`.

use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc;
use statrs::function::gamma::{gamma_lr, gamma_ur};

/// A statistic and the probability of one at least as extreme if the hypothesis is true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The statistic.
    pub statistic: f64,
    /// Its p-value, 0 to 1.
    pub p_value: f64,
}

/// One-sample Kolmogorov-Smirnov: the largest vertical distance between the distribution function of `sample` and
/// that of the gamma distribution with whole `shape` and scale 1 (shape 1: the exponential distribution), after
/// every value has been allowed to be off by `slack`. Slack makes the distance smaller only, and the p-value larger.
pub fn kolmogorov_smirnov(sample: &mut [f64], shape: u32, slack: f64) -> Tested {
    sample.sort_unstable_by(f64::total_cmp);
    let count = sample.len() as f64;
    let expected = |value: f64| match shape {
        _ if value <= 0.0 => 0.0,
        1 => -(-value).exp_m1(),
        _ => gamma_lr(f64::from(shape), value),
    };
    let distance = sample
        .iter()
        .enumerate()
        .map(|(rank, &value)| {
            let above = (rank + 1) as f64 / count - expected(value + slack);
            let below = expected(value - slack) - rank as f64 / count;
            above.max(below)
        })
        .fold(0.0, f64::max);
    Tested { statistic: distance, p_value: kolmogorov_survival(distance, count) }
}

/// The probability that a sample of `count` is at least `distance` away from its own distribution: Kolmogorov's
/// limit with Stephens' correction for finite samples (Journal of the Royal Statistical Society B 32, 1970), which is
/// within a few percent of the exact value from 20 samples on.
fn kolmogorov_survival(distance: f64, count: f64) -> f64 {
    let root = count.sqrt();
    let scaled = (root + 0.12 + 0.11 / root) * distance;
    if scaled < 0.2 {
        // The series below converges ever more slowly; the value is 1 to twelve digits.
        return 1.0;
    }
    let terms = (1..=100).map(|term| {
        let term = f64::from(term);
        let sign = if term % 2.0 == 1.0 { 2.0 } else { -2.0 };
        sign * (-2.0 * term * term * scaled * scaled).exp()
    });
    terms.sum::<f64>().clamp(0.0, 1.0)
}

/// Pearson's chi-squared of counts against what was expected of each, all known in advance: the statistic is divided
/// by its degrees of freedom, so that 1 is what chance gives. One-sided: more dispersed than chance.
pub fn dispersion(counts: &[(f64, f64)]) -> Tested {
    let squares = |(count, expected): &(f64, f64)| (count - expected).powi(2) / expected;
    let chi_squared: f64 = counts.iter().map(squares).sum();
    let freedom = counts.len() as f64;
    Tested { statistic: chi_squared / freedom, p_value: gamma_ur(freedom / 2.0, chi_squared / 2.0) }
}

/// Mann-Kendall: whether a series goes up or down more often than chance, two-sided, by the normal approximation
/// with the corrections for ties and continuity. The statistic is Kendall's tau: 1 for a series that only rises.
pub fn mann_kendall(series: &[f64]) -> Tested {
    let count = series.len() as f64;
    let signs = series.iter().enumerate().flat_map(|(at, earlier)| {
        series[at + 1..].iter().map(move |later| later.total_cmp(earlier) as i64 as f64)
    });
    let score: f64 = signs.sum();
    let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    let mut sorted = series.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|equal| spread(equal.len() as f64)).sum();
    let variance = spread(count) - ties;
    let p_value = if variance > 0.0 {
        let deviations = (score.abs() - 1.0).max(0.0) / variance.sqrt();
        erfc(deviations / std::f64::consts::SQRT_2)
    } else {
        1.0
    };
    Tested { statistic: score / (count * (count - 1.0) / 2.0), p_value }
}

/// Spearman's rank correlation of pairs, two-sided, by the t distribution. Fewer than three pairs say nothing: their p-value is 1.
pub fn spearman(pairs: &[(f64, f64)]) -> Tested {
    let first = ranks(pairs.iter().map(|pair| pair.0));
    let second = ranks(pairs.iter().map(|pair| pair.1));
    let rho = pearson(&first, &second);
    let p_value = match (pairs.len(), rho * rho) {
        (..3, _) => 1.0,
        (_, square) if square >= 1.0 => 0.0,
        // P(|T| > t) of Student's distribution, with t^2 = freedom * rho^2 / (1 - rho^2).
        (count, square) => beta_reg((count as f64 - 2.0) / 2.0, 0.5, 1.0 - square),
    };
    Tested { statistic: rho, p_value }
}

/// The ranks of values from 1; equal values share the mean of theirs.
fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<(f64, usize)> = values.enumerate().map(|(at, value)| (value, at)).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; sorted.len()];
    let mut first = 0;
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let shared = first as f64 + (equal.len() + 1) as f64 / 2.0;
        equal.iter().for_each(|(_, at)| ranks[*at] = shared);
        first += equal.len();
    }
    ranks
}

/// The linear correlation of two series; 0 where one of them is constant.
fn pearson(first: &[f64], second: &[f64]) -> f64 {
    let mean = |series: &[f64]| series.iter().sum::<f64>() / series.len() as f64;
    let (first_mean, second_mean) = (mean(first), mean(second));
    let (mut both, mut first_square, mut second_square) = (0.0, 0.0, 0.0);
    for (a, b) in first.iter().zip(second) {
        let (a, b) = (a - first_mean, b - second_mean);
        both += a * b;
        first_square += a * a;
        second_square += b * b;
    }
    let scale = f64::sqrt(first_square * second_square);
    if scale > 0.0 { (both / scale).clamp(-1.0, 1.0) } else { 0.0 }
}
