//! One start of a group of candidates: all of them alive at once, and rounds until the time of the start is over.

use std::collections::BTreeMap;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use model::campaign::{Phase, Round, Start, Started};
use model::schema::{Arrivals, LoadMode, Point, Rounds, WaitPolicy};
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use sys::quota::Groups;

use super::super::server::{Place, Server, ServerError};
use super::candidate::{Candidate, Shape, in_ticks};
use super::machine::{self, Machine};

/// Requests per connection that a window is long enough for.
const REQUESTS_PER_CONNECTION: f64 = 20.0;
/// Requests per connection before a window, which warm the caches.
const WARMUP_PER_CONNECTION: f64 = 3.0;
/// Connections per second that a thread can walk in poll(2) or select(2), at 0.1 to 0.3 us each. Where it has to walk more, several requests
/// are ready at a time, which it can just sustain.
const WALKED_PER_S: f64 = 10e6;
/// Rounds that warm up a start of candidates whose throughput nobody knows yet: the first is too cold to tell.
const UNKNOWN_ROUNDS: u32 = 3;
/// The windows of a light round are longer: few requests fall due in them.
const LIGHT_TIMES: f64 = 4.0;
/// And those of a busy one, in which a queue needs time to grow.
const BUSY_TIMES: f64 = 2.0;

/// The task of a start.
pub struct Task<'a> {
    /// Its numbers; its candidates are added here.
    pub start: Start,
    /// The point that is measured.
    pub point: &'a Point,
    /// The names of the candidates, the reference first.
    pub group: &'a [String],
    /// The scenario's settings of rounds.
    pub rounds: &'a Rounds,
    /// The instant at which its time is over.
    pub until: Instant,
    /// The weights by which the loads share it; each load is measured at least once, whatever the time.
    pub weights: BTreeMap<Phase, f64>,
    /// The throughput of each candidate in an earlier start, in requests per second.
    pub known_per_s: BTreeMap<String, f64>,
    /// The busy rate, in requests per second, where an earlier start has found it.
    pub busy_per_s: Option<f64>,
    /// Random order.
    pub random: Xoshiro256PlusPlus,
    /// The seed of the arrivals.
    pub seed: u64,
    /// The instant at which the campaign began, on this process's clock.
    pub campaign_began: Instant,
    /// The control groups of this process, which may have a quota.
    pub control_groups: &'a Groups,
}

