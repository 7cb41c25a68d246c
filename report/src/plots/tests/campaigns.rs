//! Campaigns of every kind, made up, each with what a kind of figure needs.

use std::sync::LazyLock;

use crate::testing::{self, Shape};
use model::schema::{
    CallCounters, Campaign, Cell, CellStatus, Connections, Interval, Latency, LoadReport, Point,
    ProcessUsage, ServerCounters, Slab, Sweep, Switches, Usage,
};

pub const ALL: [&str; 12] = [
    "threads",
    "select",
    "poll",
    "epoll-lt",
    "epoll-et",
    "epoll-oneshot",
    "io-uring-poll",
    "io-uring",
    "mio",
    "polling",
    "tokio",
    "compio",
];

/// Every campaign of this file, with a name; made once for all tests.
pub fn all() -> &'static [(&'static str, Campaign)] {
    static MADE: LazyLock<Vec<(&str, Campaign)>> = LazyLock::new(make);
    &MADE
}

fn make() -> Vec<(&'static str, Campaign)> {
    vec![
        ("four", testing::realistic()),
        ("twelve", testing::realistic_of(&ALL)),
        ("crowded", crowded()),
        ("single", single()),
        ("grid", crate::crossover::tests::grid(0.02)),
        ("wide-grid", wide_grid()),
        ("load-curve", load_curve()),
        ("churn", churn()),
        ("sizes", sizes()),
        ("threads", threads()),
        ("herd", herd()),
        ("shares", shares()),
        ("opening", opening()),
    ]
}

/// Names as long as anybody's, and every line at the same height.
pub fn crowded() -> Campaign {
    let names: Vec<String> = (0..14).map(|at| format!("a-server-with-quite-a-long-name-{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    testing::campaign(&names, &testing::default_points(), 3, |_, _, repeat| Shape {
        p50_ns: 35_000.0 + f64::from(repeat),
        ..Shape::default()
    })
}

/// One point, two contenders.
pub fn single() -> Campaign {
    let points = [testing::point("idle-scaling", 10, 10)];
    testing::campaign(&["poll", "epoll-lt"], &points, 1, |_, _, _| Shape::default())
}

/// A map with seven rows, whose small counts have shares of their own.
pub fn wide_grid() -> Campaign {
    let mut points: Vec<Point> = [10u32, 30, 100, 300, 1_000, 3_000, 10_000]
        .into_iter()
        .flat_map(|all| {
            let active =
                [0.01, 0.05, 0.2, 0.5, 1.0].map(|share| ((share * f64::from(all)).round() as u32).max(1));
            active.map(|active| Point::new("grid", all, active))
        })
        .collect();
    points.dedup();
    let mut campaign =
        testing::campaign(&["poll", "epoll-lt", "io-uring"], &points, 3, |name, point, repeat| {
            let scan = if name == "poll" || name == "select" { 80.0 } else { 0.0 };
            let own = f64::from(name.len() as u32 * 7 + repeat * 3 % 5) * 40.0;
            Shape {
                p50_ns: 30_000.0 + own + scan * f64::from(point.connections),
                samples: 2_000,
                ..Shape::default()
            }
        });
    let sweep = &mut campaign.plan.scenario.sweeps[0];
    sweep.connections.dedup();
    sweep.active =
        model::schema::ActiveList::Several(["1%", "5%", "20%", "50%", "100%"].map(str::to_owned).into());
    campaign
}

/// Two sweeps over rates; poll cannot follow at the highest.
pub fn load_curve() -> Campaign {
    let rates = [1_000, 5_000, 20_000, 60_000];
    let of = |sweep: &'static str, all: u32| {
        rates.map(|rate| Point { rate_per_s: Some(rate), ..Point::new(sweep, all, 100) })
    };
    let points = [of("rate", 100), of("rate-among-idle", 5_000)].concat();
    let mut campaign = over(&["select", "poll", "epoll-lt"], &points, |name, point, _| {
        let load = f64::from(point.rate_per_s.unwrap_or(0)) / if name == "poll" { 50e3 } else { 200e3 };
        Shape { p50_ns: 40_000.0 / (1.05 - load.min(1.0)), samples: 40_000, ..Shape::default() }
    });
    for cell in &mut campaign.cells {
        if let Some(phase) = &mut cell.latency {
            phase.load.throughput_per_s = cell.point.rate_per_s.map_or(0.0, f64::from);
        }
        if cell.mechanism == "poll" && cell.point.rate_per_s == Some(60_000) {
            cell.status = CellStatus::Invalid;
            cell.reasons = vec!["12% of the requests were not answered".to_owned()];
        }
    }
    for sweep in &mut campaign.plan.scenario.sweeps {
        sweep.rates = rates.map(|rate| rate.to_string()).into();
    }
    campaign
}

