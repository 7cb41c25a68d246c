//! One start of a group of candidates: all of them alive at once, and rounds until the time of the start is over.

use std::time::{Duration, Instant};

use model::campaign::{Phase, Round, Start, Started};
use model::schema::{Arrivals, LoadMode, Point, Rounds, WaitPolicy};
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::server::Place;
use super::candidate::{Candidate, Shape};

/// Requests per connection that a window is long enough for.
const REQUESTS_PER_CONNECTION: f64 = 20.0;
/// Requests per connection before a window, which warm the caches.
const WARMUP_PER_CONNECTION: f64 = 3.0;
/// The longest window, whatever the connections need.
const LONGEST_WINDOW_S: f64 = 0.5;
/// The windows of a light round are longer: few requests fall due in them.
const LIGHT_TIMES: f64 = 2.0;

/// What a start is given.
pub struct Task<'a> {
    /// Its numbers; its candidates are added here.
    pub start: Start,
    /// Where.
    pub point: &'a Point,
    /// Who.
    pub group: &'a [String],
    /// How.
    pub rounds: &'a Rounds,
    /// When its time is over.
    pub until: Instant,
    /// The busy rate, in requests per second, where an earlier start has found it.
    pub busy_per_s: Option<f64>,
    /// Random order.
    pub random: Xoshiro256PlusPlus,
    /// The seed of the arrivals.
    pub seed: u64,
    /// When the campaign began, on this process's clock.
    pub campaign_began: Instant,
}

/// What hears of a start while it goes on.
pub trait Keeper {
    /// Everything is open, or could not be; and again when everything is closed.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    fn start(&mut self, start: &Start) -> Result<(), super::CampaignError>;

    /// A round has ended.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    fn round(&mut self, round: Round) -> Result<(), super::CampaignError>;
}

/// Candidates that are alive, and those that are not any more.
struct Alive {
    candidates: Vec<Candidate>,
    gone: Vec<Started>,
}

