//! Whether two series rise together.

use statrs::function::beta::beta_reg;

/// A statistic and the probability of one at least as extreme if the hypothesis is true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The statistic.
    pub statistic: f64,
    /// Its p-value, 0 to 1.
    pub p_value: f64,
}

/// Spearman's rank correlation of pairs, two-sided, by the t distribution.
pub fn spearman(pairs: &[(f64, f64)]) -> Tested {
    let first = ranks(pairs.iter().map(|pair| pair.0));
    let second = ranks(pairs.iter().map(|pair| pair.1));
    let rho = pearson(&first, &second);
    let freedom = pairs.len() as f64 - 2.0;
    let p_value = match rho * rho {
        square if square >= 1.0 => 0.0,
        // P(|T| > t) of Student's distribution, with t^2 = freedom * rho^2 / (1 - rho^2).
        square => beta_reg(freedom / 2.0, 0.5, 1.0 - square),
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
