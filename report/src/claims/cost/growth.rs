//! Claims about how a cost grows with the descriptors watched.

use super::scale::{FEW, LT, MANY, SCANNING, many};
use super::{BENCH_WAIT, CostClaim, RUN};
use crate::cells::Figure;
use crate::claims::base::{Base, Case, Seen, Weight, figure_of};
use crate::format;
use crate::line::{self, Line};
use crate::statistics::{Interval, Summary};
use model::schema::BenchPoint;

use Weight::{Bounding, Essential};

/// An exponent up to which a cost is called flat: it grows by a quarter in a decade.
const FLAT: f64 = 0.1;
/// An exponent from which on a cost is called proportional.
const PROPORTIONAL: f64 = 0.8;

pub(super) const EPOLL_FLAT: CostClaim = CostClaim {
    id: "epoll-flat",
    section: "6.1",
    text: "epoll's efficiency does not fall as the descriptors watched grow in number",
    gather: |base| {
        let mut case = Case::default();
        wait_growth(base, &mut case, LT, "n^0.1 at most", |exponent, text| {
            Seen::at_most(exponent, FLAT, text)
        });
        let Some(line) = base.idle_line(&[LT]).filter(|line| line.last().connections >= MANY) else {
            case.lacks(Essential, "an echo over connections watched, few of them active", RUN);
            return case;
        };
        let growth = [
            (Essential, Figure::ServerCpu),
            (Bounding("but the median response grows, which is more than the wait"), Figure::ResponseP50),
        ];
        for (weight, figure) in growth {
            let Some(exponent) = line.exponent(LT, figure) else { continue };
            let what = format!("{} of {LT}, {}", figure.words(), span(&line));
            case.add(weight, what.clone(), "n^0.1 at most", Seen::at_most(&exponent, FLAT, power(&exponent)));
            if figure == Figure::ServerCpu {
                case.figure = Some(figure_of(format!("growth of {what}"), &exponent, "exponent of n"));
            }
        }
        line.points.iter().for_each(|(_, point)| case.used(line.campaign, &[LT], point));
        case
    },
};

pub(super) const SCAN: CostClaim = CostClaim {
    id: "select-poll-scan",
    section: "6",
    text: "select and poll walk the whole set of descriptors on every wake-up",
    gather: |base| {
        let mut case = Case::default();
        for contender in SCANNING {
            wait_growth(base, &mut case, contender, "n^0.8 at least", |exponent, text| {
                Seen::at_least(exponent, PROPORTIONAL, text)
            });
        }
        let Some(line) = many(base) else {
            case.lacks(
                Essential,
                "an echo of select and poll over connections watched, few of them active",
                RUN,
            );
            return case;
        };
        for contender in SCANNING {
            let Some(each) = marginal(&line, contender) else { continue };
            let interval = each.interval.map(|interval| interval_of(&interval)).unwrap_or_default();
            let text = format!("{} ns{interval}", format::three_digits(each.median));
            let what =
                format!("processor time an echo of {contender} for each descriptor more, {}", span(&line));
            let figure = figure_of(&what, &each, "ns");
            case.add(Essential, what, "more than nothing", Seen::at_least(&each, f64::MIN_POSITIVE, text));
            if contender == "poll" {
                case.figure = Some(figure);
            }
            case.used(line.campaign, &[contender], line.first());
            case.used(line.campaign, &[contender], line.last());
        }
        case
    },
};

/// Processor time of an echo at the end of a line less that at its begin, for each descriptor between, by repeat.
fn marginal(line: &Line<'_>, contender: &str) -> Option<Summary> {
    let each = |points: Vec<(f64, f64)>| {
        let ((from, less), (to, more)) = (*points.first()?, *points.last()?);
        (to > from).then(|| (more - less) / (to - from))
    };
    let repeats = line.by_repeat(contender, Figure::ServerCpu);
    let whole = |points: &Vec<(f64, f64)>| points.len() == line.points.len();
    Summary::of(&repeats.into_iter().filter(whole).filter_map(each).collect::<Vec<_>>())
}

/// Adds how the cost of one wait grows with the descriptors watched, from 100 on.
fn wait_growth(
    base: &Base<'_>,
    case: &mut Case,
    mechanism: &str,
    claimed: &str,
    see: fn(&Summary, String) -> Seen,
) {
    let points: Vec<&BenchPoint> =
        base.bench("wait", mechanism).into_iter().filter(|point| point.watched >= FEW).collect();
    let what = format!("one wait of {mechanism} over descriptors watched, one ready");
    let Some(exponent) = bench_exponent(&points) else {
        return case.lacks(Essential, what, BENCH_WAIT);
    };
    let reach = [&points[0], &points[points.len() - 1]].map(|point| format::thousands(point.watched.into()));
    let text = power(&exponent);
    case.add(Essential, format!("{what}, {} to {}", reach[0], reach[1]), claimed, see(&exponent, text));
    case.used_bench("wait");
}

/// The exponent with which a micro-benchmark grows between its least and its greatest size; the interval takes the ends of
/// theirs that lie furthest apart.
pub(super) fn bench_exponent(points: &[&BenchPoint]) -> Option<Summary> {
    let (first, last) = (points.first()?, points.last()?);
    let slope = |from_ns: f64, to_ns: f64| {
        line::slope(&[(f64::from(first.watched), from_ns), (f64::from(last.watched), to_ns)])
    };
    let median = slope(first.median_ns, last.median_ns)?;
    let interval = Interval {
        median,
        low: slope(first.high_ns, last.low_ns)?,
        high: slope(first.low_ns, last.high_ns)?,
    };
    Some(Summary { median, interval: Some(interval), repeats: first.batches.min(last.batches) as usize })
}

/// `n^0.97 (0.95–0.99)`.
pub(super) fn power(exponent: &Summary) -> String {
    let interval =
        exponent.interval.map(|interval| format!(" ({:.2} to {:.2})", interval.low, interval.high));
    format!("n^{:.2}{}", exponent.median, interval.unwrap_or_default())
}

fn interval_of(interval: &Interval) -> String {
    format!(" ({} to {})", format::three_digits(interval.low), format::three_digits(interval.high))
}

/// `10 to 10,000 connections, 10 active`.
pub(super) fn span(line: &Line<'_>) -> String {
    format!("{} to {}", format::thousands(line.first().connections.into()), line::place(line.last()))
}
