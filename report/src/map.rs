//! A map of connections and activity: who wins where.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use crate::analysis::{Analysis, PointAnalysis, Row, Standing};
use crate::format;
use crate::line;
use crate::markdown::escaped;
use crate::statistics::Ratio;
use model::schema::Point;

/// What the marks in a map mean, for below it.
pub const MARKS: &str = "Tie: the interval of the ratio to the best covers 1. ?: the best so far, over too few valid repeats to say so.";

/// Rows of connections and columns of activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Whether the columns are shares of the connections, or else active connections.
    pub is_share: bool,
    /// What the columns are.
    pub columns: Vec<String>,
    /// A row for each number of connections, with a place a column; `None` where nothing was measured.
    pub rows: Vec<(u32, Vec<Option<Place>>)>,
}

/// What is known at one place of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Where it is.
    pub point: Point,
    /// Who is best there.
    pub best: Best,
    /// The next that is behind the best by an interval that leaves 1 out, and by how much.
    pub next: Option<(String, Ratio)>,
    /// Its activity, where that is not its column's.
    pub own: Option<String>,
}

/// Who has the best median response, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Best {
    /// Better than each other.
    One(String),
    /// Not told apart from one another.
    Tie {
        /// Who.
        names: Vec<String>,
        /// Whether nobody else is there.
        of_all: bool,
    },
    /// The best so far, over too few valid repeats to say so.
    SoFar(String),
    /// Nobody can be compared with another.
    Unknown,
}

impl Best {
    fn of(at: &PointAnalysis) -> Self {
        let with = |wanted: fn(&Standing) -> bool| {
            let rows = at.rows.iter().filter(move |row| wanted(&row.p50.standing));
            rows.map(|row: &Row| row.mechanism.clone())
        };
        if let Some(name) = with(|standing| *standing == Standing::Winner).next() {
            return Self::One(name);
        }
        // Before the ties: they are ties with one that may not be the best.
        if let Some(name) = with(|standing| *standing == Standing::Leading).next() {
            return Self::SoFar(name);
        }
        let names: Vec<String> = with(|standing| matches!(standing, Standing::Tie(_))).collect();
        match names.len() {
            0 | 1 => Self::Unknown,
            several => Self::Tie { names, of_all: several == at.rows.len() },
        }
    }

    /// `epoll-lt`, `tie of 5`, `tie of all 7`, `epoll-lt ?`.
    pub fn in_short(&self) -> String {
        match self {
            Self::One(name) => name.clone(),
            Self::Tie { names, of_all: true } => format!("tie of all {}", names.len()),
            Self::Tie { names, of_all: false } => format!("tie of {}", names.len()),
            Self::SoFar(name) => format!("{name} ?"),
            Self::Unknown => "nothing to compare".to_owned(),
        }
    }
}

impl Place {
    fn of(at: &PointAnalysis) -> Self {
        let behind = at.rows.iter().filter_map(|row| match &row.p50.standing {
            Standing::Behind(ratio) => Some((row.mechanism.clone(), *ratio)),
            _ => None,
        });
        let next = behind.min_by(|a, b| a.1.summary.median.total_cmp(&b.1.summary.median));
        Self { point: at.point.clone(), best: Best::of(at), next, own: None }
    }

    /// `epoll-lt 1.8×`, `tie of 2 1.5×`, `epoll-lt ? (at 3.33%)`.
    pub fn text(&self) -> String {
        let by = self.next.as_ref().map(|(_, ratio)| format!(" {}", format::ratio_alone(ratio)));
        let own = self.own.as_ref().map(|own| format!(" (at {own})"));
        self.best.in_short() + &by.unwrap_or_default() + &own.unwrap_or_default()
    }
}

impl Map {
    /// The map of a campaign with something to compare, in which at least two numbers of connections were measured with at least
    /// two activities each; of the
    /// two ways to name activities, counts and shares, the one with fewer columns. A column that but one row has is given up where
    /// that row's place finds room in another.
    pub fn of(analysis: &Analysis<'_>) -> Option<Self> {
        analysis.campaign.plan.scenario.contenders().nth(1)?;
        let plain: Vec<&Point> = line::plain_points(analysis.campaign).collect();
        let at = |point: &Point| analysis.points.iter().find(|at| at.point == *point);
        let points: Vec<&PointAnalysis> = plain.into_iter().filter_map(at).collect();
        let by_count = |point: &Point| (u64::from(point.active), format::thousands(point.active.into()));
        let by_share = |point: &Point| {
            let share = (share(point) * 1e4).round();
            (share as u64, format::share(share / 1e4))
        };
        let counts = Self::with(&points, false, by_count);
        let shares = Self::with(&points, true, by_share);
        let map = if shares.columns.len() <= counts.columns.len() { shares } else { counts };
        let crossed = map.rows.iter().filter(|(_, places)| places.iter().flatten().count() > 1).count();
        (crossed > 1).then(|| map.condensed())
    }

