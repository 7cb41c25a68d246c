//! Each claim on results that must confirm it, on results that must refute it, and on none.

use super::*;
use crate::testing::{self, Shape};
use model::schema::ClaimVerdict::{Confirmed, ConfirmedWithConditions, NotMeasurableHere, Open, Refuted};
use model::schema::{
    BenchGroup, BenchPoint, CallCounters, Campaign, Evidence, Finding, LoadReport, Point, Semantics,
    Switches, Usage,
};

/// Results of one kind or another.
#[derive(Default)]
struct World {
    campaigns: Vec<Campaign>,
    benches: Vec<BenchGroup>,
    loads: Vec<LoadReport>,
    semantics: Option<Semantics>,
}

impl World {
    fn of(campaign: Campaign) -> Self {
        Self { campaigns: vec![campaign], ..Self::default() }
    }

    fn and_bench(mut self, group: &str, cost_ns: impl Fn(&str, f64) -> f64) -> Self {
        self.benches.push(bench(group, cost_ns));
        self
    }

    fn decide(&self, id: &str) -> ClaimResult {
        let base = Base {
            campaigns: &self.campaigns,
            benches: &self.benches,
            loads: &self.loads,
            semantics: self.semantics.as_ref(),
        };
        ALL.iter().find(|claim| claim.id == id).expect("a claim").decide(&base)
    }
}

/// A micro-benchmark over 10 to 10,000 descriptors.
fn bench(group: &str, cost_ns: impl Fn(&str, f64) -> f64) -> BenchGroup {
    let template = testing::bench();
    let names: &[&str] =
        if group == "ctl" { &["add", "mod", "del"] } else { &["select", "poll", "epoll-lt"] };
    let sizes = [10u32, 100, 1_000, 10_000];
    let point = |mechanism: &str, watched: u32| {
        let median_ns = cost_ns(mechanism, f64::from(watched));
        BenchPoint {
            mechanism: mechanism.to_owned(),
            watched,
            median_ns,
            low_ns: median_ns * 0.99,
            high_ns: median_ns * 1.01,
            ..template.points[0].clone()
        }
    };
    let points = names.iter().flat_map(|name| sizes.map(|watched| point(name, watched))).collect();
    BenchGroup { group: group.to_owned(), points, ..template }
}

const MECHANISMS: [&str; 6] = ["threads", "select", "poll", "epoll-lt", "epoll-et", "io-uring"];

/// Small shifts that differ by repeat and mechanism, the same on every run.
fn noise(mechanism: &str, repeat: u32) -> f64 {
    let letters: u32 = mechanism.bytes().map(u32::from).sum();
    1.0 + f64::from((letters * 31 + repeat * 17) % 23) / 2_300.0
}

/// A campaign of seven repeats; `factor` is what everything takes of a mechanism at a point.
fn campaign(points: &[Point], factor: impl Fn(&str, &Point) -> f64) -> Campaign {
    testing::campaign(&MECHANISMS, points, 7, |mechanism, point, repeat| {
        let factor = factor(mechanism, point) * noise(mechanism, repeat);
        Shape {
            p50_ns: 30_000.0 * factor,
            cpu_ns: 7_000.0 * factor,
            echoes_per_s: 120_000.0 / factor,
            syscalls: if mechanism == "io-uring" { 0.06 } else { 2.1 },
            ..Shape::default()
        }
    })
}

/// Ten active of 10 to 10,000 connections.
fn idle(factor: impl Fn(&str, f64) -> f64) -> Campaign {
    let points = [10, 100, 1_000, 10_000].map(|connections| Point::new("idle-scaling", connections, 10));
    campaign(&points, |mechanism, point| factor(mechanism, f64::from(point.connections)))
}

/// What is in the books: select and poll cost what they watch, epoll nothing.
fn scanning(mechanism: &str, watched: f64) -> f64 {
    match mechanism {
        "select" => 1.0 + (watched - 10.0) / 50.0,
        "poll" => 1.0 + (watched - 10.0) / 70.0,
        _ => 1.0,
    }
}

