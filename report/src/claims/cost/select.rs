//! The claim that compares poll with select.

use super::scale::MANY;
use super::{BENCH_WAIT, CostClaim, RUN};
use crate::cells::Figure;
use crate::claims::base::{Base, Case, Seen, Weight, figure_of};
use crate::claims::pooled::Pool;
use crate::format;
use crate::statistics::{Interval, Ratio, Summary, Verdict};
use model::schema::{BenchPoint, Campaign, Point};

use Weight::{Bounding, Essential};

/// The micro-benchmark of single waits with descriptor numbers that lie far apart.
const SPARSE: &str = "wait-sparse";

pub(super) const POLL_FASTER: CostClaim = CostClaim {
    id: "poll-faster-than-select",
    section: "1.2",
    text: "poll is faster than select with many descriptors",
    gather: |base| {
        let mut case = Case::default();
        let dense = waits(base, "wait").into_iter().rev().find(|(select, _)| select.watched >= MANY);
        match dense {
            Some(pair) => add_wait(&mut case, Essential, pair, "wait", "densely numbered"),
            None => case.lacks(Essential, "one wait over 1,000 descriptors or more", BENCH_WAIT),
        }
        let points = points(base);
        let over = |figure| Pool { points: &points, contenders: &["select"], other: "poll", figure };
        match over(Figure::ServerCpu).ratio() {
            Some(pooled) => {
                let what = over(Figure::ServerCpu).words(&pooled);
                case.figure = Some(figure_of(what, &pooled.ratio.summary, "×"));
                over(Figure::ServerCpu).add(&mut case, Essential, "above 1", Seen::above);
                let aside = Bounding("not by median response");
                over(Figure::ResponseP50).add(&mut case, aside, "above 1", Seen::above);
            }
            None => case.lacks(Essential, "an echo of select and of poll with many connections", RUN),
        }
        let sparse = waits(base, SPARSE);
        if sparse.is_empty() {
            case.lacks(Bounding(""), "one wait over few descriptors with high numbers", BENCH_WAIT);
        }
        let where_sparse =
            Bounding("not where few descriptors have high numbers, which select walks as well");
        for pair in sparse {
            add_wait(&mut case, where_sparse, pair, SPARSE, "numbered up to 1,023");
        }
        case
    },
};

/// The points with many connections of which few are active, ten percent or fewer, so that the wait is what costs; of one thread.
fn points<'a>(base: &Base<'a>) -> Vec<(&'a Campaign, &'a Point)> {
    let is_such = |point: &Point| {
        point.connections >= MANY && point.active <= point.connections / 10 && point.is_plain()
    };
    base.points().filter(|(_, point)| is_such(point)).collect()
}

/// One wait of select and one of poll over as many descriptors, from few to many.
fn waits<'a>(base: &Base<'a>, group: &str) -> Vec<(&'a BenchPoint, &'a BenchPoint)> {
    let poll = base.bench(group, "poll");
    let pair = |select: &'a BenchPoint| {
        let partner = poll.iter().find(|partner| partner.watched == select.watched)?;
        Some((select, *partner))
    };
    base.bench(group, "select").into_iter().filter_map(pair).collect()
}

/// Adds one wait of select over one of poll.
fn add_wait(
    case: &mut Case,
    weight: Weight,
    (select, poll): (&BenchPoint, &BenchPoint),
    group: &str,
    numbered: &str,
) {
    let watched = format::thousands(select.watched.into());
    let what = format!("one wait of select over one of poll, {watched} descriptors watched, {numbered}");
    case.add(weight, what, "above 1", Seen::above(&bench_ratio(select, poll)));
    case.used_bench(group);
}

/// The ratio of two micro-benchmarks, whose intervals are known apart.
fn bench_ratio(one: &BenchPoint, other: &BenchPoint) -> Ratio {
    let median = one.median_ns / other.median_ns;
    let (low, high) = (one.low_ns / other.high_ns, one.high_ns / other.low_ns);
    let interval = Some(Interval { median, low, high });
    let verdict = match (low > 1.0, high < 1.0) {
        (true, _) => Verdict::Above,
        (_, true) => Verdict::Below,
        _ => Verdict::Tie,
    };
    Ratio { summary: Summary { median, interval, repeats: one.batches.min(other.batches) as usize }, verdict }
}
