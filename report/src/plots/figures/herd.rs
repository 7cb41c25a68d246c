//! The thundering herd: how often threads wake up for a connection, by the way in which they meet the listener.

use super::course::{Dimension, points_of};
use super::provenance::{file_name, of_measured};
use super::scaling::{drawn, notes, rows};
use crate::format;
use crate::plots::chart::Figure;
use crate::rounds::{Analysis, Metric, PointAnalysis, Shown, table};
use model::schema::Sweep;

/// The metrics that are drawn, by their keys.
const DRAWN: [&str; 2] = ["accept_wakeups", "wakeups"];

/// A figure for each sweep in which connections come and go, and which varies how they are accepted.
pub fn herd(analysis: &Analysis<'_>) -> Vec<Figure> {
    let sweeps = analysis.campaign.plan.scenario.sweeps.iter();
    sweeps.filter(|sweep| sweep.accept.len() > 1).filter_map(|sweep| of_sweep(analysis, sweep)).collect()
}

fn of_sweep(analysis: &Analysis<'_>, sweep: &Sweep) -> Option<Figure> {
    let metrics: Vec<&Metric> = DRAWN.iter().filter_map(|key| Metric::of_key(key)).collect();
    let facets = Dimension::Threads.facets(analysis, sweep);
    let points = points_of(&facets);
    let title = told(analysis, metrics.first()?, &points)?;
    let rows = rows(Dimension::Threads, &facets, &metrics);
    let mut notes = notes(&rows, &facets, &facets);
    notes.push(
        "Requests wake threads too, as many per connection accepted at every number of threads: the herd is what grows with them."
            .to_owned(),
    );
    let figure = Figure {
        name: format!("herd-{}", file_name(&sweep.name)),
        title,
        subtitle: format!(
            "{}: wake-ups of the server's threads at the light rate, over {}",
            sweep.name,
            Dimension::Threads.words()
        ),
        legend: drawn(&points),
        caption: notes,
        rows,
        ..Figure::default()
    };
    of_measured(figure, analysis)
}

/// The reference's figure with each way to accept, at the most threads that all of them were measured with:
/// `epoll-lt, 16 threads: 22 (21–23) wake-ups per connection accepted shared, 6 (5–7) exclusive`.
fn told(analysis: &Analysis<'_>, metric: &Metric, points: &[&PointAnalysis<'_>]) -> Option<String> {
    let reference = analysis.campaign.plan.reference.as_str();
    let value = |point: &PointAnalysis<'_>| {
        let (_, candidate) = point.rows().into_iter().find(|(_, one)| one.name == reference)?;
        let shown = candidate.shown(metric);
        matches!(shown, Shown::Figure(_)).then(|| table::value(metric, &shown, true))
    };
    let most = points.iter().filter(|point| value(point).is_some()).map(|point| point.point.threads).max()?;
    let mut told: Vec<String> = Vec::new();
    for point in points.iter().filter(|point| point.point.threads == most) {
        let way = point.point.accept.as_deref().unwrap_or("as it does by itself");
        told.extend(value(point).map(|value| format!("{value} {way}")));
    }
    let threads = format::plural(most as usize, "thread");
    Some(format!("{reference}, {threads}, {}: {}", metric.name, format::and(&told)))
}
