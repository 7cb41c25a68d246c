//! The same numbers computed by scipy.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StudentT};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};
use stats::{Family, LogRatios, Merged, Proportion, level, median, student};
use trials::need::python;
use trials::test;

fn main() -> ExitCode {
    trials::main()
}

/// Answers one question: what it is about, and its numbers.
const SCIPY: &str = "
import json, sys
import numpy as np
from scipy import stats

def left_out(values):
    return min((len(values) + 2) // 4, (len(values) - 1) // 2)

def midmean(values):
    return stats.trim_mean(np.array(values), (left_out(values) + 1e-9) / len(values))

def error(values):
    # Winsorised by scipy, over the share that is kept (Tukey and McLaughlin).
    cut = left_out(values)
    kept = len(values) - 2 * cut
    share = (cut + 1e-9) / len(values)
    winsorised = np.array(stats.mstats.winsorize(np.array(values), limits=(share, share)))
    return np.sqrt(((winsorised - winsorised.mean()) ** 2).sum() / (kept * (kept - 1)))

def share(hits, cases):
    return list(stats.binomtest(hits, cases).proportion_ci(0.95, 'exact'))

def level(starts):
    logs = [[np.log(value) for value in start] for start in starts]
    means = [midmean(start) for start in logs]
    if len(means) > 1:
        ends = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means))
    else:
        kept = len(logs[0]) - 2 * left_out(logs[0])
        ends = stats.t.interval(0.95, kept - 1, means[0], error(logs[0]))
    return list(np.exp([np.mean(means), *ends]))

def one_pair(starts):
    means = [midmean([np.log(b / a) for a, b in start]) for start in starts]
    ends = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means))
    return list(np.exp([np.mean(means), *ends]))

answers = {
    'student': lambda p, freedom: [stats.t.ppf(p, freedom)],
    'share': share,
    'level': lambda *starts: level(starts),
    'one pair': lambda *starts: one_pair(starts),
    'quantile': lambda quantile, *samples: [np.quantile(samples, quantile, method='inverted_cdf')],
    'median': lambda *values: [np.median(values)],
}
json.dump([[float(number) for number in answers[about](*numbers)] for about, numbers in json.load(sys.stdin)], sys.stdout)
";

