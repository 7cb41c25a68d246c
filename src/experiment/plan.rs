//! The order in which cells are measured.

use load_gen::schedule;
use rand::seq::SliceRandom;
use report::schema::{Plan, Point};

/// One measurement to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The mechanism, by name.
    pub mechanism: String,
    /// Where.
    pub point: Point,
    /// Which repeat, from 0.
    pub repeat: u32,
}

/// All tasks of `plan` in the order in which they are measured.
///
/// A repeat visits every point once, in a random order, and at each point every mechanism once, in a random
/// order: the mechanisms that are compared run within seconds of each other, and none is always first.
pub fn tasks(plan: &Plan) -> Vec<Task> {
    let mut random = schedule::random(plan.seed, 0);
    let mut tasks = Vec::new();
    for repeat in 0..plan.scenario.repeats {
        let mut points = plan.points.clone();
        points.shuffle(&mut random);
        for point in points {
            let mut mechanisms = plan.scenario.mechanisms.clone();
            mechanisms.shuffle(&mut random);
            tasks.extend(mechanisms.into_iter().map(|mechanism| Task {
                mechanism,
                point: point.clone(),
                repeat,
            }));
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::scenario;

    fn plan(seed: u64) -> Plan {
        let mut scenario = scenario::load(scenario::DEFAULT).expect("embedded");
        scenario.repeats = 3;
        let points = vec![
            Point { sweep: "idle-scaling".into(), connections: 10, active: 10 },
            Point { sweep: "idle-scaling".into(), connections: 100, active: 10 },
        ];
        Plan { scenario, points, seed }
    }

    #[test]
    fn every_repeat_measures_every_mechanism_once_at_every_point() {
        let tasks = tasks(&plan(1));
        assert_eq!(tasks.len(), 3 * 2 * 4);
        for repeat in tasks.chunks(8) {
            for group in repeat.chunks(4) {
                assert!(
                    group.iter().all(|task| task.point == group[0].point && task.repeat == group[0].repeat)
                );
                let mut names: Vec<_> = group.iter().map(|task| task.mechanism.as_str()).collect();
                names.sort_unstable();
                assert_eq!(names, ["epoll-et", "epoll-lt", "poll", "select"]);
            }
        }
    }

    #[test]
    fn the_order_is_the_seeds() {
        assert_eq!(tasks(&plan(7)), tasks(&plan(7)));
        assert_ne!(tasks(&plan(7)), tasks(&plan(8)));
    }
}
