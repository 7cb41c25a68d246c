//! Results made up for tests, with figures known in advance.

mod semantics;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use self::semantics::semantics;
use crate::analysis::Analysis;
use model::histogram::{self, Histogram};
use model::schema::{
    Arrivals, BenchGroup, BenchPoint, CallCounters, Campaign, Cell, CellLoad, CellScenario, CellStatus,
    Connections, EngineKind, Environment, ExternalServer, Latency, Limits, LoadMode, LoadReport,
    LoadSettings, Phase, Plan, Point, ProcessUsage, Protocol, SCHEMA_VERSION, ServerCounters, Sweep,
    SystemUsage, Timestamps, Timing, Usage, WaitPolicy, Workload,
};

/// The figures of one made-up cell.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub p50_ns: f64,
    /// p99 over p50.
    pub tail: f64,
    pub samples: u64,
    pub cpu_ns: f64,
    pub syscalls: f64,
    pub echoes_per_s: f64,
    pub is_capacity: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            p50_ns: 35_000.0,
            tail: 3.0,
            samples: 20_000,
            cpu_ns: 7_000.0,
            syscalls: 2.1,
            echoes_per_s: 120_000.0,
            is_capacity: true,
        }
    }
}

pub fn point(sweep: &str, connections: u32, active: u32) -> Point {
    Point::new(sweep, connections, active)
}

/// The points of the scenario `many-idle-few-active`.
pub fn default_points() -> Vec<Point> {
    let idle = [10, 100, 1_000, 10_000].map(|connections| point("idle-scaling", connections, 10));
    let active = [10, 100, 1_000].map(|connections| point("active-scaling", connections, connections));
    idle.into_iter().chain(active).collect()
}

/// A campaign whose every cell is valid and has the figures that `shape` gives it.
pub fn campaign(
    mechanisms: &[&str],
    points: &[Point],
    repeats: u32,
    shape: impl Fn(&str, &Point, u32) -> Shape,
) -> Campaign {
    let mut cells = Vec::new();
    for repeat in 0..repeats {
        for point in points {
            for mechanism in mechanisms {
                cells.push(cell(mechanism, point, repeat, shape(mechanism, point, repeat)));
            }
        }
    }
    Campaign {
        schema_version: SCHEMA_VERSION,
        muxbench_version: "0.1.0".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        command: "muxbench run --seed 42".to_owned(),
        quick: false,
        complete: true,
        environment: environment(),
        plan: plan(mechanisms, points, repeats),
        cells,
        stopped: None,
        diagnosis: None,
    }
}

/// What a real machine gives: epoll flat, select and poll growing with the connections watched, the
/// two epoll modes nearly the same.
pub fn realistic() -> Campaign {
    REALISTIC.clone()
}

/// The analysis of [`realistic`], made once for all tests.
pub fn analysis() -> &'static Analysis<'static> {
    static ANALYSIS: LazyLock<Analysis<'static>> =
        LazyLock::new(|| Analysis::of(&REALISTIC).expect("sound histograms"));
    &ANALYSIS
}

static REALISTIC: LazyLock<Campaign> =
    LazyLock::new(|| realistic_of(&["select", "poll", "epoll-lt", "epoll-et"]));

/// [`realistic`], over the mechanisms named.
pub fn realistic_of(mechanisms: &[&str]) -> Campaign {
    campaign(mechanisms, &default_points(), 5, |mechanism, point, repeat| {
        let watched = f64::from(point.connections);
        let ready = f64::from(point.active);
        // Small shifts that differ by mechanism and repeat, the same on every run.
        let spread = |salt: u32| {
            let letters: u32 = mechanism.bytes().map(u32::from).sum();
            1.0 + 0.04
                * (f64::from((letters * 31 + repeat * 17 + salt * 7 + point.connections) % 23) / 11.0 - 1.0)
        };
        let (scan_ns, tail) = match mechanism {
            "poll" => (87.0, 2.4),
            "select" => (79.0, 2.5),
            "epoll-et" => (0.05, 3.2),
            _ => (0.04, 3.3),
        };
        let p50_ns = (34_000.0 + scan_ns * watched + 180.0 * ready) * spread(1);
        let cpu_ns = (6_900.0 + scan_ns * watched / 3.0) * spread(2);
        Shape {
            p50_ns,
            tail: tail * spread(3),
            cpu_ns,
            syscalls: if mechanism == "epoll-et" { 3.02 } else { 2.1 } * spread(4),
            echoes_per_s: 0.97e9 / cpu_ns,
            is_capacity: scan_ns > 1.0,
            ..Shape::default()
        }
    })
}

