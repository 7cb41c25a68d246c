//! How well the main ratios of a campaign are known, which decides when its repeats end.

use super::{Metric, Standing, standings};
use crate::cells;
use crate::statistics::Ratio;
use model::schema::{Campaign, Point};

/// The main ratio that is known least well.
#[derive(Debug, Clone, PartialEq)]
pub struct Widest {
    /// The contender that is compared with the best one of the point.
    pub contender: String,
    /// Where.
    pub point: Point,
    /// What the interval reaches to one side, as a share of the ratio; absent where there are too few repeats for an
    /// interval.
    pub half_width: Option<f64>,
}

/// The main ratio with the widest interval: the median response of a contender against that of the best one of its point
/// ([`Metric::ResponseP50`]). `None` where nothing can be compared.
///
/// A contender without a single valid cell at a point has no ratio there, however often it is repeated; it is passed
/// over.
pub fn widest(campaign: &Campaign) -> Option<Widest> {
    let scenario = &campaign.plan.scenario;
    let mut widest: Option<Widest> = None;
    for point in &campaign.plan.points {
        let contenders: Vec<&str> =
            scenario.contenders().filter(|name| scenario.exclusion(name, point).is_none()).collect();
        let cells: Vec<_> = contenders.iter().map(|name| cells::valid(campaign, point, name)).collect();
        for (contender, standing) in contenders.iter().zip(standings(&cells, Metric::ResponseP50)) {
            let Some(ratio) = ratio_of(&standing) else { continue };
            let half_width = ratio.summary.interval.map(|interval| interval.relative_half_width());
            let is_wider = |known: &Widest| rank(half_width) > rank(known.half_width);
            if widest.as_ref().is_none_or(is_wider) {
                widest =
                    Some(Widest { contender: (*contender).to_owned(), point: point.clone(), half_width });
            }
        }
    }
    widest
}

/// No interval at all is wider than any.
fn rank(half_width: Option<f64>) -> f64 {
    half_width.unwrap_or(f64::INFINITY)
}

/// The ratio to the best; the best itself has none.
fn ratio_of(standing: &Standing) -> Option<&Ratio> {
    match standing {
        Standing::Tie(Some(ratio)) | Standing::Behind(ratio) | Standing::Trailing(ratio) => Some(ratio),
        Standing::Tie(None) | Standing::Winner | Standing::Leading | Standing::Alone | Standing::Absent => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Shape, point};
    use model::schema::Exclude;

    /// `poll` is twice as slow as `epoll-lt`, and from repeat to repeat by another `spread` of it.
    fn campaign(repeats: u32, spread: f64) -> Campaign {
        let points = [point("idle-scaling", 10, 10), point("idle-scaling", 100, 10)];
        testing::campaign(&["poll", "epoll-lt"], &points, repeats, |mechanism, point, repeat| {
            let slower = 2.0 + spread * (f64::from(repeat % 3) - 1.0) * f64::from(point.connections / 100);
            let p50_ns = if mechanism == "poll" { 30_000.0 * slower } else { 30_000.0 };
            Shape { p50_ns, ..Shape::default() }
        })
    }

    #[test]
    fn the_widest_interval_is_found_with_its_place() {
        let widest = widest(&campaign(6, 0.4)).expect("compared");
        assert_eq!((widest.contender.as_str(), widest.point.connections), ("poll", 100));
        let half_width = widest.half_width.expect("enough repeats");
        assert!((0.15..0.25).contains(&half_width), "{half_width}");
    }

    #[test]
    fn steady_ratios_are_known_at_once_and_too_few_repeats_never() {
        assert!(widest(&campaign(3, 0.0)).and_then(|widest| widest.half_width).expect("an interval") < 0.01);
        assert_eq!(widest(&campaign(2, 0.0)).expect("compared").half_width, None);
    }

    #[test]
    fn one_contender_alone_has_no_ratio() {
        let mut campaign = campaign(6, 0.4);
        campaign.plan.scenario.excludes =
            vec![Exclude { mechanism: "poll".into(), reason: "a test".into(), ..Exclude::default() }];
        assert_eq!(widest(&campaign), None);
    }

    #[test]
    fn the_second_of_the_a_a_pair_is_no_contender() {
        let mut campaign = campaign(3, 0.0);
        campaign.plan.scenario.control = Some("poll".into());
        let mut again = campaign.cells[0].clone();
        again.mechanism = "poll again".into();
        campaign.cells.push(again);
        assert!(widest(&campaign).is_some_and(|widest| widest.half_width.is_some()));
        let analysis = crate::analysis::Analysis::of(&campaign).expect("sound histograms");
        assert!(analysis.points.iter().flat_map(|at| &at.rows).all(|row| row.mechanism != "poll again"));
    }
}
