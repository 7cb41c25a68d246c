//! Tests of which candidates are measured when.

use std::collections::BTreeSet;
use std::fs;

use model::campaign::Phase;
use model::schema::Point;
use trials::test;

use super::place::{Place, SCENARIO, is_measured};
use crate::support::{muxbench, stderr};

#[test]
fn every_round_gives_each_candidate_one_slice_and_the_orders_differ() {
    let place = Place::new(SCENARIO);
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!((4..=40).contains(&answer.lines().count()) && answer.contains("poll"), "{answer}");
    let again = muxbench().arg("report").arg(place.out()).output().expect("muxbench starts");
    assert_eq!(String::from_utf8_lossy(&again.stdout), answer, "the same file gives the same answer");
    let page = fs::read_to_string(place.out().join("report.md")).expect("written");
    let (said, _) = answer.split_once("All of it: ").expect("where the rest is, by its path");
    assert!(page.contains(said.trim_end()) && page.contains("| epoll-lt"), "{page}");
    let campaign = place.campaign();
    assert!(campaign.complete && campaign.command.contains("--seed 1"), "{}", campaign.command);
    assert_eq!(campaign.starts.len(), 4, "two of each point");
    let all = BTreeSet::from(["poll", "epoll-lt", "epoll-lt again"]);
    let mut orders = BTreeSet::new();
    for round in &campaign.rounds {
        let order: Vec<&str> = round.slices.iter().map(|slice| slice.candidate.as_str()).collect();
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), all, "{order:?}");
        assert_eq!(order.len(), 3, "one slice each");
        orders.insert(order);
    }
    assert!(orders.len() > 1, "the order is random");
    for start in &campaign.starts {
        let of_it =
            campaign.rounds.iter().filter(|round| (round.point, round.start) == (start.point, start.start));
        let phases: BTreeSet<Phase> = of_it.map(|round| round.phase).collect();
        assert_eq!(phases.len(), 3, "each phase is measured in each start");
        for candidate in &start.candidates {
            assert_eq!(candidate.failed, None);
            assert!(candidate.setup.is_some() && candidate.teardown.is_some(), "{candidate:?}");
        }
    }
    for point in 0..2 {
        let busy = campaign.rounds.iter().filter(|round| round.point == point && round.phase == Phase::Busy);
        let rates: BTreeSet<String> = busy.map(|round| format!("{:?}", round.rate_per_s)).collect();
        assert_eq!(rates.len(), 1, "all starts of a point have one busy rate: {rates:?}");
    }
}

#[test]
fn all_candidates_of_a_round_meet_the_same_arrivals() {
    let place = Place::new(SCENARIO);
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let mut rounds = 0;
    for round in place.campaign().rounds.iter().filter(|round| round.phase != Phase::Saturation) {
        // A server that is behind, as on a busy machine, is not sent all that falls due, but it falls due all the same.
        let due: BTreeSet<u64> = round.slices.iter().map(|slice| slice.scheduled).collect();
        assert_eq!(due.len(), 1, "{round:?}");
        rounds += 1;
    }
    assert!(rounds >= 8);
}

/// Everything that a scenario can vary, on the smallest scale: what is measured is of no interest.
const VARIED: &str = r#"
name = "short"
analysis = "Does every point get what it asks for?"
mechanisms = ["poll", "epoll-lt", "epoll-et"]
reference = "epoll-lt"
rounds = { starts = 1, point_s = 0.1, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
load = { size_bytes = 64, protocol = "echo" }
[[exclude]]
mechanism = "poll"
sweep = "threads"
above_connections = 30
reason = "so that something is left out"
[[sweep]]
name = "threads"
connections = ["20", "40"]
active = "10"
threads = [2]
accept = ["shared", "exclusive"]
churn = ["100"]
[[sweep]]
name = "sizes"
connections = ["10"]
active = ["1", "100%"]
sizes = ["1", "16k"]
rates = ["500"]
[[sweep]]
name = "slices"
connections = ["10"]
active = "10"
slices_ms = [10, 30]
alive = [2]
"#;

#[test]
fn a_campaign_varies_all_that_its_scenario_lists() {
    let place = Place::new(VARIED);
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let said = stderr(&output);
    assert!(said.contains("left out: poll in threads above 30 connections"), "{said}");
    assert!(said.contains("left out: poll with --accept exclusive"), "{said}");
    let campaign = place.campaign();
    assert!(campaign.complete);
    assert_eq!(campaign.plan.points.len(), 4 + 4 + 2);
    for planned in &campaign.plan.points {
        let Point { sweep, connections, accept, .. } = &planned.point;
        let is_left_out = sweep == "threads" && (*connections > 30 || accept.as_deref() == Some("exclusive"));
        let has_poll = planned.groups.iter().flatten().any(|name| name == "poll");
        assert_eq!(has_poll, !is_left_out, "{planned:?}");
        assert_eq!(planned.groups.len(), if sweep == "slices" { 2 } else { 1 }, "{planned:?}");
    }
    for start in &campaign.starts {
        let at = &campaign.plan.points[start.point as usize].point;
        for candidate in &start.candidates {
            assert_eq!(candidate.failed, None, "{at:?}");
            let setup = candidate.setup.and_then(|setup| setup.counters).expect("our own server");
            assert_eq!(setup.accepted, u64::from(at.connections), "{at:?}");
            assert!(candidate.slab.is_some() && candidate.teardown.is_some(), "{candidate:?}");
        }
    }
    for round in campaign.rounds.iter().filter(|round| round.phase == Phase::Light) {
        let at = &campaign.plan.points[round.point as usize].point;
        assert_eq!(round.rate_per_s, Some(at.rate_per_s.map_or(1000.0, f64::from)), "{at:?}");
    }
}
