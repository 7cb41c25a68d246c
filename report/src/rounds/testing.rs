//! Campaigns of rounds made up for tests, with ratios known in advance.

use std::collections::BTreeMap;

use model::campaign::{
    Campaign, Histograms, Length, Phase, Plan, PlannedPoint, Round, ServerCost, Slice, Start, Started,
};
use model::histogram::{self, empty};
use model::schema::{
    CallCounters, Connections, HalfWidths, Load, Point, Protocol, Rounds, SCHEMA_VERSION, Scenario,
    ServerCounters, Slab,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::testing;

pub const REFERENCE: &str = "epoll-lt";
pub const TWIN: &str = "epoll-lt again";
/// The mechanisms of a default build.
pub const DEFAULT: [&str; 8] =
    ["threads", "select", "poll", "epoll-lt", "epoll-et", "epoll-oneshot", "io-uring-poll", "io-uring"];
/// Requests per second of the light load, and of the busy one.
pub const LIGHT_PER_S: f64 = 1_000.0;
pub const BUSY_PER_S: f64 = 60_000.0;

/// The behaviour of a candidate at a point.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub p50_ns: f64,
    pub throughput_per_s: f64,
    pub cpu_ns: f64,
    /// Share of the light rate that it answers.
    pub keeps_up: f64,
    /// Factor of the response of second halves to first ones.
    pub grows: f64,
    /// The silence of every tenth slice.
    pub stall_ns: u64,
    pub generator_busy: f64,
    /// Requests of a slice that fail.
    pub errors: u64,
    /// Samples of a slice's histogram.
    pub samples: u64,
    /// Standard deviation of its logarithms in a round.
    pub noise: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            p50_ns: 40_000.0,
            throughput_per_s: 120_000.0,
            cpu_ns: 7_000.0,
            keeps_up: 1.0,
            grows: 1.0,
            stall_ns: 400_000,
            generator_busy: 0.7,
            errors: 0,
            samples: 100,
            noise: 0.05,
        }
    }
}

impl Behaviour {
    /// The reference's with these factors.
    pub fn times(response: f64, throughput: f64, cpu: f64) -> Self {
        let base = Self::default();
        Self {
            p50_ns: base.p50_ns * response,
            throughput_per_s: base.throughput_per_s * throughput,
            cpu_ns: base.cpu_ns * cpu,
            ..base
        }
    }
}

/// The composition of a made-up campaign.
#[derive(Debug, Clone)]
pub struct Shape {
    pub points: Vec<Point>,
    /// The groups of each point, without the reference and its twin.
    pub groups: Vec<Vec<String>>,
    pub starts: u32,
    /// Rounds of each load in a start.
    pub rounds: u32,
    pub seed: u64,
}

impl Shape {
    /// One point, one group.
    pub fn of(candidates: &[&str]) -> Self {
        let others = candidates.iter().filter(|name| **name != REFERENCE).map(ToString::to_string);
        Self {
            points: vec![Point::new("idle-scaling", 1_000, 10)],
            groups: vec![others.collect()],
            starts: 6,
            rounds: 8,
            seed: 1,
        }
    }

    /// The default scenario.
    pub fn default_scenario() -> Self {
        let idle = [10, 100, 1_000, 10_000].map(|connections| Point::new("idle-scaling", connections, 10));
        let active = [100, 1_000].map(|connections| Point::new("all-active", connections, connections));
        Self { points: idle.into_iter().chain(active).collect(), ..Self::of(&DEFAULT) }
    }

    /// A campaign of this shape, in which candidates behave as `behaviour` says.
    pub fn campaign(&self, behaviour: impl Fn(&str, &Point) -> Behaviour) -> Campaign {
        Maker::new(self, &behaviour).campaign()
    }
}

/// `campaign` with its histograms.
pub fn decoded(campaign: Campaign) -> (Campaign, Histograms) {
    let histograms = Histograms::of(&campaign).expect("sound histograms");
    (campaign, histograms)
}

