//! The series of a campaign: what a tool that keeps figures over time keeps under one name.

use model::campaign::Phase;
use model::histogram::{Histogram, empty, of_counts};
use model::schema::Point;
use serde_json::Value;

use super::file_name;
use crate::rounds::samples::Seen;
use crate::rounds::{Analysis, CandidateAnalysis, Figure, GroupAnalysis, METRICS, Metric, Shown};

/// The keys of a point that tell it from others.
pub const PLACE: [&str; 8] =
    ["sweep", "connections", "active", "threads", "accept", "size_bytes", "rate_per_s", "churn_per_s"];
/// The loads, each with the end of a series' name.
pub const PHASES: [(Phase, &str); 3] =
    [(Phase::Saturation, "saturation"), (Phase::Light, "light"), (Phase::Busy, "busy")];

/// One candidate at one point.
pub struct Series<'a> {
    /// The candidate.
    pub candidate: &'a CandidateAnalysis<'a>,
    /// The point.
    pub point: &'a Point,
    /// `epoll-et/10000c/10a`; no two series of a campaign have the same.
    pub name: String,
    /// The group in which it was measured.
    group: &'a GroupAnalysis<'a>,
}

/// The responses of one start.
pub struct Responses {
    /// The time at which its first round began, in seconds since the campaign began.
    pub began_s: f64,
    /// The time at which its last round ended, in the same seconds.
    pub ended_s: f64,
    /// All of them.
    pub histogram: Histogram,
}

/// All series, in the order of the plan; references once, twins not at all.
pub fn all<'a>(analysis: &'a Analysis<'a>) -> Vec<Series<'a>> {
    let places = names(&analysis.campaign.plan.points);
    let mut series = Vec::new();
    for (point, place) in analysis.points.iter().zip(&places) {
        for (group, candidate) in point.rows() {
            let name = format!("{}/{place}", file_name(candidate.name));
            series.push(Series { candidate, point: point.point, name, group });
        }
    }
    series
}

impl<'a> Series<'a> {
    /// The figures that there are, in the order of the [table](METRICS).
    pub fn figures(&self) -> impl Iterator<Item = (&'static Metric, &Figure)> {
        METRICS.iter().filter_map(|metric| Some((metric, self.figure(metric)?)))
    }

    /// The figure of a metric, unless saturation stands in its place.
    pub fn figure(&self, metric: &Metric) -> Option<&Figure> {
        let is_figure = matches!(self.candidate.shown(metric), Shown::Figure(_));
        self.candidate.figure(metric).filter(|_| is_figure)
    }

    /// The value of the point under a key of [`PLACE`]; empty where it has none.
    pub fn place(&self, key: &str) -> String {
        match serde_json::to_value(self.point).ok().and_then(|mut point| Some(point.get_mut(key)?.take())) {
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
            // A single thread is not written.
            None if key == "threads" => self.point.threads.to_string(),
            None => String::new(),
        }
    }

    /// The responses under one load, of the rounds that count, start by start.
    pub fn responses(&self, phase: Phase) -> Vec<Responses> {
        let of_start = |slices: Vec<Seen<'_>>| {
            let (first, last) = (slices.first()?.round, slices.last()?.round);
            let lasted_s: f64 = last.slices.iter().map(|slice| slice.window_s).sum();
            let histogram = slices.iter().fold(empty(), |sum, seen| sum + of_counts(seen.as_ref()));
            Some(Responses { began_s: first.began_s, ended_s: last.began_s + lasted_s, histogram })
        };
        let samples = &self.group.samples;
        let place = samples.candidates.iter().position(|name| *name == self.candidate.name);
        let starts = place.into_iter().flat_map(|at| samples.seen(phase, at));
        starts.filter_map(of_start).collect()
    }

    /// The same of all starts together.
    pub fn merged(&self, phase: Phase) -> Histogram {
        self.responses(phase).into_iter().fold(empty(), |sum, start| sum + start.histogram)
    }
}

/// A name for each point. Points that only their sweep tells apart have its name in front.
fn names(points: &[model::campaign::PlannedPoint]) -> Vec<String> {
    let short: Vec<String> = points.iter().map(|planned| name(&planned.point)).collect();
    let mut names: Vec<String> = Vec::new();
    for (planned, short_name) in points.iter().zip(&short) {
        let is_ambiguous = short.iter().filter(|other| *other == short_name).count() > 1;
        let long = format!("{}/{short_name}", file_name(&planned.point.sweep));
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
    use model::campaign::PlannedPoint;

    fn names_of(points: Vec<Point>) -> Vec<String> {
        let planned = points.into_iter().map(|point| PlannedPoint { point, groups: Vec::new() });
        names(&planned.collect::<Vec<_>>())
    }

    #[test]
    fn a_name_has_what_tells_a_point_from_others_and_the_sweep_only_where_nothing_else_does() {
        let mut sized = Point::new("size", 100, 10);
        (sized.size_bytes, sized.threads, sized.accept) = (Some(1024), 4, Some("shared".to_owned()));
        let points = vec![
            Point::new("idle", 10, 10),
            Point::new("all, active", 10, 10),
            Point::new("idle", 100, 10),
            sized,
        ];
        assert_eq!(
            names_of(points),
            ["idle/10c/10a", "all--active/10c/10a", "100c/10a", "100c/10a/4t/shared/1024B"]
        );
        let alike = vec![Point::new("a b", 1, 1), Point::new("a,b", 1, 1)];
        assert_eq!(names_of(alike), ["a-b/1c/1a", "a-b/1c/1a-2"]);
    }
}