/// A point without churn, in a sweep of its own, and one with.
pub fn churn() -> Campaign {
    let plain = Point::new("steady", 1_000, 100);
    let with = |churn| Point { sweep: "churn".into(), churn_per_s: Some(churn), ..plain.clone() };
    let points = [plain.clone(), with(100), with(2_000)];
    let mut campaign = over(&["poll", "epoll-lt"], &points, |name, point, repeat| {
        let churn = f64::from(point.churn_per_s.unwrap_or(0));
        let p50_ns = 50_000.0 + churn * if name == "poll" { 30.0 } else { 4.0 } + f64::from(repeat * 100);
        Shape { p50_ns, samples: 2_000, ..Shape::default() }
    });
    campaign.plan.scenario.sweeps[1].churn = vec!["100".into(), "2k".into()];
    campaign
}

pub fn sizes() -> Campaign {
    let points =
        [1, 64, 4_096, 262_144].map(|size| Point { size_bytes: Some(size), ..Point::new("size", 16, 16) });
    let mut campaign = over(&["poll", "epoll-lt", "epoll-et"], &points, |name, point, repeat| {
        let bytes = f64::from(point.size_bytes.unwrap_or(64));
        let factor = if name == "epoll-et" { 0.7 } else { 1.0 };
        Shape { p50_ns: (40_000.0 + bytes * 2.0 + f64::from(repeat * 50)) * factor, ..Shape::default() }
    });
    campaign.plan.scenario.sweeps[0].sizes = vec!["1".into(), "64".into(), "4k".into(), "256k".into()];
    campaign
}

pub fn threads() -> Campaign {
    let points: Vec<Point> = [100u32, 1_000]
        .into_iter()
        .flat_map(|all| [1, 2, 8].map(|threads| Point { threads, ..Point::new("threads", all, 100) }))
        .collect();
    let mut campaign = over(&["threads", "poll", "epoll-lt"], &points, |name, point, repeat| {
        let per_thread = if name == "threads" { 900.0 } else { 300.0 };
        let cpu_ns = 7_000.0 + per_thread * f64::from(point.threads) + f64::from(repeat * 20);
        Shape { cpu_ns, echoes_per_s: 0.9e9 / cpu_ns, is_capacity: name == "poll", ..Shape::default() }
    });
    campaign.plan.scenario.sweeps[0].threads = vec![1, 2, 8];
    campaign
}

/// Threads and ways to meet the listener; with `exclusive`, nobody wakes up for nothing.
pub fn herd() -> Campaign {
    let ways = ["shared", "exclusive", "reuseport"];
    let points: Vec<Point> = ways
        .into_iter()
        .flat_map(|way| {
            [2, 16].map(|threads| Point {
                threads,
                accept: Some(way.into()),
                churn_per_s: Some(500),
                ..Point::new("herd", 200, 20)
            })
        })
        .collect();
    let mut campaign = over(&["poll", "epoll-lt"], &points, |_, _, _| Shape::default());
    for cell in &mut campaign.cells {
        let shared = cell.point.accept.as_deref() == Some("shared");
        let awake = if shared { u64::from(cell.point.threads) } else { 1 };
        let phase = cell.latency.as_mut().expect("measured");
        phase.usage.server.switches = Some(Switches {
            voluntary_switches: 300 * (4 + awake) + u64::from(cell.repeat),
            involuntary_switches: 3,
        });
        phase.usage.counters = Some(ServerCounters {
            calls: Some(CallCounters {
                empty_wakeups: 300 * (awake - 1),
                waits: 9_000,
                ..CallCounters::default()
            }),
            accepted: 300,
            ..ServerCounters::default()
        });
    }
    let sweep = &mut campaign.plan.scenario.sweeps[0];
    sweep.threads = vec![2, 16];
    sweep.accept = ways.map(str::to_owned).into();
    sweep.churn = vec!["500".into()];
    campaign
}

