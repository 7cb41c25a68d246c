//! The counters that a worker shows to others while it runs, without a lock and without waiting.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::record::observer::Recent;

/// Sub-buckets per power of two of the live histogram: good for a progress line (6 %), not for a result.
const SUB_BUCKETS: usize = 16;
/// Buckets of a live histogram.
pub const BUCKETS: usize = 64 * SUB_BUCKETS;

/// Counters with a single writer, the worker, and any reader. Those of two workers share no cache line; processors fetch lines in
/// pairs, hence 128.
#[derive(Default)]
#[repr(align(128))]
pub struct Live {
    /// Connections opened.
    pub opened: AtomicU64,
    /// Requests that fell due.
    pub due: AtomicU64,
    /// Requests answered.
    pub answered: AtomicU64,
    /// Requests that failed.
    pub failed: AtomicU64,
    /// Nanoseconds spent spinning with nothing to do.
    pub idle_ns: AtomicU64,
    /// The worker's thread id, once it runs.
    pub thread_id: AtomicU64,
    /// Latencies for a progress line, if anybody watches.
    pub latencies: Option<LiveLatencies>,
}

/// Response and service times, side by side; closed loop has no response.
#[derive(Default)]
pub struct LiveLatencies {
    response: LiveHistogram,
    service: LiveHistogram,
}

impl LiveLatencies {
    /// Records what one request took.
    #[inline]
    pub fn record(&self, response_ns: Option<u64>, service_ns: u64) {
        if let Some(response_ns) = response_ns {
            self.response.record(response_ns);
        }
        self.service.record(service_ns);
    }
}

/// The live latencies of several workers at one moment.
pub struct LatencyCounts {
    response: Vec<u64>,
    service: Vec<u64>,
}

impl Default for LatencyCounts {
    fn default() -> Self {
        Self { response: counts(), service: counts() }
    }
}

impl LatencyCounts {
    /// The present counts, summed over all workers.
    pub fn now<'a>(workers: impl Iterator<Item = &'a Live>) -> Self {
        let mut now = Self::default();
        for latencies in workers.filter_map(|live| live.latencies.as_ref()) {
            latencies.response.add_to(&mut now.response);
            latencies.service.add_to(&mut now.service);
        }
        now
    }

    /// Response and service times of what was recorded since `earlier`.
    pub fn since(&self, earlier: &Self) -> (Recent, Recent) {
        let recent = |earlier: &[u64], now: &[u64]| Recent {
            p50_ns: quantile_between(earlier, now, 0.5),
            p99_ns: quantile_between(earlier, now, 0.99),
            max_ns: quantile_between(earlier, now, 1.0),
        };
        (recent(&earlier.response, &self.response), recent(&earlier.service, &self.service))
    }
}

/// Adds to a counter that only the calling thread writes: a plain load and store, no locked instruction.
#[inline]
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed) + amount, Relaxed);
}

/// A coarse histogram that can be read while it is written.
pub struct LiveHistogram(Box<[AtomicU64]>);

impl Default for LiveHistogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl LiveHistogram {
    /// Records a duration.
    #[inline]
    pub fn record(&self, value_ns: u64) {
        add(&self.0[bucket(value_ns)], 1);
    }

    /// Adds the present counts to `total`, which has [`counts`] entries.
    pub fn add_to(&self, total: &mut [u64]) {
        for (sum, count) in total.iter_mut().zip(&self.0) {
            *sum += count.load(Relaxed);
        }
    }
}

/// Zeroed counts to read live histograms into.
pub fn counts() -> Vec<u64> {
    vec![0; BUCKETS]
}

/// The lower edge of the bucket at `quantile` (0 to 1) of what was recorded between two readings.
pub fn quantile_between(earlier: &[u64], later: &[u64], quantile: f64) -> Option<u64> {
    let gained = || later.iter().zip(earlier).map(|(later, earlier)| later - earlier);
    let total: u64 = gained().sum();
    let rank = (quantile * total as f64).ceil().max(1.0) as u64;
    let mut seen = 0;
    gained()
        .position(|count| {
            seen += count;
            total > 0 && seen >= rank
        })
        .map(lower_edge)
}

/// The median of non-empty counts, between the edges of its bucket as if what is in there were spread evenly.
pub fn median(counts: &[u64]) -> f64 {
    let half = counts.iter().sum::<u64>() as f64 / 2.0;
    let mut before = 0.0;
    for (bucket, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let count = count as f64;
        if before + count >= half {
            let (edge, next) = (lower_edge(bucket) as f64, lower_edge(bucket + 1) as f64);
            return edge + (next - edge) * (half - before) / count;
        }
        before += count;
    }
    0.0
}

/// The bucket of a value.
#[inline]
pub fn bucket(value: u64) -> usize {
    if value < SUB_BUCKETS as u64 {
        return value as usize;
    }
    let power = value.ilog2() as usize;
    let within = (value >> (power - SUB_BUCKETS.ilog2() as usize)) as usize - SUB_BUCKETS;
    (power - SUB_BUCKETS.ilog2() as usize + 1) * SUB_BUCKETS + within
}

fn lower_edge(bucket: usize) -> u64 {
    if bucket < SUB_BUCKETS {
        return bucket as u64;
    }
    let (shift, within) = (bucket / SUB_BUCKETS - 1, bucket % SUB_BUCKETS);
    ((SUB_BUCKETS + within) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_at_most_a_sixteenth_above_the_edge_of_its_bucket(value: u64) {
            let edge = lower_edge(bucket(value));
            prop_assert!(edge <= value);
            prop_assert!(value - edge <= value / SUB_BUCKETS as u64);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_interval_between_two_readings() {
        let live = LiveHistogram::default();
        (0..100).for_each(|_| live.record(1_000_000));
        let mut earlier = counts();
        live.add_to(&mut earlier);
        (0..90).for_each(|_| live.record(100));
        (0..10).for_each(|_| live.record(200));
        let mut later = counts();
        live.add_to(&mut later);
        assert_eq!(quantile_between(&earlier, &later, 0.5), Some(100));
        assert_eq!(quantile_between(&earlier, &later, 0.99), Some(200));
        assert_eq!(quantile_between(&later, &later, 0.5), None);
    }

    #[test]
    fn response_and_service_are_told_apart_and_added_over_the_workers() {
        let worker = |response_ns, service_ns| {
            let live = Live { latencies: Some(LiveLatencies::default()), ..Live::default() };
            live.latencies.as_ref().expect("just made").record(response_ns, service_ns);
            live
        };
        let workers = [worker(Some(1 << 20), 1 << 10), worker(Some(1 << 21), 1 << 11), worker(None, 1 << 12)];
        let (response, service) = LatencyCounts::now(workers.iter()).since(&LatencyCounts::default());
        let recent =
            |p50_ns, max_ns| Recent { p50_ns: Some(p50_ns), p99_ns: Some(max_ns), max_ns: Some(max_ns) };
        assert_eq!(response, recent(1 << 20, 1 << 21));
        assert_eq!(service, recent(1 << 11, 1 << 12));
    }
}
