//! The cost of the instrument itself: each request of the generator pays for two or three of these operations.

mod support;

use std::hint::black_box;

use load_gen::plan::schedule::Schedule;
use model::histogram;
use model::schema::Arrivals;
use muxbench::experiment::environment::Pinning;
use sys::clock::now_ns;

use support::{At, Collector, criterion_on, timed};

/// Of what takes nanoseconds, so many are timed at once.
const A_CALL: u32 = 1_000;
const CONNECTIONS: u32 = 10_000;
const RATE_PER_S: f64 = 20_000.0;

fn main() {
    let pinning = Pinning::choose();
    let what = "one reading of the clock, one value recorded, one request drawn: a thousand at a time";
    let collector = Collector::new("overhead", what, 4);
    let mut criterion = criterion_on(pinning.generator);
    let at = |name: &'static str| At {
        id: name.to_owned(),
        mechanism: name,
        watched: 0,
        ready: 0,
        a_call: A_CALL,
    };
    let clock = |(): &mut ()| thousand(|_| _ = black_box(now_ns()));
    collector.point_at(&mut criterion, &at("clock"), || (), clock);

    // Values of a microsecond to a millisecond, as latencies are, so that the buckets are not all in one line of the cache.
    let record = |histogram: &mut histogram::Histogram| {
        thousand(|step| histogram.saturating_record(black_box(1_000 + step * 7_919 % 1_000_000)))
    };
    collector.point_at(&mut criterion, &at("histogram"), histogram::empty, record);

    for (name, arrivals) in [("schedule-poisson", Arrivals::Poisson), ("schedule-uniform", Arrivals::Uniform)]
    {
        let make = || Schedule::new(arrivals, RATE_PER_S, CONNECTIONS, schedule_random());
        let draw = |schedule: &mut Schedule| thousand(|_| _ = black_box(schedule.next()));
        collector.point_at(&mut criterion, &at(name), make, draw);
    }
    criterion.final_summary();
    collector.write();
}

/// Nanoseconds that [`A_CALL`] steps take.
fn thousand(step: impl FnMut(u64)) -> u64 {
    timed(|| (0..u64::from(A_CALL)).for_each(step)).1
}

fn schedule_random() -> rand_xoshiro::Xoshiro256PlusPlus {
    load_gen::plan::schedule::random(1, 0, 0)
}