/// Few descriptors among high numbers cost select what it walks.
fn sparse(mechanism: &str, _: f64) -> f64 {
    if mechanism == "select" { 1.3 } else { 1.0 }
}

/// All costs equal.
fn alike(_: &str, _: f64) -> f64 {
    1.0
}

/// Sets what the server counted and how often it was switched, in every window.
fn counted(
    mut campaign: Campaign,
    set: impl Fn(&str, &Point, bool, &mut CallCounters, &mut Switches),
) -> Campaign {
    for cell in &mut campaign.cells {
        let noise = noise(&cell.mechanism, cell.repeat);
        for (open, phase) in [(false, &mut cell.capacity), (true, &mut cell.latency)] {
            let Some(Usage { server, counters, echoes, .. }) = phase.as_mut().map(|phase| &mut phase.usage)
            else {
                continue;
            };
            let (mut calls, mut switches) = (CallCounters::default(), Switches::default());
            set(&cell.mechanism, &cell.point, open, &mut calls, &mut switches);
            let scaled = |count: u64| (count as f64 * noise) as u64;
            (calls.waits, calls.empty_wakeups) = (scaled(calls.waits), scaled(calls.empty_wakeups));
            switches.voluntary_switches = scaled(switches.voluntary_switches);
            if let Some(counters) = counters.as_mut() {
                calls.syscalls = counters.calls.map_or(0, |calls| calls.syscalls);
                (counters.calls, counters.echoes, counters.accepted) = (Some(calls), *echoes, 1_000);
            }
            server.switches = Some(switches);
        }
    }
    campaign
}

/// Waits and sleeps of an honest loop: one sleep a wait, two events each, nothing in vain.
fn honest(campaign: Campaign) -> Campaign {
    counted(campaign, |mechanism, _, open, calls, switches| {
        (calls.waits, calls.events) = (10_000, 20_000);
        switches.voluntary_switches = match (mechanism, open) {
            ("threads", _) => 100_000,
            (_, true) => 100,
            (_, false) => 10,
        };
    })
}

/// Two loops on one listener in each way, and one alone, on a machine with so many processors.
fn herd(processors: u32, factor: impl Fn(&Point) -> f64) -> Campaign {
    let at = |threads, accept: Option<&str>| Point {
        threads,
        accept: accept.map(str::to_owned),
        churn_per_s: Some(100),
        ..Point::new("herd", 100, 10)
    };
    let several = ["shared", "exclusive", "reuseport"].map(|accept| at(2, Some(accept)));
    let points = [vec![at(1, None)], several.to_vec()].concat();
    let mut campaign = campaign(&points, |_, point| factor(point));
    campaign.environment.processors = processors;
    campaign
}

fn observing(what: &str, observed: &str) -> World {
    let mut semantics = testing::semantics();
    semantics.claims[0].evidence.push(Evidence {
        what: what.to_owned(),
        claimed: None,
        observed: Some(observed.to_owned()),
        note: None,
        finding: Finding::Context,
    });
    World { semantics: Some(semantics), ..World::default() }
}

/// A run of the generator that held so many.
fn load(opened: u64) -> LoadReport {
    let mut load =
        campaign(&[Point::new("one", 10, 10)], |_, _| 1.0).cells[0].latency.clone().expect("measured").load;
    load.connections.opened = opened;
    load
}

/// Each connection takes so many bytes of kernel memory, both ends, in a campaign of 10,000.
fn remembering(kernel_bytes: u64) -> Campaign {
    let mut campaign = idle(alike);
    for cell in &mut campaign.cells {
        if let Some(connections) = &mut cell.connections {
            connections.opened = cell.point.connections.into();
            connections.kernel_growth_bytes = Some(
                (connections.opened as f64 * kernel_bytes as f64 * noise(&cell.mechanism, cell.repeat))
                    as u64,
            );
        }
        cell.server_rss_growth_bytes = Some(u64::from(cell.point.connections) * 16);
    }
    campaign
}

