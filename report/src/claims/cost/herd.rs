//! Claims about several loops on one listener.

use super::CostClaim;
use crate::cells::{self, Figure};
use crate::claims::base::{Base, Case, Seen, Weight, figure_of};
use crate::format;
use crate::line;
use crate::statistics::Ratio;
use model::schema::{Campaign, Point};

use Weight::{Bounding, Context, Essential};

const LT: &str = "epoll-lt";
const RUN: &str = "muxbench run thundering-herd";

/// A point with several loops, and the same one with another way to meet the listener.
struct Pair<'a> {
    campaign: &'a Campaign,
    exclusive: &'a Point,
    other: &'a Point,
}

impl<'a> Pair<'a> {
    /// The pair of points with the most threads at which epoll was measured both with `exclusive` and with `other`.
    fn with(base: &Base<'a>, other: &str, figure: Figure) -> Option<Self> {
        let is = |point: &Point, accept: &str| point.accept.as_deref() == Some(accept);
        let pair = |(campaign, exclusive): (&'a Campaign, &'a Point)| {
            let twin = Point { accept: Some(other.to_owned()), ..exclusive.clone() };
            let other = campaign.plan.points.iter().find(|point| **point == twin)?;
            let pair = Pair { campaign, exclusive, other };
            pair.ratio(figure).is_some().then_some(pair)
        };
        let exclusive = base.points().filter(|(_, point)| is(point, "exclusive") && point.threads > 1);
        exclusive.filter_map(pair).max_by_key(|pair| (pair.exclusive.threads, pair.exclusive.churn_per_s))
    }

    /// A figure with `exclusive` over that with the other way, within repeats.
    fn ratio(&self, figure: Figure) -> Option<Ratio> {
        let of = |point| cells::valid(self.campaign, point, LT);
        cells::ratio(&of(self.exclusive), &of(self.other), figure)
    }

    fn used(&self, case: &mut Case) {
        case.used(self.campaign, &[LT], self.exclusive);
        case.used(self.campaign, &[LT], self.other);
    }
}

pub(super) const EXCLUSIVE_HERD: CostClaim = CostClaim {
    id: "exclusive-herd",
    section: "5.2",
    text: "EPOLLEXCLUSIVE wakes exactly one waiter, and so avoids the thundering herd",
    gather: |base| {
        let mut case = Case::default();
        let Some(pair) = Pair::with(base, "shared", Figure::SwitchesPerAccept) else {
            case.lacks(
                Essential,
                "several epoll loops on one listener, with EPOLLEXCLUSIVE and without",
                RUN,
            );
            return case;
        };
        let what = format!("of {LT}, exclusive over shared, at {}", line::place(pair.exclusive));
        if let Some(ratio) = pair.ratio(Figure::SwitchesPerAccept) {
            let what = format!("{} {what}", Figure::SwitchesPerAccept.words());
            case.add(Essential, what.clone(), "below 1", Seen::below(&ratio));
            case.figure = Some(figure_of(what, &ratio.summary, "×"));
        }
        let cells = cells::valid(pair.campaign, pair.exclusive, LT);
        if let Some(empty) = cells::summary(&cells, |cell| Figure::EmptyPerAccept.of(cell)) {
            let what =
                format!("{} of {LT} at {}", Figure::EmptyPerAccept.words(), line::place(pair.exclusive));
            let text = format::three_digits(empty.median);
            case.add(Essential, what, "0.1 at most", Seen::at_most(&empty, 0.1, text));
        }
        pair.used(&mut case);
        case
    },
};

pub(super) const EXCLUSIVE_SCALES: CostClaim = CostClaim {
    id: "exclusive-scales",
    section: "5.2",
    text: "EPOLLEXCLUSIVE scales perfectly across processors",
    gather: |base| {
        let mut case = Case::default();
        let Some((campaign, few, several)) = scaling(base) else {
            case.lacks(
                Essential,
                "capacity of one loop and of several with EPOLLEXCLUSIVE",
                "muxbench run thread-scaling thundering-herd",
            );
            return case;
        };
        let what = format!("capacity of {LT} with {} loops over that with {}", several.threads, few.threads);
        let processors = campaign.environment.usable_processors();
        let valid = |point| cells::valid(campaign, point, LT);
        // The generator needs one too.
        if several.threads + 1 > processors {
            let why = format!(
                "{} loops need as many processors besides the generator's, and this machine has {processors} in all",
                several.threads
            );
            case.cannot(Essential, what, why);
        } else if let Some(ratio) = cells::ratio(&valid(several), &valid(few), Figure::Throughput) {
            let least = 0.9 * f64::from(several.threads) / f64::from(few.threads);
            let claimed = format!("{least:.1} at least: nine tenths of what as many loops could do");
            let seen = Seen::at_least(&ratio.summary, least, format::ratio(&ratio));
            case.add(Essential, what.clone(), &claimed, seen);
            case.figure = Some(figure_of(what, &ratio.summary, "×"));
        }
        case.used(campaign, &[LT], few);
        case.used(campaign, &[LT], several);
        if let Some(pair) = Pair::with(base, "reuseport", Figure::Throughput) {
            let what =
                format!("capacity of {LT}, exclusive over reuseport, at {}", line::place(pair.exclusive));
            let weight =
                if case.is_decided { Bounding("a listener for each loop does more") } else { Context };
            if let Some(ratio) = pair.ratio(Figure::Throughput) {
                case.add(weight, what, "not below 1", Seen::not_below(&ratio));
            }
            pair.used(&mut case);
        }
        case
    },
};

/// The fewest loops and the most with EPOLLEXCLUSIVE, with the same connections.
fn scaling<'a>(base: &Base<'a>) -> Option<(&'a Campaign, &'a Point, &'a Point)> {
    let measured = |campaign: &Campaign, point: &Point| {
        cells::valid(campaign, point, LT).iter().any(|cell| Figure::Throughput.of(cell).is_some())
    };
    let is_exclusive = |point: &Point| point.threads == 1 || point.accept.as_deref() == Some("exclusive");
    let several = base
        .points()
        .filter(|(campaign, point)| point.threads > 1 && is_exclusive(point) && measured(campaign, point));
    let with_fewest = several.filter_map(|(campaign, several)| {
        let alike = |point: &Point| Point { threads: 0, accept: None, sweep: String::new(), ..point.clone() };
        let fewer = |point: &&Point| {
            point.threads < several.threads && is_exclusive(point) && alike(point) == alike(several)
        };
        let fewest = campaign.plan.points.iter().filter(fewer).filter(|point| measured(campaign, point));
        Some((campaign, fewest.min_by_key(|point| point.threads)?, several))
    });
    with_fewest.max_by_key(|(.., several)| several.threads)
}
