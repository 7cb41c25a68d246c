//! From a scenario to a plan: who is alive with whom at each point, and how long that takes.

use model::campaign::{Plan, PlannedPoint};
use model::schema::{Point, Rounds};
use sys::capacity::Capacity;

use super::rounds::groups;
use super::scenario::Prepared;

/// The name of the reference where each candidate has another build's own.
const BASE: &str = "base";
/// Seconds that a candidate takes besides its slices: to start and to end.
const AROUND_S: f64 = 0.05;
/// Seconds that a connection takes: to be opened, accepted and closed.
const CONNECTION_S: f64 = 60e-6;
/// Seconds that a slice in closed loop needs for each active connection, where there are many, with what comes before the window.
const ACTIVE_S: f64 = 200e-6;
/// The most that all active connections need.
const LONGEST_SLICE_S: f64 = 0.6;
/// Slices in closed loop in the shortest start: one to warm up, one that counts.
const CLOSED: f64 = 2.0;
/// Shortest windows in open loop: four of the light load, two of the busy one.
const OPEN: f64 = 6.0;

/// The plan of `prepared` on `machine`; `against` is another build that it is compared with.
pub fn of(prepared: Prepared, against: Option<String>, seed: u64, machine: &Capacity) -> Plan {
    let Prepared { scenario, points, .. } = prepared;
    let planned = |point: Point| {
        let groups = match against {
            Some(_) => groups::against(&scenario, &point),
            None => groups::groups(&scenario, &scenario.reference, &point, machine),
        };
        PlannedPoint { point, groups }
    };
    let points = points.into_iter().map(planned).collect();
    let reference = if against.is_some() { BASE.to_owned() } else { scenario.reference.clone() };
    Plan { reference, against, points, seed, scenario }
}

/// Seconds that a campaign is expected to take.
pub fn expected_s(plan: &Plan) -> f64 {
    plan.points.iter().map(|planned| point_s(planned, &plan.scenario.rounds)).sum()
}

/// Seconds that all starts at a point take: as many as it is given, or as its shortest starts need.
fn point_s(planned: &PlannedPoint, rounds: &Rounds) -> f64 {
    let PlannedPoint { point, groups } = planned;
    let open_s = point.slice_s(rounds);
    let closed_s = open_s.max((f64::from(point.active) * ACTIVE_S).min(LONGEST_SLICE_S));
    let connections_s = f64::from(point.connections) * CONNECTION_S;
    let candidate_s = AROUND_S + connections_s + CLOSED * closed_s + OPEN * open_s;
    let candidates = groups.iter().map(Vec::len).sum::<usize>() as f64;
    rounds.point_s.max(f64::from(rounds.starts) * candidates * candidate_s)
}

#[cfg(all(test, feature = "poll", feature = "epoll-lt"))]
mod tests {
    use super::*;
    use crate::experiment::scenario::{self, Overrides};

    fn plan(against: Option<&str>) -> Plan {
        let machine = Capacity { descriptors_per_table: 1 << 30, ..Capacity::default() };
        let overrides = Overrides {
            mechanisms: Some(vec!["poll".into(), "epoll-lt".into()]),
            connections: Some(vec!["10".into(), "10k".into()]),
            active: Some(vec!["10".into()]),
            ..Overrides::default()
        };
        let draft = scenario::draft(scenario::DEFAULT).expect("embedded");
        let prepared = overrides.apply(draft, &machine).expect("it can be run");
        of(prepared, against.map(str::to_owned), 7, &machine)
    }

    #[test]
    fn every_point_has_its_groups_and_the_plan_its_reference() {
        let plan = plan(None);
        assert_eq!((plan.reference.as_str(), plan.seed, plan.points.len()), ("epoll-lt", 7, 2));
        assert!(plan.points.iter().all(|at| at.groups == [["epoll-lt", "poll", "epoll-lt again"]]));
    }

    #[test]
    fn against_another_build_each_candidate_has_that_build_s_own() {
        let plan = plan(Some("./old"));
        assert_eq!((plan.reference.as_str(), plan.against.as_deref()), (BASE, Some("./old")));
        assert_eq!(plan.points[0].groups[0], ["poll base", "poll", "poll base again"]);
    }

    #[test]
    fn a_campaign_takes_the_time_of_its_points_unless_its_starts_need_more() {
        let mut plan = plan(None);
        let point_s = plan.scenario.rounds.point_s;
        assert!((expected_s(&plan) - 2.0 * point_s).abs() < 1e-9);
        plan.points[1].point.connections = 1_000_000;
        assert!(expected_s(&plan) > 2.0 * point_s + 60.0);
    }
}
