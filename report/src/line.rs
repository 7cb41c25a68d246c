//! Points of a campaign along which one thing varies, and how figures change along them.

use crate::cells::{self, Figure};
use crate::format;
pub use crate::format::place;
use crate::statistics::{Ratio, Summary};
use model::schema::{Campaign, Cell, Point};

/// Along a line: the number that varies, and a figure.
pub type Course = Vec<(f64, f64)>;

/// Points of one campaign that differ in one number alone, in its order.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The campaign.
    pub campaign: &'a Campaign,
    /// The points, and for each the number that varies.
    pub points: Vec<(u32, &'a Point)>,
}

impl<'a> Line<'a> {
    /// The lines along connections with the same count of active ones, each with two points or more.
    pub fn along_connections(campaign: &'a Campaign) -> Vec<Self> {
        lines(campaign, |point| (point.active, point.connections))
    }

    /// The lines along active connections with the same number of all.
    pub fn along_active(campaign: &'a Campaign) -> Vec<Self> {
        lines(campaign, |point| (point.connections, point.active))
    }

    /// The lines along connections with the same share of active ones, of which the share is told in words: `1%`.
    pub fn along_connections_of_a_share(campaign: &'a Campaign) -> Vec<(String, Self)> {
        let mut shares: Vec<(u32, String)> = plain_points(campaign)
            .map(|point| (per_myriad(point), format::share(f64::from(per_myriad(point)) / 1e4)))
            .collect();
        shares.sort_unstable();
        shares.dedup();
        let line = |(share, words): (u32, String)| {
            let of_share = plain_points(campaign).filter(|point| per_myriad(point) == share);
            let points = in_order(of_share.map(|point| (point.connections, point)).collect());
            (points.len() > 1).then_some((words, Self { campaign, points }))
        };
        shares.into_iter().filter_map(line).collect()
    }

    /// The point at which the number that varies is greatest.
    pub fn last(&self) -> &'a Point {
        self.points[self.points.len() - 1].1
    }

    /// The point at which it is least.
    pub fn first(&self) -> &'a Point {
        self.points[0].1
    }

    /// How many times the least the greatest number is.
    pub fn reach(&self) -> f64 {
        f64::from(self.points[self.points.len() - 1].0) / f64::from(self.points[0].0.max(1))
    }

    /// The valid cells of a contender at a point.
    pub fn cells(&self, point: &Point, contender: &str) -> Vec<&'a Cell> {
        cells::valid(self.campaign, point, contender)
    }

    /// A figure of `contender` over that of `other` at `point`.
    pub fn ratio(&self, point: &Point, contender: &str, other: &str, figure: Figure) -> Option<Ratio> {
        cells::ratio(&self.cells(point, contender), &self.cells(point, other), figure)
    }

    /// For each repeat, the figure at each point that has it.
    pub fn by_repeat(&self, contender: &str, figure: Figure) -> Vec<Course> {
        let mut repeats: Vec<Course> = Vec::new();
        for (number, point) in &self.points {
            for cell in self.cells(point, contender) {
                let repeat = cell.repeat as usize;
                repeats.resize(repeats.len().max(repeat + 1), Vec::new());
                repeats[repeat].extend(figure.of(cell).map(|value| (f64::from(*number), value)));
            }
        }
        repeats
    }

    /// The exponent with which a figure grows along the line: 0 is flat, 1 proportional. It is fitted within each repeat
    /// that has three points or more, and every one of a line of two, on logarithmic scales.
    pub fn exponent(&self, contender: &str, figure: Figure) -> Option<Summary> {
        let enough = self.points.len().min(3);
        let repeats = self.by_repeat(contender, figure);
        let slopes: Vec<f64> = repeats
            .iter()
            .filter(|points| points.len() >= enough)
            .filter_map(|points| slope(points))
            .collect();
        Summary::of(&slopes)
    }
}

/// The least-squares slope of logarithms; `None` where it is not defined.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let (x_mean, y_mean) =
        (logs.iter().map(|(x, _)| x).sum::<f64>() / count, logs.iter().map(|(_, y)| y).sum::<f64>() / count);
    let spread: f64 = logs.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    let slope = logs.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / spread;
    slope.is_finite().then_some(slope)
}

/// The active share of a point in hundredths of a percent.
fn per_myriad(point: &Point) -> u32 {
    (f64::from(point.active) / f64::from(point.connections.max(1)) * 1e4).round() as u32
}

/// The points of a campaign at which nothing but connections and their activity is special; where two sweeps share one, the
/// first sweep's.
pub fn plain_points(campaign: &Campaign) -> impl Iterator<Item = &Point> {
    let is_first = |point: &&Point| {
        let same = |other: &&Point| {
            (other.connections, other.active) == (point.connections, point.active) && other.is_plain()
        };
        campaign.plan.points.iter().find(same) == Some(point)
    };
    campaign.plan.points.iter().filter(is_first)
}

fn lines<'a>(campaign: &'a Campaign, fixed_and_varying: impl Fn(&Point) -> (u32, u32)) -> Vec<Line<'a>> {
    let mut fixed: Vec<u32> = plain_points(campaign).map(|point| fixed_and_varying(point).0).collect();
    fixed.sort_unstable();
    fixed.dedup();
    let line = |fixed: u32| {
        let of_line = plain_points(campaign).filter(|point| fixed_and_varying(point).0 == fixed);
        let points = in_order(of_line.map(|point| (fixed_and_varying(point).1, point)).collect());
        (points.len() > 1).then_some(Line { campaign, points })
    };
    fixed.into_iter().filter_map(line).collect()
}

fn in_order(mut points: Vec<(u32, &Point)>) -> Vec<(u32, &Point)> {
    points.sort_by_key(|(number, _)| *number);
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_lines_of_the_default_scenario_are_its_sweeps() {
        let campaign = testing::realistic();
        let numbers = |line: &Line<'_>| line.points.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        let along_connections: Vec<_> = Line::along_connections(&campaign).iter().map(numbers).collect();
        // 100 active of 100 and 1,000 of 1,000 stand alone.
        assert_eq!(along_connections, [[10, 100, 1_000, 10_000]]);
        let along_active: Vec<_> = Line::along_active(&campaign).iter().map(numbers).collect();
        assert_eq!(along_active, [[10, 100], [10, 1_000]]);
        let shares = Line::along_connections_of_a_share(&campaign);
        assert_eq!(shares.len(), 1);
        assert_eq!(shares[0].0, "100%");
        // 10 of 10 is in both sweeps, and counts once.
        assert_eq!(numbers(&shares[0].1), [10, 100, 1_000]);
    }

    #[test]
    fn an_exponent_tells_flat_from_proportional() {
        let campaign = testing::realistic();
        let line = &Line::along_connections(&campaign)[0];
        let exponent = |contender| line.exponent(contender, Figure::ServerCpu).expect("repeats").median;
        assert!(exponent("epoll-lt").abs() < 0.02, "{}", exponent("epoll-lt"));
        assert!(exponent("poll") > 0.4, "{}", exponent("poll"));
        let steep: Vec<(f64, f64)> = [1.0, 10.0, 100.0].map(|x| (x, 3.0 * x)).to_vec();
        assert!((slope(&steep).expect("defined") - 1.0).abs() < 1e-12);
        assert_eq!(slope(&steep[..1]), None);
    }

    #[test]
    fn a_point_is_told_in_words() {
        assert_eq!(place(&testing::point("a", 10_000, 10)), "10,000 connections, 10 active");
        assert_eq!(place(&testing::point("a", 100, 100)), "100 connections, all active");
    }
}
