//! Claims about what a wake-up hands over, and what it takes.

use super::{CostClaim, RUN};
use crate::cells::{self, Figure};
use crate::claims::base::{Base, Case, Comparison, Seen, Weight, figure_of};
use crate::format;
use crate::line::{self, Line};
use crate::statistics::Summary;

use Weight::{Bounding, Context, Essential};

const LT: &str = "epoll-lt";

/// A figure of one contender at the point of a line with the most connections.
fn at_last(line: &Line<'_>, contender: &str, figure: Figure) -> Option<Summary> {
    cells::summary(&line.cells(line.last(), contender), |cell| figure.of(cell))
}

fn told(summary: &Summary) -> String {
    let interval = summary.interval.map(|interval| {
        format!(" ({} to {})", format::three_digits(interval.low), format::three_digits(interval.high))
    });
    format::three_digits(summary.median) + &interval.unwrap_or_default()
}

/// Adds a figure at the point of a line with the most connections; `see` judges it.
fn look(
    case: &mut Case,
    line: &Line<'_>,
    (weight, contender, figure): (Weight, &str, Figure),
    claimed: &str,
    see: impl Fn(&Summary, String) -> Seen,
) {
    let what = format!("{} of {contender} at {}", figure.words(), line::place(line.last()));
    match at_last(line, contender, figure) {
        Some(summary) => case.add(weight, what, claimed, see(&summary, told(&summary))),
        None => case.cannot(weight, what, "no cell has it".to_owned()),
    }
    case.used(line.campaign, &[contender], line.last());
}

pub(super) const READY_LIST: CostClaim = CostClaim {
    id: "ready-list",
    section: "3",
    text: "epoll_wait hands over exactly the descriptors that are ready, so that none has to be tested",
    gather: |base| {
        let mut case = Case::default();
        let Some(line) = base.idle_line(&[LT]) else {
            case.lacks(Essential, "epoll with many connections of which few are active", RUN);
            return case;
        };
        let none = |figure| move |summary: &Summary, text| Seen::at_most(summary, most(figure), text);
        let (blocked, empty) = (Figure::WouldBlock, Figure::EmptyWakeups);
        look(&mut case, &line, (Essential, LT, blocked), "0.01 at most", none(blocked));
        look(&mut case, &line, (Essential, LT, empty), "0.01 at most", none(empty));
        let drained = Bounding(
            "edge-triggered, a loop must read until it would block, so one call an event finds nothing",
        );
        look(&mut case, &line, (drained, "epoll-et", blocked), "0.01 at most", none(blocked));
        let poll = |summary: &Summary, text| Seen::at_most(summary, most(blocked), text);
        look(&mut case, &line, (Context, "poll", blocked), "", poll);
        let what = format!("{} of {LT} at {}", blocked.words(), line::place(line.last()));
        case.figure = at_last(&line, LT, blocked).map(|summary| figure_of(what, &summary, "calls"));
        case
    },
};

/// What of a count that should be zero may be due to the edges of a window.
fn most(_figure: Figure) -> f64 {
    0.01
}

pub(super) const WAKE_UPS: CostClaim = CostClaim {
    id: "wake-ups",
    section: "6",
    text: "select and poll sleep and wake several times for what epoll's callback does once, so that epoll saves processor time",
    gather: |base| {
        let mut case = Case::default();
        let Some(line) = base.idle_line(&["select", "poll", LT]) else {
            case.lacks(
                Essential,
                "select, poll and epoll with many connections of which few are active",
                RUN,
            );
            return case;
        };
        // Where there are few connections nobody is overloaded, and a loop sleeps when it waits.
        let few = Line { campaign: line.campaign, points: vec![line.points[0]] };
        for contender in ["poll", "select"] {
            let several = |summary: &Summary, text| Seen::at_least(summary, 1.1, text);
            look(&mut case, &few, (Essential, contender, Figure::SleepsPerWait), "more than 1", several);
            let mut compare = |line: &Line<'_>, figure| {
                let at = Comparison { line, point: line.last(), contender, other: LT, figure };
                case.compare(Essential, &at, "above 1", Seen::above);
            };
            compare(&few, Figure::Waits);
            compare(&line, Figure::ServerCpu);
            case.used(line.campaign, &[contender, LT], line.last());
        }
        let what = format!("sleeps of poll for one wait, {}", line::place(few.last()));
        let sleeps = at_last(&few, "poll", Figure::SleepsPerWait);
        case.figure = sleeps.map(|summary| figure_of(what, &summary, "sleeps"));
        case
    },
};

pub(super) const NO_THREAD_SWITCH: CostClaim = CostClaim {
    id: "no-thread-switch",
    section: "3.2",
    text: "one thread collects and handles events with no cost of switching between threads",
    gather: |base| {
        let mut case = Case::default();
        let Some((line, of_threads)) = switching_line(base) else {
            let what = "context switches an echo of epoll, and of a thread for each connection";
            case.lacks(Essential, what, RUN);
            return case;
        };
        let few = |summary: &Summary, text| Seen::at_most(summary, 0.05, text);
        look(&mut case, &line, (Essential, LT, Figure::Switches), "0.05 at most", few);
        let waits = |summary: &Summary, text| Seen::at_most(summary, 0.05, text);
        let asleep = Bounding("under full load; with time to spare it goes to sleep after almost every turn");
        look(&mut case, &line, (asleep, LT, Figure::SleepsPerWait), "0.05 at most", waits);
        if of_threads {
            let figure = Figure::Switches;
            let at = Comparison { line: &line, point: line.last(), contender: "threads", other: LT, figure };
            case.compare(Essential, &at, "above 1", Seen::above);
            case.used(line.campaign, &["threads"], line.last());
        }
        let what =
            format!("context switches of {LT} for one echo under full load, {}", line::place(line.last()));
        let switches = at_last(&line, LT, Figure::Switches);
        case.figure = switches.map(|summary| figure_of(what, &summary, "switches"));
        case
    },
};

/// The line that ends with the most connections at which the switches of `threads` are known too; beyond some number of
/// threads nobody counts them. Then whether they are known at all.
fn switching_line<'a>(base: &Base<'a>) -> Option<(Line<'a>, bool)> {
    let Some(mut line) = base.idle_line(&[LT, "threads"]) else {
        return base.idle_line(&[LT]).map(|line| (line, false));
    };
    let counted = |point| line.cells(point, "threads").iter().any(|cell| Figure::Switches.of(cell).is_some());
    let points: Vec<_> = line.points.iter().copied().filter(|(_, point)| counted(point)).collect();
    let known = !points.is_empty();
    if known {
        line.points = points;
    }
    Some((line, known))
}
