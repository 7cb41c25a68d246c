//! The answer: which contender for which workload, and by how much.

use super::table::{Cell, Table, columns};
use crate::analysis::{Analysis, Metric, PointAnalysis, Row, Standing};
use crate::format;
use crate::line;
use crate::map::{Best, MARKS, Map, Place};
use crate::statistics::Ratio;

/// Numbers of connections that the table has rows for; each has two at most.
const CONNECTIONS: usize = 4;

/// Who is best at one point by one metric.
struct Outcome<'a> {
    /// The best, and after it those that cannot be told from it.
    best: Vec<&'a Row>,
    /// Whether there are repeats enough to say so.
    is_certain: bool,
    /// Those behind by an interval that leaves 1 out, or, without certainty, all others; the closest first.
    behind: Vec<(&'a Row, Ratio)>,
}

impl<'a> Outcome<'a> {
    /// `None` where nothing can be compared.
    fn of(at: &'a PointAnalysis, metric: Metric) -> Option<Self> {
        let is_first = |row: &&Row| {
            matches!(standing(row, metric), Standing::Winner | Standing::Leading | Standing::Tie(None))
        };
        let first = at.rows.iter().find(is_first)?;
        let tied = at.rows.iter().filter(|row| matches!(standing(row, metric), Standing::Tie(Some(_))));
        let mut behind: Vec<(&Row, Ratio)> = at
            .rows
            .iter()
            .filter_map(|row| match standing(row, metric) {
                Standing::Behind(ratio) | Standing::Trailing(ratio) => Some((row, *ratio)),
                _ => None,
            })
            .collect();
        behind.sort_by(|a, b| a.1.summary.median.total_cmp(&b.1.summary.median));
        let is_certain = *standing(first, metric) != Standing::Leading;
        Some(Self { best: std::iter::once(first).chain(tied).collect(), is_certain, behind })
    }

    /// `epoll-lt`, `tie: epoll-lt, io-uring`, `tie of all 8`, `epoll-lt?`.
    fn winners(&self) -> Cell {
        let names: Vec<&str> = self.best.iter().map(|row| row.mechanism.as_str()).collect();
        match names.as_slice() {
            [one] if self.is_certain => Cell::text(*one).class("win"),
            [one] => Cell::text(format!("{one}? (too few repeats)")),
            all if self.behind.is_empty() => Cell::text(format!("tie of all {}", all.len())).class("tie"),
            several => Cell::text(format!("tie: {}", several.join(", "))).class("tie"),
        }
    }

    /// `select 1.24× (1.05–1.49)`, the one that is least far behind.
    fn next(&self) -> Cell {
        self.behind.first().map_or_else(nobody, told)
    }

    /// The one that is furthest behind, where that is another.
    fn last(&self) -> Cell {
        self.behind.get(1..).and_then(<[_]>::last).map_or_else(nobody, told)
    }
}

fn standing(row: &Row, metric: Metric) -> &Standing {
    &row.measured(metric).standing
}

fn told((row, ratio): &(&Row, Ratio)) -> Cell {
    Cell::text(format!("{} {}", row.mechanism, format::ratio(ratio)))
}

fn nobody() -> Cell {
    Cell::text(format::ABSENT)
}

/// The decision table; `None` where nothing can be compared.
pub fn table(analysis: &Analysis<'_>) -> Option<Table> {
    let row = |at: &PointAnalysis| {
        let response = Outcome::of(at, Metric::ResponseP50)?;
        let median =
            response.best[0].p50.value_ns.map_or_else(nobody, |ns| Cell::text(format::duration_ns(ns)));
        let cost = Outcome::of(at, Metric::ServerCpu).map_or_else(nobody, |cost| cost.winners());
        let tail = Outcome::of(at, Metric::ResponseP99).map_or_else(nobody, |tail| tail.winners());
        let workload = Cell::text(line::place(&at.point));
        Some(vec![workload, response.winners(), median, response.next(), response.last(), tail, cost])
    };
    let rows: Vec<_> = chosen(analysis).into_iter().filter_map(row).collect();
    let of = &analysis.campaign.plan.scenario.name;
    (!rows.is_empty()).then(|| Table {
        caption: format!("Which contender for which workload ({of})"),
        columns: columns(&[
            "workload",
            "answers soonest (median)",
            "#its median",
            "next behind it",
            "furthest behind it",
            "least 99th percentile",
            "least server time an echo",
        ]),
        rows,
        ..Table::default()
    })
}

/// The points that tell workloads apart: for each of some numbers of connections, most first, the one with the fewest active and
/// the one with the most.
fn chosen<'a>(analysis: &'a Analysis<'_>) -> Vec<&'a PointAnalysis> {
    let compared = |at: &&PointAnalysis| Outcome::of(at, Metric::ResponseP50).is_some();
    let plain = line::plain_points(analysis.campaign);
    let mut points: Vec<&PointAnalysis> = plain
        .filter_map(|point| analysis.points.iter().find(|at| at.point == *point))
        .filter(|at| at.point.is_plain())
        .filter(compared)
        .collect();
    if points.is_empty() {
        // Where something else varies the points are few, and none is plainer than another.
        return analysis.points.iter().filter(compared).take(2 * CONNECTIONS).collect();
    }
    points.sort_by_key(|at| (std::cmp::Reverse(at.point.connections), at.point.active));
    let mut numbers: Vec<u32> = points.iter().map(|at| at.point.connections).collect();
    numbers.dedup();
    let spread = |index: usize| index * (numbers.len() - 1) / (CONNECTIONS - 1);
    let numbers: Vec<u32> = match numbers.len() {
        0..=CONNECTIONS => numbers,
        _ => (0..CONNECTIONS).map(|index| numbers[spread(index)]).collect(),
    };
    let ends = |number: &u32| {
        let mut all = points.iter().filter(|at| at.point.connections == *number).copied();
        let fewest = all.next();
        fewest.into_iter().chain(all.next_back()).collect::<Vec<_>>()
    };
    numbers.iter().flat_map(ends).collect()
}

