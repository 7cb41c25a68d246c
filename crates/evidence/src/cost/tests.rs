//! Each claim on results that must confirm it, on results that must refute it, and on none.

use model::campaign::{Campaign, Histograms, Slice};
use model::schema::ClaimVerdict::{Confirmed, ConfirmedWithConditions, NotMeasurableHere, Open, Refuted};
use model::schema::{BenchGroup, BenchPoint, CallCounters, LoadReport, Point, Semantics};

use super::*;
use crate::part::metric;
use report::rounds::testing::{Behaviour, Shape};
use report::rounds::{Analysis, METRICS};
use report::testing;

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
        let none = Histograms::default();
        let campaigns: Vec<_> = self.campaigns.iter().map(|campaign| Analysis::of(campaign, &none)).collect();
        let Self { benches, loads, semantics, .. } = self;
        let base = Base { campaigns: &campaigns, benches, loads, semantics: semantics.as_ref() };
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
            low_ns: median_ns * 0.995,
            high_ns: median_ns * 1.005,
            ..template.points[0].clone()
        }
    };
    let points = names.iter().flat_map(|name| sizes.map(|watched| point(name, watched))).collect();
    BenchGroup { group: group.to_owned(), points, ..template }
}

const MECHANISMS: [&str; 6] = ["threads", "select", "poll", "epoll-lt", "epoll-et", "io-uring"];

/// A campaign in which everything takes a candidate `factor` times as long as the reference, but for noise.
fn campaign(points: &[Point], factor: impl Fn(&str, &Point) -> f64) -> Campaign {
    let shape = Shape { points: points.to_vec(), ..Shape::of(&MECHANISMS) };
    let mut campaign = shape.campaign(|name, point| {
        let factor = factor(name, point);
        Behaviour { noise: 0.003, ..Behaviour::times(factor, 1.0 / factor, factor) }
    });
    counted(&mut campaign, |slice, _, answered| {
        // A ring submits many operations in one call.
        calls(slice).syscalls = if slice.candidate == RING { answered / 16 } else { 2 * answered };
    });
    campaign
}

/// Changes what the servers counted in each slice.
fn counted(campaign: &mut Campaign, set: impl Fn(&mut Slice, &Point, u64)) {
    for round in &mut campaign.rounds {
        let point = &campaign.plan.points[round.point as usize].point;
        for slice in &mut round.slices {
            set(slice, point, slice.answered);
        }
    }
}

fn calls(slice: &mut Slice) -> &mut CallCounters {
    slice.server.counters.as_mut().and_then(|counters| counters.calls.as_mut()).expect("counted")
}

/// Ten active of 10 to 10,000 connections.
fn idle(factor: impl Fn(&str, f64) -> f64) -> Campaign {
    let points = [10, 100, 1_000, 10_000].map(|connections| Point::new("idle-scaling", connections, 10));
    campaign(&points, |mechanism, point| factor(mechanism, f64::from(point.connections)))
}