/// The behaviour on a machine of two processors, roughly: idle connections cost poll and select, active ones nothing.
pub fn realistic(candidate: &str, point: &Point) -> Behaviour {
    let idle = f64::from(point.connections - point.active);
    let is_small = point.connections <= 100;
    let scan = |response: f64, cpu: f64| Behaviour {
        p50_ns: 40_000.0 * response + 65.0 * idle,
        throughput_per_s: 1e9 / (1e9 / 120_000.0 / if is_small { 1.06 } else { 1.0 } + 8.0 * idle),
        cpu_ns: 7_000.0 * cpu + 95.0 * idle,
        ..Behaviour::default()
    };
    match candidate {
        "poll" => scan(0.98, 0.97),
        "select" => scan(0.99, 0.98),
        "epoll-et" => Behaviour::times(1.0, 1.014, 0.99),
        "epoll-oneshot" => Behaviour::times(1.03, 0.905, 1.09),
        "io-uring-poll" => Behaviour::times(1.12, 0.84, 1.15),
        "io-uring" => Behaviour::times(1.10, 0.97, 0.95),
        "threads" => Behaviour::times(1.05, 0.8, 1.3),
        _ => Behaviour::default(),
    }
}

/// The default scenario with so many starts.
fn scenario(starts: u32) -> Scenario {
    Scenario {
        name: "many-idle-few-active".to_owned(),
        analysis: "What do idle connections cost?".to_owned(),
        mechanisms: DEFAULT.map(str::to_owned).into(),
        servers: Vec::new(),
        excludes: Vec::new(),
        reference: REFERENCE.to_owned(),
        load: Load { size_bytes: 64, protocol: Protocol::Echo },
        rounds: Rounds {
            starts,
            point_s: 30.0,
            slice_s: 0.05,
            light_per_s: LIGHT_PER_S,
            busy_share: 0.5,
            half_widths: HalfWidths::default(),
        },
        sweeps: Vec::new(),
        quick: None,
    }
}

struct Maker<'a> {
    shape: &'a Shape,
    behaviour: &'a dyn Fn(&str, &Point) -> Behaviour,
    random: Xoshiro256PlusPlus,
    /// The effect of the host on all candidates, on the scale of logarithms.
    drift: f64,
    /// Histograms by median and samples: encoding takes longer than all else.
    encoded: BTreeMap<(u64, u64), String>,
}

