//! All points of a campaign in one order, where that makes sense.

use crate::analysis::Metric;
use crate::cells;
use crate::format;
use crate::statistics::Summary;
use model::schema::{Campaign, Point};

/// A contender in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Its name.
    pub contender: String,
    /// The geometric mean, over the points, of its ratio to the best of each point; 1 is the best everywhere. Formed within
    /// each repeat, and then summarised.
    pub ratio: Summary,
}

/// The contenders in order, by one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// By what.
    pub metric: Metric,
    /// The points that all of them have, over which the means are.
    pub points: usize,
    /// The points that there are.
    pub of: usize,
    /// The best first.
    pub ranked: Vec<Ranked>,
    /// Contenders that lack more than half of the points, and so are not ranked.
    pub left_out: Vec<String>,
}

impl Ranking {
    /// Ranks the contenders of a campaign over the points that all of them have; `None` with fewer than two points or two
    /// contenders to rank.
    pub fn of(campaign: &Campaign, metric: Metric) -> Option<Self> {
        let points = &campaign.plan.points;
        let has = |point: &&Point, name: &str| median_at(campaign, point, name, metric).is_some();
        let (ranked, left_out): (Vec<&str>, Vec<&str>) = campaign
            .plan
            .scenario
            .contenders()
            .partition(|name| 2 * points.iter().filter(|point| has(point, name)).count() > points.len());
        let common: Vec<&Point> =
            points.iter().filter(|point| ranked.iter().all(|name| has(point, name))).collect();
        if ranked.len() < 2 || common.len() < 2 {
            return None;
        }
        let ratios = |name: &&str| {
            let ratio = Summary::of(&mean_ratios(campaign, &common, &ranked, name, metric))?;
            Some(Ranked { contender: (*name).to_owned(), ratio })
        };
        let mut order: Vec<Ranked> = ranked.iter().filter_map(ratios).collect();
        order.sort_by(|a, b| a.ratio.median.total_cmp(&b.ratio.median));
        let left_out = left_out.into_iter().map(str::to_owned).collect();
        Some(Self { metric, points: common.len(), of: points.len(), ranked: order, left_out })
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let by = match self.metric {
            Metric::ResponseP50 => "median response",
            Metric::ResponseP99 => "response p99",
            Metric::ServerCpu => "server processor time an echo",
        };
        let told = |ranked: &Ranked| {
            let ends = ranked.ratio.interval.map(|ends| format!(" ({:.2}–{:.2})", ends.low, ends.high));
            format!("{} {:.2}×{}", ranked.contender, ranked.ratio.median, ends.unwrap_or_default())
        };
        let order: Vec<String> = self.ranked.iter().map(told).collect();
        let left_out = match self.left_out.as_slice() {
            [] => String::new(),
            names => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                format!("; not ranked, for want of more than half of the points: {}", format::and(&names))
            }
        };
        format!(
            "by {by}, geometric mean over {} of {} points of the ratio to each point's best: {}{left_out}",
            self.points,
            self.of,
            order.join(", ")
        )
    }
}

fn median_at(campaign: &Campaign, point: &Point, contender: &str, metric: Metric) -> Option<f64> {
    let cells = cells::valid(campaign, point, contender);
    cells::summary(&cells, |cell| metric.figure().of(cell)).map(|summary| summary.median)
}

