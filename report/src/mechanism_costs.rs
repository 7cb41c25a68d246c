//! What one mechanism cost, in a table that stands by itself: the figures of docs/MECHANISMS.md.

use crate::format;
use crate::grid::{Cell, Column, Grid};
use crate::rounds::metrics::{CPU, RESPONSE, THROUGHPUT, UTILISATION};
use crate::rounds::{Analysis, CandidateAnalysis, METRICS, Metric, PointAnalysis, Shown, answer, table};
use model::schema::BenchGroup;

/// A point with what a mechanism did there.
type At<'a, 'b> = (&'b PointAnalysis<'a>, &'b CandidateAnalysis<'a>);

/// Metrics that are shown besides the main ones, by their keys.
const FURTHER: [&str; 4] = ["response_p99", "saturation_cpu", "syscalls", "wakeups"];

/// What `mechanism` cost, in Markdown: a table from the first of `analyses` that has measured it, what a connection took of
/// memory, and what a single wait took. `None` where it was not measured. Ends with a newline.
///
/// Those points are shown that tell most: the fewest and the most connections among which few are active, and the most of which all are.
pub fn of(mechanism: &str, analyses: &[Analysis<'_>], benches: &[BenchGroup]) -> Option<String> {
    let (analysis, points) = analyses.iter().find_map(|analysis| {
        let points = telling(analysis, mechanism);
        (!points.is_empty()).then_some((analysis, points))
    })?;
    let further = FURTHER.iter().filter_map(|key| Metric::of_key(key));
    let metrics = [&RESPONSE, &THROUGHPUT, &CPU, &UTILISATION].into_iter().chain(further);
    let mut columns = vec![Column::words(&analysis.campaign.plan.scenario.name)];
    columns.extend(points.iter().map(|(at, _)| Column::numbers(format::place(at.point))));
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for metric in metrics {
        let values = points.iter().map(|(_, candidate)| match candidate.shown(metric) {
            Shown::Saturated(saturated) => table::saturation(saturated),
            shown => table::value(metric, &shown, true),
        });
        rows.push([metric.name.to_owned()].into_iter().chain(values).map(Cell::from).collect());
        let compared: Vec<String> = points.iter().map(|(_, one)| relation(one, metric)).collect();
        if compared.iter().any(|text| text != format::ABSENT) {
            let against = format!("against {}", analysis.campaign.plan.reference);
            rows.push([against].into_iter().chain(compared).map(Cell::from).collect());
        }
    }
    rows.retain(|row| row[1..].iter().any(|cell| cell.text != format::ABSENT));
    let sentences: Vec<String> = memory(&points).into_iter().chain(waits(mechanism, benches)).collect();
    let sentences = if sentences.is_empty() { String::new() } else { format!("\n{}\n", sentences.join(" ")) };
    Some(Grid { columns, rows }.markdown() + &sentences)
}

fn relation(candidate: &CandidateAnalysis<'_>, metric: &Metric) -> String {
    let compared = match candidate.shown(metric) {
        Shown::Figure(figure) => figure.comparison.as_ref(),
        _ => None,
    };
    compared.map_or_else(|| format::ABSENT.to_owned(), |compared| answer::relation(metric, compared))
}

/// The points that tell most of a mechanism; none where it was not measured.
fn telling<'a, 'b>(analysis: &'b Analysis<'a>, mechanism: &str) -> Vec<At<'a, 'b>> {
    let measured = |is_all_active: bool| -> Vec<At<'a, 'b>> {
        let of_kind = |at: &&PointAnalysis<'_>| {
            at.point.is_plain() && (at.point.active == at.point.connections) == is_all_active
        };
        let own = |at: &'b PointAnalysis<'a>| {
            let rows = at.rows().into_iter();
            let own =
                rows.map(|(_, one)| one).find(|one| one.name == mechanism && one.figure(&CPU).is_some());
            Some((at, own?))
        };
        let mut points: Vec<At<'a, 'b>> = analysis.points.iter().filter(of_kind).filter_map(own).collect();
        points.sort_by_key(|(at, _)| at.point.connections);
        points
    };
    let (few, all) = (measured(false), measured(true));
    let mut points: Vec<At<'a, 'b>> =
        few.first().into_iter().chain(few.last()).chain(all.last()).copied().collect();
    points.dedup_by(|(one, _), (other, _)| one.point == other.point);
    points
}

/// What a connection took of memory, where there were most of them.
fn memory(points: &[At<'_, '_>]) -> Option<String> {
    let (at, candidate) = points.iter().max_by_key(|(at, _)| at.point.connections)?;
    let metric = METRICS.iter().find(|metric| metric.key == "bytes_per_connection")?;
    let (total, parts) = (candidate.figure(metric)?, candidate.memory?);
    let bytes = |value: f64| format::quantity(metric.unit, value);
    Some(format!(
        "With {} connections each took {} of memory: {} of the server's, the rest of the kernel's for both ends.",
        format::thousands(at.point.connections.into()),
        bytes(total.value),
        bytes(parts.user)
    ))
}

/// What a wait took by itself, with the fewest and with the most descriptors.
fn waits(mechanism: &str, benches: &[BenchGroup]) -> Option<String> {
    let wait = benches.iter().filter(|group| group.group == "wait").flat_map(|group| &group.points);
    let own = || wait.clone().filter(|point| point.mechanism == mechanism);
    let (few, many) = (own().min_by_key(|point| point.watched)?, own().max_by_key(|point| point.watched)?);
    let watched = |count: u32| format::thousands(count.into());
    Some(format!(
        "One wait with one descriptor ready: {} with {} watched, {} with {} (`cargo bench -- wait/{mechanism}`).",
        format::duration_ns(few.median_ns),
        watched(few.watched),
        format::duration_ns(many.median_ns),
        watched(many.watched)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::testing::{Shape, decoded, realistic};

    #[test]
    fn the_points_that_tell_most_stand_side_by_side() {
        let (campaign, histograms) = decoded(Shape::default_scenario().campaign(realistic));
        let analyses = [Analysis::of(&campaign, &histograms)];
        let text = of("epoll-et", &analyses, &[crate::testing::bench()]).expect("measured");
        let head = text.lines().next().expect("a head");
        assert!(
            head.ends_with("| 100 connections, 10 active | 10,000 connections, 10 active | 1,000 connections, all active |"),
            "{head}"
        );
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.iter().all(|row| row.matches('|').count() == 5), "{text}");
        assert!(text.contains("| response p50 | ") && text.contains("| against epoll-lt | "), "{text}");
        assert!(text.contains("With 10,000 connections each took 8.0"), "{text}");
        assert_eq!(of("compio", &analyses, &[]), None);
        let poll = of("poll", &analyses, &[crate::testing::bench()]).expect("measured");
        assert!(poll.contains("490 ns with 10 watched, 170 µs with 10,000"), "{poll}");
    }
}