/// The answers of scipy to questions of the same kind.
fn scipy(about: &str, questions: &[Value]) -> Vec<Vec<f64>> {
    let asked: Vec<Value> = questions.iter().map(|numbers| json!([about, numbers])).collect();
    let mut python = Command::new(python("scipy"))
        .args(["-W", "ignore", "-c", SCIPY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(Value::from(asked).to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = python.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn assert_same(ours: &[Vec<f64>], theirs: &[Vec<f64>], within: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        let is_close =
            |(ours, theirs): (&f64, &f64)| (ours - theirs).abs() <= within * theirs.abs().max(1e-9);
        assert!(
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_close),
            "{ours:?}, scipy {theirs:?}"
        );
    }
}

/// Values about 1 with heavy tails.
fn values(random: &mut Xoshiro256PlusPlus, count: usize) -> Vec<f64> {
    let tail = StudentT::new(2.0).expect("positive");
    (0..count).map(|_| f64::exp(0.1 * tail.sample(random))).collect()
}

#[test(needs(Python("scipy")))]
fn quantiles_of_students_distribution() {
    let questions: Vec<(f64, f64)> = [0.6, 0.975, 0.9999]
        .iter()
        .flat_map(|probability| {
            [1.0, 1.7, 2.0, 5.0, 13.4, 100.0, 5e4, 1e9].map(|freedom| (*probability, freedom))
        })
        .collect();
    let ours: Vec<_> =
        questions.iter().map(|(probability, freedom)| vec![student(*probability, *freedom)]).collect();
    let asked: Vec<_> = questions.iter().map(|pair| json!(pair)).collect();
    assert_same(&ours, &scipy("student", &asked), 1e-6);
}

#[test(needs(Python("scipy")))]
fn exact_intervals_of_shares() {
    let questions = [(0, 1), (0, 200), (1, 3), (7, 200), (10, 200), (50, 100), (999, 1_000), (5, 5)];
    let share = |&(hits, cases): &(u64, u64)| Proportion::of(hits, cases).expect("cases").interval;
    let ours: Vec<_> =
        questions.iter().map(share).map(|interval| vec![interval.low, interval.high]).collect();
    assert_same(&ours, &scipy("share", &questions.map(|pair| json!(pair))), 1e-6);
}

#[test(needs(Python("scipy")))]
fn midmeans_with_students_interval_and_with_tukeys_and_mclaughlins() {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(3);
    let sizes: [&[usize]; 7] = [&[4], &[5], &[11], &[60], &[3, 4], &[1, 2, 7], &[10, 40, 13, 6, 9, 8]];
    let campaigns: Vec<Vec<Vec<f64>>> =
        sizes.map(|starts| starts.iter().map(|rounds| values(random, *rounds)).collect()).into();
    let ours = campaigns.iter().map(|starts| {
        let starts: Vec<Vec<Option<f64>>> =
            starts.iter().map(|start| start.iter().copied().map(Some).collect()).collect();
        let level = level(&starts).expect("rounds");
        vec![level.value, level.interval.low, level.interval.high]
    });
    let asked: Vec<_> = campaigns.iter().map(|starts| json!(starts)).collect();
    assert_same(&ours.collect::<Vec<_>>(), &scipy("level", &asked), 1e-6);
}

/// Of two candidates there is nothing to be pooled.
#[test(needs(Python("scipy")))]
fn the_ratio_of_one_pair_has_students_interval() {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(4);
    let mut start =
        |rounds: usize| values(random, 2 * rounds).chunks(2).map(<[f64]>::to_vec).collect::<Vec<_>>();
    let campaigns = [[5, 9], [30, 30]].map(|rounds| rounds.map(&mut start).to_vec());
    let ours = campaigns.iter().map(|starts| {
        let some = |round: &Vec<f64>| round.iter().copied().map(Some).collect::<Vec<_>>();
        let values: Vec<_> = starts.iter().map(|start| start.iter().map(some).collect::<Vec<_>>()).collect();
        let family = Family::new(&LogRatios::new(&values, 0).expect("two candidates")).expect("two starts");
        let ratio = family.ratios()[1].expect("a ratio");
        assert!((ratio.simultaneous.high / ratio.pointwise.high - 1.0).abs() < 0.02, "{ratio:?}");
        vec![ratio.ratio, ratio.pointwise.low, ratio.pointwise.high]
    });
    let asked: Vec<_> = campaigns.iter().map(|starts| json!(starts)).collect();
    assert_same(&ours.collect::<Vec<_>>(), &scipy("one pair", &asked), 1e-6);
}

#[test(needs(Python("scipy")))]
fn medians_and_quantiles_of_merged_histograms() {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(5);
    let samples: Vec<u64> = (0..12_000).map(|_| random.random_range(0..400u64).pow(2)).collect();
    // In two starts of three rounds.
    let rounds: Vec<Vec<(u64, u64)>> =
        samples.chunks(2_000).map(|round| round.iter().map(|sample| (*sample, 1)).collect()).collect();
    let merged = Merged::new(&[rounds[..3].to_vec(), rounds[3..].to_vec()]);
    let quantiles = [0.01, 0.5, 0.9, 0.99];
    let ours: Vec<_> =
        quantiles.iter().map(|at| vec![merged.quantile(*at).expect("samples").value]).collect();
    let asked = quantiles.map(|at| {
        json!([&[at], &samples.iter().map(|sample| *sample as f64).collect::<Vec<_>>()[..]].concat())
    });
    assert_same(&ours, &scipy("quantile", &asked), 0.0);
    let some = [values(random, 8), values(random, 9)];
    let ours: Vec<_> = some.iter().map(|values| vec![median(values).expect("values")]).collect();
    assert_same(&ours, &scipy("median", &some.map(|values| json!(values))), 1e-12);
}