impl Task<'_> {
    /// Starts everything, makes rounds, and closes everything. Ends early when the campaign is to end, or nobody is left to compare.
    ///
    /// # Errors
    ///
    /// When something cannot be kept.
    pub fn run(mut self, place: &Place<'_>, keeper: &mut dyn Keeper) -> Result<(), super::CampaignError> {
        let mut alive = self.open(place);
        self.start.candidates = alive.so_far();
        keeper.start(&self.start)?;
        let outcome = self.rounds(&mut alive, place, keeper);
        self.start.complete = !super::is_stopped(place);
        let Alive { candidates, mut gone } = alive;
        gone.extend(candidates.into_iter().map(|candidate| candidate.close(None, place)));
        gone.sort_by_key(|started| self.group.iter().position(|name| *name == started.candidate));
        self.start.candidates = gone;
        // What could not be kept is told; what has been kept is worth its end all the same.
        let kept = keeper.start(&self.start);
        outcome.and(kept)
    }

    /// Starts all candidates, in random order.
    fn open(&mut self, place: &Place<'_>) -> Alive {
        let mut order: Vec<&String> = self.group.iter().collect();
        order.shuffle(&mut self.random);
        let mut alive = Alive { candidates: Vec::new(), gone: Vec::new() };
        for name in order {
            if super::is_stopped(place) {
                break;
            }
            match Candidate::start(name, self.point, place, self.seed) {
                Ok(candidate) => alive.candidates.push(candidate),
                Err(failed) => alive.gone.push(*failed),
            }
        }
        alive
    }

    fn rounds(
        &mut self,
        alive: &mut Alive,
        place: &Place<'_>,
        keeper: &mut dyn Keeper,
    ) -> Result<(), super::CampaignError> {
        // Every candidate is cold, and nobody knows yet how long a window has to be.
        for _ in 0..if self.busy_per_s.is_none() { 2 } else { 1 } {
            let shape = self.shape(Phase::Saturation, alive, place);
            let _ = self.round(Phase::Saturation, shape, alive, place);
        }
        if self.busy_per_s.is_none() {
            self.busy_per_s = self.reference(alive).map(|per_s| rounded(per_s * self.rounds.busy_share));
        }
        for number in 0.. {
            let phase = [Phase::Saturation, Phase::Light, Phase::Busy][number as usize % 3];
            // Each phase is measured at least once, whatever the time.
            if super::is_stopped(place) || number >= 3 && Instant::now() >= self.until {
                break;
            }
            if alive.candidates.len() < 2 {
                break;
            }
            let shape = self.shape(phase, alive, place);
            let Some(mut round) = self.round(phase, shape, alive, place) else { break };
            round.round = number;
            keeper.round(round)?;
        }
        Ok(())
    }

    /// The throughput of the reference, in requests per second.
    fn reference(&self, alive: &Alive) -> Option<f64> {
        let mut all = alive.candidates.iter();
        all.find(|candidate| candidate.name() == self.group[0]).map(|known| known.throughput_per_s)
    }

    /// The load of the next round of a phase.
    fn shape(&mut self, phase: Phase, alive: &Alive, place: &Place<'_>) -> Shape {
        let active = f64::from(self.point.active);
        let slowest = alive.candidates.iter().map(|candidate| candidate.throughput_per_s);
        let slowest = slowest.filter(|per_s| *per_s > 0.0).fold(f64::INFINITY, f64::min);
        let needed_s = if slowest.is_finite() { active * REQUESTS_PER_CONNECTION / slowest } else { 0.0 };
        let window_s = self.point.slice_s(self.rounds).max(needed_s.min(LONGEST_WINDOW_S));
        let open = |rate_per_s| LoadMode::Open { rate_per_s, arrivals: Arrivals::Poisson };
        let light = self.point.rate_per_s.map_or(self.rounds.light_per_s, f64::from);
        let (mode, window_s) = match phase {
            Phase::Saturation => (LoadMode::Closed { pipeline: 1 }, window_s),
            Phase::Light => (open(light), self.point.slice_s(self.rounds) * LIGHT_TIMES),
            Phase::Busy => (open(self.busy_per_s.unwrap_or(light)), self.point.slice_s(self.rounds)),
        };
        // A sleeping generator would add its own wake-up to every response. Without a processor of its own it has to sleep, since
        // spinning would take the server's; as it would under a quota that both share.
        let wait = match place.pinning.generator {
            Some(_) if !place.pinning.must_sleep => WaitPolicy::Spin,
            _ => WaitPolicy::Sleep,
        };
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Shape {
            mode,
            wait,
            warmup_requests: active * WARMUP_PER_CONNECTION,
            window: Duration::from_secs_f64(window_s),
            seed: self.seed,
        }
    }

    /// Gives each candidate a slice of the same load, in random order; nothing when the campaign is to end, since half a round is
    /// none. A candidate that can be measured no more is closed.
    fn round(&mut self, phase: Phase, shape: Shape, alive: &mut Alive, place: &Place<'_>) -> Option<Round> {
        let Start { point, group, start, .. } = self.start;
        let rate_per_s = match shape.mode {
            LoadMode::Open { rate_per_s, .. } => Some(rate_per_s),
            LoadMode::Closed { .. } => None,
        };
        let mut round = Round {
            point,
            group,
            start,
            round: 0,
            phase,
            rate_per_s,
            began_s: self.campaign_began.elapsed().as_secs_f64(),
            dropped: None,
            slices: Vec::with_capacity(alive.candidates.len()),
        };
        alive.candidates.shuffle(&mut self.random);
        for at in (0..alive.candidates.len()).rev() {
            match alive.candidates[at].slice(&shape) {
                Ok(slice) => round.slices.push(slice),
                Err(why) if !super::is_stopped(place) => {
                    let failed = alive.candidates.swap_remove(at);
                    alive.gone.push(failed.close(Some(why), place));
                }
                Err(_) => return None,
            }
            if super::is_stopped(place) {
                return None;
            }
        }
        let mut faults = round.slices.iter().flat_map(|slice| &slice.faults);
        round.dropped = faults.next().cloned();
        Some(round)
    }
}

impl Alive {
    fn so_far(&self) -> Vec<Started> {
        self.candidates.iter().map(Candidate::so_far).chain(self.gone.iter().cloned()).collect()
    }
}

/// A rate that people can read: two digits.
fn rounded(per_s: f64) -> f64 {
    let scale = 10_f64.powf(per_s.max(1.0).log10().floor() - 1.0);
    (per_s / scale).round() * scale
}