pub fn shares() -> Campaign {
    let points: Vec<Point> = [100u32, 10_000]
        .into_iter()
        .flat_map(|all| [100, 10, 1].map(|of| Point::new("share", all, all / of)))
        .collect();
    let mut campaign = testing::campaign(&["poll", "epoll-lt"], &points, 6, |name, point, repeat| {
        let scan = if name == "poll" { 80.0 } else { 0.0 };
        let busy = 20.0 * f64::from(point.active);
        Shape {
            p50_ns: 30_000.0 + scan * f64::from(point.connections) + busy + f64::from(repeat * 99),
            ..Shape::default()
        }
    });
    let sweep = &mut campaign.plan.scenario.sweeps[0];
    sweep.connections = vec!["100".into(), "10k".into()];
    sweep.active = model::schema::ActiveList::Several(["1%", "10%", "100%"].map(str::to_owned).into());
    campaign
}

/// What connections cost to open and to hold.
pub fn opening() -> Campaign {
    let points = [100, 1_000, 4_000, 12_000].map(|all| Point::new("idle", all, 10));
    let mut campaign = over(&["threads", "select", "epoll-lt"], &points, |_, _, _| Shape::default());
    for cell in &mut campaign.cells {
        hold(cell);
    }
    campaign
}

fn hold(cell: &mut Cell) {
    let connections = u64::from(cell.point.connections);
    let is_threads = cell.mechanism == "threads";
    let user = if is_threads { 14_400 } else { 48 } + u64::from(cell.repeat);
    cell.server_rss_growth_bytes = Some(user * connections);
    let kernel = if is_threads { 15_000 } else { 7_400 };
    cell.slab = Some(Slab {
        before_bytes: 100_000_000,
        after_bytes: 100_000_000 + kernel * connections,
        ..Slab::default()
    });
    let seconds = connections as f64 * 25e-6;
    cell.connections = Some(Connections { opened: connections, ramp_s: seconds, ..Connections::default() });
    let mut usage: Usage = cell.capacity.as_ref().expect("measured").usage.clone();
    usage.server =
        ProcessUsage { cpu_s: seconds * if is_threads { 3.0 } else { 0.5 }, ..ProcessUsage::default() };
    cell.setup = Some(usage);
}

/// A campaign of six repeats, whose sweeps have lists of their own only where somebody sets them.
fn over(names: &[&str], points: &[Point], shape: impl Fn(&str, &Point, u32) -> Shape) -> Campaign {
    let mut campaign = testing::campaign(names, points, 6, shape);
    let mut sweeps: Vec<Sweep> = Vec::new();
    for sweep in campaign.plan.scenario.sweeps.drain(..) {
        let mut connections = sweep.connections.clone();
        connections.dedup();
        sweeps.push(Sweep { connections, ..sweep });
    }
    campaign.plan.scenario.sweeps = sweeps;
    campaign
}

/// A run with a series, in whose seventh second nothing was answered before its end.
pub fn load_with_series() -> LoadReport {
    let campaign = single();
    let mut load = campaign.cells[0].latency.as_ref().expect("measured").load.clone();
    load.intervals = (0..20)
        .map(|second| {
            let stalled = second == 7;
            let p50_ns = if stalled { 500e6 } else { 45e3 + 500.0 * f64::from(second % 5) };
            let latency =
                Latency::of(&testing::distribution(p50_ns, if stalled { 1.5 } else { 3.0 }, 20_000));
            Interval {
                start_s: f64::from(second),
                length_s: 1.0,
                completed: latency.count,
                errors: 0,
                response: Some(latency.clone()),
                service: latency,
            }
        })
        .collect();
    load
}
