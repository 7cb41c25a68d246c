//! Checks that requests went out as the schedule says, and that the schedule is what was asked for.
//!
//! The *intended* instants must be an exact sample of the process that was asked for. The *realised* ones are late by
//! the time of a few system calls, which at 100,000 requests per second is as much as a gap. So they are looked at over
//! spans of gaps that are long compared with the allowed lateness, and may be off by a tenth of a span.

use model::schema::{Arrivals, Check};

use super::statistics::{self, Tested};
use super::{FEWEST, OWN_PROCESSOR, Run, seconds};
use crate::record::sample::{Arrival, PARTS, STRETCH, Sample};

/// The lateness that is allowed in any case (as in [`crate::record::validity`]): the time of a few system calls.
const LATE_FLOOR_NS: f64 = 20_000.0;
/// The largest lateness that is allowed, however slow the responses are.
const LATE_CEILING_NS: f64 = 1_000_000.0;
/// Share of the median response that a request may be late.
const LATE_SHARE: f64 = 0.1;
/// A span is this many times longer than a request may be late.
const SPAN: f64 = 10.0;
/// The longest span, in gaps: each stretch holds a few.
const MOST_GAPS: f64 = STRETCH as f64 / 4.0;
/// Share of the spans that may be off by more than a tenth of their mean length. A worker that has no processor for 5 % of
/// the window, which is allowed, is behind for as long again while it catches up.
const SPANS_OFF: f64 = 0.2;
/// Distance from the exponential distribution, beyond what a tenth of a span explains: the share of spans that would
/// have to be other than they are.
const DISTANCE: f64 = 0.1;
/// Rank correlation of neighbouring spans that does not matter: 4 % of their variance.
const CORRELATION: f64 = 0.2;
/// The longest that the generator may stand still, in seconds.
const STANDSTILL_S: f64 = 0.2;
/// The largest allowed deviation of an equal gap from its length: instants are whole nanoseconds.
const EQUAL_GAP_OFF_NS: f64 = 2.0;
/// Mean gap from which on single gaps can be tested: instants are whole nanoseconds, and rounding makes short gaps other than
/// exponential, and each depend on the next.
const FINEST_GAP_NS: f64 = 100.0;
/// Requests that a part of the window must be expected to have for its count to be tested.
const FEWEST_PER_PART: f64 = 5.0;

/// The checks of the arrivals, realised and intended.
pub fn checks(run: &Run<'_>) -> Vec<Check> {
    let gaps = span_of_gaps(run);
    let is_fine = run.samples.iter().any(|sample| sample.mean_gap_ns < FINEST_GAP_NS);
    let single = if is_fine { Spans(Vec::new()) } else { Spans::of(run.samples, 1) };
    let spans = Spans::of(run.samples, gaps);
    let mut checks = Vec::new();
    match run.arrivals {
        Arrivals::Poisson => {
            checks.extend(gaps_intended(&single));
            checks.extend(gaps_realised(&spans, gaps));
            checks.extend(independence(&single, &spans, gaps).into_iter().flatten());
        }
        Arrivals::Uniform => checks.extend(equal_gaps_intended(&single)),
    }
    checks.extend(spacing(&spans, gaps));
    checks.extend(rate(run));
    checks.extend(standstill(run.samples));
    checks
}

/// The number of gaps in a span that is long compared with the allowed lateness of a request.
fn span_of_gaps(run: &Run<'_>) -> u32 {
    let late_ns = (LATE_SHARE * run.response_p50_ns as f64).clamp(LATE_FLOOR_NS, LATE_CEILING_NS);
    let mean_gap_ns = run.samples.iter().map(|sample| sample.mean_gap_ns).fold(f64::INFINITY, f64::min);
    (SPAN * late_ns / mean_gap_ns).ceil().clamp(1.0, MOST_GAPS) as u32
}

/// A span of consecutive gaps, in units of its worker's mean gap.
#[derive(Clone, Copy)]
struct Span {
    intended: f64,
    realised: f64,
    mean_gap_ns: f64,
}

/// Spans without overlap, stretch by stretch.
struct Spans(Vec<Vec<Span>>);

