//! The points of a scenario: the product of what its sweeps list.

use std::ops::RangeInclusive;

use load_gen::plan::units::{self, Active};
use model::schema::{Point, Sweep};

use super::text::Mistakes;
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

/// The change that an entry of a list makes to a point.
type Setter = Box<dyn Fn(&mut Point)>;

/// The points of `sweeps`, in order, each once; what is wrong with them goes to `wrong`. `form` is what stands before
/// `sweep` in a key: nothing, or `quick.`.
pub fn of(sweeps: &[Sweep], form: &str, wrong: &mut Mistakes) -> Vec<Point> {
    let mut points = Vec::new();
    let faults = wrong.0.len();
    for (number, sweep) in sweeps.iter().enumerate() {
        for point in of_sweep(sweep, &format!("{form}sweep[{number}]"), wrong) {
            if !points.contains(&point) {
                points.push(point);
            }
        }
    }
    if points.is_empty() && wrong.0.len() == faults {
        wrong.note(format!("{form}sweep"), "no sweep has any connections");
    }
    points
}

/// Every combination of what the lists of one sweep hold; none where that is too much.
fn of_sweep(sweep: &Sweep, key: &str, wrong: &mut Mistakes) -> Vec<Point> {
    let mut read = Reader { key, wrong };
    let connections = read.all("connections", &sweep.connections, units::positive_count);
    let active: Vec<Active> = read.all("active", &sweep.active, str::parse);
    let axes = [
        read.counts("threads", &sweep.threads, THREADS, |point, threads| point.threads = threads),
        read.texts("accept", &sweep.accept, accept, |point, mode| point.accept = Some(mode)),
        read.texts("sizes", &sweep.sizes, units::size_bytes, |point, bytes| point.size_bytes = Some(bytes)),
        read.texts("rates", &sweep.rates, whole_rate, |point, per_s| point.rate_per_s = Some(per_s)),
        read.texts("churn", &sweep.churn, whole_rate, |point, per_s| point.churn_per_s = Some(per_s)),
        read.counts("slices_ms", &sweep.slices_ms, SLICE_MS, |point, ms| point.slice_ms = Some(ms)),
        read.counts("alive", &sweep.alive, ALIVE, |point, alive| point.alive = Some(alive)),
    ];
    // Repeated points are counted too.
    let lengths = axes.iter().map(Vec::len).chain([connections.len(), active.len()]);
    if lengths.fold(1, usize::saturating_mul) > POINTS_AT_MOST {
        wrong.note(key, format!("its lists make more than {POINTS_AT_MOST} points: shorten them"));
        return Vec::new();
    }
    let of_active = |&active: &Active| {
        connections.iter().map(move |&count| Point::new(sweep.name.as_str(), count, active.among(count)))
    };
    let points: Vec<Point> = active.iter().flat_map(of_active).collect();
    axes.iter().fold(points, |points, axis| each(&points, axis))
}

/// Every point with every entry of a list.
fn each(points: &[Point], axis: &[Setter]) -> Vec<Point> {
    let with = |mut point: Point, set: &Setter| {
        set(&mut point);
        point
    };
    points.iter().flat_map(|point| axis.iter().map(move |set| with(point.clone(), set))).collect()
}

/// Reads the lists of one sweep and notes what cannot be read.
struct Reader<'a> {
    key: &'a str,
    wrong: &'a mut Mistakes,
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

    fn texts<T: Clone + 'static>(
        &mut self,
        list: &str,
        texts: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
        set: fn(&mut Point, T),
    ) -> Vec<Setter> {
        let values = self.all(list, texts, parse);
        setters(values, texts.is_empty(), set)
    }

    fn counts(
        &mut self,
        list: &str,
        counts: &[u32],
        bounds: RangeInclusive<u32>,
        set: fn(&mut Point, u32),
    ) -> Vec<Setter> {
        for count in counts.iter().filter(|count| !bounds.contains(*count)) {
            let (least, most) = (bounds.start(), bounds.end());
            self.note(list, format!("{count} makes no sense: from {least} to {most}"));
        }
        setters(counts.to_vec(), counts.is_empty(), set)
    }

    fn note(&mut self, list: &str, reason: String) {
        self.wrong.note(format!("{}.{list}", self.key), reason);
    }
}

/// The setters of `values`, one each; of a list that is left out one entry, which leaves a point as it is.
fn setters<T: Clone + 'static>(values: Vec<T>, is_left_out: bool, set: fn(&mut Point, T)) -> Vec<Setter> {
    if is_left_out {
        return vec![Box::new(|_| ())];
    }
    let setter = |value: T| -> Setter { Box::new(move |point| set(point, value.clone())) };
    values.into_iter().map(setter).collect()
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
        let mut wrong = Mistakes::default();
        let points = of(&[sweep], "", &mut wrong);
        assert_eq!(wrong.0, []);
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
        let mut wrong = Mistakes::default();
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
            wrong.0.iter().filter(|mistake| mistake.key == format!("quick.sweep[1].{list}")).count()
        };
        let lists =
            ["connections", "active", "threads", "accept", "sizes", "rates", "churn", "slices_ms", "alive"];
        assert_eq!(lists.map(count), [2, 1, 2, 1, 2, 1, 1, 1, 1], "{wrong:?}");
    }
}
