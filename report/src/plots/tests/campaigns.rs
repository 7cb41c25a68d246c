//! Campaigns of every kind, made up, each with what a kind of figure needs.

use std::sync::LazyLock;

use model::campaign::{Campaign, Histograms};
use model::schema::{LoadReport, Point, Sweep};
use serde_json::{Value, json};

use crate::rounds::testing::{Behaviour, DEFAULT, REFERENCE, Shape, decoded, realistic};

/// Every campaign of this file, with a name; made once for all tests.
pub fn all() -> &'static [(&'static str, (Campaign, Histograms))] {
    static MADE: LazyLock<Vec<(&str, (Campaign, Histograms))>> = LazyLock::new(|| {
        let all = [
            ("default", default_scenario()),
            ("crowded", crowded()),
            ("single", single()),
            ("grid", grid()),
            ("load-curve", load_curve()),
            ("churn", churn()),
            ("threads", threads()),
            ("herd", herd()),
            ("twin", twin()),
        ];
        all.into_iter().map(|(name, campaign)| (name, decoded(campaign))).collect()
    });
    &MADE
}

pub fn named(name: &str) -> &'static (Campaign, Histograms) {
    &all().iter().find(|(known, _)| *known == name).expect("made").1
}

fn sweep(of: Value) -> Sweep {
    serde_json::from_value(of).expect("a sweep")
}

/// A campaign over these points, with the sweeps that they are of.
fn over(
    (candidates, points, sweeps): (&[&str], Vec<Point>, Vec<Value>),
    behaviour: impl Fn(&str, &Point) -> Behaviour,
) -> Campaign {
    let shape = Shape { points, ..Shape::of(candidates) };
    let mut campaign = shape.campaign(behaviour);
    campaign.plan.scenario.sweeps = sweeps.into_iter().map(sweep).collect();
    campaign
}

pub fn default_scenario() -> Campaign {
    let sweeps = vec![
        json!({"name": "idle-scaling", "connections": ["10", "100", "1k", "10k"], "active": "10"}),
        json!({"name": "all-active", "connections": ["100", "1k"], "active": "100%"}),
    ];
    over((&DEFAULT, Shape::default_scenario().points, sweeps), |candidate, point| Behaviour {
        // At the most connections poll cannot keep up, and the generator is full with one that is fast.
        keeps_up: if candidate == "poll" && point.connections == 10_000 { 0.8 } else { 1.0 },
        generator_busy: if candidate == "io-uring" && point.connections == 10 { 0.99 } else { 0.7 },
        ..realistic(candidate, point)
    })
}

/// Names as long as anybody's, and every value the same.
fn crowded() -> Campaign {
    let names: Vec<String> = (0..14).map(|at| format!("a-server-with-quite-a-long-name-{at}")).collect();
    let mut all = vec![REFERENCE];
    all.extend(names.iter().map(String::as_str));
    let points = [10, 100, 1_000].map(|connections| Point::new("idle", connections, 10)).into();
    let sweep = json!({"name": "idle", "connections": ["10", "100", "1k"], "active": "10"});
    over((&all, points, vec![sweep]), |_, _| Behaviour::default())
}

/// One point, and one candidate besides the reference.
fn single() -> Campaign {
    let sweep = json!({"name": "idle-scaling", "connections": ["10"], "active": "10"});
    over((&["poll"], vec![Point::new("idle-scaling", 10, 10)], vec![sweep]), |_, _| Behaviour::default())
}

/// A map on which poll is best below, and worse the more there are; the generator is full where all are active.
fn grid() -> Campaign {
    let mut points: Vec<Point> = [10u32, 100, 1_000]
        .into_iter()
        .flat_map(|all| {
            [0.05, 0.5, 1.0]
                .map(|share| ((share * f64::from(all)).round() as u32).max(1))
                .map(|active| Point::new("grid", all, active))
        })
        .collect();
    points.dedup();
    let sweep = json!({"name": "grid", "connections": ["10", "100", "1k"], "active": ["5%", "50%", "100%"]});
    over((&["poll", "io-uring"], points, vec![sweep]), |candidate, point| Behaviour {
        generator_busy: if point.active == 1_000 { 0.99 } else { 0.7 },
        ..match candidate {
            "poll" if point.connections == 10 => Behaviour::times(0.8, 1.3, 0.8),
            "poll" => Behaviour::times(1.5, 0.7, 1.5),
            _ => Behaviour::default(),
        }
    })
}

