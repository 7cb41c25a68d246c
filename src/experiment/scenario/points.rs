//! The points of a scenario: the product of what its sweeps list.

use std::ops::RangeInclusive;

use load_gen::plan::units::{self, Active};
use model::schema::{Point, Sweep};

use super::text::Mistake;
use crate::server::AcceptMode;
use clap::ValueEnum;

/// The most points of a sweep: what it lists is multiplied, and nobody measures for years.
const POINTS_AT_MOST: usize = 10_000;
/// Threads that a server is started with.
const THREADS: RangeInclusive<u32> = 1..=1024;
/// Shortest windows of a slice, in milliseconds.
const SLICE_MS: RangeInclusive<u32> = 1..=60_000;
/// Candidates that are alive at a time: one is the reference, and there is something to compare it with.
const ALIVE: RangeInclusive<u32> = 2..=1000;

/// The points of `sweeps`, in order, each once; what is wrong with them goes to `wrong`. `form` is what stands before
/// `sweep` in a key: nothing, or `quick.`.
pub fn of(sweeps: &[Sweep], form: &str, wrong: &mut Vec<Mistake>) -> Vec<Point> {
    let mut points = Vec::new();
    let faults = wrong.len();
    for (number, sweep) in sweeps.iter().enumerate() {
        let lists = Lists::read(sweep, &format!("{form}sweep[{number}]"), wrong);
        if lists.points() > POINTS_AT_MOST {
            let what = format!("its lists make more than {POINTS_AT_MOST} points: shorten them");
            wrong.push(Mistake::new(format!("{form}sweep[{number}]"), what));
            continue;
        }
        for point in lists.product(&sweep.name) {
            if !points.contains(&point) {
                points.push(point);
            }
        }
    }
    if points.is_empty() && wrong.len() == faults {
        wrong.push(Mistake::new(format!("{form}sweep"), "no sweep has any connections"));
    }
    points
}

/// What a sweep lists, read. A list that is left out has one entry, which says nothing.
struct Lists {
    connections: Vec<u32>,
    active: Vec<Active>,
    threads: Vec<u32>,
    accept: Vec<Option<String>>,
    sizes: Vec<Option<u32>>,
    rates: Vec<Option<u32>>,
    churn: Vec<Option<u32>>,
    slices_ms: Vec<Option<u32>>,
    alive: Vec<Option<u32>>,
}

impl Lists {
    fn read(sweep: &Sweep, key: &str, wrong: &mut Vec<Mistake>) -> Self {
        let mut read = Reader { key, wrong };
        Self {
            connections: read.all("connections", &sweep.connections, units::positive_count),
            active: read.all("active", &sweep.active, str::parse),
            threads: match &sweep.threads[..] {
                [] => vec![1],
                threads => read.counts("threads", threads, THREADS),
            },
            accept: read.optional("accept", &sweep.accept, accept),
            sizes: read.optional("sizes", &sweep.sizes, units::size_bytes),
            rates: read.optional("rates", &sweep.rates, whole_rate),
            churn: read.optional("churn", &sweep.churn, whole_rate),
            slices_ms: or_nothing(read.counts("slices_ms", &sweep.slices_ms, SLICE_MS)),
            alive: or_nothing(read.counts("alive", &sweep.alive, ALIVE)),
        }
    }

    /// How many points there are, repeated ones too.
    fn points(&self) -> usize {
        [self.active.len(), self.connections.len(), self.threads.len(), self.accept.len()]
            .into_iter()
            .chain([self.sizes.len(), self.rates.len(), self.churn.len()])
            .chain([self.slices_ms.len(), self.alive.len()])
            .fold(1, usize::saturating_mul)
    }

    fn product(&self, sweep: &str) -> Vec<Point> {
        let mut points = Vec::new();
        for &active in &self.active {
            for &connections in &self.connections {
                points.push(Point::new(sweep, connections, active.among(connections)));
            }
        }
        let points = each(points, &self.threads, |point, &threads| Point { threads, ..point });
        let points = each(points, &self.accept, |point, accept| Point { accept: accept.clone(), ..point });
        let points = each(points, &self.sizes, |point, &size_bytes| Point { size_bytes, ..point });
        let points = each(points, &self.rates, |point, &rate_per_s| Point { rate_per_s, ..point });
        let points = each(points, &self.churn, |point, &churn_per_s| Point { churn_per_s, ..point });
        let points = each(points, &self.slices_ms, |point, &slice_ms| Point { slice_ms, ..point });
        each(points, &self.alive, |point, &alive| Point { alive, ..point })
    }
}

/// Every point with every value.
fn each<T>(points: Vec<Point>, values: &[T], with: impl Fn(Point, &T) -> Point) -> Vec<Point> {
    points.iter().flat_map(|point| values.iter().map(|value| with(point.clone(), value))).collect()
}

/// A list of counts, of which one that is left out has one entry, which says nothing.
fn or_nothing(counts: Vec<u32>) -> Vec<Option<u32>> {
    if counts.is_empty() { vec![None] } else { counts.into_iter().map(Some).collect() }
}

