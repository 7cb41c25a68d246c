//! Our intervals beside scipy's (1.17). The figures are those of
//!
//! ```python
//! import numpy, scipy.stats as stats
//! print(stats.quantile_test(values, q=1, p=0.5).confidence_interval(0.95))         # six values and more
//! logs = numpy.log(values)                                                        # three to five
//! print(numpy.exp(stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs))))
//! print(stats.binomtest(hits, cases).proportion_ci(0.95, method="wilson"))        # "exact" for the exact one
//! differences = numpy.subtract.outer(numpy.log(new), numpy.log(base)).ravel()     # two samples
//! print(numpy.exp(numpy.median(differences)))
//! near = numpy.concatenate([differences - 1e-9, differences + 1e-9])              # either side of each end that there can be
//! kept = [shift for shift in near if stats.mannwhitneyu(numpy.log(new) - shift, numpy.log(base), method="exact").pvalue > 0.05]
//! print(numpy.exp([min(kept), max(kept)]))
//! # where no shift is rejected, too few values:
//! print(numpy.exp(stats.ttest_ind(numpy.log(new), numpy.log(base), equal_var=False).confidence_interval(0.95)))
//! ```

use super::{Proportion, interval};

fn assert_close(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() < 1e-7 * theirs.abs().max(1.0), "{ours} is not {theirs}");
}

#[test]
fn intervals_are_those_of_scipy() {
    let fifty: Vec<f64> = (0..50).map(|index| f64::from(index * 37 % 101) / 7.0 + 1.0).collect();
    let fifteen = [3.1, 2.7, 9.9, 3.3, 2.9, 3.0, 2.8, 3.6, 3.2, 2.6, 3.4, 0.4, 3.05, 2.95, 3.15];
    let cases: [(&[f64], f64, f64); 7] = [
        (&[1.02, 0.97, 1.31, 1.08, 1.11, 0.99], 0.97, 1.31),
        (&[1.4, 1.1, 1.3, 0.8, 1.2, 1.9, 1.15, 1.25, 1.05], 1.05, 1.4),
        (&fifteen, 2.8, 3.3),
        (&fifty, 6.142857142857143, 10.428571428571429),
        (&[1.02, 0.97, 1.31], 0.73098186, 1.62625584),
        (&[45.0, 22.0, 68.0, 31.0], 17.55122878, 82.30863005),
        (&[1.4, 1.1, 1.3, 0.8, 1.2], 0.87014653, 1.49245666),
    ];
    for (values, low, high) in cases {
        let ours = interval(values).expect("an interval");
        assert_close(ours.low, low);
        assert_close(ours.high, high);
    }
}

#[test]
fn proportions_are_those_of_scipy() {
    let cases = [
        (0, 100, 0.0, 0.03699349820698568),
        (5, 160, 0.0134205166876444, 0.0710602912856417),
        (8, 100, 0.04109346148438061, 0.14998107700948735),
        (30, 30, 0.8864866068260312, 1.0),
        (1, 7, 0.02567962434474358, 0.5131278292743189),
    ];
    for (hits, of, low, high) in cases {
        let ours = Proportion::of(hits, of).expect("cases");
        assert_close(ours.low, low);
        assert_close(ours.high, high);
    }
    assert_eq!(Proportion::of(0, 0), None);
}

#[test]
fn exact_intervals_of_proportions_are_those_of_scipy() {
    let cases = [
        (0, 100, 0.0, 0.03621669264519054),
        (1, 7, 0.0036102968619008097, 0.5787231970431982),
        (5, 100, 0.016431879181728278, 0.11283491110546288),
        (8, 100, 0.035171562517808085, 0.1515576358644209),
        (17, 412, 0.02421741987965755, 0.06524418333853756),
        (300, 1000, 0.27172111212914873, 0.32946167869736503),
        (30, 30, 0.8842966917779725, 1.0),
        (2, 2, 0.15811388300839305, 1.0),
    ];
    for (hits, of, low, high) in cases {
        let ours = Proportion::exact(hits, of).expect("cases");
        assert_close(ours.low, low);
        assert_close(ours.high, high);
    }
    assert_eq!(Proportion::exact(0, 0), None);
}