/// For each repeat that has a contender and every other at each of the points, the geometric mean of the contender's
/// ratio to the best. The best of a point is the same in all repeats: the contender with the least median there.
fn mean_ratios(
    campaign: &Campaign,
    points: &[&Point],
    ranked: &[&str],
    contender: &str,
    metric: Metric,
) -> Vec<f64> {
    let mut repeats: Vec<Vec<f64>> = Vec::new();
    for point in points {
        let best = ranked
            .iter()
            .filter_map(|name| Some((*name, median_at(campaign, point, name, metric)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1));
        let Some((best, _)) = best else { continue };
        let theirs = cells::valid(campaign, point, best);
        for cell in cells::valid(campaign, point, contender) {
            let partner = theirs.iter().find(|partner| partner.repeat == cell.repeat);
            let figure = metric.figure();
            let ratio = partner.and_then(|partner| Some(figure.of(cell)? / figure.of(partner)?));
            let repeat = cell.repeat as usize;
            repeats.resize(repeats.len().max(repeat + 1), Vec::new());
            repeats[repeat].extend(ratio.map(f64::ln));
        }
    }
    // A repeat that lacks a point or two still speaks of the others; the median over repeats bears that.
    let enough = repeats.iter().filter(|logs| 2 * logs.len() > points.len());
    enough.map(|logs| (logs.iter().sum::<f64>() / logs.len() as f64).exp()).collect()
}

/// The rankings by median response and by processor time, a sentence each.
pub fn sentences(campaign: &Campaign) -> Vec<String> {
    let metrics = [Metric::ResponseP50, Metric::ServerCpu];
    metrics
        .iter()
        .filter_map(|metric| Ranking::of(campaign, *metric))
        .map(|ranking| ranking.sentence())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Shape, point};
    use model::schema::CellStatus;

    /// "b" takes 2 and 8 times as long as "a" at two points, "c" is the best at neither and lacks none.
    fn campaign() -> Campaign {
        let points = [point("idle", 10, 10), point("idle", 1_000, 10)];
        testing::campaign(&["a", "b", "c"], &points, 7, |name, point, repeat| {
            let factor = match (name, point.connections) {
                ("b", 10) => 2.0,
                ("b", _) => 8.0,
                ("c", _) => 1.5,
                _ => 1.0,
            };
            Shape { p50_ns: 30_000.0 * factor * (1.0 + f64::from(repeat)), ..Shape::default() }
        })
    }

    #[test]
    fn the_mean_of_ratios_is_geometric_and_formed_within_repeats() {
        let ranking = Ranking::of(&campaign(), Metric::ResponseP50).expect("three contenders");
        let order: Vec<(&str, f64)> =
            ranking.ranked.iter().map(|ranked| (ranked.contender.as_str(), ranked.ratio.median)).collect();
        assert_eq!(order.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a", "c", "b"]);
        // Histograms keep three digits.
        for ((_, ratio), truth) in order.iter().zip([1.0, 1.5, 4.0]) {
            assert!((ratio / truth - 1.0).abs() < 0.01, "{order:?}");
        }
        let sentence = ranking.sentence();
        assert!(sentence.starts_with("by median response, geometric mean over 2 of 2 points"), "{sentence}");
        assert!(sentence.contains(": a 1.00× (1.00–1.00), c 1.5"), "{sentence}");
    }

    #[test]
    fn only_points_that_all_have_count_and_who_lacks_most_is_left_out() {
        let mut campaign = campaign();
        campaign.plan.points.push(point("idle", 100, 10));
        let ranking = Ranking::of(&campaign, Metric::ResponseP50).expect("two points");
        assert_eq!((ranking.points, ranking.of), (2, 3));
        for cell in
            campaign.cells.iter_mut().filter(|cell| cell.mechanism == "b" && cell.point.connections == 10)
        {
            cell.status = CellStatus::Invalid;
        }
        let ranking = Ranking::of(&campaign, Metric::ResponseP50).expect("two contenders");
        assert_eq!(ranking.left_out, ["b"]);
        assert!(ranking.sentence().ends_with("not ranked, for want of more than half of the points: b"));
    }

    #[test]
    fn one_point_or_one_contender_is_no_ranking() {
        let one = testing::campaign(&["a", "b"], &[point("idle", 10, 10)], 3, |_, _, _| Shape::default());
        assert_eq!(Ranking::of(&one, Metric::ResponseP50), None);
        let alone = testing::realistic_of(&["poll"]);
        assert_eq!(Ranking::of(&alone, Metric::ResponseP50), None);
    }
}
