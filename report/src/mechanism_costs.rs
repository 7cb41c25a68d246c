//! What one mechanism cost, in a table that stands by itself: the figures of docs/MECHANISMS.md.

use crate::analysis::{Analysis, PointAnalysis, Row};
use crate::cells::{self, Figure};
use crate::claims::base::Base;
use crate::statistics::Summary;
use crate::{format, line, table};
use model::schema::{BenchGroup, Campaign, Sweep};

/// A point with what a mechanism did there.
type At<'a> = (&'a PointAnalysis, &'a Row);

/// A row of the table: its name, and what a point says.
type Column<'a> = (&'a str, &'a dyn Fn(At<'_>) -> String);

/// What `mechanism` cost, in Markdown: a table from the first of `analyses` that has measured it, what a connection took of
/// memory, and what a single wait took. `None` where it was not measured. Ends with a newline.
///
/// Of a campaign those points are shown that tell most: the fewest and the most connections among which few are active, and the
/// most of which all are.
pub fn of(mechanism: &str, analyses: &[Analysis<'_>], benches: &[BenchGroup]) -> Option<String> {
    let (campaign, points) = analyses.iter().find_map(|analysis| {
        let points = telling(analysis, mechanism);
        (!points.is_empty()).then_some((analysis.campaign, points))
    })?;
    let switches = |(at, _): At<'_>| {
        count(cells::summary(&cells::valid(campaign, &at.point, mechanism), |cell| Figure::Switches.of(cell)))
    };
    let columns: [Column<'_>; 7] = [
        ("response p50", &|(_, row)| table::duration(&row.p50)),
        ("p50 against the best there", &|(_, row)| table::standing(&row.p50.standing)),
        ("response p99", &|(_, row)| table::duration(&row.p99)),
        ("capacity, echoes/s", &|(_, row)| table::capacity(row.capacity.as_ref())),
        ("server, µs/echo", &|(_, row)| table::microseconds(&row.cpu)),
        ("system calls/echo", &|(_, row)| count(row.syscalls)),
        ("context switches/echo", &switches),
    ];
    let head = points.iter().map(|(at, _)| line::place(&at.point)).collect::<Vec<_>>().join(" | ");
    let mut text = format!("| {} | {head} |\n| --- |{}\n", source(campaign), " ---: |".repeat(points.len()));
    for (name, figure) in columns {
        let figures: Vec<String> = points.iter().map(|at| figure(*at)).collect();
        if figures.iter().any(|figure| figure != format::ABSENT) {
            text += &format!("| {name} | {} |\n", figures.join(" | "));
        }
    }
    let sentences = [memory(campaign, mechanism, &points), waits(mechanism, benches)];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    if !sentences.is_empty() {
        text += &format!("\n{}\n", sentences.join(" "));
    }
    Some(text)
}

/// The points that tell most of a mechanism; none where it has no valid cell.
fn telling<'a>(analysis: &'a Analysis<'_>, mechanism: &str) -> Vec<At<'a>> {
    let measured = |sweep: Option<&Sweep>| -> Vec<At<'a>> {
        let of_mechanism = |row: &&Row| row.mechanism == mechanism && row.attempts.valid > 0;
        let points = sweep.map(|sweep| analysis.sweep(&sweep.name)).unwrap_or_default();
        points.into_iter().filter_map(|at| Some((at, at.rows.iter().find(of_mechanism)?))).collect()
    };
    let (idle, active) = (measured(analysis.idle_sweep()), measured(analysis.active_sweep()));
    let mut points: Vec<At<'a>> =
        idle.first().into_iter().chain(idle.last()).chain(active.last()).copied().collect();
    points.dedup_by(|(one, _), (other, _)| one.point == other.point);
    points
}

/// `many-idle-few-active, 6 repeats`
fn source(campaign: &Campaign) -> String {
    let quick = if campaign.quick { ", quick" } else { "" };
    let repeats = format::plural(campaign.repeats() as usize, "repeat");
    format!("{}, {repeats}{quick}", campaign.plan.scenario.name)
}

fn count(summary: Option<Summary>) -> String {
    summary.map_or_else(|| format::ABSENT.to_owned(), |summary| format::three_digits(summary.median))
}

/// What a connection took of the server's own memory, where there were most of them.
fn memory(campaign: &Campaign, mechanism: &str, points: &[At<'_>]) -> Option<String> {
    let (at, _) = points.iter().max_by_key(|(at, _)| at.point.connections)?;
    let connections = at.point.connections;
    let cells = cells::valid(campaign, &at.point, mechanism);
    let bytes =
        cells::summary(&cells, |cell| Some(cell.server_rss_growth_bytes? as f64 / f64::from(connections)))?;
    Some(format!(
        "With {} connections each took {} of the server's memory (the kernel's share comes on top).",
        format::thousands(connections.into()),
        format::bytes(bytes.median.round() as u64)
    ))
}

/// What a wait took by itself, with the fewest and with the most descriptors.
fn waits(mechanism: &str, benches: &[BenchGroup]) -> Option<String> {
    let points = Base { benches, ..Base::default() }.bench("wait", mechanism);
    let (few, many) = (points.first()?, points.last()?);
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
    use crate::testing;
    use model::schema::CellStatus;

    #[test]
    fn the_points_that_tell_most_stand_side_by_side() {
        let text = of("poll", &[testing::analysis().clone()], &[testing::bench()]).expect("measured");
        let head = text.lines().next().expect("a head");
        assert_eq!(
            head,
            "| many-idle-few-active, 5 repeats | 10 connections, all active | 10,000 connections, 10 active \
             | 1,000 connections, all active |"
        );
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.iter().all(|row| row.matches('|').count() == 5), "{text}");
        // Nobody counted context switches.
        assert_eq!(rows.len(), 2 + 6, "{text}");
        assert!(text.contains("With 10,000 connections each took 100 B of the server's memory"), "{text}");
        assert!(text.contains("490 ns with 10 watched, 170 µs with 10,000"), "{text}");
    }

    #[test]
    fn the_first_campaign_that_has_a_mechanism_is_asked() {
        let libraries = testing::realistic_of(&["epoll-lt", "tokio"]);
        let further = Analysis::of(&libraries).expect("sound histograms");
        let analyses = [testing::analysis().clone(), further];
        assert!(of("tokio", &analyses, &[]).is_some());
        assert_eq!(of("compio", &analyses, &[]), None);
        let alone = of("epoll-lt", &analyses[1..], &[]).expect("measured");
        assert_ne!(of("epoll-lt", &analyses, &[]).expect("measured"), alone);
    }

    #[test]
    fn a_point_without_a_valid_cell_is_left_out() {
        let mut campaign = testing::realistic();
        let spoilt: Vec<usize> = (0..campaign.cells.len())
            .filter(|index| {
                campaign.cells[*index].mechanism == "poll"
                    && campaign.cells[*index].point.connections == 10_000
            })
            .collect();
        for index in spoilt {
            testing::spoil(&mut campaign, index, CellStatus::Invalid, "late");
        }
        let analysis = Analysis::of(&campaign).expect("sound histograms");
        let text = of("poll", &[analysis], &[]).expect("measured");
        assert!(!text.contains("10,000") && text.contains("1,000 connections, 10 active"), "{text}");
    }
}
