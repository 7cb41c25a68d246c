//! Claims that compare select and poll with epoll as connections grow in number.

use super::growth::span;
use super::{CostClaim, RUN};
use crate::cells::Figure;
use crate::claims::base::{Base, Case, Comparison, Seen, Weight, figure_of};
use crate::format;
use crate::line::{self, Line};
use crate::statistics::{Ratio, Verdict};
use model::schema::Point;

use Weight::{Bounding, Context, Essential};

pub(super) const LT: &str = "epoll-lt";
pub(super) const SCANNING: [&str; 2] = ["poll", "select"];
/// Connections from which on there are many.
pub(super) const MANY: u32 = 1_000;
/// Connections up to which there are few.
pub(super) const FEW: u32 = 100;

pub(super) const MANY_IDLE: CostClaim = CostClaim {
    id: "many-idle-few-active",
    section: "6",
    text: "with many connections and few active ones epoll is more efficient than select and poll",
    gather: |base| {
        let mut case = Case::default();
        let Some(line) = many(base) else {
            case.lacks(Essential, "select, poll and epoll with 1,000 connections or more, few active", RUN);
            return case;
        };
        for contender in SCANNING {
            let mut compare = |weight, point, figure, claimed, see| {
                case.compare(
                    weight,
                    &Comparison { line: &line, point, contender, other: LT, figure },
                    claimed,
                    see,
                );
            };
            let (first, last) = (line.first(), line.last());
            compare(Essential, last, Figure::ResponseP50, "above 1", Seen::above as fn(&Ratio) -> Seen);
            compare(Essential, last, Figure::ServerCpu, "above 1", Seen::above);
            compare(Bounding("not so in the tail"), last, Figure::ResponseP99, "above 1", Seen::above);
            compare(Bounding("not so under full load"), last, Figure::Throughput, "below 1", Seen::below);
            let few = Bounding("with few connections there is no such difference");
            compare(few, first, Figure::ResponseP50, "above 1", Seen::above);
            case.used(line.campaign, &[contender, LT], line.first());
            case.used(line.campaign, &[contender, LT], line.last());
        }
        let figure = Figure::ResponseP50;
        case.headline(&Comparison { line: &line, point: line.last(), contender: "poll", other: LT, figure });
        case
    },
};

/// The line on which there are many connections and few are active.
pub(super) fn many<'a>(base: &Base<'a>) -> Option<Line<'a>> {
    base.idle_line(&["select", "poll", LT]).filter(|line| line.last().connections >= MANY)
}

pub(super) const KNEE: CostClaim = CostClaim {
    id: "knee-1000-2000",
    section: "3.2",
    text: "select and poll fall off clearly at 1,000 to 2,000 connections",
    gather: |base| {
        let mut case = Case::default();
        let Some(line) = many(base) else {
            case.lacks(Essential, "select, poll and epoll along connections, few of them active", RUN);
            return case;
        };
        for contender in SCANNING {
            let ratio = |point| line.ratio(point, contender, LT, Figure::ResponseP50);
            let behind = line
                .points
                .iter()
                .position(|(_, point)| ratio(point).is_some_and(|ratio| ratio.verdict == Verdict::Above));
            let what = format!(
                "the first count at which {contender} is behind {LT} by median response, {}",
                span(&line)
            );
            let Some(at) = behind else {
                case.add(Essential, what, "1,000 to 2,000", Seen::certain("none: they tie all along", false));
                continue;
            };
            let (count, point) = line.points[at];
            let before = at.checked_sub(1).map(|before| line.points[before].0);
            // Where nothing was measured between, the fall may lie anywhere between.
            let holds = count >= 1_000 && before.is_none_or(|before| before < 2_000);
            let factor =
                ratio(point).map_or_else(String::new, |ratio| format!(", {}", format::ratio(&ratio)));
            let last_tie = before
                .map_or_else(String::new, |count| format!("; not at {}", format::thousands(count.into())));
            let text = format!("{}{factor}{last_tie}", format::thousands(count.into()));
            case.add(Essential, what, "1,000 to 2,000", Seen::certain(text, holds));
            if let (None, Some(ratio)) = (&case.figure, ratio(point)) {
                let what =
                    format!("median response of {contender} over that of {LT} at {}", line::place(point));
                case.figure = Some(figure_of(what, &ratio.summary, "×"));
            }
            case.add(
                Context,
                format!("median response of {contender} from point to point"),
                "",
                steps(&line, contender),
            );
            line.points.iter().for_each(|(_, point)| case.used(line.campaign, &[contender, LT], point));
        }
        case
    },
};

/// What a figure is multiplied by from each point of a line to the next.
fn steps(line: &Line<'_>, contender: &str) -> Seen {
    let median = |point: &Point| {
        let values = line.cells(point, contender);
        crate::cells::summary(&values, |cell| Figure::ResponseP50.of(cell)).map(|summary| summary.median)
    };
    let step = |pair: &[(u32, &Point)]| {
        let factor = median(pair[1].1)? / median(pair[0].1)?;
        let [from, to] = [pair[0].0, pair[1].0].map(|count| format::thousands(count.into()));
        Some(format!("{}× from {from} to {to}", format::three_digits(factor)))
    };
    let steps: Vec<String> = line.points.windows(2).filter_map(step).collect();
    Seen::certain(steps.join(", "), true)
}