/// Two sweeps over rates; poll cannot follow at the highest.
fn load_curve() -> Campaign {
    let rates = [1_000, 5_000, 20_000];
    let of = |sweep: &'static str, all: u32| {
        rates.map(|rate| Point { rate_per_s: Some(rate), ..Point::new(sweep, all, 100) })
    };
    let points = [of("rate", 100), of("rate-among-idle", 5_000)].concat();
    let sweeps = [("rate", "100"), ("rate-among-idle", "5k")].map(|(name, connections)| {
        json!({"name": name, "connections": [connections], "active": "100", "rates": ["1k", "5k", "20k"]})
    });
    over((&["select", "poll"], points, sweeps.into()), |candidate, point| Behaviour {
        keeps_up: if candidate == "poll" && point.rate_per_s == Some(20_000) { 0.7 } else { 1.0 },
        ..Behaviour::default()
    })
}

/// A point without churn, in a sweep of its own, and one with.
fn churn() -> Campaign {
    let plain = Point::new("steady", 1_000, 100);
    let with = |churn| Point { sweep: "churn".into(), churn_per_s: Some(churn), ..plain.clone() };
    let points = vec![plain.clone(), with(100), with(2_000)];
    let sweeps = vec![
        json!({"name": "steady", "connections": ["1k"], "active": "100"}),
        json!({"name": "churn", "connections": ["1k"], "active": "100", "churn": ["100", "2k"]}),
    ];
    over((&["poll"], points, sweeps), |candidate, point| {
        let churn = f64::from(point.churn_per_s.unwrap_or(0));
        Behaviour::times(1.0 + churn * if candidate == "poll" { 4e-4 } else { 5e-5 }, 1.0, 1.0)
    })
}

fn threads() -> Campaign {
    let points = [100u32, 1_000]
        .into_iter()
        .flat_map(|all| [1, 2, 8].map(|threads| Point { threads, ..Point::new("threads", all, 100) }))
        .collect();
    let sweep =
        json!({"name": "threads", "connections": ["100", "1k"], "active": "100", "threads": [1, 2, 8]});
    over((&["threads", "poll"], points, vec![sweep]), |candidate, point| {
        let each = if candidate == "threads" { 0.1 } else { 0.02 };
        Behaviour::times(1.0, 1.0 - each * f64::from(point.threads), 1.0 + each * f64::from(point.threads))
    })
}

/// Loops that meet one listener, all of which wake up for a connection unless it is exclusive.
pub fn herd() -> Campaign {
    let at = |accept: &str, threads: u32| Point {
        accept: Some(accept.to_owned()),
        threads,
        churn_per_s: Some(500),
        ..Point::new("herd", 200, 20)
    };
    let points =
        ["shared", "exclusive", "reuseport"].iter().flat_map(|accept| [2, 4, 16].map(|all| at(accept, all)));
    let sweep = json!({
        "name": "herd", "connections": ["200"], "active": "20", "threads": [2, 4, 16],
        "accept": ["shared", "exclusive", "reuseport"], "churn": ["500"],
    });
    let mut campaign =
        over((&["poll", "epoll-et"], points.collect(), vec![sweep]), |_, _| Behaviour::default());
    for round in &mut campaign.rounds {
        let Point { threads, accept, .. } = &campaign.plan.points[round.point as usize].point;
        let herd = if accept.as_deref() == Some("shared") { u64::from(*threads) } else { 1 };
        for slice in &mut round.slices {
            let accepted = slice.answered / 4;
            slice.server.wakeups = Some(slice.answered * 13 / 10 + accepted * herd);
            slice.server.counters.as_mut().expect("our own server").accepted = accepted;
        }
    }
    campaign
}

/// The reference and its twin alone.
pub fn twin() -> Campaign {
    let points = [10, 100, 1_000].map(|connections| Point::new("grid", connections, connections)).into();
    let sweep = json!({"name": "grid", "connections": ["10", "100", "1k"], "active": "100%"});
    over((&[REFERENCE], points, vec![sweep]), |_, _| Behaviour::default())
}

/// A run with a series, in whose seventh second nothing was answered before its end.
pub fn load_with_series() -> LoadReport {
    let mut load = crate::testing::load();
    let interval = |second: u32| {
        let stalled = second == 7;
        let p50_ns = if stalled { 500e6 } else { 45e3 + 500.0 * f64::from(second % 5) };
        let latency = model::schema::Latency::of(&crate::testing::distribution(
            p50_ns,
            if stalled { 1.5 } else { 3.0 },
            20_000,
        ));
        model::schema::Interval {
            start_s: f64::from(second),
            length_s: 1.0,
            completed: latency.count,
            errors: 0,
            response: Some(latency.clone()),
            service: latency,
        }
    };
    load.intervals = (0..20).map(interval).collect();
    load
}
