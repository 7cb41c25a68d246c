//! Errors of several ratios that share a reference, and how far all their intervals must reach to hold together.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::family::pairs;
use crate::interval::student;

/// Draws by which a critical value is found; its own error is then below 1 %.
const DRAWS: usize = 10_000;
const SEED: u64 = 0x6d75_7862_656e_6368;

/// The covariance of the candidates' log ratios to the reference, whose own row and column are 0.
#[derive(Debug, Clone)]
pub(crate) struct Covariance(Vec<Vec<f64>>);

impl Covariance {
    /// The covariance of sums of independent parts: `parts` has the parts of each candidate, in the same order.
    pub fn of_parts(parts: &[Vec<f64>]) -> Self {
        let product = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum();
        Self(parts.iter().map(|a| parts.iter().map(|b| product(a, b)).collect()).collect())
    }

    /// The number of candidates.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The variance of the difference of two log ratios.
    pub fn of_difference(&self, a: usize, b: usize) -> f64 {
        (self.0[a][a] + self.0[b][b] - 2.0 * self.0[a][b]).max(0.0)
    }

    /// This, and `variance` in each candidate independently, the reference too, which all ratios share.
    pub fn with_own(&self, variance: f64, reference: usize) -> Self {
        let shares = |at: usize, other: usize| match (at == reference || other == reference, at == other) {
            (true, _) => 0.0,
            (false, true) => 2.0,
            (false, false) => 1.0,
        };
        self.map(|at, other| self.0[at][other] + variance * shares(at, other))
    }

    /// The covariance of candidates that are as noisy as each other, and on average as noisy as those `present`.
    pub fn equalised(&self, present: &[usize], reference: usize) -> Self {
        let (sum, count) = pairs(present)
            .fold((0.0, 0.0), |(sum, count), (a, b)| (sum + self.of_difference(a, b), count + 1.0));
        self.map(|_, _| 0.0).with_own(sum / count / 2.0, reference)
    }

    /// `share` of this and `other_share` of `other`.
    pub fn mixed(&self, share: f64, other: &Self, other_share: f64) -> Self {
        self.map(|a, b| share * self.0[a][b] + other_share * other.0[a][b])
    }

    fn map(&self, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self((0..self.len()).map(|a| (0..self.len()).map(|b| entry(a, b)).collect()).collect())
    }

    /// The number of candidates less one that are independent and would tell as much of a variance pooled over all pairs as those `present` do:
    /// the squared trace over the trace of the square of the correlation about their mean (Satterthwaite; Box, Annals of Mathematical
    /// Statistics 25, 1954).
    pub fn effective_rank(&self, present: &[usize]) -> f64 {
        let count = present.len() as f64;
        let mean = |at: usize| present.iter().map(|&other| self.0[at][other]).sum::<f64>() / count;
        let means: Vec<f64> = present.iter().map(|&at| mean(at)).collect();
        let all = means.iter().sum::<f64>() / count;
        let centred = |i: usize, j: usize| self.0[present[i]][present[j]] - means[i] - means[j] + all;
        let squared = |i, j| centred(i, j).powi(2) / (centred(i, i) * centred(j, j)).max(f64::MIN_POSITIVE);
        let squares: f64 = (0..present.len())
            .flat_map(|i| (0..present.len()).map(move |j| (i, j)))
            .map(|(i, j)| squared(i, j))
            .sum();
        if squares > 0.0 { (count * count / squares).clamp(1.0, count - 1.0) } else { count - 1.0 }
    }

    /// The number of standard errors which the greatest of the errors of `pairs` exceeds in 1 - `confidence` of cases: the quantile of the
    /// maximum of a multivariate t distribution with this correlation and `freedom` degrees of freedom (Dunnett, Journal of the American
    /// Statistical Association 50, 1955; Hothorn, Bretz and Westfall, Biometrical Journal 50, 2008).
    pub fn critical(&self, pairs: &[(usize, usize)], freedom: f64, confidence: f64) -> f64 {
        let pointwise = student(f64::midpoint(1.0, confidence), freedom);
        let maxima = self.maxima(pairs);
        if maxima.is_empty() || !freedom.is_finite() {
            return pointwise;
        }
        let scales = scales(freedom);
        let share_below = |critical: f64| -> f64 {
            let below = |scale: f64| maxima.partition_point(|maximum| *maximum <= critical * scale) as f64;
            scales.iter().map(|(scale, weight)| weight * below(*scale)).sum::<f64>() / DRAWS as f64
        };
        // Bonferroni's is never too small.
        let (mut low, mut high) =
            (pointwise, student(1.0 - (1.0 - confidence) / 2.0 / pairs.len() as f64, freedom));
        for _ in 0..30 {
            let middle = f64::midpoint(low, high);
            if share_below(middle) < confidence { low = middle } else { high = middle }
        }
        high
    }

    /// The greatest standardised error of `pairs` in draws of normal errors with this covariance, in ascending order.
    fn maxima(&self, pairs: &[(usize, usize)]) -> Vec<f64> {
        let scaled = |&(a, b): &(usize, usize)| (a, b, 1.0 / self.of_difference(a, b).sqrt());
        let noisy: Vec<_> = pairs.iter().map(scaled).filter(|(.., scale)| scale.is_finite()).collect();
        if noisy.is_empty() {
            return Vec::new();
        }
        let factor = self.cholesky();
        let random = &mut Xoshiro256PlusPlus::seed_from_u64(SEED);
        let mut normals: Vec<f64> = vec![0.0; self.len()];
        let mut errors = normals.clone();
        let mut maximum = |_| {
            normals.iter_mut().for_each(|normal| *normal = StandardNormal.sample(random));
            for (error, row) in errors.iter_mut().zip(&factor) {
                *error = row.iter().zip(&normals).map(|(factor, normal)| factor * normal).sum();
            }
            noisy.iter().map(|&(a, b, scale)| (errors[a] - errors[b]).abs() * scale).fold(0.0, f64::max)
        };
        let mut maxima: Vec<f64> = (0..DRAWS).map(&mut maximum).collect();
        maxima.sort_unstable_by(f64::total_cmp);
        maxima
    }