/// Few connections, all active; `factor` is that of select and poll.
fn busy(factor: f64) -> World {
    let points = [1, 10, 30, 100].map(|connections| Point::new("few", connections, connections));
    World::of(campaign(&points, |name, _| if ["select", "poll"].contains(&name) { factor } else { 1.0 }))
}

fn sized(factor: f64) -> World {
    let large = Point { size_bytes: Some(65_536), ..Point::new("sizes", 100, 10) };
    let points = [Point::new("sizes", 100, 10), large];
    let mut campaign = campaign(&points, |name, _| if name == "epoll-et" { factor } else { 1.0 });
    for cell in campaign.cells.iter_mut().filter(|cell| cell.mechanism == "epoll-et") {
        let usage = cell.capacity.as_mut().map(|phase| &mut phase.usage);
        if let Some(calls) = usage.and_then(|usage| usage.counters.as_mut()?.calls.as_mut()) {
            calls.syscalls = (calls.syscalls as f64 * factor) as u64;
        }
    }
    World::of(campaign)
}

/// Results that confirm a claim, and the verdict that they must give.
fn confirming(id: &str) -> (World, ClaimVerdict) {
    let plain = |world| (world, Confirmed);
    let conditions = |world| (world, ConfirmedWithConditions);
    match id {
        "many-idle-few-active" => conditions(World::of(idle(scanning))),
        "few-and-busy" => plain(busy(0.8)),
        "epoll-flat" => plain(World::of(idle(scanning)).and_bench("wait", scanning)),
        "select-poll-scan" => {
            plain(World::of(idle(scanning)).and_bench("wait", |name, n| 100.0 * n * scanning(name, 1.0)))
        }
        "knee-1000-2000" => {
            plain(World::of(idle(|name, n| if n < 1_000.0 { noise(name, 3) } else { scanning(name, n) })))
        }
        "poll-faster-than-select" => {
            plain(World::of(idle(scanning)).and_bench("wait", scanning).and_bench("wait-sparse", sparse))
        }
        "linked-list" => plain(
            observing("poll of more descriptors than RLIMIT_NOFILE allows", "success")
                .and_bench("wait", scanning),
        ),
        "ctl-log-n" => plain(World::default().and_bench("ctl", |_, n| 300.0 + 10.0 * n.ln())),
        "ready-list" | "no-thread-switch" => plain(World::of(honest(idle(alike)))),
        "wake-ups" => plain(World::of(counted(idle(scanning), |mechanism, _, _, calls, switches| {
            let several = if ["poll", "select"].contains(&mechanism) { 3 } else { 1 };
            (calls.waits, switches.voluntary_switches) = (10_000 * several, 10_000 * several * several);
        }))),
        "million" => plain(World { loads: vec![load(10_000), load(1_000_000)], ..World::default() }),
        "memory-100k-1g" => plain(World::of(remembering(20_000))),
        "exclusive-herd" => plain(World::of(counted(herd(2, |_| 1.0), |_, point, _, calls, switches| {
            let shared = point.accept.as_deref() == Some("shared");
            (calls.empty_wakeups, switches.voluntary_switches) =
                if shared { (1_000, 9_000) } else { (10, 2_000) };
        }))),
        "exclusive-scales" => plain(World::of(herd(16, |point| 1.0 / f64::from(point.threads)))),
        "et-faster" => plain(sized(0.9)),
        "sync-vs-async" => plain(World::of(idle(|name, _| if name == "io-uring" { 0.8 } else { 1.0 }))),
        "epoll-1023" => plain(observing(limits::LIMITED, "1023")),
        _ => panic!("no results for {id}"),
    }
}

