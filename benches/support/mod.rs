//! The code that the benches share: timing single calls inside criterion's loop, and keeping them as a result file.

// Each bench has its own copy of this module and uses what it needs of it.
#![allow(dead_code)]

pub mod eventfds;

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use criterion::Criterion;
use model::histogram::{self, Histogram};
use model::schema::{BenchGroup, BenchPoint, Environment, Latency, ResultFile, SCHEMA_VERSION};
use muxbench::experiment::environment::{self, Pinning};
use stats::Level;
use sys::clock::now_ns;
use sys::processors;

const WARM_UP: Duration = Duration::from_millis(500);
const MEASUREMENT: Duration = Duration::from_millis(2_500);
const SAMPLES: usize = 30;

/// Criterion as the command line asks, on processor `cpu`: after the collectors are made, which describe the machine.
pub fn criterion_on(cpu: Option<u32>) -> Criterion {
    if let Some(cpu) = cpu {
        processors::pin_to(&[cpu]).expect("an allowed processor");
    }
    Criterion::default().configure_from_args()
}

/// Collects the points of one group while criterion measures them.
pub struct Collector {
    group: &'static str,
    what: &'static str,
    started: SystemTime,
    planned: usize,
    environment: Environment,
    points: RefCell<Vec<BenchPoint>>,
}

/// The parameters of a point.
pub struct At<'a> {
    /// Its name for criterion.
    pub id: String,
    /// The mechanism, or what else is measured.
    pub mechanism: &'a str,
    /// Descriptors watched.
    pub watched: u32,
    /// Of those, the ones that are ready in each call.
    pub ready: u32,
    /// The number of operations that are timed together: more than one where a single one is too short to be timed.
    pub a_call: u32,
}

/// The calls of one point: each timed on its own, in the run that criterion measures.
pub struct Calls {
    first: Option<Instant>,
    batches_ns: Vec<f64>,
    singles: Histogram,
}

impl Calls {
    /// Runs `call` `iterations` times for criterion; `call` returns the nanoseconds of its timed part.
    pub fn batch(&mut self, iterations: u64, mut call: impl FnMut() -> u64) -> Duration {
        let warm = self.first.get_or_insert_with(Instant::now).elapsed() > WARM_UP;
        let mut total_ns = 0;
        for _ in 0..iterations {
            let single_ns = call();
            total_ns += single_ns;
            if warm {
                self.singles.saturating_record(single_ns);
            }
        }
        if warm {
            self.batches_ns.push(total_ns as f64 / iterations as f64);
        }
        Duration::from_nanos(total_ns)
    }
}

impl Collector {
    /// A collector of `planned` points; made before anything is pinned, since it describes the machine.
    pub fn new(group: &'static str, what: &'static str, planned: usize) -> Self {
        let environment = environment::capture(&Pinning::choose());
        Self { group, what, started: SystemTime::now(), planned, environment, points: RefCell::default() }
    }

    /// Measures one point under criterion, with one descriptor ready; `make` sets it up, and only if a filter does not
    /// leave it out.
    pub fn point<S, F>(
        &self,
        criterion: &mut Criterion,
        mechanism: &str,
        watched: u32,
        make: impl Fn() -> S,
        call: F,
    ) where
        F: FnMut(&mut S) -> u64,
    {
        let at = At { id: format!("{mechanism}/{watched}"), mechanism, watched, ready: 1, a_call: 1 };
        self.point_at(criterion, &at, make, call);
    }

    /// As [`point`](Self::point), anywhere.
    pub fn point_at<S, F>(&self, criterion: &mut Criterion, at: &At<'_>, make: impl Fn() -> S, mut call: F)
    where
        F: FnMut(&mut S) -> u64,
    {
        let mut calls = Calls { first: None, batches_ns: Vec::new(), singles: histogram::empty() };
        let mut state = None;
        let mut group = criterion.benchmark_group(self.group);
        group.warm_up_time(WARM_UP).measurement_time(MEASUREMENT).sample_size(SAMPLES);
        group.bench_function(&at.id, |bencher| {
            let state = state.get_or_insert_with(&make);
            bencher.iter_custom(|iterations| calls.batch(iterations, || call(state)));
        });
        group.finish();
        let level = stats::of_repeats(&calls.batches_ns).filter(|_| calls.batches_ns.len() >= SAMPLES);
        if let Some(Level { value, interval }) = level {
            self.points.borrow_mut().push(BenchPoint {
                mechanism: at.mechanism.to_owned(),
                watched: at.watched,
                ready: at.ready,
                batches: calls.batches_ns.len() as u32,
                median_ns: value / f64::from(at.a_call),
                low_ns: interval.low / f64::from(at.a_call),
                high_ns: interval.high / f64::from(at.a_call),
                calls: Latency::of(&calls.singles),
            });
        }
    }

    /// Writes `results/bench/<group>.json`, if every point was measured: a run that a filter narrowed must
    /// not take the place of a whole one.
    pub fn write(self) {
        let points = self.points.into_inner();
        let path = Path::new("results/bench").join(format!("{}.json", self.group));
        if points.len() < self.planned {
            eprintln!(
                "{}: {} of {} points measured: {} is left as it is",
                self.group,
                points.len(),
                self.planned,
                path.display()
            );
            return;
        }
        let file = ResultFile::Bench(BenchGroup {
            schema_version: SCHEMA_VERSION,
            group: self.group.to_owned(),
            what: self.what.to_owned(),
            started: humantime::format_rfc3339_seconds(self.started).to_string(),
            environment: self.environment,
            points,
        });
        let written = std::fs::create_dir_all("results/bench")
            .map_err(|error| error.to_string())
            .and_then(|()| serde_json::to_vec(&file).map_err(|error| error.to_string()))
            .and_then(|text| model::files::write_atomically(&path, &text).map_err(|error| error.to_string()));
        match written {
            Ok(()) => eprintln!("{}: written {}", self.group, path.display()),
            Err(error) => panic!("{}: {error}", self.group),
        }
    }
}

/// Nanoseconds that `call` takes, with one reading of the clock.
#[inline]
pub fn timed<T>(call: impl FnOnce() -> T) -> (T, u64) {
    let begin_ns = now_ns();
    let outcome = call();
    (outcome, now_ns() - begin_ns)
}
