//! The schedule of requests in open loop: when each falls due, and on which connection.

use model::schema::Arrivals;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The name of the random generator, as results state it.
pub const GENERATOR: &str = "xoshiro256++";

/// The purpose of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The instants at which requests fall due, and their connections.
    Arrivals,
    /// The lengths of requests.
    Sizes,
    /// The lengths of the connections' pauses.
    Thinking,
    /// The connections that become active.
    Rotation,
    /// The connections that are replaced, and the instants.
    Churn,
}

impl Purpose {
    /// The number of purposes.
    const COUNT: u64 = 5;
}

/// The random generator for [`Purpose::Arrivals`].
pub fn random(seed: u64, shard: u32, stream: u32) -> Xoshiro256PlusPlus {
    random_for(Purpose::Arrivals, seed, shard, stream)
}

/// A random generator for one purpose of one worker of one shard, counted from 0: the same seed gives the same run, and
/// no two purposes, workers or shards share a sequence. What is no shard is shard 0.
pub fn random_for(purpose: Purpose, seed: u64, shard: u32, stream: u32) -> Xoshiro256PlusPlus {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for _ in 0..u64::from(shard) * Purpose::COUNT + purpose as u64 {
        // Each long jump skips 2^192 numbers, which is 2^64 streams: no stream of one shard or purpose is one of another.
        random.long_jump();
    }
    for _ in 0..stream {
        // Each jump skips 2^128 numbers: streams cannot overlap.
        random.jump();
    }
    random
}

/// A request that falls due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// The instant, in nanoseconds since the schedule began.
    pub at_ns: u64,
    /// On which connection, as an index into the worker's active ones.
    pub connection: u32,
}

/// An endless sequence of requests at a constant mean rate.
///
/// Poisson: exponential gaps and a random connection each, which makes every single connection a Poisson
/// process too. Uniform: equal gaps, connections in turn in a shuffled order, so that each connection
/// has a constant period and no two share a phase.
pub struct Schedule {
    mean_gap_ns: f64,
    gaps: Option<Exp<f64>>,
    next_ns: f64,
    random: Xoshiro256PlusPlus,
    order: Vec<u32>,
    turn: usize,
}

impl Schedule {
    /// A schedule over `connections` connections with `rate_per_s` requests per second in all.
    ///
    /// # Panics
    ///
    /// When there is no connection, or the rate is not positive.
    pub fn new(
        arrivals: Arrivals,
        rate_per_s: f64,
        connections: u32,
        mut random: Xoshiro256PlusPlus,
    ) -> Self {
        assert!(connections > 0 && rate_per_s > 0.0, "a schedule needs connections and a rate");
        let mean_gap_ns = 1e9 / rate_per_s;
        let mut order: Vec<u32> = (0..connections).collect();
        order.shuffle(&mut random);
        let gaps = match arrivals {
            Arrivals::Poisson => Some(Exp::new(1.0).expect("one is positive")),
            Arrivals::Uniform => None,
        };
        let mut schedule = Self { mean_gap_ns, gaps, next_ns: 0.0, random, order, turn: 0 };
        // A random first instant keeps several workers from beating in step.
        schedule.next_ns = schedule.random.random::<f64>() * mean_gap_ns;
        schedule
    }

    /// Returns how many requests after the last one that was drawn fall due from `begin_ns` on and before `end_ns`, in
    /// nanoseconds since the schedule began, without drawing them one by one.
    ///
    /// A Poisson process has no memory: after a request that has been drawn, the number in a span is a Poisson number
    /// of the span's mean, independent of any other span. So each span may be asked for once, and nothing drawn after.
    pub fn count_between(&mut self, begin_ns: u64, end_ns: u64) -> u64 {
        if begin_ns >= end_ns {
            return 0;
        }
        if self.gaps.is_some() {
            let mean = (end_ns - begin_ns) as f64 / self.mean_gap_ns;
            return Poisson::new(mean).map_or(0, |number| number.sample(&mut self.random) as u64);
        }
        let before = |at_ns: u64| ((at_ns as f64 - self.next_ns) / self.mean_gap_ns).ceil().max(0.0);
        (before(end_ns) - before(begin_ns)) as u64
    }
}

impl Iterator for Schedule {
    type Item = Due;