    /// All that something is known of.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.rows.iter().flat_map(|(_, places)| places).flatten()
    }

    /// As a table for a terminal.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.header());
        for (number, places) in &self.rows {
            table.add_row(row(*number, places));
        }
        table.to_string().lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// As a table in Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| {
            format!("| {} |", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "))
        };
        let rule = format!("| ---: |{}", " --- |".repeat(self.columns.len()));
        let rows = self.rows.iter().map(|(number, places)| line(row(*number, places)));
        [line(self.header()), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }

    fn header(&self) -> Vec<String> {
        let columns = self.columns.iter().map(|column| format!("{column} active"));
        std::iter::once("connections".to_owned()).chain(columns).collect()
    }

    fn with(points: &[&PointAnalysis], is_share: bool, column: impl Fn(&Point) -> (u64, String)) -> Self {
        let mut columns: Vec<(u64, String)> = points.iter().map(|at| column(&at.point)).collect();
        columns.sort();
        columns.dedup();
        let mut numbers: Vec<u32> = points.iter().map(|at| at.point.connections).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let place = |number: u32, wanted: &(u64, String)| {
            let is_it = |at: &&&PointAnalysis| at.point.connections == number && column(&at.point) == *wanted;
            points.iter().find(is_it).map(|at| Place::of(at))
        };
        let row = |number: u32| (number, columns.iter().map(|wanted| place(number, wanted)).collect());
        let rows = numbers.into_iter().map(row).collect();
        Self { is_share, columns: columns.into_iter().map(|(_, name)| name).collect(), rows }
    }

    /// Without the columns that but one row has, if the places in them all find room in others.
    fn condensed(self) -> Self {
        let activity = |place: &Place| {
            if self.is_share { share(&place.point) } else { f64::from(place.point.active) }
        };
        let in_column =
            |column: usize| self.rows.iter().filter_map(move |(_, places)| places[column].as_ref());
        let common: Vec<usize> =
            (0..self.columns.len()).filter(|column| in_column(*column).count() > 1).collect();
        if common.len() < 2 {
            return self;
        }
        // What a column stands for is the same in all its rows, or nearly.
        let values: Vec<f64> =
            common.iter().filter_map(|column| in_column(*column).next()).map(activity).collect();
        let placed = |(_, places): &(u32, Vec<Option<Place>>)| {
            let wishes: Vec<f64> = places.iter().flatten().map(activity).collect();
            nearest(&wishes, &values, 0).map(|(_, columns)| columns)
        };
        let Some(placed) = self.rows.iter().map(placed).collect::<Option<Vec<_>>>() else { return self };
        let names = self.columns;
        let rows = self.rows.into_iter().zip(placed).map(|((number, places), columns)| {
            let mut row = vec![None; common.len()];
            let known = places.into_iter().enumerate().filter_map(|(from, place)| Some((from, place?)));
            for ((from, place), to) in known.zip(columns) {
                let own = (common[to] != from).then(|| names[from].clone());
                row[to] = Some(Place { own, ..place });
            }
            (number, row)
        });
        let rows = rows.collect();
        let columns = common.iter().map(|column| names[*column].clone()).collect();
        Self { is_share: self.is_share, columns, rows }
    }
}

fn share(point: &Point) -> f64 {
    f64::from(point.active) / f64::from(point.connections.max(1))
}

/// A place among `columns`, from `from` on, for each of `wishes`, in order, such that the sum of the factors between them is
/// least; `None` where there are too few.
fn nearest(wishes: &[f64], columns: &[f64], from: usize) -> Option<(f64, Vec<usize>)> {
    let Some((first, others)) = wishes.split_first() else { return Some((0.0, Vec::new())) };
    let tried = (from..columns.len()).filter_map(|at| {
        let (distance, mut places) = nearest(others, columns, at + 1)?;
        places.insert(0, at);
        Some((distance + (first / columns[at]).ln().abs(), places))
    });
    tried.min_by(|a, b| a.0.total_cmp(&b.0))
}

