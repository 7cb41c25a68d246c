//! Campaigns that are made up: what a host does to slices, at its worst.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Pareto, StandardNormal, StudentT};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Proportion;

/// Noise of a host, reproducible.
pub struct Noise(Xoshiro256PlusPlus);

/// The properties of a made-up campaign.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    pub starts: usize,
    pub rounds: usize,
    /// The reference is the first, its twin the second.
    pub candidates: usize,
    /// The standard deviation of a candidate's level between starts, the least and the most that a candidate has.
    pub starts_differ: (f64, f64),
    /// The tails go up alone, as disturbances do.
    pub one_sided: bool,
    /// The greatest factor between the noise of two candidates.
    pub unequal: f64,
    /// The standard deviation of each candidate's own drift from round to round, of which a fifth is forgotten each time.
    pub drift: f64,
    /// The factor of the last candidate's noise beside it.
    pub loud: f64,
}

impl Campaign {
    /// Starts that differ by 2 %, equally noisy candidates.
    pub const PLAIN: Self = Self {
        starts: 6,
        rounds: 10,
        candidates: 9,
        starts_differ: (0.02, 0.02),
        one_sided: false,
        unequal: 1.0,
        drift: 0.0,
        loud: 1.0,
    };
    /// Each candidate's starts differ by 0.5-3 %, it has a drift of its own of 3 %, noise differs up to 2.7 times and has one tail.
    pub const WORST: Self =
        Self { starts_differ: (0.005, 0.03), one_sided: true, unequal: 2.7, drift: 0.03, ..Self::PLAIN };
}

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    pub fn uniform(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.0.random::<f64>()
    }

    /// Noise of a logarithm with tails on both sides: 5 %, of one in five 8 % times Student's t with two degrees of freedom, which has no
    /// variance.
    pub fn tail(&mut self) -> f64 {
        match self.0.random::<f64>() < 0.8 {
            true => 0.05 * self.normal(),
            false => 0.08 * StudentT::new(2.0).expect("two").sample(&mut self.0),
        }
    }

    /// The same with Pareto's tail, upwards alone, of index 2.
    pub fn one_sided_tail(&mut self) -> f64 {
        match self.0.random::<f64>() < 0.8 {
            true => 0.05 * self.normal(),
            false => 0.06 * (Pareto::new(1.0, 2.0).expect("an index").sample(&mut self.0) - 1.0),
        }
    }

    /// Values by start, round and candidate: equal candidates but for the factors of `truth`, on a host that drifts, and disturbs one
    /// candidate in every tenth round by 1.5-3 times.
    pub fn campaign(&mut self, of: Campaign, truth: &[f64]) -> Vec<Vec<Vec<Option<f64>>>> {
        let candidates = 0..of.candidates;
        let mut loudness: Vec<f64> =
            candidates.clone().map(|_| of.unequal.powf(self.uniform(-0.5, 0.5))).collect();
        loudness[of.candidates - 1] *= of.loud;
        let spread: Vec<f64> =
            candidates.clone().map(|_| self.uniform(of.starts_differ.0, of.starts_differ.1)).collect();
        let mut host = 0.0;
        let start = |_| {
            let starts: Vec<f64> = spread.iter().map(|spread| spread * self.normal()).collect();
            let mut own: Vec<f64> = starts.iter().map(|_| of.drift * self.normal()).collect();
            let round = |_| {
                host += 0.02 * self.normal();
                own.iter_mut().for_each(|own| *own = 0.8 * *own + 0.6 * of.drift * self.normal());
                let is_disturbed = self.uniform(0.0, 1.0) < 0.1;
                let disturbed = is_disturbed.then(|| self.uniform(0.0, of.candidates as f64) as usize);
                let value = |at: usize| {
                    let noise = if of.one_sided { self.one_sided_tail() } else { self.tail() };
                    let disturbance = if disturbed == Some(at) { self.uniform(1.5, 3.0) } else { 1.0 };
                    let truth = truth.get(at).copied().unwrap_or(1.0);
                    Some(
                        50e3 * truth
                            * disturbance
                            * (host + starts[at] + own[at] + loudness[at] * noise).exp(),
                    )
                };
                candidates.clone().map(value).collect()
            };
            (0..of.rounds).map(round).collect()
        };
        (0..of.starts).map(start).collect()
    }
}

/// The share of `cases` in which something happens; ten times as many if MUXBENCH_SIMULATE is set.
pub fn rate(cases: u64, mut happens: impl FnMut() -> bool) -> Proportion {
    let cases = if std::env::var_os("MUXBENCH_SIMULATE").is_some() { 10 * cases } else { cases };
    let hits = (0..cases).filter(|_| happens()).count() as u64;
    Proportion::of(hits, cases).expect("cases")
}
