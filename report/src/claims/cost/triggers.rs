//! Claims that compare epoll's modes, and readiness with completion.

use super::{CostClaim, RUN};
use crate::cells::{self, Figure};
use crate::claims::base::{Base, Case, Comparison, Seen, Weight, figure_of};
use crate::claims::pooled::Pool;
use crate::format;
use crate::line;
use crate::statistics::{Ratio, Verdict};
use model::schema::{Campaign, Point};

use Weight::{Bounding, Context, Essential};

const LT: &str = "epoll-lt";
/// Bytes from which on a message is large.
const LARGE: u32 = 16 * 1024;
/// What of a count may be missing because a window's edges cut an echo in two.
const EDGES: f64 = 0.01;

pub(super) const ET_FASTER: CostClaim = CostClaim {
    id: "et-faster",
    section: "5.4",
    text: "edge-triggered with a loop that drains is the better way",
    gather: |base| {
        let mut case = Case::default();
        let is_large = |point: &Point| point.size_bytes.is_some_and(|bytes| bytes >= LARGE);
        let is_plain = |point: &Point| point.threads == 1 && point.churn_per_s.is_none();
        let small: Vec<_> = base.points().filter(|(_, point)| is_plain(point) && !is_large(point)).collect();
        let over = |points, figure| Pool { points, contenders: &["epoll-et"], other: LT, figure };
        let Some(pooled) = over(&small, Figure::ServerCpu).ratio() else {
            case.lacks(Essential, "epoll edge-triggered beside level-triggered", RUN);
            return case;
        };
        let tie = "by that figure it is no better";
        for (weight, figure) in [
            (Essential, Figure::ServerCpu),
            (Bounding(tie), Figure::ResponseP50),
            (Bounding("it makes more calls"), Figure::Syscalls),
        ] {
            over(&small, figure).add(&mut case, weight, "below 1", Seen::below);
        }
        let what = over(&small, Figure::ServerCpu).words(&pooled);
        case.figure = Some(figure_of(what, &pooled.ratio.summary, "×"));
        let large: Vec<_> = base.points().filter(|(_, point)| is_large(point)).collect();
        let with_large = over(&large, Figure::ServerCpu);
        if with_large.ratio().is_some() {
            with_large.add(&mut case, Bounding("not with large messages"), "below 1", Seen::below);
        } else {
            case.lacks(Bounding(""), "messages of 16 KiB or more", "muxbench run message-size");
        }
        case
    },
};

pub(super) const SYNC_ASYNC: CostClaim = CostClaim {
    id: "sync-vs-async",
    section: "8",
    text: "with readiness each read and write is the program's own call; with asynchronous I/O the kernel does them",
    gather: |base| {
        let mut case = Case::default();
        let ring = "io-uring";
        let Some(at) = busiest(base, ring) else {
            case.lacks(Essential, "io_uring beside epoll", RUN);
            return case;
        };
        let (campaign, point) = at;
        let calls =
            |name| cells::summary(&cells::valid(campaign, point, name), |cell| Figure::Syscalls.of(cell));
        let what = |name: &str| format!("system calls an echo of {name} at {}", line::place(point));
        for (name, claimed, bound) in [(LT, "2 at least: a recv and a send", 2.0), (ring, "1 at most", 1.0)] {
            let Some(summary) = calls(name) else { continue };
            let text = format::three_digits(summary.median);
            let seen = match name {
                LT => Seen::at_least(&summary, bound * (1.0 - EDGES), text),
                _ => Seen::at_most(&summary, bound, text),
            };
            case.add(Essential, what(name), claimed, seen);
            if name == ring {
                case.figure = Some(figure_of(what(name), &summary, "calls"));
            }
        }
        let alone = line::Line { campaign, points: vec![(point.connections, point)] };
        let mut compare = |weight, figure, claimed, see: fn(&Ratio) -> Seen| {
            let at = Comparison { line: &alone, point, contender: ring, other: LT, figure };
            case.compare(weight, &at, claimed, see);
        };
        let cheaper = Bounding("fewer calls do not make an echo cheaper here");
        compare(cheaper, Figure::ServerCpu, "below 1", Seen::below);
        compare(Context, Figure::Throughput, "", Seen::above);
        compare(Context, Figure::ResponseP50, "", Seen::below);
        case.used(campaign, &[ring, LT], point);
        case
    },
};

/// The point with the most active connections at which both were measured, with the load of one thread.
fn busiest<'a>(base: &Base<'a>, ring: &str) -> Option<(&'a Campaign, &'a Point)> {
    let both = |campaign: &Campaign, point: &Point| {
        let alone = line::Line { campaign, points: vec![(0, point)] };
        let ratio = cells::ratio(&alone.cells(point, ring), &alone.cells(point, LT), Figure::Syscalls);
        ratio.is_some_and(|ratio| ratio.verdict != Verdict::NotEnoughRepeats)
    };
    let plain = base.points().filter(|(_, point)| point.is_plain());
    plain.filter(|(campaign, point)| both(campaign, point)).max_by_key(|(_, point)| point.active)
}
