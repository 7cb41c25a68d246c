//! The cost of one mechanism, in a table that stands by itself: the figures of docs/MECHANISMS.md.

use model::campaign::Histograms;
use model::schema::BenchGroup;
use report::grid::{Cell, Column, Grid};
use report::rounds::metrics::{CPU, RESPONSE, THROUGHPUT, UTILISATION};
use report::rounds::testing::{Shape, realistic};
use report::rounds::{Analysis, CandidateAnalysis, Metric, PointAnalysis, Shown, table};
use report::{format, testing};
use trials::test;

/// The metrics shown besides the main ones, by their keys.
const FURTHER: [&str; 4] = ["saturation_cpu", "syscalls", "wakeups", "user_bytes_per_connection"];

/// Returns the cost of `mechanism` in Markdown: a table from the first of `analyses` that has measured it, and the time
/// of a single wait. `None` if it was not measured. Ends with a newline.
///
/// The points that tell most are shown: the fewest and the most connections of which few are active, and the most of
/// which all are active.
pub fn of(mechanism: &str, analyses: &[Analysis<'_>], benches: &[BenchGroup]) -> Option<String> {
    let (analysis, points) = analyses.iter().find_map(|analysis| {
        let points = telling(analysis, mechanism);
        (!points.is_empty()).then_some((analysis, points))
    })?;
    let metrics: Vec<&Metric> = [&RESPONSE, &THROUGHPUT, &CPU, &UTILISATION]
        .into_iter()
        .chain(FURTHER.iter().filter_map(|key| Metric::of_key(key)))
        .collect();
    let table = of_candidate(analysis, mechanism, &points, &metrics).markdown();
    let waits = waits(mechanism, benches).map(|text| format!("\n{text}\n"));
    Some(table + &waits.unwrap_or_default())
}

/// The points that tell most of a mechanism; none where it was not measured.
fn telling<'a, 'b>(analysis: &'b Analysis<'a>, mechanism: &str) -> Vec<&'b PointAnalysis<'a>> {
    let is_measured = |point: &&PointAnalysis<'_>| {
        let is_plain = point.point.is_plain();
        is_plain
            && point.rows().iter().any(|(_, one)| one.name == mechanism && one.figure(&THROUGHPUT).is_some())
    };
    let mut measured: Vec<_> = analysis.points.iter().filter(is_measured).collect();
    measured.sort_by_key(|point| point.point.connections);
    let (all_active, few): (Vec<_>, Vec<_>) = measured
        .into_iter()
        .partition(|point| point.point.active == point.point.connections && point.point.connections > 10);
    let mut points: Vec<_> =
        few.first().into_iter().chain(few.last()).chain(all_active.last()).copied().collect();
    points.dedup_by(|one, other| std::ptr::eq(*one, *other));
    points
}

/// Returns a sentence with the time of a single wait, for the fewest and the most descriptors.
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

/// The figures of one candidate: a row for each of `metrics` that it has, another for its ratio to the reference, and a column for each of
/// `points`.
fn of_candidate(
    analysis: &Analysis<'_>,
    name: &str,
    points: &[&PointAnalysis<'_>],
    metrics: &[&Metric],
) -> Grid {
    let found: Vec<_> = points
        .iter()
        .filter_map(|point| {
            point.rows().into_iter().find(|(_, one)| one.name == name).map(|row| (point, row))
        })
        .collect();
    let title = Column::words(&analysis.campaign.plan.scenario.name);
    let places = found.iter().map(|(point, (group, _))| Column::numbers(table::heading(point, group)));
    let row = |title: String, cell: &dyn Fn(&CandidateAnalysis<'_>) -> Cell| {
        [Cell::from(title)].into_iter().chain(found.iter().map(|(_, (_, one))| cell(one))).collect::<Vec<_>>()
    };
    let mut rows = Vec::new();
    for metric in metrics {
        rows.push(row(metric.name.to_owned(), &|one| match one.shown(metric) {
            Shown::Saturated(saturated) => table::saturation(saturated).into(),
            shown => table::value(metric, &shown, true).into(),
        }));
        if metric.has_ratio() {
            rows.push(row(format!("{}, ratio", metric.name), &|one| table::ratio(one.comparison(metric))));
        }
    }
    rows.retain(|row| row.iter().skip(1).any(|cell| cell.text != format::ABSENT));
    Grid { columns: [title].into_iter().chain(places).collect(), rows }
}

#[test]
fn the_points_that_tell_most_stand_side_by_side() {
    let shape = Shape { starts: 3, rounds: 4, ..Shape::default_scenario() };
    let (campaign, none) = (shape.campaign(realistic), Histograms::default());
    let analyses = [Analysis::of(&campaign, &none)];
    let text = of("poll", &analyses, &[testing::bench()]).expect("measured");
    let head = text.lines().next().expect("a head");
    assert_eq!(head, "| many-idle-few-active | 10 × 10 at 1k/s | 10k × 10 at 1k/s | 1k × 1k at 1k/s |");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.iter().all(|row| row.matches('|').count() == 5), "{text}");
    assert!(rows.iter().any(|row| row.starts_with("| response p50, ratio |")), "{text}");
    assert!(text.contains("490 ns with 10 watched, 170 µs with 10,000"), "{text}");
    assert_eq!(of("compio", &analyses, &[]), None);
}
