//! Distributions of many shapes beside those that another implementation writes.

use model::histogram::{self, HIGHEST_NS, Histogram};
use model::schema::Latency;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use report::export::{self, Format};
use trials::test;

use super::report;
use crate::readers::read;

/// Histograms of many shapes, from none to more samples than 32 bits count.
fn shapes() -> Vec<Histogram> {
    let of = |values: &[(u64, u64)]| {
        let mut histogram = histogram::empty();
        values.iter().for_each(|(value, count)| histogram.record_n(*value, *count).expect("in range"));
        histogram
    };
    let mut shapes = vec![
        of(&[]),
        of(&[(0, 1)]),
        of(&[(1, 1)]),
        of(&[(HIGHEST_NS, 3)]),
        of(&[(35_000, 1_000_000)]),
        of(&[(2_047, 1), (2_048, 1), (4_095, 1), (4_096, 1)]),
        of(&[(1_000, 7_000_000_000), (1_000_000, 13)]),
        of(&[(1_500, 1), (1_501, 1)]),
        of(&[(0, 10), (HIGHEST_NS, 10)]),
    ];
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(4);
    for turn in 0..150 {
        let samples = 10f64.powf(random.random_range(0.0..4.5)) as u64;
        let (log_normal, exponential) = (
            LogNormal::new(random.random_range(0.0..20.0), random.random_range(0.01..3.0)).expect("valid"),
            Exp::new(10f64.powf(random.random_range(-7.0..0.0))).expect("valid"),
        );
        let mut histogram = histogram::empty();
        for _ in 0..samples {
            let value = match turn % 3 {
                0 => log_normal.sample(random) as u64,
                1 => exponential.sample(random) as u64,
                _ => random.random_range(0..1 << (turn % 42)),
            };
            histogram.saturating_record(value);
        }
        shapes.push(histogram);
    }
    shapes
}

#[test]
fn percentile_distributions_are_those_of_hdr_histogram_js_byte_for_byte() {
    let mut report = report(&["-d", "50ms"]);
    let shapes = shapes();
    let encoded: String = shapes.iter().map(|shape| histogram::encode(shape) + "\n").collect();
    let theirs = read("hgrm.js", &[], &encoded);
    let theirs = theirs.as_array().expect("texts");
    assert_eq!(theirs.len(), shapes.len());
    for (shape, theirs) in shapes.iter().zip(theirs) {
        report.service = Latency::of(shape);
        let ours = export::render(&report, Format::Hgrm(None), &[]).expect("rendered");
        assert_eq!(ours, theirs.as_str().expect("a text"));
    }
}
