//! One ratio from many points: where a claim is about all of them, each of which alone has too few repeats to say.

use super::base::{Case, Seen, Weight};
use crate::cells::{self, Figure};
use crate::format;
use crate::statistics::Ratio;
use model::schema::{Campaign, Cell, Point};

/// What is compared, where, and by which figure.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// The points, each with its campaign.
    pub points: &'a [(&'a Campaign, &'a Point)],
    /// Whose figures are the numerators.
    pub contenders: &'a [&'a str],
    /// Whose are the denominators.
    pub other: &'a str,
    /// The figure.
    pub figure: Figure,
}

/// A ratio over several points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pooled {
    /// The median over every repeat at every point, with the interval that as many repeats of one point would have.
    pub ratio: Ratio,
    /// Points that had both figures.
    pub points: usize,
}

impl Pool<'_> {
    /// The ratio; `None` where no repeat has both figures.
    ///
    /// A median, since on a shared machine a pair in ten is off by a factor, which would rule any mean. Where two contenders are equal it
    /// is 1 whatever the points have of noise, and the interval, which inverts the sign test, is exact though they differ in it.
    pub fn ratio(&self) -> Option<Pooled> {
        let by_point: Vec<Vec<f64>> =
            self.points.iter().map(|(campaign, point)| self.ratios(campaign, point)).collect();
        let points = by_point.iter().filter(|ratios| !ratios.is_empty()).count();
        let pairs: Vec<(f64, f64)> = by_point.into_iter().flatten().map(|ratio| (ratio, 1.0)).collect();
        Some(Pooled { ratio: Ratio::of_pairs(&pairs)?, points })
    }

    /// The ratio at one point in each repeat that has it: of several contenders, which share the denominator and are therefore
    /// no independent cases, the geometric mean.
    fn ratios(&self, campaign: &Campaign, point: &Point) -> Vec<f64> {
        let ours = self.contenders.iter().map(|name| cells::valid(campaign, point, name)).collect::<Vec<_>>();
        let of_repeat = |cell: &&Cell| {
            let other = self.figure.of(cell)?;
            let partners =
                ours.iter().map(|cells| cells.iter().find(|partner| partner.repeat == cell.repeat));
            let logs: Option<Vec<f64>> =
                partners.map(|partner| Some((self.figure.of(partner?)? / other).ln())).collect();
            let logs = logs?;
            Some((logs.iter().sum::<f64>() / logs.len() as f64).exp())
        };
        cells::valid(campaign, point, self.other).iter().filter_map(of_repeat).collect()
    }

    /// What the ratio is one of, in words.
    pub fn words(&self, pooled: &Pooled) -> String {
        format!(
            "{} of {} over that of {}, median of {} at {}",
            self.figure.words(),
            format::and(self.contenders),
            self.other,
            format::plural(pooled.ratio.summary.repeats, "repeat"),
            format::plural(pooled.points, "point")
        )
    }

    /// Adds the ratio to a case, where there is one, and names the cells.
    pub fn add(&self, case: &mut Case, weight: Weight, claimed: &str, see: fn(&Ratio) -> Seen) {
        let Some(pooled) = self.ratio() else { return };
        case.add(weight, self.words(&pooled), claimed, see(&pooled.ratio));
        self.used(case);
    }

    /// Names the cells in a case.
    pub fn used(&self, case: &mut Case) {
        let names = [self.contenders, &[self.other]].concat();
        for (campaign, point) in self.points {
            if self.contenders.iter().any(|name| !cells::valid(campaign, point, name).is_empty()) {
                case.used(campaign, &names, point);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Verdict;
    use crate::testing::{self, Shape, point};

    const NOISE: [f64; 4] = [0.7, 0.9, 1.1, 1.4];

    /// Of "a" and "b" at four points and three repeats, "a" takes `factor` times as long, but for noise from which no single
    /// point can tell it. In each repeat each noise is at one of the points.
    fn campaign(factor: f64) -> Campaign {
        let points: Vec<Point> = (1..=4).map(|hundreds| point("idle-scaling", hundreds * 100, 10)).collect();
        testing::campaign(&["a", "b"], &points, 3, |name, point, repeat| {
            let noise = NOISE[(repeat + point.connections / 100) as usize % 4];
            Shape { cpu_ns: 7_000.0 * if name == "a" { factor * noise } else { 1.0 }, ..Shape::default() }
        })
    }

    fn pool<'a>(points: &'a [(&'a Campaign, &'a Point)]) -> Pool<'a> {
        Pool { points, contenders: &["a"], other: "b", figure: Figure::ServerCpu }
    }

    #[test]
    fn points_that_say_nothing_alone_say_something_together() {
        let campaign = campaign(1.45);
        let points: Vec<_> = campaign.plan.points.iter().map(|point| (&campaign, point)).collect();
        let alone = pool(&points[..1]).ratio().expect("measured");
        assert_eq!((alone.ratio.verdict, alone.points), (Verdict::Tie, 1), "{alone:?}");
        let all = pool(&points).ratio().expect("measured");
        assert_eq!((all.ratio.verdict, all.points), (Verdict::Above, 4), "{all:?}");
        assert_eq!(all.ratio.summary.repeats, 12);
        assert!((all.ratio.summary.median - 1.45).abs() < 1e-3, "{all:?}");
    }

    #[test]
    fn a_pair_that_something_disturbed_does_not_widen_the_interval() {
        let mut campaign = campaign(1.45);
        let cell = campaign.cells.iter_mut().find(|cell| cell.mechanism == "a").expect("measured");
        cell.capacity.as_mut().expect("measured").usage.server.cpu_s *= 100.0;
        let points: Vec<_> = campaign.plan.points.iter().map(|point| (&campaign, point)).collect();
        let interval =
            pool(&points).ratio().and_then(|pooled| pooled.ratio.summary.interval).expect("repeats");
        assert!(interval.high <= 1.45 * 1.401, "{interval:?}");
    }

    #[test]
    fn contenders_that_share_a_denominator_are_one_case() {
        let campaign = campaign(1.2);
        let points: Vec<_> = campaign.plan.points.iter().map(|point| (&campaign, point)).collect();
        // "b" over itself is 1, so that both together are the root.
        let both = Pool { contenders: &["a", "b"], ..pool(&points) }.ratio().expect("measured");
        let alone = pool(&points).ratio().expect("measured");
        let [both, alone] = [both, alone].map(|pooled| pooled.ratio.summary.interval.expect("repeats"));
        assert!((both.low - alone.low.sqrt()).abs() < 1e-9 && (both.high - alone.high.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn nothing_in_common_gives_no_ratio() {
        let campaign = campaign(1.2);
        let points: Vec<_> = campaign.plan.points.iter().map(|point| (&campaign, point)).collect();
        assert_eq!(Pool { other: "c", ..pool(&points) }.ratio(), None);
        assert_eq!(pool(&[]).ratio(), None);
    }
}