/// Results that refute it.
fn refuting(id: &str) -> World {
    match id {
        "many-idle-few-active" | "select-poll-scan" | "knee-1000-2000" | "poll-faster-than-select" => {
            World::of(idle(alike)).and_bench("wait", alike)
        }
        "few-and-busy" => busy(1.2),
        "epoll-flat" => World::of(idle(|_, n| 1.0 + n / 100.0)).and_bench("wait", |_, n| n),
        "linked-list" => observing("poll of more descriptors than RLIMIT_NOFILE allows", "EINVAL"),
        "ctl-log-n" => World::default().and_bench("ctl", |_, n| 30.0 * n),
        "ready-list" => World::of(counted(idle(alike), |_, _, _, calls, _| {
            (calls.waits, calls.events, calls.would_block) = (10_000, 10_000, 3_000);
        })),
        "wake-ups" => World::of(honest(idle(scanning))),
        "no-thread-switch" => World::of(counted(idle(alike), |_, _, _, calls, switches| {
            (calls.waits, switches.voluntary_switches) = (10_000, 90_000);
        })),
        "million" => World::default(),
        "memory-100k-1g" => World::of(remembering(90_000)),
        "exclusive-herd" => World::of(counted(herd(2, |_| 1.0), |_, _, _, calls, switches| {
            (calls.empty_wakeups, switches.voluntary_switches) = (1_000, 9_000);
        })),
        "exclusive-scales" => World::of(herd(16, |_| 1.0)),
        "et-faster" => sized(1.1),
        "sync-vs-async" => World::of(counted_calls(2.0)),
        "epoll-1023" => observing(limits::LIMITED, "4096"),
        _ => panic!("no results for {id}"),
    }
}

/// io_uring makes so many calls an echo.
fn counted_calls(an_echo: f64) -> Campaign {
    let mut campaign = idle(alike);
    for cell in campaign.cells.iter_mut().filter(|cell| cell.mechanism == "io-uring") {
        let Some(usage) = cell.capacity.as_mut().map(|phase| &mut phase.usage) else { continue };
        let echoes = usage.echoes as f64;
        if let Some(calls) = usage.counters.as_mut().and_then(|counters| counters.calls.as_mut()) {
            calls.syscalls = (echoes * an_echo) as u64;
        }
    }
    campaign
}

#[test]
fn every_claim_is_confirmed_by_results_that_are_as_it_says() {
    for CostClaim { id, .. } in &ALL {
        let (world, verdict) = confirming(id);
        let result = world.decide(id);
        assert_eq!(result.verdict, verdict, "{id}: {:?}", result.because);
        let figure = result.figure.unwrap_or_else(|| panic!("{id} has no figure"));
        assert!(figure.value.is_finite() && !figure.unit.is_empty(), "{id}: {figure:?}");
        assert!(!result.cells.is_empty() || world.semantics.is_some(), "{id} names no cells");
    }
}

#[test]
fn every_claim_is_refuted_by_results_that_are_otherwise() {
    // Fewer connections than were asked for refute nothing.
    for CostClaim { id, .. } in ALL.iter().filter(|claim| claim.id != "million") {
        let result = refuting(id).decide(id);
        assert_eq!(result.verdict, Refuted, "{id}: {:?}", result.evidence);
        assert!(!result.because.is_empty(), "{id}");
    }
}

#[test]
fn every_claim_is_open_without_results_and_names_the_command_that_makes_them() {
    for CostClaim { id, .. } in &ALL {
        let result = World::default().decide(id);
        assert_eq!(result.verdict, Open, "{id}");
        assert_eq!(result.figure, None, "{id}");
        let is_command = |need: &String| {
            ["muxbench ", "cargo bench", "scenarios/"].iter().any(|start| need.starts_with(start))
        };
        assert!(!result.needs.is_empty() && result.needs.iter().all(is_command), "{id}: {:?}", result.needs);
    }
}