impl Spans {
    fn of(samples: &[Sample], gaps: u32) -> Self {
        let stretches = samples.iter().flat_map(|sample| {
            sample.stretches().map(|stretch| {
                let ends: Vec<&Arrival> = stretch.iter().step_by(gaps as usize).collect();
                ends.windows(2).map(|ends| Span::between(ends[0], ends[1], sample.mean_gap_ns)).collect()
            })
        });
        Self(stretches.collect())
    }

    fn all(&self) -> impl Iterator<Item = &Span> {
        self.0.iter().flatten()
    }

    fn values(&self, value: fn(&Span) -> f64) -> Option<Vec<f64>> {
        let values: Vec<f64> = self.all().map(value).collect();
        (values.len() >= FEWEST).then_some(values)
    }

    /// Each span beside the next one.
    fn neighbours(&self, value: fn(&Span) -> f64) -> Option<Vec<(f64, f64)>> {
        let pairs = self.0.iter().flat_map(|stretch| stretch.windows(2));
        let pairs: Vec<_> = pairs.map(|pair| (value(&pair[0]), value(&pair[1]))).collect();
        (pairs.len() >= FEWEST).then_some(pairs)
    }
}

impl Span {
    fn between(first: &Arrival, last: &Arrival, mean_gap_ns: f64) -> Self {
        Self {
            intended: (last.intended_ns - first.intended_ns) as f64 / mean_gap_ns,
            realised: (last.tried_ns - first.tried_ns) as f64 / mean_gap_ns,
            mean_gap_ns,
        }
    }
}

fn gaps_intended(gaps: &Spans) -> Option<Check> {
    let mut values = gaps.values(|gap| gap.intended)?;
    let Tested { statistic, p_value } = statistics::kolmogorov_smirnov(&mut values, 1, 0.0);
    let method = "distance of the intended gaps from the exponential distribution (Kolmogorov-Smirnov)";
    Some(Check::new("gaps_intended", method, (statistic, 0.0), Some(p_value), values.len() as u64, || {
        format!(
            "the schedule is not Poisson (its gaps are {statistic:.3} away from exponential ones, p = {p_value:.0e}): \
             choose another --seed, and report it if that does not help"
        )
    }))
}

fn gaps_realised(spans: &Spans, gaps: u32) -> Option<Check> {
    let mut values = spans.values(|span| span.realised)?;
    let slack = f64::from(gaps) / SPAN;
    let Tested { statistic, p_value } = statistics::kolmogorov_smirnov(&mut values, gaps, slack);
    let method = format!(
        "distance of {} from the exponential process, less a tenth of the mean (Kolmogorov-Smirnov)",
        of_gaps("realised", gaps)
    );
    Some(Check::new(
        "gaps_realised",
        &method,
        (statistic, DISTANCE),
        Some(p_value),
        values.len() as u64,
        || {
            format!(
                "requests did not leave as a Poisson process: {:.0} % of the gaps are other than exponential: {OWN_PROCESSOR}, or lower --rate",
                statistic * 100.0
            )
        },
    ))
}

fn independence(gaps: &Spans, spans: &Spans, length: u32) -> [Option<Check>; 2] {
    let check = |name, what: &str, pairs: Option<Vec<(f64, f64)>>, bound, advice: &str| {
        let pairs = pairs?;
        let Tested { statistic, p_value } = statistics::spearman(&pairs);
        let method = format!("rank correlation of {what} with the next (Spearman, lag 1)");
        Some(Check::new(name, &method, (statistic.abs(), bound), Some(p_value), pairs.len() as u64, || {
            format!("{advice} (rank correlation {statistic:.2}, p = {p_value:.0e})")
        }))
    };
    [
        check(
            "independence_intended",
            "each intended gap",
            gaps.neighbours(|gap| gap.intended),
            0.0,
            "the schedule's gaps depend on one another: choose another --seed, and report it if that does not help",
        ),
        check(
            "independence_realised",
            &of_gaps("each realised", length),
            spans.neighbours(|span| span.realised),
            CORRELATION,
            &format!(
                "gaps between requests depended on those before, as in bursts: {OWN_PROCESSOR}, or lower --rate"
            ),
        ),
    ]
}

fn of_gaps(which: &str, gaps: u32) -> String {
    match gaps {
        1 => format!("{which} gap"),
        _ => format!("{which} span of {gaps} gaps"),
    }
}

