//! The series of a campaign: what a tool that keeps figures over time keeps under one name.

use super::super::file_name;
use crate::cells;
use model::histogram::{self, DecodeError, Histogram};
use model::schema::{Campaign, Cell, Point};

/// One contender at one point.
pub struct Series<'a> {
    /// The mechanism or the external server.
    pub contender: &'a str,
    /// Where.
    pub point: &'a Point,
    /// `epoll-et/10000c/10a`; no two series of a campaign have the same.
    pub name: String,
    /// Its valid cells, one a repeat.
    pub cells: Vec<&'a Cell>,
}

/// All series, in the order of the plan.
pub fn all(campaign: &Campaign) -> Vec<Series<'_>> {
    let scenario = &campaign.plan.scenario;
    let names = names(&campaign.plan.points);
    let mut series = Vec::new();
    for (point, place) in campaign.plan.points.iter().zip(&names) {
        for contender in scenario.contenders().filter(|name| scenario.exclusion(name, point).is_none()) {
            let name = format!("{}/{place}", file_name(contender));
            let cells = cells::valid(campaign, point, contender);
            series.push(Series { contender, point, name, cells });
        }
    }
    series
}

impl Series<'_> {
    /// The response times of all valid repeats.
    pub fn responses(&self) -> Result<Histogram, DecodeError> {
        let mut all = histogram::empty();
        for latency in self.cells.iter().filter_map(|cell| cell.latency.as_ref()?.load.response.as_ref()) {
            all += latency.histogram()?;
        }
        Ok(all)
    }
}

/// A name for each point. Points that only their sweep tells apart have its name in front.
fn names(points: &[Point]) -> Vec<String> {
    let short: Vec<String> = points.iter().map(name).collect();
    let mut names: Vec<String> = Vec::new();
    for (point, short_name) in points.iter().zip(&short) {
        let is_ambiguous = short.iter().filter(|other| *other == short_name).count() > 1;
        let long = format!("{}/{short_name}", file_name(&point.sweep));
        let name = if is_ambiguous { long } else { short_name.clone() };
        // Sweeps whose names differ in what no name may have.
        let again = (2..).map(|number| format!("{name}-{number}"));
        let free = [name.clone()].into_iter().chain(again).find(|name| !names.contains(name));
        names.push(free.expect("numbers do not end"));
    }
    names
}

/// `10000c/10a`, and what else tells the point from others.
fn name(point: &Point) -> String {
    let Point { connections, active, threads, accept, size_bytes, rate_per_s, churn_per_s, .. } = point;
    let counted = |value: &Option<u32>, unit: &str| value.map(|value| format!("{value}{unit}"));
    let further = [
        (*threads > 1).then(|| format!("{threads}t")),
        accept.as_deref().map(file_name),
        counted(size_bytes, "B"),
        counted(rate_per_s, "rps"),
        counted(churn_per_s, "churn"),
    ];
    let parts = [Some(format!("{connections}c")), Some(format!("{active}a"))].into_iter().chain(further);
    parts.flatten().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::point;

    #[test]
    fn a_name_has_what_tells_a_point_from_others_and_the_sweep_only_where_nothing_else_does() {
        let mut sized = point("size", 100, 10);
        (sized.size_bytes, sized.threads, sized.accept) = (Some(1024), 4, Some("shared".to_owned()));
        let points = [point("idle", 10, 10), point("all, active", 10, 10), point("idle", 100, 10), sized];
        assert_eq!(
            names(&points),
            ["idle/10c/10a", "all--active/10c/10a", "100c/10a", "100c/10a/4t/shared/1024B"]
        );
        assert_eq!(names(&[point("a b", 1, 1), point("a,b", 1, 1)]), ["a-b/1c/1a", "a-b/1c/1a-2"]);
    }
}
