//! Along what a campaign's sweeps vary.

use crate::format;
use crate::plots::axis::Axis;
use crate::rounds::{Analysis, PointAnalysis, Unit, grouped};
use model::schema::{Point, Sweep};

/// More of what else varies than this are not all drawn.
const MOST_FACETS: usize = 4;

/// The quantity that varies along a horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    Connections,
    /// The share of connections that is active.
    Share,
    Threads,
    Size,
    /// Requests per second that are offered.
    Rate,
    /// Connections replaced per second.
    Churn,
}

/// Points that differ in nothing but one dimension, in its order.
#[derive(Debug, Clone)]
pub struct Facet<'a> {
    /// The properties that the points have in common, in words: `1,000 connections, 100 active`.
    pub fixed: String,
    /// The points, each with its value on the axis.
    pub points: Vec<(f64, &'a PointAnalysis<'a>)>,
}

impl Dimension {
    /// The dimension of a sweep: the one that it varies, or connections if it varies no other.
    pub fn of(analysis: &Analysis<'_>, sweep: &Sweep) -> Self {
        let points = || analysis.points.iter().filter(|at| at.point.sweep == sweep.name);
        // One rate of churn beside none at all is a variation, too.
        let is_beside_none = || {
            points().any(|at| at.point.churn_per_s.is_some() && without_churn(analysis, at.point).is_some())
        };
        if sweep.rates.len() > 1 {
            Self::Rate
        } else if sweep.sizes.len() > 1 {
            Self::Size
        } else if sweep.threads.len() > 1 || sweep.accept.len() > 1 {
            Self::Threads
        } else if sweep.churn.len() > 1 || is_beside_none() {
            Self::Churn
        } else if sweep.active.len() > 1 && sweep.active.len() >= sweep.connections.len() {
            Self::Share
        } else {
            Self::Connections
        }
    }

