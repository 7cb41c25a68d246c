//! Claims about limits, memory, and the cost of changing what is watched.

use super::growth::{bench_exponent, power};
use super::{BENCH_WAIT, CostClaim};
use crate::claims::base::{Base, Case, Seen, Weight, figure_of};
use crate::format;
use crate::line;
use crate::statistics::Summary;
use model::schema::{BenchPoint, Campaign, Cell, CellStatus, ClaimFigure, Point};

use Weight::{Bounding, Context, Essential};

/// The experiment of the semantics that finds poll's limit.
const POLL_LIMIT: &str = "poll of more descriptors than RLIMIT_NOFILE allows";
/// The experiment of the semantics that counts connections under a limit of 1,024 descriptors.
pub const LIMITED: &str = "connections that an epoll server accepts with RLIMIT_NOFILE at 1024";
/// An exponent up to which a cost over 10 to 10,000 descriptors may be called logarithmic: log 10,000 is four times log 10.
const LOGARITHMIC: f64 = 0.2;

pub(super) const LINKED_LIST: CostClaim = CostClaim {
    id: "linked-list",
    section: "1",
    text: "poll has no limit on descriptors because it is based on a linked list",
    gather: |base| {
        let mut case = Case::default();
        match base.observed(POLL_LIMIT).and_then(|evidence| evidence.observed.as_deref()) {
            Some(observed) => {
                case.add(Essential, POLL_LIMIT, "success", Seen::certain(observed, observed != "EINVAL"));
            }
            None => case.lacks(Essential, POLL_LIMIT, "muxbench semantics"),
        }
        let most = greatest(base, |cell| cell.mechanism == "poll");
        if let Some((campaign, cell, held)) = most {
            let text = format!("{} connections served", format::thousands(held));
            case.add(Context, "the most that poll was given", "", Seen::certain(text, true));
            case.used(campaign, &["poll"], &cell.point);
        }
        let waits = base.bench("wait", "poll");
        if let (Some(first), Some(last)) = (waits.first(), waits.last().filter(|last| last.watched > 1)) {
            let each = (last.median_ns - first.median_ns) / f64::from(last.watched - first.watched).max(1.0);
            let what = format!(
                "one wait of poll for each descriptor more, up to {}",
                format::thousands(last.watched.into())
            );
            let text = format!("{} ns", format::three_digits(each));
            case.add(Context, what.clone(), "", Seen::certain(text, true));
            case.figure =
                Some(ClaimFigure { what, value: each, low: None, high: None, unit: "ns".to_owned() });
            case.used_bench("wait");
        } else {
            case.lacks(Context, "one wait of poll over descriptors watched", BENCH_WAIT);
        }
        case
    },
};

pub(super) const CTL_LOG_N: CostClaim = CostClaim {
    id: "ctl-log-n",
    section: "3",
    text: "adding, changing and removing a descriptor is O(log n), and stable",
    gather: |base| {
        let mut case = Case::default();
        for (name, operation) in [("ADD", "add"), ("MOD", "mod"), ("DEL", "del")] {
            let points = ctl_points(base, operation);
            let what = format!("one epoll_ctl({name}) over descriptors registered");
            let Some(exponent) = bench_exponent(&points).filter(|_| points.len() > 1) else {
                case.lacks(Essential, what, "cargo bench -- ctl");
                continue;
            };
            let reach =
                [&points[0], &points[points.len() - 1]].map(|point| format::thousands(point.watched.into()));
            let what = format!("{what}, {} to {}", reach[0], reach[1]);
            case.add(
                Essential,
                what.clone(),
                "n^0.2 at most",
                Seen::at_most(&exponent, LOGARITHMIC, power(&exponent)),
            );
            if case.figure.is_none() {
                case.figure = Some(figure_of(format!("growth of {what}"), &exponent, "exponent of n"));
            }
            case.used_bench("ctl");
        }
        case
    },
};

/// The points of the micro-benchmark `ctl` for one operation. `watched` is the number of descriptors registered; the operation
/// is a word of `mechanism`: `add`, `epoll-lt/add`, `epoll ADD`.
fn ctl_points<'a>(base: &Base<'a>, operation: &str) -> Vec<&'a BenchPoint> {
    let is_it = |point: &&BenchPoint| {
        let mut words = point.mechanism.split(|character: char| !character.is_ascii_alphanumeric());
        words.any(|word| word.eq_ignore_ascii_case(operation))
    };
    let groups = base.benches.iter().filter(|group| group.group == "ctl");
    let mut points: Vec<&BenchPoint> = groups.flat_map(|group| &group.points).filter(is_it).collect();
    points.sort_by_key(|point| point.watched);
    points
}

