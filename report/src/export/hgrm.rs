//! The percentile distribution of HdrHistogram, which its plotters read: byte for byte what hdr-histogram-js writes as
//! `outputPercentileDistribution(5, 1000)`, in microseconds.

use model::histogram::{Histogram, SIGNIFICANT_DIGITS};

use super::series::{self, PHASES};
use crate::rounds::Analysis;

/// Rows from one half of the way to 100 % to the next half of what remains.
const TICKS_PER_HALF_DISTANCE: f64 = 5.0;
/// Values are written in microseconds.
const NS_PER_UNIT: f64 = 1_000.0;
/// Decimals of a value.
const DECIMALS: usize = SIGNIFICANT_DIGITS as usize;

/// One row of the distribution.
struct Row {
    /// Largest value, in nanoseconds, of the bucket in which `percentile` is reached.
    value_ns: u64,
    /// The percentile asked for, 0 to 100.
    percentile: f64,
    /// Samples up to and with that bucket.
    count: u64,
}

/// The distribution of each candidate at each point under each load, over all its rounds: `epoll-et_10000c_10a_light.hgrm` and its text.
pub fn of_campaign(analysis: &Analysis<'_>) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for series in series::all(analysis) {
        for (phase, load) in PHASES {
            let responses = series.merged(phase);
            if !responses.is_empty() {
                files.push((format!("{}_{load}.hgrm", series.name.replace('/', "_")), render(&responses)));
            }
        }
    }
    files
}

/// Writes the distribution of `histogram`.
pub fn render(histogram: &Histogram) -> String {
    let mut text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n".to_owned();
    for Row { value_ns, percentile, count } in rows(histogram) {
        let share = percentile / 100.0;
        text += &format!("{:>12} {} {count:>10}", micros(value_ns as f64), rounded(share, 12));
        if percentile < 100.0 {
            text += &format!(" {:>14}", rounded(1.0 / (1.0 - share), 2));
        }
        text.push('\n');
    }
    let (mean_ns, deviation_ns) = mean_and_deviation(histogram);
    text += &format!(
        "#[Mean    = {:>12}, StdDeviation   = {:>12}]\n\
         #[Max     = {:>12}, Total count    = {:>12}]\n\
         #[Buckets = {:>12}, SubBuckets     = {:>12}]\n",
        micros(mean_ns),
        micros(deviation_ns),
        micros(histogram.max() as f64),
        histogram.len(),
        histogram.buckets(),
        (2 * 10u32.pow(SIGNIFICANT_DIGITS.into())).next_power_of_two(),
    );
    text
}

/// The rows that the percentile iterator of Java and JavaScript makes. `iter_quantiles` of the Rust crate can differ by
/// one bucket: it compares a count with a rounded share of the total, these compare percentiles.
fn rows(histogram: &Histogram) -> Vec<Row> {
    let total = histogram.len();
    let mut rows = Vec::new();
    let (mut percentile, mut count) = (0.0, 0);
    for bucket in histogram.iter_recorded() {
        count += bucket.count_at_value();
        let value_ns = histogram.highest_equivalent(bucket.value_iterated_to());
        let reached = 100.0 * count as f64 / total as f64;
        while reached >= percentile {
            rows.push(Row { value_ns, percentile, count });
            if count == total {
                rows.push(Row { value_ns, percentile: 100.0, count });
                break;
            }
            percentile = next(percentile);
        }
    }
    rows
}

/// The percentile after this one: the steps are halved with each half of the remaining way.
fn next(percentile: f64) -> f64 {
    let halvings = (100.0 / (100.0 - percentile)).log2().floor() + 1.0;
    percentile + 100.0 / (TICKS_PER_HALF_DISTANCE * halvings.exp2())
}

/// Mean and standard deviation in nanoseconds, summed in the order of JavaScript: the last digit depends on it.
fn mean_and_deviation(histogram: &Histogram) -> (f64, f64) {
    if histogram.is_empty() {
        return (0.0, 0.0);
    }
    let total = histogram.len() as f64;
    let buckets = || {
        histogram.iter_recorded().map(|bucket| {
            let middle = histogram.median_equivalent(bucket.value_iterated_to());
            (middle as f64, bucket.count_at_value() as f64)
        })
    };
    let mean = buckets().fold(0.0, |sum, (middle, count)| sum + middle * count) / total;
    let squares = buckets().fold(0.0, |sum, (middle, count)| sum + (middle - mean) * (middle - mean) * count);
    (mean, (squares / total).sqrt())
}

fn micros(ns: f64) -> String {
    rounded(ns / NS_PER_UNIT, DECIMALS)
}

/// `value`, which is finite and not negative, with so many decimals, as Intl.NumberFormat does it: the shortest decimal
/// that reads back as `value` is rounded, a half upwards. `{:.3}` would round the binary value: 1.0005 to 1.000.
fn rounded(value: f64, decimals: usize) -> String {
    let shortest = value.to_string();
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    let Some(first_cut) = fraction.as_bytes().get(decimals) else {
        return format!("{whole}.{fraction:0<decimals$}");
    };
    let kept: u128 = format!("{whole}{}", &fraction[..decimals]).parse().expect("digits");
    let digits = format!("{:0>width$}", kept + u128::from(*first_cut >= b'5'), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::histogram;

    #[test]
    fn halves_are_rounded_upwards_in_decimal() {
        let cases =
            [(1.0005, "1.001"), (2.0005, "2.001"), (0.9996, "1.000"), (12.0, "12.000"), (1e-9, "0.000")];
        for (value, text) in cases {
            assert_eq!(rounded(value, 3), text);
        }
        assert_eq!(rounded(0.9998779296875, 12), "0.999877929688");
    }

    #[test]
    fn an_empty_histogram_has_no_rows() {
        assert!(rows(&histogram::empty()).is_empty());
        assert!(render(&histogram::empty()).contains("Total count    =            0"));
    }

    #[test]
    fn the_last_row_is_the_largest_value_at_all_samples() {
        let mut histogram = histogram::empty();
        (1..=1_000).for_each(|value| histogram.record(value).expect("in range"));
        let rows = rows(&histogram);
        let last = rows.last().expect("rows");
        assert_eq!((last.value_ns, last.percentile, last.count), (1_000, 100.0, 1_000));
        assert!(rows.is_sorted_by(|a, b| a.percentile < b.percentile && a.value_ns <= b.value_ns));
        for row in &rows {
            assert_eq!(
                row.value_ns,
                histogram.value_at_quantile(row.percentile / 100.0).max(1),
                "{}",
                row.percentile
            );
        }
    }
}