    /// The title of the axis.
    pub fn title(self) -> &'static str {
        match self {
            Self::Connections => "connections held (log.)",
            Self::Share => "active share of connections (log.)",
            Self::Threads => "threads of the server (log.)",
            Self::Size => "size of a message (log.)",
            Self::Rate => "requests offered per second (log.)",
            Self::Churn => "connections replaced per second (log.)",
        }
    }

    /// The title without the word for the scale, for a sentence.
    pub fn words(self) -> &'static str {
        self.title().split(" (").next().unwrap_or_default()
    }

    fn unit(self) -> Unit {
        match self {
            Self::Connections | Self::Threads => Unit::Count,
            Self::Share => Unit::Share,
            Self::Size => Unit::Bytes,
            Self::Rate | Self::Churn => Unit::PerSecond,
        }
    }

    /// The axis that holds `values`.
    pub fn axis(self, values: impl Iterator<Item = f64> + Clone) -> Axis {
        let axis = Axis::around(values.clone(), 0.04, self.unit());
        if values.clone().any(|value| value == 0.0) && values.clone().any(|value| value > 0.0) {
            axis.with_zero()
        } else {
            axis
        }
    }

    /// The value of a point on the axis.
    fn value(self, analysis: &Analysis<'_>, at: &PointAnalysis<'_>) -> f64 {
        let point = at.point;
        let size_bytes = analysis.campaign.plan.scenario.load.size_bytes;
        let light_per_s = || at.groups.first().and_then(|group| group.light_per_s).unwrap_or(0.0);
        match self {
            Self::Connections => point.connections.into(),
            Self::Share => share(point),
            Self::Threads => point.threads.into(),
            Self::Size => point.size_bytes.unwrap_or(size_bytes).into(),
            Self::Rate => point.rate_per_s.map_or_else(light_per_s, f64::from),
            Self::Churn => point.churn_per_s.unwrap_or(0).into(),
        }
    }

    /// The properties that a point has in common with the others of its facet: all but the dimension.
    fn rest(self, point: &Point) -> Point {
        let rest = Point { sweep: String::new(), ..point.clone() };
        match self {
            Self::Connections => Point { connections: 0, active: 0, ..rest },
            Self::Share => Point { active: 0, ..rest },
            Self::Threads => Point { threads: 1, ..rest },
            Self::Size => Point { size_bytes: None, ..rest },
            Self::Rate => Point { rate_per_s: None, ..rest },
            Self::Churn => Point { churn_per_s: None, ..rest },
        }
    }

    /// That in words.
    fn fixed(self, point: &Point) -> String {
        let connections = format!("{} connections", format::thousands(point.connections.into()));
        // Along connections, the count is the same where it happens to be all of them.
        let is_all = point.active == point.connections && self != Self::Connections;
        let active = match is_all {
            true => "all active".to_owned(),
            false => format!("{} active", format::thousands(point.active.into())),
        };
        let particulars = format::particulars(&self.rest(point));
        let first = match self {
            Self::Connections => vec![active],
            Self::Share => vec![connections],
            _ => vec![connections, active],
        };
        first.into_iter().chain(particulars).collect::<Vec<_>>().join(", ")
    }

    /// The facets of a sweep, in its order.
    pub fn facets<'a>(self, analysis: &'a Analysis<'a>, sweep: &Sweep) -> Vec<Facet<'a>> {
        let points = analysis.points.iter().filter(|at| at.point.sweep == sweep.name);
        let placed = points.map(|at| (self.key(at.point, sweep), (self.value(analysis, at), at)));
        let facet = |((_, fixed), points): ((Point, String), Vec<_>)| Facet { fixed, points };
        let mut facets: Vec<Facet<'a>> = grouped(placed).into_iter().map(facet).collect();
        for facet in &mut facets {
            let none = facet.points.first().and_then(|(_, at)| without_churn(analysis, at.point));
            if let Some(none) = none.filter(|none| self == Self::Churn && none.point.sweep != sweep.name) {
                facet.points.push((0.0, none));
            }
            facet.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        // A share of ten connections is no whole number of them: such a point is alone, and on no line.
        let longest = facets.iter().map(|facet| facet.points.len()).max().unwrap_or(0);
        facets.retain(|facet| facet.points.len() > 1 || longest < 2);
        facets
    }

    /// The properties that the points of a facet have in common, to compare and in words.
    fn key(self, point: &Point, sweep: &Sweep) -> (Point, String) {
        let rest = self.rest(point);
        if self != Self::Connections {
            return (rest, self.fixed(point));
        }
        let is_share = sweep.active.iter().any(|active| active.trim_end().ends_with('%'));
        let per_myriad = (share(point) * 1e4).round() as u32;
        let particulars =
            || format::particulars(&rest).iter().map(|text| format!(", {text}")).collect::<String>();
        match (is_share, sweep.active.len()) {
            // Whatever it came to, it is the sweep's only one.
            (true, 1) => {
                let given = sweep.active[0].trim();
                let active = if given == "100%" { "all" } else { given };
                (rest.clone(), format!("{active} active{}", particulars()))
            }
            (true, _) => {
                let active = format!("{} active", format::share(f64::from(per_myriad) / 1e4));
                (Point { active: per_myriad, ..rest.clone() }, active + &particulars())
            }
            (false, 1) => (rest, self.fixed(point)),
            (false, _) => (Point { active: point.active, ..rest }, self.fixed(point)),
        }
    }
}

/// The points of `facets`.
pub fn points_of<'a>(facets: &[Facet<'a>]) -> Vec<&'a PointAnalysis<'a>> {
    facets.iter().flat_map(|facet| facet.points.iter().map(|(_, at)| *at)).collect()
}

/// The share of a point's connections that is active.
fn share(point: &Point) -> f64 {
    f64::from(point.active) / f64::from(point.connections.max(1))
}

/// The point that differs from `point` in having no churn.
fn without_churn<'a>(analysis: &'a Analysis<'a>, point: &Point) -> Option<&'a PointAnalysis<'a>> {
    let rest = Dimension::Churn.rest(point);
    analysis
        .points
        .iter()
        .find(|at| at.point.churn_per_s.is_none() && Dimension::Churn.rest(at.point) == rest)
}

/// At most so many of `facets` as a figure has room for: the first, the last, and some between.
pub fn at_most(facets: Vec<Facet<'_>>) -> Vec<Facet<'_>> {
    let count = facets.len();
    if count <= MOST_FACETS {
        return facets;
    }
    let chosen: Vec<usize> = (0..MOST_FACETS)
        .map(|index| (index * (count - 1) + (MOST_FACETS - 1) / 2) / (MOST_FACETS - 1))
        .collect();
    let kept = facets.into_iter().enumerate().filter(|(index, _)| chosen.contains(index));
    kept.map(|(_, facet)| facet).collect()
}