/// The costs as the books have them: those of select and poll grow with what they watch, those of epoll do not.
fn scanning(mechanism: &str, watched: f64) -> f64 {
    match mechanism {
        "select" => 1.0 + (watched - 10.0) / 400.0,
        "poll" => 1.0 + (watched - 10.0) / 600.0,
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

/// Waits and wake-ups: of epoll's loop one wake-up for each wait under the light load, none where there is always work; of select's and poll's
/// so many waits for one of epoll's, and so many wake-ups for each wait.
fn waking(mut campaign: Campaign, waits: u64, wakeups: u64) -> Campaign {
    counted(&mut campaign, |slice, _, answered| {
        let is_scanning = [POLL, SELECT].contains(&slice.candidate.as_str());
        let (waits, wakeups) = if is_scanning { (waits, wakeups) } else { (1, 1) };
        calls(slice).waits = answered * waits;
        let is_busy = answered > 1_000 && slice.candidate != "threads";
        slice.server.wakeups = Some(if is_busy { answered / 100 } else { answered * waits * wakeups });
    });
    campaign
}

/// Two loops on one listener in each way, and one alone, on a machine with so many processors.
fn herd(processors: u32, factor: impl Fn(&Point) -> f64, wakeups: impl Fn(bool) -> (u64, u64)) -> World {
    let at = |threads, accept: Option<&str>| Point {
        threads,
        accept: accept.map(str::to_owned),
        churn_per_s: Some(100),
        ..Point::new("herd", 100, 10)
    };
    let several = ["shared", "exclusive", "reuseport"].map(|accept| at(2, Some(accept)));
    let mut campaign = campaign(&[vec![at(1, None)], several.to_vec()].concat(), |_, point| factor(point));
    campaign.environment.processors = processors;
    counted(&mut campaign, |slice, point, _| {
        let (wakeups, empty) = wakeups(point.accept.as_deref() == Some("shared"));
        calls(slice).empty_wakeups = empty;
        slice.server.wakeups = Some(wakeups);
        slice.server.counters.as_mut().expect("counted").accepted = 1_000;
    });
    World::of(campaign)
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
    let mut load = testing::load();
    load.connections.opened = opened;
    load
}

/// Each connection takes so many bytes of kernel memory, both ends.
fn remembering(kernel_bytes: u64) -> Campaign {
    let mut campaign = idle(alike);
    for start in &mut campaign.starts {
        for started in &mut start.candidates {
            let opened = started.connections.as_ref().expect("opened").opened;
            let slab = started.slab.as_mut().expect("measured");
            slab.after_bytes = slab.before_bytes + opened * kernel_bytes + u64::from(start.start) * 4_096;
        }
    }
    campaign
}

/// Few connections, all active; `factor` is that of select and poll.
fn busy(factor: f64) -> World {
    let points = [1, 10, 30, 100].map(|connections| Point::new("few", connections, connections));
    World::of(campaign(&points, |name, _| if [SELECT, POLL].contains(&name) { factor } else { 1.0 }))
}

fn sized(factor: f64) -> World {
    let large = Point { size_bytes: Some(65_536), ..Point::new("sizes", 100, 10) };
    let points = [Point::new("sizes", 100, 10), large];
    let mut campaign = campaign(&points, |name, _| if name == ET { factor } else { 1.0 });
    counted(&mut campaign, |slice, _, answered| {
        let factor = if slice.candidate == ET { factor } else { 1.0 };
        calls(slice).syscalls = (2_000.0 * factor) as u64 * answered / 1_000;
    });
    World::of(campaign)
}

/// io_uring makes so many calls for each request.
fn ring(calls_each: u64) -> World {
    let mut campaign = idle(|name, _| if name == RING { 0.8 } else { 1.0 });
    counted(&mut campaign, |slice, _, answered| {
        calls(slice).syscalls =
            if slice.candidate == RING { calls_each * answered / 16 } else { 2 * answered };
    });
    World::of(campaign)
}

const POLL_LIMIT: &str = "poll of more descriptors than RLIMIT_NOFILE allows";

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
            plain(World::of(idle(|name, n| if n < 1_000.0 { 1.0 } else { scanning(name, n) })))
        }
        "poll-faster-than-select" => {
            plain(World::of(idle(scanning)).and_bench("wait", scanning).and_bench("wait-sparse", sparse))
        }
        "linked-list" => plain(observing(POLL_LIMIT, "success").and_bench("wait", scanning)),
        "ctl-log-n" => plain(World::default().and_bench("ctl", |_, n| 300.0 + 10.0 * n.ln())),
        "ready-list" => plain(World::of(idle(alike))),
        "wake-ups" => plain(World::of(waking(idle(scanning), 3, 3))),
        "no-thread-switch" => conditions(World::of(waking(idle(alike), 1, 1))),
        "million" => plain(World { loads: vec![load(10_000), load(1_000_000)], ..World::default() }),
        "memory-100k-1g" => plain(World::of(remembering(20_000))),
        "exclusive-herd" => {
            plain(herd(2, |_| 1.0, |is_shared| if is_shared { (9_000, 1_000) } else { (2_000, 10) }))
        }
        // Ways to accept are different points, which the host's drift does not leave alike.
        "exclusive-scales" => conditions(herd(16, |point| 1.0 / f64::from(point.threads), |_| (1_000, 0))),
        "et-faster" => plain(sized(0.9)),
        "sync-vs-async" => plain(ring(1)),
        "epoll-1023" => plain(observing(LIMITED, "1023")),
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
        "linked-list" => observing(POLL_LIMIT, "EINVAL"),
        "ctl-log-n" => World::default().and_bench("ctl", |_, n| 30.0 * n),
        "ready-list" => {
            let mut campaign = idle(alike);
            counted(&mut campaign, |slice, _, answered| calls(slice).would_block = answered / 3);
            World::of(campaign)
        }
        "wake-ups" => World::of(waking(idle(scanning), 1, 1)),
        "no-thread-switch" => {
            let mut campaign = idle(alike);
            counted(&mut campaign, |slice, _, answered| slice.server.wakeups = Some(answered));
            World::of(campaign)
        }
        "memory-100k-1g" => World::of(remembering(90_000)),
        "exclusive-herd" => herd(2, |_| 1.0, |_| (9_000, 1_000)),
        "exclusive-scales" => herd(16, |_| 1.0, |_| (1_000, 0)),
        "et-faster" => sized(1.1),
        "sync-vs-async" => ring(32),
        "epoll-1023" => observing(LIMITED, "4096"),
        _ => panic!("no results for {id}"),
    }
}

