//! The check that responses were as fast at the end of the window as at its begin.
//!
//! Percentiles of a series that rises depend on the window's length more than on the server. So the window is cut into
//! parts, and the medians of the parts are tested for a trend. Medians of neighbouring parts are alike on any machine,
//! so that even a harmless drift is significant: the last quarter must also differ from the first by a half. A stall of
//! a fifth of the window makes no trend: it is in the percentiles, where it belongs.

use model::schema::Check;

use super::statistics::{self, Tested};
use super::{Run, seconds};
use crate::record::live;
use crate::record::sample::PARTS;

/// Change from the first quarter to the last that does not matter, as a share of the smaller.
const CHANGE: f64 = 0.5;
/// Change that does not matter, in nanoseconds.
const CHANGE_NS: f64 = 50_000.0;
/// Responses that a part must have for its median to be one.
const FEWEST_PER_PART: u64 = 25;
/// Into how many parts the window is cut: as many as have enough responses.
const CUTS: [usize; 3] = [PARTS, PARTS / 2, PARTS / 4];

/// The check, where there are enough responses.
pub fn check(run: &Run<'_>) -> Option<Check> {
    let first = run.samples.first()?;
    if first.window.end_ns > run.end_ns {
        // Cut short: the parts that are left are not what the rule is made for.
        return None;
    }
    let medians = CUTS.into_iter().find_map(|parts| medians(run, parts))?;
    let begin_ns = median_of(run, 0..PARTS / 4)?;
    let end_ns = median_of(run, PARTS - PARTS / 4..PARTS)?;
    let least_ns = begin_ns.min(end_ns).max(1.0);
    let change = (end_ns - begin_ns).abs() / least_ns;
    let Tested { statistic: tau, p_value } = statistics::mann_kendall(&medians);
    let method = format!(
        "change of the median response from the first quarter to the last; trend over {} parts (Mann-Kendall, tau {tau:.2})",
        medians.len()
    );
    let threshold = CHANGE.max(CHANGE_NS / least_ns);
    let window_s = seconds(run.end_ns - first.window.begin_ns);
    let samples = counts(run, 0..PARTS).iter().sum();
    Some(Check::new("stationarity", &method, (change, threshold), Some(p_value), samples, || {
        let advice = if run.is_held_back {
            "the CPU quota held back this side, and a server that shares it: raise or remove it, or lower --rate"
        } else if end_ns > begin_ns {
            "the server does not keep up, or degrades: lower --rate, or measure longer after a longer --warmup"
        } else {
            "lengthen --warmup"
        };
        format!(
            "responses were not the same over the window: their median went from {} in its first quarter to {} in its last, so that \
             percentiles depend on its length ({window_s:.1} s): {advice}",
            report::format::duration_ns(begin_ns),
            report::format::duration_ns(end_ns)
        )
    }))
}

/// The median of each of `parts` equal parts of the window; none where one has too few responses.
fn medians(run: &Run<'_>, parts: usize) -> Option<Vec<f64>> {
    let each = PARTS / parts;
    (0..parts).map(|part| median_of(run, part * each..(part + 1) * each)).collect()
}

fn median_of(run: &Run<'_>, parts: std::ops::Range<usize>) -> Option<f64> {
    let counts = counts(run, parts);
    (counts.iter().sum::<u64>() >= FEWEST_PER_PART).then(|| live::median(&counts))
}

fn counts(run: &Run<'_>, parts: std::ops::Range<usize>) -> Vec<u64> {
    let mut counts = live::counts();
    run.samples.iter().for_each(|sample| sample.add_responses(parts.clone(), &mut counts));
    counts
}