    /// The lower triangle whose product with its transpose this is. A candidate without an error of its own has zeros.
    fn cholesky(&self) -> Vec<Vec<f64>> {
        let mut factor: Vec<Vec<f64>> = Vec::with_capacity(self.len());
        for (at, row) in self.0.iter().enumerate() {
            let mut new = Vec::with_capacity(at + 1);
            for (other, before) in factor.iter().enumerate() {
                let done: f64 = before.iter().zip(&new).map(|(a, b)| a * b).sum();
                let pivot = before[other];
                new.push(if pivot > 0.0 { (row[other] - done) / pivot } else { 0.0 });
            }
            let left = row[at] - new.iter().map(|entry| entry * entry).sum::<f64>();
            // What rounding leaves of nothing is nothing.
            new.push(if left > 1e-12 * row[at] { left.sqrt() } else { 0.0 });
            factor.push(new);
        }
        factor
    }
}

/// Values of an estimated standard deviation with `freedom` degrees of freedom, the true one being 1, with their probabilities. They are equally far apart
/// on the scale of logarithms, where the trapezoidal rule is exact to many digits.
fn scales(freedom: f64) -> Vec<(f64, f64)> {
    const STEPS: u32 = 200;
    // Beyond these the density is less than e^-20 of its maximum at 0.
    let (low, high) = (-(20.0 / freedom + (20.0 / freedom).sqrt()), (20.0 / freedom).sqrt().min(2.0));
    let at = |step| low + (high - low) * f64::from(step) / f64::from(STEPS);
    let density = |log: f64| (freedom * (log - (2.0 * log).exp_m1() / 2.0)).exp();
    let all: f64 = (0..=STEPS).map(|step| density(at(step))).sum();
    (0..=STEPS).map(|step| (at(step).exp(), density(at(step)) / all)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Candidates that are equally noisy beside reference 0.
    fn balanced(candidates: usize) -> Covariance {
        Covariance(vec![vec![0.0; candidates]; candidates]).with_own(1.0, 0)
    }

    fn against_reference(candidates: usize, freedom: f64) -> f64 {
        let pairs: Vec<_> = (1..candidates).map(|at| (at, 0)).collect();
        balanced(candidates).critical(&pairs, freedom, 0.95)
    }

    fn assert_near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 0.015, "{found}, not {expected}");
    }

    #[test]
    fn critical_values_are_those_of_dunnetts_table() {
        // Two-sided, 5 %, correlation 1/2 (Dunnett, Biometrics 20, 1964, table II).
        for (compared, freedom, expected) in [
            (1, 5.0, 2.57),
            (2, 5.0, 3.03),
            (8, 5.0, 3.97),
            (4, 10.0, 2.89),
            (8, 20.0, 2.87),
            (8, 60.0, 2.72),
        ] {
            assert_near(against_reference(compared + 1, freedom), expected);
        }
    }

    #[test]
    fn of_one_comparison_it_is_students() {
        for freedom in [1.0, 2.5, 8.0, 100.0, 1e5] {
            assert_near(against_reference(2, freedom), student(0.975, freedom));
        }
    }

    #[test]
    fn critical_values_of_all_pairs_are_those_of_the_studentised_range() {
        // Tukey's q over the root of 2: 3.578 for three and 20 degrees of freedom, 4.768 for eight.
        for (candidates, range) in [(3, 3.578), (8, 4.768)] {
            let pairs: Vec<_> =
                (0..candidates).flat_map(|a| (a + 1..candidates).map(move |b| (a, b))).collect();
            assert_near(balanced(candidates).critical(&pairs, 20.0, 0.95), range / 2f64.sqrt());
        }
    }

    #[test]
    fn equal_noise_has_full_rank_and_candidates_that_go_together_have_less() {
        let all: Vec<usize> = (0..9).collect();
        assert!((balanced(9).effective_rank(&all) - 8.0).abs() < 1e-9);
        let mut twins = balanced(9);
        for (a, b) in pairs(&[1, 2, 3, 4, 5]) {
            (twins.0[a][b], twins.0[b][a]) = (2.0, 2.0);
        }
        assert!(twins.effective_rank(&all) < 4.0, "{}", twins.effective_rank(&all));
    }

    #[test]
    fn without_noise_there_is_a_critical_value_all_the_same() {
        let none = Covariance(vec![vec![0.0; 3]; 3]);
        assert_near(none.critical(&[(1, 0), (2, 0)], 5.0, 0.95), 2.571);
    }

    #[test]
    fn the_triangle_times_its_transpose_is_the_covariance_where_it_has_no_full_rank_too() {
        let parts = [vec![0.0, 0.0], vec![1.0, 2.0], vec![2.0, 4.0], vec![3.0, -1.0], vec![1.0, 1.0]];
        let covariance = Covariance::of_parts(&parts);
        let factor = covariance.cholesky();
        for (a, row) in covariance.0.iter().enumerate() {
            for (b, expected) in row.iter().enumerate() {
                let product: f64 = factor[a].iter().zip(&factor[b]).map(|(x, y)| x * y).sum();
                assert!((product - expected).abs() < 1e-9, "{a}, {b}: {product}, not {expected}");
            }
        }
    }
}
