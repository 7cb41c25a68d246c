//! Our statistics beside scipy's.

use std::io::Write;
use std::process::{Command, Stdio};

use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use serde_json::{Value, json};
use trials::need::{Need, python};

use super::statistics::{self, Tested};
use crate::plan::schedule;

const SCIPY: &str = "
import json, sys
from scipy import stats
asked = json.load(sys.stdin)
def pair(result): return [float(result.statistic), float(result.pvalue)]
answers = {
    'exponential': [pair(stats.kstest(sample, 'expon')) for sample in asked['samples']],
    'gamma': [pair(stats.kstest(sample, 'gamma', args=(5,))) for sample in asked['samples']],
    'spearman': [pair(stats.spearmanr(sample[:-1], sample[1:])) for sample in asked['samples']],
    'kendall': [pair(stats.kendalltau(range(len(series)), series, method='asymptotic')) for series in asked['series']],
    'chisquare': [[square, float(stats.chi2.sf(square, len(counts)))] for counts, square in
                  ((counts, sum((count - 20) ** 2 / 20 for count in counts)) for counts in asked['counts'])],
}
json.dump(answers, sys.stdout)
";

/// The answers of scipy; `None`, and a line that says so, if it is not installed.
fn ask_scipy(question: &Value) -> Option<Value> {
    if !trials::is_met(&Need::Python("scipy")) {
        return None;
    }
    let mut python = Command::new(python("scipy"))
        .args(["-W", "ignore", "-c", SCIPY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(question.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = python.wait_with_output().expect("it ends");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn assert_close(ours: Tested, theirs: &Value, p_within: f64, what: &str) {
    let theirs = [&theirs[0], &theirs[1]].map(|number| number.as_f64().expect("a number"));
    assert!((ours.statistic - theirs[0]).abs() < 1e-9, "{what}: {ours:?} is not {theirs:?}");
    let p_off = (ours.p_value - theirs[1]).abs();
    // Far out a p-value is compared by its magnitude: whether 1e-20 or 2e-20 makes no difference.
    let magnitude_off = (ours.p_value.max(1e-300).log10() - theirs[1].max(1e-300).log10()).abs();
    let far_out = theirs[1] < 1e-8 && magnitude_off < 0.2;
    assert!(p_off <= p_within * theirs[1] + 1e-12 || far_out, "{what}: {ours:?} is not {theirs:?}");
}

#[test]
fn statistics_and_p_values_are_those_of_scipy() {
    let mut random = schedule::random(1, 0, 0);
    let mut samples: Vec<Vec<f64>> = Vec::new();
    // True samples, and ones that are too long by up to a fifth, of a few sizes; and of gamma-distributed ones.
    for (count, stretch, shape) in [
        (50, 1.0, 1),
        (50, 1.2, 1),
        (400, 1.0, 1),
        (400, 1.1, 1),
        (5_000, 1.02, 1),
        (400, 1.0, 5),
        (2_000, 1.05, 5),
    ] {
        let mut one = || (0..shape).map(|_| -> f64 { Exp1.sample(&mut random) }).sum::<f64>() * stretch;
        samples.push((0..count).map(|_| one()).collect());
    }
    // Each depends on the one before.
    let mut before = 0.0;
    samples.push(
        std::iter::repeat_with(|| {
            before = 0.4 * before + random.random::<f64>();
            before
        })
        .take(300)
        .collect(),
    );
    let series: Vec<Vec<f64>> = [0.0, 0.02, 0.05, 0.3, -0.1]
        .map(|rise| (0..40).map(|at| rise * f64::from(at) + random.random::<f64>()).collect())
        .into();
    let counts: Vec<Vec<f64>> = [0.3, 0.5, 1.0]
        .map(|spread| {
            (0..40).map(|_| (20.0 * (1.0 + spread * (random.random::<f64>() - 0.5))).round()).collect()
        })
        .into();
    let Some(theirs) = ask_scipy(&json!({ "samples": samples, "series": series, "counts": counts })) else {
        return;
    };
    for (at, sample) in samples.iter().enumerate() {
        let what = format!("sample {at} of {}", sample.len());
        let test = |shape| statistics::kolmogorov_smirnov(&mut sample.clone(), shape, 0.0);
        assert_close(
            test(1),
            &theirs["exponential"][at],
            0.06,
            &format!("Kolmogorov-Smirnov, exponential, {what}"),
        );
        assert_close(test(5), &theirs["gamma"][at], 0.06, &format!("Kolmogorov-Smirnov, gamma, {what}"));
        let pairs: Vec<_> = sample.windows(2).map(|pair| (pair[0], pair[1])).collect();
        assert_close(
            statistics::spearman(&pairs),
            &theirs["spearman"][at],
            1e-6,
            &format!("Spearman, {what}"),
        );
    }
    for (at, series) in series.iter().enumerate() {
        // scipy leaves out the correction for continuity, so its p-values are a little smaller.
        let ours = statistics::mann_kendall(series);
        let p = theirs["kendall"][at][1].as_f64().expect("a number");
        assert!(
            ours.p_value >= p * 0.999 && ours.p_value <= p * 1.2 + 1e-12,
            "Mann-Kendall: {ours:?}, scipy {p}"
        );
        assert_close(Tested { p_value: p, ..ours }, &theirs["kendall"][at], 1e-6, "Mann-Kendall");
    }
    for (at, counts) in counts.iter().enumerate() {
        let pairs: Vec<_> = counts.iter().map(|&count| (count, 20.0)).collect();
        let ours = statistics::dispersion(&pairs);
        let chi_squared = Tested { statistic: ours.statistic * counts.len() as f64, ..ours };
        assert_close(chi_squared, &theirs["chisquare"][at], 1e-6, "chi-squared");
    }
}

#[test]
fn equal_values_share_their_rank_and_a_constant_series_has_no_trend() {
    let tied = [(1.0, 1.0), (1.0, 2.0), (2.0, 1.0), (3.0, 5.0), (3.0, 4.0)];
    // scipy.stats.spearmanr([1, 1, 2, 3, 3], [1, 2, 1, 5, 4]).statistic
    assert!(
        (statistics::spearman(&tied).statistic - 0.729_996_4).abs() < 1e-6,
        "{:?}",
        statistics::spearman(&tied)
    );
    let constant = statistics::mann_kendall(&[3.0; 40]);
    assert_eq!((constant.statistic, constant.p_value), (0.0, 1.0));
    assert_eq!(statistics::spearman(&[(1.0, 2.0); 60]).statistic, 0.0);
    for few in [&[][..], &[(1.0, 2.0)], &[(1.0, 2.0), (3.0, 4.0)]] {
        assert_eq!(statistics::spearman(few).p_value, 1.0, "{few:?}");
    }
}

#[test]
fn slack_only_makes_the_distance_smaller() {
    let mut random = schedule::random(2, 0, 0);
    let mut sample: Vec<f64> = (0..500).map(|_| 1.3 * random.random::<f64>()).collect();
    let distances: Vec<f64> = [0.0, 0.05, 0.1, 0.3]
        .map(|slack| statistics::kolmogorov_smirnov(&mut sample, 1, slack).statistic)
        .into();
    assert!(
        distances.windows(2).all(|pair| pair[1] <= pair[0]) && distances[3] < distances[0],
        "{distances:?}"
    );
}