/// [`realistic`], over the mechanisms and the external servers named, which have no counters.
pub fn with_servers(mechanisms: &[&str], servers: &[&str]) -> Campaign {
    let mut campaign = realistic_of(&[mechanisms, servers].concat());
    let scenario = &mut campaign.plan.scenario;
    scenario.mechanisms.truncate(mechanisms.len());
    scenario.servers = servers
        .iter()
        .map(|name| ExternalServer {
            name: (*name).to_owned(),
            command: vec![format!("./{name}"), "{port}".to_owned()],
            about: None,
            patience_s: None,
        })
        .collect();
    for cell in campaign.cells.iter_mut().filter(|cell| servers.contains(&cell.mechanism.as_str())) {
        for phase in [&mut cell.capacity, &mut cell.latency].into_iter().flatten() {
            phase.usage.counters = None;
        }
    }
    campaign
}

/// Marks a cell as `status` for `reason`.
pub fn spoil(campaign: &mut Campaign, index: usize, status: CellStatus, reason: &str) {
    let cell = &mut campaign.cells[index];
    cell.status = status;
    cell.reasons = vec![reason.to_owned()];
    if status == CellStatus::Failed {
        (cell.capacity, cell.latency, cell.connections) = (None, None, None);
    }
}

/// A bench group with the shape of `wait`.
pub fn bench() -> BenchGroup {
    let mut points = Vec::new();
    for (mechanism, base, step) in [("select", 300.0, 9.0), ("poll", 320.0, 17.0), ("epoll-lt", 350.0, 0.0)] {
        for watched in [10u32, 100, 1_000, 10_000] {
            let median_ns = base + step * f64::from(watched);
            points.push(BenchPoint {
                mechanism: mechanism.to_owned(),
                watched,
                ready: 1,
                batches: 50,
                median_ns,
                low_ns: median_ns * 0.97,
                high_ns: median_ns * 1.04,
                calls: Latency::of(&distribution(median_ns, 2.0, 10_000)),
            });
        }
    }
    BenchGroup {
        schema_version: SCHEMA_VERSION,
        group: "wait".to_owned(),
        what: "one wait with 1 ready descriptor".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        environment: environment(),
        points,
    }
}

/// A distribution with a known median and p99, log-normal in shape.
pub fn distribution(p50_ns: f64, tail: f64, samples: u64) -> Histogram {
    let mut histogram = histogram::empty();
    let sigma = tail.ln() / 2.326;
    let steps = 500.min(samples);
    for step in 0..steps {
        let quantile = (step as f64 + 0.5) / steps as f64;
        let value = (p50_ns * (sigma * normal(quantile)).exp()) as u64;
        histogram.record_n(value, samples / steps).expect("in range");
    }
    histogram
}

/// The quantile of the normal distribution, by Odeh and Evans' rational approximation (error below 1e-7).
fn normal(quantile: f64) -> f64 {
    let t = (-2.0 * quantile.min(1.0 - quantile).ln()).sqrt();
    let top = -(0.322_232_431_088
        + t * (1.0 + t * (0.342_242_088_547 + t * (0.020_423_121_024_5 + t * 0.453_642_210_148e-4))));
    let bottom = 0.099_348_462_606
        + t * (0.588_581_570_495
            + t * (0.531_103_462_366 + t * (0.103_537_752_85 + t * 0.385_607_006_34e-2)));
    (t + top / bottom).copysign(quantile - 0.5)
}

fn cell(mechanism: &str, point: &Point, repeat: u32, shape: Shape) -> Cell {
    let response = distribution(shape.p50_ns, shape.tail, shape.samples);
    Cell {
        mechanism: mechanism.to_owned(),
        point: point.clone(),
        repeat,
        attempt: 0,
        status: CellStatus::Valid,
        reasons: Vec::new(),
        began_s: f64::from(repeat),
        connections: Some(Connections::default()),
        server_rss_growth_bytes: Some(1_000_000),
        slab: None,
        setup: None,
        teardown: None,
        capacity: Some(phase(point, &shape, None)),
        latency: Some(phase(point, &shape, Some(&response))),
    }
}

fn phase(point: &Point, shape: &Shape, response: Option<&Histogram>) -> Phase {
    let open = response.is_some();
    let load = load_of(point, shape, response);
    let echoes = load.completed;
    Phase {
        load,
        usage: Usage {
            window_s: 1.0,
            echoes,
            server: ProcessUsage { cpu_s: shape.cpu_ns * echoes as f64 / 1e9, ..ProcessUsage::default() },
            counters: Some(ServerCounters {
                calls: Some(CallCounters {
                    syscalls: (shape.syscalls * echoes as f64) as u64,
                    ..CallCounters::default()
                }),
                ..ServerCounters::default()
            }),
            generator: ProcessUsage::default(),
            system: SystemUsage {
                busy_s: shape.cpu_ns * 2.2 * echoes as f64 / 1e9,
                ..SystemUsage::default()
            },
        },
        is_capacity: shape.is_capacity && !open,
    }
}