fn row(number: u32, places: &[Option<Place>]) -> Vec<String> {
    let told =
        places.iter().map(|place| place.as_ref().map_or_else(|| format::ABSENT.to_owned(), Place::text));
    std::iter::once(format::thousands(number.into())).chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossover::tests::grid;
    use crate::testing::{self, Shape};

    #[test]
    fn the_map_names_the_winner_of_each_point_and_what_it_is_ahead_by() {
        let campaign = grid(0.02);
        let map = Map::of(&Analysis::of(&campaign).expect("sound")).expect("two dimensions");
        assert_eq!(map.columns, ["10%", "100%"]);
        let numbers: Vec<u32> = map.rows.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [10, 100, 1_000]);
        let cell = |row: usize, column: usize| map.rows[row].1[column].as_ref().expect("measured").text();
        assert!(cell(0, 0).starts_with("poll 2."), "{}", cell(0, 0));
        assert!(cell(1, 0).starts_with("epoll-lt 2."), "{}", cell(1, 0));
        assert!(cell(1, 1).starts_with("poll 1."), "{}", cell(1, 1));
        let printed = map.text();
        assert!(printed.contains("│ 1,000       ┆ epoll-lt "), "{printed}");
        assert_eq!(map.markdown().lines().count(), 2 + 3);
        let noisy = grid(40.0);
        let map = Map::of(&Analysis::of(&noisy).expect("sound")).expect("two dimensions");
        assert_eq!(map.rows[2].1[1].as_ref().expect("measured").text(), "tie of all 2");
    }

    #[test]
    fn where_one_has_too_few_repeats_the_best_is_the_best_so_far_and_no_tie() {
        let points =
            [(10, 1), (10, 10), (100, 10), (100, 100)].map(|(all, few)| Point::new("grid", all, few));
        let mut campaign = testing::campaign(&["a", "b", "c"], &points, 6, |_, _, repeat| Shape {
            p50_ns: 30_000.0 * (1.0 + f64::from(repeat % 3) / 50.0),
            ..Shape::default()
        });
        let text = |campaign: &model::schema::Campaign| {
            let map = Map::of(&Analysis::of(campaign).expect("sound")).expect("two dimensions");
            map.rows[0].1[0].as_ref().expect("measured").text()
        };
        assert_eq!(text(&campaign), "tie of all 3");
        campaign.cells.retain(|cell| cell.mechanism != "c" || cell.repeat < 2);
        assert!(text(&campaign).ends_with(" ?"), "{}", text(&campaign));
    }

    #[test]
    fn a_place_whose_column_no_other_row_has_is_put_into_the_nearest_and_says_so() {
        let points = [(30, 1), (30, 30), (100, 1), (100, 100), (1_000, 10), (1_000, 1_000)];
        let points = points.map(|(all, few)| Point::new("grid", all, few));
        let campaign = testing::campaign(&["a", "b"], &points, 3, |_, _, _| Shape::default());
        let map = Map::of(&Analysis::of(&campaign).expect("sound")).expect("two dimensions");
        assert_eq!(map.columns, ["1%", "100%"]);
        let own: Vec<Option<&str>> = map.places().map(|place| place.own.as_deref()).collect();
        assert_eq!(own, [Some("3.33%"), None, None, None, None, None]);
        assert!(map.text().contains("(at 3.33%)"), "{}", map.text());
    }

    #[test]
    fn places_find_the_nearest_column_in_their_order() {
        let columns = [0.01, 0.05, 0.2, 0.5, 1.0];
        let places = |wishes: &[f64]| nearest(wishes, &columns, 0).map(|(_, places)| places);
        // One of ten, and two, five and all of them; one of thirty, and two.
        assert_eq!(places(&[0.1, 0.2, 0.5, 1.0]), Some(vec![1, 2, 3, 4]));
        assert_eq!(places(&[1.0 / 30.0, 2.0 / 30.0, 0.2, 0.5, 1.0]), Some(vec![0, 1, 2, 3, 4]));
        assert_eq!(places(&[0.1; 6]), None);
    }

    #[test]
    fn a_campaign_with_one_dimension_has_no_map() {
        let points = [10, 100].map(|all| Point::new("idle", all, 10));
        let campaign = testing::campaign(&["a", "b"], &points, 3, |_, _, _| Shape::default());
        assert_eq!(Map::of(&Analysis::of(&campaign).expect("sound")), None);
    }

    #[test]
    fn a_mechanism_alone_has_no_map() {
        let points =
            [(10, 1), (10, 10), (100, 10), (100, 100)].map(|(all, few)| Point::new("grid", all, few));
        let of = |names: &[&str]| testing::campaign(names, &points, 3, |_, _, _| Shape::default());
        assert!(Map::of(&Analysis::of(&of(&["a", "b"])).expect("sound")).is_some());
        assert_eq!(Map::of(&Analysis::of(&of(&["a"])).expect("sound")), None);
    }
}