fn equal_gaps_intended(gaps: &Spans) -> Option<Check> {
    let off_ns = |gap: &Span| (gap.intended - 1.0).abs() * gap.mean_gap_ns;
    let largest_ns = gaps.all().map(off_ns).fold(0.0, f64::max);
    let samples = gaps.all().count();
    let method = "largest deviation of an intended gap from the constant, in nanoseconds";
    (samples >= FEWEST).then(|| {
        Check::new("gaps_intended", method, (largest_ns, EQUAL_GAP_OFF_NS), None, samples as u64, || {
            format!("the schedule's gaps are not equal: one is off by {largest_ns:.0} ns; report it")
        })
    })
}

fn spacing(spans: &Spans, gaps: u32) -> Option<Check> {
    let samples = spans.all().count();
    let bound = f64::from(gaps) / SPAN;
    let off = spans.all().filter(|span| (span.realised - span.intended).abs() > bound).count();
    let share = off as f64 / samples.max(1) as f64;
    let method = format!(
        "share of {} off from the intended by more than a tenth of the mean",
        of_gaps("the realised", gaps)
    );
    (samples >= FEWEST).then(|| {
        Check::new("spacing", &method, (share, SPANS_OFF), None, samples as u64, || {
            format!(
                "requests left in another rhythm than was intended: {:.0} % of the gaps were off by more than a tenth of the mean \
                 gap: {OWN_PROCESSOR}, or lower --rate",
                share * 100.0
            )
        })
    })
}

/// The check that each part of the window has as many requests as the rate demands: not fewer, not more, and no drift.
fn rate(run: &Run<'_>) -> Option<Check> {
    let mut counts = Vec::new();
    let (mut due, mut expected) = (0.0, 0.0);
    let first = run.samples.first()?;
    for part in 0..PARTS {
        let (begin_ns, end_ns) = (first.part_begin_ns(part), first.part_begin_ns(part + 1));
        if end_ns > run.end_ns {
            break;
        }
        due += run.samples.iter().map(|sample| sample.due_by_part()[part]).sum::<u64>() as f64;
        expected += run.rate_per_s * seconds(end_ns - begin_ns);
        if expected >= FEWEST_PER_PART {
            counts.push((due, expected));
            (due, expected) = (0.0, 0.0);
        }
    }
    let samples: f64 = counts.iter().map(|(due, _)| due).sum();
    let advice = || {
        let worst = counts
            .iter()
            .map(|(due, expected)| due / expected)
            .max_by(|a, b| (a - 1.0).abs().total_cmp(&(b - 1.0).abs()));
        format!(
            "the schedule did not keep its rate: a part of the window had {:.0} % of the requests that belong there: choose \
             another --seed, and report it if that does not help",
            worst.unwrap_or(0.0) * 100.0
        )
    };
    if counts.len() < 2 {
        return None;
    }
    Some(match run.arrivals {
        Arrivals::Poisson => {
            let Tested { statistic, p_value } = statistics::dispersion(&counts);
            let method =
                "dispersion of the requests due over the parts of the window (chi-squared over its freedom)";
            Check::new("rate", method, (statistic, 0.0), Some(p_value), samples as u64, advice)
        }
        Arrivals::Uniform => {
            let most = counts.iter().map(|(due, expected)| (due - expected).abs()).fold(0.0, f64::max);
            // Each worker's first and last request of a part may lie on either side of its edge.
            let allowed = 2.0 * run.samples.len() as f64;
            let method = "most requests too few or too many in a part of the window";
            Check::new("rate", method, (most, allowed), None, samples as u64, advice)
        }
    })
}

fn standstill(samples: &[Sample]) -> Option<Check> {
    let (longest, sample) = samples
        .iter()
        .map(|sample| (sample.standstill(), sample))
        .max_by_key(|(still, _)| still.length_ns)?;
    let tried: usize = samples.iter().flat_map(Sample::stretches).map(<[Arrival]>::len).sum();
    let length_s = seconds(longest.length_ns);
    let method = "longest time that the generator did nothing although a request was due, in seconds";
    (tried > 0).then(|| {
        Check::new("standstill", method, (length_s, STANDSTILL_S), None, tried as u64, || {
            format!(
                "the generator stood still for {length_s:.2} s, until {:.2} s into the window: it was stopped (SIGSTOP, a debugger, a \
                 suspended machine) or had no processor, and its own delay is in the response: measure again",
                seconds(longest.end_ns.saturating_sub(sample.window.begin_ns))
            )
        })
    })
}