impl<'a> Maker<'a> {
    fn new(shape: &'a Shape, behaviour: &'a dyn Fn(&str, &Point) -> Behaviour) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(shape.seed);
        Self { shape, behaviour, random, drift: 0.0, encoded: BTreeMap::new() }
    }

    fn campaign(mut self) -> Campaign {
        let shape = self.shape;
        let named = |group: &Vec<String>| {
            [REFERENCE.to_owned()].into_iter().chain(group.iter().cloned()).chain([TWIN.to_owned()]).collect()
        };
        let groups: Vec<Vec<String>> = shape.groups.iter().map(named).collect();
        let planned = |point: &Point| PlannedPoint { point: point.clone(), groups: groups.clone() };
        let (mut starts, mut rounds) = (Vec::new(), Vec::new());
        for start in 0..shape.starts {
            for (at, point) in shape.points.iter().enumerate() {
                for (group, candidates) in groups.iter().enumerate() {
                    starts.push(self.start((at as u32, group as u32, start), point, candidates));
                    rounds.extend(self.rounds((at as u32, group as u32, start), point, candidates));
                }
            }
        }
        let points = shape.points.iter().map(planned).collect();
        Campaign {
            schema_version: SCHEMA_VERSION,
            muxbench_version: "0.1.0".to_owned(),
            started: "2026-01-02T03:04:05Z".to_owned(),
            command: "muxbench run --seed 42".to_owned(),
            length: Length::Default,
            complete: true,
            environment: testing::environment(),
            diagnosis: None,
            plan: Plan {
                scenario: scenario(shape.starts),
                reference: REFERENCE.to_owned(),
                points,
                against: None,
                seed: 42,
            },
            starts,
            rounds,
        }
    }

    fn start(&self, (point, group, start): (u32, u32, u32), at: &Point, candidates: &[String]) -> Start {
        let opened = u64::from(at.connections);
        let started = |candidate: &String| Started {
            candidate: candidate.clone(),
            connections: Some(Connections { opened, ..Connections::default() }),
            server_rss_growth_bytes: Some(opened * 16 + u64::from(start) * 4096),
            slab: Some(Slab {
                before_bytes: 1 << 30,
                after_bytes: (1 << 30) + opened * 8_000,
                ..Slab::default()
            }),
            ..Started::default()
        };
        Start {
            point,
            group,
            start,
            began_s: 0.0,
            complete: true,
            doublings: 0,
            candidates: candidates.iter().map(started).collect(),
        }
    }

    fn rounds(&mut self, of: (u32, u32, u32), at: &Point, candidates: &[String]) -> Vec<Round> {
        let levels: Vec<f64> = candidates.iter().map(|_| 0.005 * self.normal()).collect();
        let phases =
            [(Phase::Saturation, None), (Phase::Light, Some(LIGHT_PER_S)), (Phase::Busy, Some(BUSY_PER_S))];
        let mut rounds = Vec::new();
        for round in 0..3 * self.shape.rounds {
            self.drift = 0.9 * self.drift + 0.02 * self.normal();
            let (phase, rate_per_s) = phases[round as usize % 3];
            let slice = |(candidate, level): (&String, &f64)| self.slice(candidate, at, phase, *level, round);
            let slices = candidates.iter().zip(&levels).map(slice).collect();
            let (point, group, start) = of;
            rounds.push(Round {
                point,
                group,
                start,
                round,
                phase,
                rate_per_s,
                began_s: 0.0,
                dropped: None,
                slices,
            });
        }
        rounds
    }

    fn slice(&mut self, candidate: &str, at: &Point, phase: Phase, level: f64, round: u32) -> Slice {
        let of = (self.behaviour)(candidate, at);
        let window_s = 0.1;
        let mut noisy = |value: f64| value * (self.drift + level + of.noise * self.heavy()).exp();
        let p50_ns = noisy(of.p50_ns);
        let cpu_ns = noisy(of.cpu_ns);
        let per_s = match phase {
            Phase::Saturation => noisy(of.throughput_per_s),
            Phase::Light => LIGHT_PER_S * of.keeps_up,
            Phase::Busy => BUSY_PER_S,
        };
        let answered = (per_s * window_s).round() as u64;
        let scheduled = match phase {
            Phase::Saturation => 0,
            Phase::Light => (LIGHT_PER_S * window_s) as u64,
            Phase::Busy => answered,
        };
        let counters =
            CallCounters { syscalls: 2 * answered, waits: answered / 2, ..CallCounters::default() };
        let stalls = (round / 3) % 10 == 3;
        Slice {
            candidate: candidate.to_owned(),
            window_s,
            answered,
            answered_first: answered / 2,
            first_s: window_s / 2.0 * (0.01 * self.normal()).exp(),
            scheduled,
            completed: answered.min(scheduled).saturating_sub(of.errors),
            errors: (of.errors > 0).then(|| ("reset".to_owned(), of.errors)).into_iter().collect(),
            server: ServerCost {
                wall_s: window_s,
                cpu_s: cpu_ns * answered as f64 / 1e9,
                counters: Some(ServerCounters { calls: Some(counters), ..ServerCounters::default() }),
                wakeups: Some(answered / 4),
                starved_s: Some(0.0),
            },
            generator_cpu_s: 0.05,
            generator_busy: if phase == Phase::Saturation { of.generator_busy } else { 0.1 },
            longest_silence_ns: if stalls { of.stall_ns } else { 400_000 },
            response: self.encoded(p50_ns, of.samples),
            first_request_ns: Some((p50_ns * 2.0) as u64),
            p50_ns: Some(p50_ns as u64),
            p50_first_ns: Some((p50_ns / of.grows.sqrt() * (0.01 * self.normal()).exp()) as u64),
            p50_second_ns: Some((p50_ns * of.grows.sqrt()) as u64),
            service_p50_ns: (phase != Phase::Saturation).then_some((p50_ns * 0.9) as u64),
            ..Slice::default()
        }
    }

    /// A histogram whose median is about `p50_ns` and whose 99th percentile twice that.
    fn encoded(&mut self, p50_ns: f64, samples: u64) -> String {
        let near_ns = 1.05f64.powf((p50_ns.ln() / 1.05f64.ln()).round()) as u64;
        let make = || {
            let mut histogram = empty();
            for percent in 0..100 {
                let value_ns = near_ns * (50 + percent * 3 / 2) / 125;
                histogram.record_n(value_ns.max(1), samples / 100).expect("in range");
            }
            histogram::encode(&histogram)
        };
        self.encoded.entry((near_ns, samples)).or_insert_with(make).clone()
    }

    /// A standard normal number, nearly.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.random.random::<f64>()).sum::<f64>() - 6.0
    }

    /// Noise with tails: of ten rounds one is disturbed, up to three times as slow.
    fn heavy(&mut self) -> f64 {
        let disturbed = self.random.random::<f64>() < 0.1;
        self.normal() + if disturbed { self.random.random::<f64>() * 20.0 } else { 0.0 }
    }
}