/// Keeps the results of a start while it goes on.
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
        let (ended, servers): (Vec<Started>, Vec<Server>) =
            candidates.into_iter().map(|candidate| candidate.close(None, place)).unzip();
        stop_all(servers);
        gone.extend(ended);
        gone.sort_by_key(|started| self.group.iter().position(|name| *name == started.candidate));
        self.start.candidates = gone;
        // What could not be kept is told; what has been kept is worth its end all the same.
        let kept = keeper.start(&self.start);
        outcome.and(kept)
    }

    /// Starts all servers at once, and opens the connections of one after the other, in random order.
    fn open(&mut self, place: &Place<'_>) -> Alive {
        let mut order: Vec<&String> = self.group.iter().collect();
        order.shuffle(&mut self.random);
        let mut alive = Alive { candidates: Vec::new(), gone: Vec::new() };
        for (name, server) in start_all(&order, self.point, place) {
            if super::is_stopped(place) {
                break;
            }
            match Candidate::open(name, server, self.point, place, self.seed) {
                Ok(mut candidate) => {
                    candidate.throughput_per_s = self.known_per_s.get(name).copied().unwrap_or(0.0);
                    alive.candidates.push(candidate);
                }
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
        self.warm_up(alive, place);
        if self.busy_per_s.is_none() {
            self.busy_per_s = self.reference(alive).map(|per_s| rounded(per_s * self.rounds.busy_share));
        }
        if self.busy_per_s.is_none() {
            // Without the reference nobody knows what is busy; a later start may.
            self.weights.remove(&Phase::Busy);
        }
        let mut spent: BTreeMap<Phase, Duration> =
            self.weights.keys().map(|phase| (*phase, Duration::ZERO)).collect();
        for number in 0.. {
            let phase = self.neediest(&spent);
            let is_over = Instant::now() >= self.until && !spent[&phase].is_zero();
            if is_over || super::is_stopped(place) || alive.candidates.len() < 2 {
                break;
            }
            let began = Instant::now();
            let shape = self.shape(phase, place);
            let Some(mut round) = self.round(phase, shape, alive, place) else { break };
            *spent.entry(phase).or_default() += began.elapsed();
            round.round = number;
            keeper.round(round)?;
        }
        Ok(())
    }

    /// The load that has had the least of its share so far.
    fn neediest(&self, spent: &BTreeMap<Phase, Duration>) -> Phase {
        let had = |phase: &Phase| spent[phase].as_secs_f64() / self.weights[phase].max(1e-9);
        let least = |one: &&Phase, other: &&Phase| had(one).total_cmp(&had(other));
        *spent.keys().min_by(least).expect("a start has loads")
    }

    /// Rounds that are not kept: every candidate is cold, and in the first start of a point nobody knows how long a window has to be.
    fn warm_up(&mut self, alive: &mut Alive, place: &Place<'_>) {
        let is_known = alive.candidates.iter().all(|candidate| candidate.throughput_per_s > 0.0);
        for _ in 0..if is_known { 1 } else { UNKNOWN_ROUNDS } {
            let shape = self.shape(Phase::Saturation, place);
            let _ = self.round(Phase::Saturation, shape, alive, place);
        }
    }

    /// The throughput of the reference, in requests per second, if it has answered any.
    fn reference(&self, alive: &Alive) -> Option<f64> {
        let mut all = alive.candidates.iter();
        let reference = all.find(|candidate| candidate.name() == self.group[0])?;
        (reference.throughput_per_s > 0.0).then_some(reference.throughput_per_s)
    }

    /// The light rate, in requests per second: the point's own, or that of the scenario as far as whoever walks all connections on every
    /// wait can follow.
    fn light_per_s(&self) -> f64 {
        let Point { rate_per_s, connections, threads, .. } = *self.point;
        let walked = WALKED_PER_S * f64::from(threads) / f64::from(connections);
        rate_per_s.map_or_else(|| self.rounds.light_per_s.min(rounded(walked)), f64::from)
    }

    /// The load of the next round of a phase.
    fn shape(&mut self, phase: Phase, place: &Place<'_>) -> Shape {
        let active = f64::from(self.point.active);
        let doubled = f64::from(1_u32 << self.start.doublings);
        let shortest_s = self.point.slice_s(self.rounds) * doubled;
        let open = |rate_per_s| LoadMode::Open { rate_per_s, arrivals: Arrivals::Poisson };
        let light = self.light_per_s();
        let (mode, window_s) = match phase {
            Phase::Saturation => (LoadMode::Closed { pipeline: 1 }, shortest_s),
            Phase::Light => (open(light), shortest_s * LIGHT_TIMES),
            Phase::Busy => (open(self.busy_per_s.unwrap_or(light)), shortest_s * BUSY_TIMES),
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
            window: in_ticks(Duration::from_secs_f64(window_s)),
            requests: active * REQUESTS_PER_CONNECTION * doubled,
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
        let machine = Machine::now(self.control_groups);
        for at in (0..alive.candidates.len()).rev() {
            match alive.candidates[at].slice(&shape) {
                Ok(slice) => {
                    round.slices.push(slice);
                    let others = alive.candidates.iter_mut().enumerate().filter(|(other, _)| *other != at);
                    others.for_each(|(_, other)| other.rest());
                }
                Err(why) if !super::is_stopped(place) => {
                    let (failed, server) = alive.candidates.swap_remove(at).close(Some(why), place);
                    server.stop();
                    alive.gone.push(failed);
                }
                Err(_) => return None,
            }
            if super::is_stopped(place) {
                return None;
            }
        }
        let mut faults = round.slices.iter().flat_map(|slice| &slice.faults);
        round.dropped = faults.next().cloned().or_else(|| machine.fault()).or_else(|| {
            // Without a processor for each, generator and server take it from each other; and so does a candidate that never rests.
            let are_apart =
                place.pinning.generator.is_some() && alive.candidates.iter().all(Candidate::rests);
            are_apart.then(|| machine::starved(&round.slices)).flatten()
        });
        Some(round)
    }
}

impl Alive {
    fn so_far(&self) -> Vec<Started> {
        self.candidates.iter().map(Candidate::so_far).chain(self.gone.iter().cloned()).collect()
    }
}

/// Starts the server of each name, all at the same time.
fn start_all<'a>(
    names: &[&'a String],
    point: &Point,
    place: &Place<'_>,
) -> Vec<(&'a str, Result<Server, ServerError>)> {
    if place.base.is_some() {
        // Each has a copy of its program. A process that is being started while a copy is written has it open for writing until
        // execve(2), and whoever is started from it meanwhile fails (ETXTBSY).
        return names.iter().map(|name| (name.as_str(), Server::start(name, point, place))).collect();
    }
    std::thread::scope(|scope| {
        let start =
            |name: &'a String| (name.as_str(), scope.spawn(move || Server::start(name, point, place)));
        let starting: Vec<_> = names.iter().map(|name| start(name)).collect();
        let outcome = |(name, thread): (&'a str, ScopedJoinHandle<'_, _>)| {
            (name, thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        };
        starting.into_iter().map(outcome).collect()
    })
}

/// Ends all servers at the same time.
fn stop_all(servers: Vec<Server>) {
    std::thread::scope(|scope| {
        for server in servers {
            scope.spawn(move || server.stop());
        }
    });
}

/// A rate that people can read: two digits.
fn rounded(per_s: f64) -> f64 {
    let scale = 10_f64.powf(per_s.max(1.0).log10().floor() - 1.0);
    (per_s / scale).round() * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_two_digits() {
        assert_eq!([87_654.0, 1_234.0, 99.6, 0.0].map(rounded), [88_000.0, 1_200.0, 100.0, 0.0]);
    }
}