/// Reads the lists of one sweep and notes what cannot be read.
struct Reader<'a> {
    key: &'a str,
    wrong: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    fn all<T>(&mut self, list: &str, texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let mut values = Vec::new();
        for text in texts {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(reason) => self.note(list, reason),
            }
        }
        values
    }

    fn optional<T>(
        &mut self,
        list: &str,
        texts: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<Option<T>> {
        match texts {
            [] => vec![None],
            texts => self.all(list, texts, parse).into_iter().map(Some).collect(),
        }
    }

    fn counts(&mut self, list: &str, counts: &[u32], bounds: RangeInclusive<u32>) -> Vec<u32> {
        for count in counts.iter().filter(|count| !bounds.contains(*count)) {
            let (least, most) = (bounds.start(), bounds.end());
            self.note(list, format!("{count} makes no sense: from {least} to {most}"));
        }
        counts.to_vec()
    }

    fn note(&mut self, list: &str, reason: String) {
        self.wrong.push(Mistake::new(format!("{}.{list}", self.key), reason));
    }
}

/// The name of a way to meet the listener.
fn accept(name: &str) -> Result<String, String> {
    let modes = || AcceptMode::value_variants().iter().map(ToString::to_string).collect::<Vec<_>>();
    <AcceptMode as ValueEnum>::from_str(name, false)
        .map(|mode| mode.to_string())
        .map_err(|_| format!("there is no '{name}'; choose from {}", modes().join(", ")))
}

/// A rate per second that is a whole number.
fn whole_rate(text: &str) -> Result<u32, String> {
    match units::rate(text)? {
        rate if rate.fract() == 0.0 => Ok(rate as u32),
        _ => Err(format!("'{text}' is not a whole number per second: write 500, or 20k")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep() -> Sweep {
        Sweep {
            name: "all".into(),
            connections: vec!["10".into(), "1k".into()],
            active: "10%".into(),
            threads: Vec::new(),
            accept: Vec::new(),
            sizes: Vec::new(),
            rates: Vec::new(),
            churn: Vec::new(),
            slices_ms: Vec::new(),
            alive: Vec::new(),
        }
    }

    fn points_of(sweep: Sweep) -> Vec<Point> {
        let mut wrong = Vec::new();
        let points = of(&[sweep], "", &mut wrong);
        assert_eq!(wrong, []);
        points
    }

    #[test]
    fn a_sweep_of_connections_is_a_point_for_each() {
        assert_eq!(points_of(sweep()), [Point::new("all", 10, 1), Point::new("all", 1000, 100)]);
    }

    #[test]
    fn the_points_are_the_product_of_all_lists() {
        let points = points_of(Sweep {
            threads: vec![1, 2],
            accept: vec!["shared".into(), "reuseport".into()],
            sizes: vec!["64".into(), "4k".into()],
            rates: vec!["2k".into(), "500".into()],
            churn: vec!["100".into()],
            slices_ms: vec![40, 80],
            alive: vec![2, 9],
            ..sweep()
        });
        assert_eq!(points.len(), 2 * 2 * 2 * 2 * 2 * 2 * 2);
        let last = Point {
            threads: 2,
            accept: Some("reuseport".into()),
            size_bytes: Some(4096),
            rate_per_s: Some(500),
            churn_per_s: Some(100),
            slice_ms: Some(80),
            alive: Some(9),
            ..Point::new("all", 1000, 100)
        };
        assert_eq!(points.last(), Some(&last));
    }

    #[test]
    fn counts_and_shares_that_come_to_the_same_are_one_point() {
        let active = serde_json::from_str(r#"["10", "100%", "50%"]"#).expect("a list");
        let points = points_of(Sweep { connections: vec!["10".into()], active, ..sweep() });
        assert_eq!(points, [Point::new("all", 10, 10), Point::new("all", 10, 5)]);
    }

    #[test]
    fn every_entry_that_cannot_be_read_is_named_with_its_key() {
        let mut wrong = Vec::new();
        let bad = Sweep {
            connections: vec!["many".into(), "0".into()],
            active: "0.05".into(),
            threads: vec![0, 2000],
            accept: vec!["private".into()],
            sizes: vec!["0".into(), "9G".into()],
            rates: vec!["0.5".into()],
            churn: vec!["-1".into()],
            slices_ms: vec![0],
            alive: vec![1],
            ..sweep()
        };
        of(&[sweep(), bad], "quick.", &mut wrong);
        let count = |list: &str| {
            wrong.iter().filter(|mistake| mistake.key == format!("quick.sweep[1].{list}")).count()
        };
        let lists =
            ["connections", "active", "threads", "accept", "sizes", "rates", "churn", "slices_ms", "alive"];
        assert_eq!(lists.map(count), [2, 1, 2, 1, 2, 1, 1, 1, 1], "{wrong:?}");
    }
}