    #[inline]
    fn next(&mut self) -> Option<Due> {
        let at_ns = self.next_ns as u64;
        let (gap, slot) = match &self.gaps {
            Some(exponential) => {
                (exponential.sample(&mut self.random), self.random.random_range(0..self.order.len()))
            }
            None => {
                self.turn = if self.turn + 1 == self.order.len() { 0 } else { self.turn + 1 };
                (1.0, self.turn)
            }
        };
        self.next_ns += gap * self.mean_gap_ns;
        Some(Due { at_ns, connection: self.order[slot] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(arrivals: Arrivals, rate: f64, connections: u32, seed: u64) -> Schedule {
        Schedule::new(arrivals, rate, connections, random(seed, 0, 0))
    }

    fn gaps(schedule: Schedule, count: usize) -> Vec<f64> {
        let instants: Vec<u64> = schedule.take(count + 1).map(|due| due.at_ns).collect();
        instants.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect()
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        assert_exponential(gaps(schedule(Arrivals::Poisson, 10_000.0, 50, 1), 20_000), 100_000.0);
    }

    /// Kolmogorov-Smirnov against 1 - exp(-x/mean): at n = 20,000 the 0.1 % critical value is
    /// 1.95 / sqrt(n) = 0.0138. Seeds are fixed, so this either holds or never does.
    fn assert_exponential(mut gaps: Vec<f64>, mean_ns: f64) {
        gaps.sort_by(f64::total_cmp);
        let count = gaps.len() as f64;
        let distance = gaps
            .iter()
            .enumerate()
            .map(|(rank, gap)| {
                let expected = 1.0 - (-gap / mean_ns).exp();
                (expected - rank as f64 / count).abs().max((expected - (rank + 1) as f64 / count).abs())
            })
            .fold(0.0, f64::max);
        assert!(gaps.len() > 19_000 && distance < 0.0138, "distance {distance} of {}", gaps.len());
    }

    #[test]
    fn the_shards_of_a_poisson_process_are_together_one_again() {
        let shards = (0..3).map(|shard| {
            let schedule = Schedule::new(Arrivals::Poisson, 10_000.0 / 3.0, 17, random(1, shard, 0));
            schedule.map(|due| due.at_ns).take_while(|&at_ns| at_ns < 2_000_000_000)
        });
        let mut instants: Vec<u64> = shards.flatten().collect();
        instants.sort_unstable();
        let gaps = instants.windows(2).map(|pair| (pair[1] - pair[0]) as f64);
        assert_exponential(gaps.collect(), 100_000.0);
    }

    #[test]
    fn poisson_requests_fall_on_all_connections_alike() {
        let mut hits = [0_u32; 20];
        for due in schedule(Arrivals::Poisson, 1_000.0, 20, 2).take(20_000) {
            hits[due.connection as usize] += 1;
        }
        // Chi-squared with 19 degrees of freedom: 43.8 is its 99.9th percentile.
        let chi_squared: f64 = hits.iter().map(|&hits| (f64::from(hits) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi_squared < 43.8, "{chi_squared}");
    }

    #[test]
    fn uniform_requests_come_at_equal_gaps_and_each_connection_in_turn() {
        assert!(
            gaps(schedule(Arrivals::Uniform, 1_000.0, 7, 3), 100).iter().all(|gap| (gap - 1e6).abs() <= 1.0)
        );
        let mut first_round: Vec<u32> =
            schedule(Arrivals::Uniform, 1_000.0, 7, 3).take(7).map(|due| due.connection).collect();
        first_round.sort_unstable();
        assert_eq!(first_round, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_stream_another() {
        let take = |stream| {
            Schedule::new(Arrivals::Poisson, 1_000.0, 10, random(4, 0, stream)).take(50).collect::<Vec<_>>()
        };
        assert_eq!(take(0), take(0));
        assert_ne!(take(0), take(1));
        let first = |shard, stream| random(4, shard, stream).random::<u64>();
        let mut firsts: Vec<u64> =
            (0..20).flat_map(|shard| (0..20).map(move |stream| first(shard, stream))).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 400, "no shard shares a stream with another");
    }

    #[test]
    fn equal_gaps_are_counted_as_they_would_be_drawn() {
        for drawn in [1, 2, 500] {
            let mut counted = schedule(Arrivals::Uniform, 1_234.5, 7, 3);
            let last = counted.by_ref().take(drawn).last().expect("endless");
            let rest: Vec<u64> = schedule(Arrivals::Uniform, 1_234.5, 7, 3)
                .skip(drawn)
                .take(5_000)
                .map(|due| due.at_ns)
                .collect();
            for (begin_ns, end_ns) in
                [(0, 1), (0, 1_000_000_000), (last.at_ns, 2_000_000_000), (700_000_001, 3_000_000_000)]
            {
                let inside = rest.iter().filter(|&&at_ns| begin_ns <= at_ns && at_ns < end_ns).count() as u64;
                assert_eq!(
                    counted.count_between(begin_ns, end_ns),
                    inside,
                    "{begin_ns} to {end_ns} after {drawn}"
                );
            }
        }
    }

    /// Counts of 1,000 spans have the mean and the variance of a Poisson number, whether its mean is small or large: the
    /// sum of a thousand has a standard deviation of sqrt(1,000 mean), their variance one of about mean * sqrt(2 / 1,000).
    #[test]
    fn a_poisson_schedule_counts_as_a_poisson_process_does() {
        for mean in [0.5, 20.0, 1e9] {
            let mut schedule = schedule(Arrivals::Poisson, mean * 1e3, 10, 6);
            let counts: Vec<f64> = (0..1_000)
                .map(|span| schedule.count_between(span * 1_000_000, (span + 1) * 1_000_000) as f64)
                .collect();
            let average = counts.iter().sum::<f64>() / 1e3;
            let variance = counts.iter().map(|count| (count - average).powi(2)).sum::<f64>() / 999.0;
            assert!((average - mean).abs() < 4.0 * (mean / 1e3).sqrt(), "{average} of {mean}");
            assert!((variance / mean - 1.0).abs() < 0.25, "{variance} of {mean}");
        }
        let counts = || {
            let mut schedule = schedule(Arrivals::Poisson, 1e9, 10, 7);
            (schedule.nth(99), schedule.count_between(1_000_000_000, 2_000_000_000))
        };
        assert_eq!(counts(), counts(), "the seed decides");
    }

    #[test]
    fn the_rate_is_kept_over_a_long_time() {
        let last = schedule(Arrivals::Poisson, 50_000.0, 10, 5).nth(1_000_000).expect("endless");
        // The sum of 10^6 exponential gaps has a standard deviation of 0.1 %.
        assert!((last.at_ns as f64 / 20e9 - 1.0).abs() < 0.004, "{}", last.at_ns);
    }
}