#[test]
fn two_repeats_decide_nothing() {
    for id in ["many-idle-few-active", "et-faster", "no-thread-switch", "memory-100k-1g"] {
        let (mut world, _) = confirming(id);
        world.campaigns[0].cells.retain(|cell| cell.repeat < 2);
        let result = world.decide(id);
        assert!(matches!(result.verdict, Open | NotMeasurableHere), "{id}: {:?}", result.verdict);
    }
    let (mut world, _) = confirming("many-idle-few-active");
    world.campaigns[0].cells.retain(|cell| cell.repeat < 2);
    let needs = world.decide("many-idle-few-active").needs;
    assert_eq!(needs, ["muxbench run many-idle-few-active --repeats 20"]);
}

#[test]
fn a_machine_with_too_few_processors_cannot_show_how_loops_scale() {
    let result = World::of(herd(2, |_| 1.0)).decide("exclusive-scales");
    assert_eq!(result.verdict, NotMeasurableHere);
    assert!(result.because[0].contains("this machine has 2 in all"), "{:?}", result.because);
}

#[test]
fn a_claim_that_holds_at_one_end_says_where_it_does_not() {
    let (world, _) = confirming("many-idle-few-active");
    let result = world.decide("many-idle-few-active");
    assert!(result.because.iter().any(|why| why == "with few connections there is no such difference"));
    let used = "many-idle-few-active (idle-scaling): poll and epoll-lt at 10,000 connections, 10 active";
    assert!(result.cells.iter().any(|cells| cells == used), "{:?}", result.cells);
}

#[test]
fn few_busy_connections_that_single_points_leave_open_are_decided_by_all_of_them() {
    // Three repeats; at a single point the noise is as great as the difference.
    let campaign = |factor: f64| {
        let points = [1, 10, 30, 100].map(|connections| Point::new("few", connections, connections));
        testing::campaign(&MECHANISMS, &points, 3, |name, point, repeat| {
            let turn = (repeat as usize + points.iter().position(|one| one == point).unwrap_or(0)) % 4;
            let noise = [0.93, 0.98, 1.02, 1.07][turn];
            let factor = if ["select", "poll"].contains(&name) { factor * noise } else { 1.0 };
            Shape { p50_ns: 30_000.0 * factor, cpu_ns: 7_000.0 * factor, ..Shape::default() }
        })
    };
    let decide = |factor| World::of(campaign(factor)).decide("few-and-busy");
    assert_eq!(decide(1.02).verdict, Refuted, "{:?}", decide(1.02).because);
    let better = decide(0.93);
    assert_eq!(better.verdict, Confirmed, "{:?}", better.because);
    assert!(better.evidence[0].observed.as_ref().is_some_and(|text| text.starts_with("better in 0 of 16")));
}

#[test]
fn poll_and_select_are_compared_with_numbers_that_lie_far_apart_too() {
    let decide = |world: World| world.decide("poll-faster-than-select");
    let without = decide(World::of(idle(scanning)).and_bench("wait", scanning));
    assert_eq!(without.verdict, ConfirmedWithConditions);
    assert_eq!(without.needs, ["cargo bench -- wait"]);
    let no_better = World::of(idle(scanning)).and_bench("wait", scanning).and_bench("wait-sparse", alike);
    let bounded = decide(no_better);
    assert_eq!(bounded.verdict, ConfirmedWithConditions);
    assert!(
        bounded.because[0].starts_with("not where few descriptors have high numbers"),
        "{:?}",
        bounded.because
    );
}

#[test]
fn one_repeat_with_more_connections_does_not_outweigh_several_with_fewer() {
    let mut once = campaign(&[Point::new("more", 50_000, 10)], |_, _| 1.0);
    once.cells.retain(|cell| cell.repeat == 0);
    for cell in &mut once.cells {
        cell.server_rss_growth_bytes = Some(1_000_000_000);
        let connections = cell.connections.as_mut().expect("opened");
        (connections.opened, connections.kernel_growth_bytes) = (50_000, Some(1_000_000_000));
    }
    let world = World { campaigns: vec![remembering(20_000), once], ..World::default() };
    let result = world.decide("memory-100k-1g");
    assert_eq!(result.verdict, Confirmed, "{:?}", result.because);
}
