//! The order in which cells are measured.

use load_gen::schedule;
use model::schema::{Plan, Point};
use rand::seq::SliceRandom;

/// One measurement to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The mechanism or the external server, by name.
    pub contender: String,
    /// Where.
    pub point: Point,
    /// Which repeat, from 0.
    pub repeat: u32,
}

/// The tasks of each repeat of `plan`, in the order in which they are measured; there is no last repeat.
///
/// A repeat visits every point once, in a random order, and at each point all that is measured there once, in a random
/// order: the mechanisms and servers that are compared run within seconds of each other, and none is always first. The
/// second of the A/A pair is one among them. The order depends on nothing but the plan.
pub fn repeats(plan: &Plan) -> impl Iterator<Item = Vec<Task>> {
    let mut random = schedule::random(plan.seed, 0, 0);
    let mut points = Vec::new();
    (0..).map(move |repeat| {
        points.clone_from(&plan.points);
        points.shuffle(&mut random);
        let mut tasks = Vec::new();
        for point in &points {
            let mut measured: Vec<String> = plan.scenario.measured().collect();
            measured.shuffle(&mut random);
            measured.retain(|contender| plan.scenario.exclusion(contender, point).is_none());
            let task = |contender| Task { contender, point: point.clone(), repeat };
            tasks.extend(measured.into_iter().map(task));
        }
        tasks
    })
}

/// Cells of one repeat.
pub fn cells_a_repeat(plan: &Plan) -> usize {
    repeats(plan).next().map_or(0, |tasks| tasks.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::scenario;
    use model::schema::{Exclude, ExternalServer};
    use std::collections::HashSet;

    fn plan(seed: u64) -> Plan {
        let mut scenario = scenario::load(scenario::DEFAULT).expect("embedded");
        scenario.repeats = 3;
        scenario.control = None;
        scenario.mechanisms = vec!["poll".into(), "epoll-lt".into()];
        let [socat, asyncio] = ["socat", "asyncio"].map(|name| ExternalServer {
            name: name.into(),
            command: vec![name.into(), "{port}".into()],
            about: None,
            patience_s: None,
        });
        scenario.servers = vec![socat, asyncio];
        let points = vec![Point::new("idle-scaling", 10, 10), Point::new("idle-scaling", 100, 10)];
        Plan { scenario, points, seed }
    }

    #[test]
    fn every_repeat_measures_every_mechanism_and_every_server_once_at_every_point() {
        let plan = plan(1);
        for (number, tasks) in (0..).zip(repeats(&plan).take(3)) {
            assert_eq!(tasks.len(), 2 * 4);
            for group in tasks.chunks(4) {
                assert!(group.iter().all(|task| task.point == group[0].point && task.repeat == number));
                let mut names: Vec<_> = group.iter().map(|task| task.contender.as_str()).collect();
                names.sort_unstable();
                assert_eq!(names, ["asyncio", "epoll-lt", "poll", "socat"]);
            }
        }
    }

    #[test]
    fn the_order_is_the_seeds() {
        let order = |seed| repeats(&plan(seed)).take(3).collect::<Vec<_>>();
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
    }

    #[test]
    fn the_control_is_measured_beside_the_others_in_no_fixed_place() {
        let mut plan = plan(1);
        plan.scenario.control = Some("poll".into());
        let places: HashSet<usize> = repeats(&plan)
            .take(20)
            .flat_map(|tasks| {
                let find = |group: &[Task]| group.iter().position(|task| task.contender == "poll again");
                tasks.chunks(5).map(|group| find(group).expect("measured")).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(places.len(), 5);
    }

    #[test]
    fn what_is_excluded_at_a_point_is_measured_at_the_others_only() {
        let mut plan = plan(1);
        let exclude = Exclude {
            mechanism: "poll".into(),
            reason: "a test".into(),
            above_connections: Some(10),
            ..Exclude::default()
        };
        plan.scenario.excludes = vec![exclude];
        assert_eq!(cells_a_repeat(&plan), 2 * 4 - 1);
        let tasks = repeats(&plan).next().expect("a repeat");
        assert!(tasks.iter().all(|task| task.contender != "poll" || task.point.connections == 10));
    }
}