/// The map of the campaign that has the most of one.
pub fn map(analyses: &[&Analysis<'_>]) -> Option<Table> {
    let filled = |map: &Map| map.places().count();
    let maps = analyses.iter().filter_map(|analysis| Some((analysis, Map::of(analysis)?)));
    // The first of several that are equal.
    let (analysis, map) =
        maps.reduce(|best, other| if filled(&other.1) > filled(&best.1) { other } else { best })?;
    let name = &analysis.campaign.plan.scenario.name;
    Some(map_table(
        &map,
        format!("Who wins where by median response, and what it is ahead of the next by ({name}). {MARKS}"),
    ))
}

/// A map as a table of the page.
pub fn map_table(map: &Map, caption: String) -> Table {
    let active: Vec<String> = map.columns.iter().map(|column| format!("{column} active")).collect();
    let names: Vec<&str> = std::iter::once("#connections").chain(active.iter().map(String::as_str)).collect();
    let cell = |place: &Option<Place>| match place {
        None => nobody(),
        Some(place) if matches!(place.best, Best::Tie { .. }) => Cell::text(place.text()).class("tie"),
        Some(place) => Cell::text(place.text()),
    };
    let row = |(number, places): &(u32, Vec<Option<Place>>)| {
        let connections = Cell::figure(format::thousands((*number).into()), Some((*number).into()));
        std::iter::once(connections).chain(places.iter().map(cell)).collect()
    };
    Table { caption, columns: columns(&names), rows: map.rows.iter().map(row).collect(), ..Table::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossover::tests::grid;
    use crate::testing::{self, Shape, point};

    fn texts(row: &[Cell]) -> Vec<&str> {
        row.iter().map(|cell| cell.text.as_str()).collect()
    }

    #[test]
    fn the_first_row_is_the_workload_with_the_most_connections_and_the_fewest_active() {
        let table = table(testing::analysis()).expect("compared");
        let first = texts(&table.rows[0]);
        assert_eq!(first[0], "10,000 connections, 10 active");
        assert!(first[1].starts_with("tie: epoll-"), "{first:?}");
        assert!(first[3].starts_with("select ") && first[3].contains("× ("), "{first:?}");
        assert!(first[4].starts_with("poll ") && first[4].contains("× ("), "{first:?}");
        let workloads: Vec<&str> = table.rows.iter().map(|row| row[0].text.as_str()).collect();
        assert_eq!(
            workloads,
            [
                "10,000 connections, 10 active",
                "1,000 connections, 10 active",
                "1,000 connections, all active",
                "100 connections, 10 active",
                "100 connections, all active",
                "10 connections, all active",
            ]
        );
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
    }

    #[test]
    fn a_winner_is_named_alone_and_equals_are_a_tie() {
        let of = |factor: f64, repeats: u32| {
            let points = [point("idle-scaling", 10, 10), point("idle-scaling", 100, 10)];
            let campaign = testing::campaign(&["a", "b"], &points, repeats, |name, _, repeat| Shape {
                p50_ns: 30_000.0
                    * (1.0 + f64::from(repeat % 3) / 50.0)
                    * if name == "b" { factor } else { 1.0 },
                ..Shape::default()
            });
            let analysis = Analysis::of(&campaign).expect("sound");
            table(&analysis).expect("compared").rows[0][1].clone()
        };
        assert_eq!((of(2.0, 6).text.as_str(), of(2.0, 6).class), ("a", "win"));
        assert_eq!((of(1.0, 6).text.as_str(), of(1.0, 6).class), ("tie of all 2", "tie"));
        assert_eq!(of(2.0, 2).text, "a? (too few repeats)");
    }

    #[test]
    fn of_many_numbers_of_connections_four_are_rows_with_both_ends() {
        let points: Vec<_> = (1..=9).map(|tens| point("idle-scaling", tens * 10, 5)).collect();
        let campaign = testing::campaign(&["a", "b"], &points, 3, |_, _, _| Shape::default());
        let analysis = Analysis::of(&campaign).expect("sound");
        let numbers: Vec<u32> = chosen(&analysis).iter().map(|at| at.point.connections).collect();
        assert_eq!(numbers, [90, 70, 40, 10]);
    }

    #[test]
    fn the_map_is_that_of_the_campaign_with_the_most_points() {
        let mut grid = grid(0.02);
        grid.plan.scenario.name = "grid".into();
        let whole = Analysis::of(&grid).expect("sound");
        let mut part = whole.clone();
        part.points.pop();
        let map = map(&[&part, &whole]).expect("a map");
        assert!(map.caption.contains("(grid)"), "{}", map.caption);
        let told = map.rows.iter().flatten().filter(|cell| cell.text != format::ABSENT).count();
        assert_eq!(told, 3 + 6);
        assert!(map.rows.iter().all(|row| row.len() == map.columns.len()));
    }

    #[test]
    fn one_contender_alone_decides_nothing() {
        let campaign = testing::realistic_of(&["poll"]);
        assert_eq!(table(&Analysis::of(&campaign).expect("sound")), None);
    }
}