pub(super) const MILLION: CostClaim = CostClaim {
    id: "million",
    section: "3.2",
    text: "one machine holds tens of thousands to over a million connections",
    gather: |base| {
        let mut case = Case::default();
        let loads = base.loads.iter().filter(|load| load.valid && load.connections.lost == 0);
        let load = loads.max_by_key(|load| load.connections.opened);
        let cell = greatest(base, |cell| cell.mechanism.starts_with("epoll"));
        let in_loads = load.map_or(0, |load| load.connections.opened);
        let in_cells = cell.map_or(0, |(.., held)| held);
        let held = in_loads.max(in_cells);
        let what = "connections held, and served, without losing one";
        // Fewer were asked for, so nothing is refuted by them.
        if held < 10_000 {
            case.lacks(Essential, what, "muxbench run many-idle-few-active");
        } else {
            case.add(Essential, what, "tens of thousands", Seen::certain(format::thousands(held), true));
            case.figure = Some(ClaimFigure {
                what: what.to_owned(),
                value: held as f64,
                low: None,
                high: None,
                unit: "connections".to_owned(),
            });
        }
        match held >= 1_000_000 {
            true => {
                case.add(Essential, "the same", "a million", Seen::certain(format::thousands(held), true))
            }
            false => case.lacks(
                Bounding(""),
                "a million of them",
                "scenarios/million 1M --export json=results/million.json",
            ),
        }
        if let Some(load) = load.filter(|_| in_loads >= in_cells) {
            case.add(
                Context,
                "time to open them",
                "",
                Seen::certain(format!("{} s", format::three_digits(load.connections.ramp_s)), true),
            );
            if let Some(p99_ns) = load.response.as_ref().and_then(|response| response.p99_ns) {
                case.add(
                    Context,
                    "response p99 among them",
                    "",
                    Seen::certain(format::duration_ns(p99_ns as f64), true),
                );
            }
            case.cells.push(format!("load-gen --conns {} against {}", in_loads, load.settings.target));
        } else if let Some((campaign, cell, _)) = cell {
            case.used(campaign, &[&cell.mechanism], &cell.point);
        }
        case
    },
};

/// The valid cell with the most connections, with its campaign and their number; of those that lost none.
fn greatest<'a>(base: &Base<'a>, wanted: impl Fn(&Cell) -> bool) -> Option<(&'a Campaign, &'a Cell, u64)> {
    let cells =
        base.campaigns.iter().flat_map(|campaign| campaign.cells.iter().map(move |cell| (campaign, cell)));
    let counts = |cell: &Cell| cell.status == CellStatus::Valid && wanted(cell);
    let held = cells.filter(|(_, cell)| counts(cell)).filter_map(|(campaign, cell)| {
        let connections = cell.connections.as_ref().filter(|connections| connections.lost == 0)?;
        Some((campaign, cell, connections.opened))
    });
    held.max_by_key(|(.., held)| *held)
}

pub(super) const MEMORY: CostClaim = CostClaim {
    id: "memory-100k-1g",
    section: "6.1",
    text: "1 GB of memory watches about 100,000 connections",
    gather: |base| {
        let mut case = Case::default();
        let what = "memory of one connection at the server's end, kernel and user space";
        let Some((campaign, point, each)) = bytes_each(base) else {
            case.lacks(Essential, what, "muxbench run memory");
            return case;
        };
        let (fewest, most) = (
            1e9 / each.interval.map_or(each.median, |at| at.high),
            1e9 / each.interval.map_or(each.median, |at| at.low),
        );
        let fit = [1e9 / each.median, fewest, most].map(|count| format::thousands(count as u64));
        let text = format!(
            "{} ({} to {}), {} bytes each",
            fit[0],
            fit[1],
            fit[2],
            format::thousands(each.median as u64)
        );
        let what = format!("epoll-lt's connections in 1 GB, from its growth with {}", line::place(point));
        // Half and twice as many are about as many.
        let enough = Seen::at_most(&each, 20_000.0, text.clone());
        case.add(Essential, what.clone(), "50,000 at least", enough);
        let not_more = Seen::at_least(&each, 5_000.0, text);
        case.add(Bounding("it is more than that"), what, "200,000 at most", not_more);
        case.figure =
            Some(figure_of(format!("memory of one connection of {}", line::place(point)), &each, "bytes"));
        case.used(campaign, &["epoll-lt"], point);
        case
    },
};

/// What one connection takes at the server's end, in bytes, at the point with the most connections of those with an interval: half of what the kernel took,
/// since both ends are on the machine, and what the server grew by.
fn bytes_each<'a>(base: &Base<'a>) -> Option<(&'a Campaign, &'a Point, Summary)> {
    let of_cell = |cell: &Cell| {
        let connections = cell.connections.as_ref()?;
        let kernel = match &cell.slab {
            Some(slab) => slab.after_bytes.checked_sub(slab.before_bytes)?,
            None => connections.kernel_growth_bytes?,
        };
        let bytes = kernel as f64 / 2.0 + cell.server_rss_growth_bytes? as f64;
        (connections.opened > 0).then(|| bytes / connections.opened as f64)
    };
    let at = |(campaign, point): (&'a Campaign, &'a Point)| {
        let cells = crate::cells::valid(campaign, point, "epoll-lt");
        Some((campaign, point, crate::cells::summary(&cells, of_cell)?))
    };
    // Of fewer connections the machine's other slabs are too large a part.
    let many = base.points().filter(|(_, point)| point.connections >= 10_000);
    // One repeat says nothing about the next, however many connections it had.
    many.filter_map(at).max_by_key(|(_, point, each)| (each.interval.is_some(), point.connections))
}

pub(super) const EPOLL_1023: CostClaim = CostClaim {
    id: "epoll-1023",
    section: "4",
    text: "with the default limit of 1,024 descriptors at most 1,023 clients connect",
    gather: |base| {
        let mut case = Case::default();
        let observed = base.observed(LIMITED).and_then(|evidence| evidence.observed.as_deref());
        let Some(count) = observed.and_then(|observed| observed.parse::<u64>().ok()) else {
            case.lacks(Essential, LIMITED, "muxbench semantics");
            return case;
        };
        case.add(Essential, LIMITED, "1,023 at most", Seen::certain(count.to_string(), count <= 1_023));
        let others = Bounding("the standard streams, the listener and the epoll set take descriptors too");
        case.add(others, LIMITED, "1,023", Seen::certain(count.to_string(), count == 1_023));
        case.figure = Some(ClaimFigure {
            what: LIMITED.to_owned(),
            value: count as f64,
            low: None,
            high: None,
            unit: "connections".to_owned(),
        });
        case
    },
};