#[test]
fn every_claim_is_confirmed_by_results_that_are_as_it_says() {
    for CostClaim { id, .. } in &ALL {
        let (world, verdict) = confirming(id);
        let result = world.decide(id);
        assert_eq!(result.verdict, verdict, "{id}: {:#?}", result.evidence);
        let Some(figure) = result.figure else { panic!("{id} has no figure") };
        assert!(figure.value.is_finite() && !figure.unit.is_empty(), "{id}: {figure:?}");
        assert!(!result.used.is_empty() || world.semantics.is_some(), "{id} names nothing that it used");
    }
}

#[test]
fn every_claim_is_refuted_by_results_that_are_otherwise() {
    // Fewer connections than were asked for refute nothing.
    for CostClaim { id, .. } in ALL.iter().filter(|claim| claim.id != "million") {
        let result = refuting(id).decide(id);
        assert_eq!(result.verdict, Refuted, "{id}: {:#?}", result.evidence);
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
fn every_metric_that_a_part_names_is_in_the_table() {
    let keys = ALL.iter().flat_map(|claim| claim.parts).flat_map(|(_, look)| match look {
        Ratio(key, ..) | Value(key, ..) | Growth(key, ..) | Slope(key, ..) => vec![*key],
        Quotient(keys, ..) => keys.to_vec(),
        _ => Vec::new(),
    });
    let mut looked_at = 0;
    for key in keys {
        assert!(METRICS.iter().any(|metric| metric.key == key), "{key}");
        looked_at += 1;
    }
    assert!(looked_at > 30);
    let ratios = ALL.iter().flat_map(|claim| claim.parts).filter_map(|(_, look)| match look {
        Ratio(key, ..) => Some(*key),
        _ => None,
    });
    for key in ratios {
        assert!(metric(key).has_ratio(), "{key}");
    }
}

#[test]
fn too_few_rounds_decide_nothing_and_more_are_asked_for() {
    for id in ["many-idle-few-active", "et-faster", "no-thread-switch", "memory-100k-1g"] {
        let (mut world, _) = confirming(id);
        world.campaigns[0].rounds.retain(|round| round.start == 0 && round.round < 3);
        world.campaigns[0].starts.retain(|start| start.start == 0);
        let result = world.decide(id);
        assert_eq!(result.verdict, Open, "{id}: {:#?}", result.evidence);
        assert!(!result.needs.is_empty());
    }
}

#[test]
fn an_interval_that_holds_one_and_more_leaves_a_claim_open_and_asks_for_a_longer_run() {
    let points = [Point::new("few", 100, 10)];
    let shape = Shape { points: points.to_vec(), ..Shape::of(&MECHANISMS) };
    let noisy = shape.campaign(|_, _| Behaviour { noise: 0.5, ..Behaviour::default() });
    let result = World::of(noisy).decide("et-faster");
    assert_eq!(result.verdict, Open, "{:#?}", result.evidence);
    let scenario = "muxbench run many-idle-few-active --thorough";
    assert!(result.needs.iter().any(|need| need == scenario), "{:?}", result.needs);
    let observed = result.evidence[0].observed.as_deref().expect("measured");
    assert!(observed.starts_with("not distinguishable ("), "{observed}");
}

#[test]
fn a_saturated_point_gives_no_verdict_and_is_named() {
    // At 10,000 connections poll and select do not sustain 1,000 requests per second any more.
    let steep = |name: &str, n: f64| if [POLL, SELECT].contains(&name) { 1.0 + n / 50.0 } else { 1.0 };
    let result = World::of(idle(steep)).decide("many-idle-few-active");
    assert_eq!(result.verdict, Confirmed, "{:#?}", result.evidence);
    let what = &result.evidence[0].what;
    assert!(what.ends_with("at 1,000 connections, 10 active, 1k requests/s"), "{what}");
    let saturated = result.evidence.last().and_then(|last| last.observed.as_deref()).expect("looked for");
    assert!(saturated.contains("poll at 10k × 10, saturated: "), "{saturated}");
    assert!(!saturated.contains("1k × 10,"), "{saturated}");
}

#[test]
fn throughput_where_the_generator_was_full_gives_no_verdict() {
    let (mut world, _) = confirming("exclusive-scales");
    counted(&mut world.campaigns[0], |slice, _, _| slice.generator_busy = 0.99);
    assert_eq!(world.decide("exclusive-scales").verdict, Open);
}

#[test]
fn a_machine_with_too_few_processors_cannot_show_how_loops_scale() {
    let result = herd(2, |_| 1.0, |_| (1_000, 0)).decide("exclusive-scales");
    assert_eq!(result.verdict, NotMeasurableHere, "{:#?}", result.evidence);
    assert!(result.because[0].contains("this machine has 2 in all"), "{:?}", result.because);
}

#[test]
fn a_claim_that_holds_at_one_end_says_where_it_does_not() {
    let (world, _) = confirming("many-idle-few-active");
    let result = world.decide("many-idle-few-active");
    assert_eq!(result.because, [LITTLE]);
    let used = "many-idle-few-active: poll and epoll-lt at 10k × 10";
    assert!(result.used.iter().any(|one| one == used), "{:?}", result.used);
}

#[test]
fn few_busy_connections_are_not_called_better_by_one_lucky_comparison() {
    // In one of twelve cases poll is better, by little, and all else is equal.
    let points = [1, 10, 30, 100].map(|connections| Point::new("few", connections, connections));
    let shape = Shape { points: points.to_vec(), ..Shape::of(&MECHANISMS) };
    let lucky = shape.campaign(|name, point| Behaviour {
        noise: 0.005,
        ..Behaviour::times(1.0, if (name, point.connections) == (POLL, 10) { 1.04 } else { 1.0 }, 1.0)
    });
    let result = World::of(lucky).decide("few-and-busy");
    assert!(
        result.evidence[0]
            .observed
            .as_deref()
            .is_some_and(|text| text.starts_with("better in 1 of 12 cases")),
        "{:#?}",
        result.evidence
    );
    assert_eq!(result.verdict, Open, "{:#?}", result.evidence);
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
    let why = &bounded.because[0];
    assert!(why.starts_with("not where few descriptors have high numbers"), "{why}");
}

#[test]
fn one_start_with_more_connections_does_not_outweigh_several_with_fewer() {
    let mut once = campaign(&[Point::new("more", 50_000, 10)], |_, _| 1.0);
    once.starts.retain(|start| start.start == 0);
    once.rounds.retain(|round| round.start == 0);
    once.starts[0].candidates.iter_mut().for_each(|one| one.server_rss_growth_bytes = Some(1 << 32));
    let world = World { campaigns: vec![remembering(20_000), once], ..World::default() };
    let result = world.decide("memory-100k-1g");
    assert_eq!(result.verdict, Confirmed, "{:#?}", result.evidence);
}
