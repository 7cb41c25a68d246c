//! How long a campaign is expected to take.

use model::schema::{Plan, Point, Timing};

use super::plan;

/// What a cell takes besides its phases: starting the server, draining, closing.
const AROUND_PHASES_S: f64 = 0.2;
/// What a connection takes besides: to be opened, accepted and closed.
const A_CONNECTION_S: f64 = 60e-6;

/// Seconds that one cell at `point` takes.
pub fn cell_s(timing: &Timing, point: &Point) -> f64 {
    let phases_s = timing.capacity_s + timing.latency_s + 2.0 * timing.warmup_s;
    phases_s + AROUND_PHASES_S + A_CONNECTION_S * f64::from(point.connections)
}

/// What a whole campaign takes, further attempts at invalid cells aside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// Cells of one repeat.
    pub cells_a_repeat: usize,
    /// Seconds of one repeat.
    pub repeat_s: f64,
    /// Repeats that are certain.
    pub repeats: u32,
    /// Repeats after which there are no more.
    pub repeats_at_most: u32,
}

impl Expectation {
    /// What `plan` asks for. Of a scenario in rounds a repeat is a start of everything at every point.
    pub fn of(plan: &Plan) -> Self {
        let scenario = &plan.scenario;
        if let Some(rounds) = &scenario.rounds {
            let points = plan.points.len();
            return Self {
                cells_a_repeat: points,
                repeat_s: rounds.point_s * points as f64 / f64::from(rounds.starts),
                repeats: rounds.starts,
                repeats_at_most: rounds.starts,
            };
        }
        let tasks = plan::repeats(plan).next().unwrap_or_default();
        Self {
            cells_a_repeat: tasks.len(),
            repeat_s: tasks.iter().map(|task| cell_s(&scenario.timing, &task.point)).sum(),
            repeats: scenario.repeats,
            repeats_at_most: scenario.stop.map_or(scenario.repeats, |stop| stop.repeats_at_most),
        }
    }

    /// Cells that are certain.
    pub fn cells(&self) -> usize {
        self.cells_a_repeat * self.repeats as usize
    }

    /// Seconds of the repeats that are certain.
    pub fn least_s(&self) -> f64 {
        self.repeat_s * f64::from(self.repeats)
    }

    /// Seconds of all repeats that there may be.
    pub fn most_s(&self) -> f64 {
        self.repeat_s * f64::from(self.repeats_at_most)
    }
}

#[cfg(all(test, feature = "poll", feature = "epoll-lt"))]
mod tests {
    use super::*;
    use crate::experiment::scenario;
    use model::schema::Stop;

    #[test]
    fn a_campaign_of_rounds_takes_the_time_of_its_points() {
        let scenario = scenario::load("side-by-side").expect("embedded");
        let rounds = scenario.rounds.clone().expect("it is measured in rounds");
        let points = vec![Point::new("idle-scaling", 10, 10), Point::new("idle-scaling", 10_000, 10)];
        let expected = Expectation::of(&Plan { scenario, points, seed: 1 });
        assert_eq!(expected.cells(), 2 * rounds.starts as usize);
        assert!((expected.least_s() - 2.0 * rounds.point_s).abs() < 1e-9);
        assert_eq!(expected.least_s().to_bits(), expected.most_s().to_bits());
    }

    #[test]
    fn a_campaign_takes_what_its_cells_take_as_often_as_they_are_repeated() {
        let mut scenario = scenario::load(scenario::DEFAULT).expect("embedded");
        scenario.mechanisms = vec!["poll".into(), "epoll-lt".into()];
        scenario.control = Some("poll".into());
        scenario.repeats = 3;
        scenario.stop = Some(Stop { ratio_half_width: 0.1, repeats_at_most: 5 });
        let points = vec![Point::new("idle-scaling", 10, 10), Point::new("idle-scaling", 10_000, 10)];
        let [small_s, large_s] = [0, 1].map(|number: usize| cell_s(&scenario.timing, &points[number]));
        assert!(small_s < large_s);
        let expected = Expectation::of(&Plan { scenario, points, seed: 1 });
        assert_eq!((expected.cells_a_repeat, expected.cells()), (2 * 3, 2 * 3 * 3));
        assert!((expected.least_s() - 9.0 * (small_s + large_s)).abs() < 1e-9);
        assert!((expected.most_s() - 15.0 * (small_s + large_s)).abs() < 1e-9);
    }
}