/// A run of the load generator, in open loop.
pub fn load() -> LoadReport {
    let shape = Shape::default();
    let response = distribution(shape.p50_ns, shape.tail, shape.samples);
    load_of(&Point::new("load", 10, 10), &shape, Some(&response))
}

fn load_of(point: &Point, shape: &Shape, response: Option<&Histogram>) -> LoadReport {
    let open = response.is_some();
    let completed = if open { shape.samples } else { shape.echoes_per_s as u64 };
    let response = response.map(Latency::of);
    let service = response.clone().unwrap_or_else(|| Latency::of(&histogram::empty()));
    LoadReport {
        valid: true,
        invalid_reasons: Vec::new(),
        settings: settings(point, open),
        connections: Connections::default(),
        window_s: 1.0,
        throughput_per_s: completed as f64,
        scheduled: completed,
        completed,
        outstanding: 0,
        unsent: 0,
        errors: BTreeMap::new(),
        errnos: BTreeMap::new(),
        delayed: 0,
        response,
        service,
        lateness: None,
        connect: None,
        churn_connect: None,
        generator_busy: 0.5,
        generator_starved: 0.0,
        cpu_quota: None,
        steal: 0.0,
        response_kernel: None,
        generator_added: None,
        timestamp_error_ns: None,
        self_check: None,
        intervals: Vec::new(),
        started_at: "2026-01-02T03:04:05.678901234Z".to_owned(),
        shard: None,
        shards: Vec::new(),
        start_skew_s: None,
    }
}

fn settings(point: &Point, open: bool) -> LoadSettings {
    LoadSettings {
        target: "127.0.0.1:7777".to_owned(),
        conns: point.connections.into(),
        active: point.active.into(),
        mode: if open {
            LoadMode::Open { rate_per_s: 20_000.0, arrivals: Arrivals::Poisson }
        } else {
            LoadMode::Closed { pipeline: 1 }
        },
        size_bytes: 64,
        size: None,
        protocol: Protocol::Echo,
        workload: Workload::default(),
        threads: 1,
        wait: WaitPolicy::Spin,
        engine: EngineKind::Epoll,
        duration_s: 1.0,
        warmup_s: 0.2,
        seed: 42,
        generator: "Xoshiro256++".to_owned(),
        start_at: None,
        timestamps: Timestamps::User,
        interval_s: None,
    }
}

pub fn plan(mechanisms: &[&str], points: &[Point], repeats: u32) -> Plan {
    let mut sweeps: Vec<Sweep> = Vec::new();
    for point in points {
        let connections = point.connections.to_string();
        match sweeps.iter_mut().find(|sweep| sweep.name == point.sweep) {
            Some(sweep) => sweep.connections.push(connections),
            None => sweeps.push(Sweep {
                name: point.sweep.clone(),
                connections: vec![connections],
                active: if point.active == point.connections && point.sweep.starts_with("active") {
                    "100%".into()
                } else {
                    point.active.to_string().as_str().into()
                },
                threads: Vec::new(),
                accept: Vec::new(),
                sizes: Vec::new(),
                rates: Vec::new(),
                churn: Vec::new(),
                slices_ms: Vec::new(),
                alive: Vec::new(),
            }),
        }
    }
    Plan {
        scenario: CellScenario {
            name: "many-idle-few-active".to_owned(),
            analysis: "What do idle connections cost?".to_owned(),
            mechanisms: mechanisms.iter().map(ToString::to_string).collect(),
            servers: Vec::new(),
            excludes: Vec::new(),
            control: None,
            repeats,
            stop: None,
            load: CellLoad { size_bytes: 64, rate_per_s: 20_000.0, protocol: Protocol::Echo },
            timing: Timing { warmup_s: 0.2, capacity_s: 1.0, latency_s: 1.0 },
            sweeps,
        },
        points: points.to_vec(),
        seed: 42,
    }
}

pub fn environment() -> Environment {
    Environment {
        host: "bench-01".to_owned(),
        kernel: "6.8.0-45-generic".to_owned(),
        processor: "AMD EPYC 7R13 Processor".to_owned(),
        processors: 2,
        memory_bytes: 24_000_000_000,
        hypervisor: Some("KVM".to_owned()),
        mitigations: BTreeMap::from([("meltdown".to_owned(), "Not affected".to_owned())]),
        cpu_quota: None,
        limits: Limits { nofile_soft: 1_024, nofile_hard: 1_048_576 },
        sysctls: BTreeMap::from([("net.core.somaxconn".to_owned(), "4096".to_owned())]),
        clock_source: "tsc".to_owned(),
        governor: None,
        steal_since_boot: 0.001,
        load_average: 0.2,
        server_cpu: Some(0),
        further_server_cpus: Vec::new(),
        generator_cpu: Some(1),
        muxbench_version: "0.1.0".to_owned(),
        rustc_version: "rustc 1.88.0".to_owned(),
        profile: "release".to_owned(),
    }
}
