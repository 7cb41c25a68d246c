//! Results made up for tests, with figures known in advance.

mod semantics;

use std::collections::BTreeMap;

pub use self::semantics::semantics;
use model::histogram::{self, Histogram};
use model::schema::{
    Arrivals, BenchGroup, BenchPoint, Connections, EngineKind, Environment, Latency, Limits, LoadMode,
    LoadReport, LoadSettings, Protocol, SCHEMA_VERSION, Timestamps, WaitPolicy, Workload,
};

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

/// A run of the load generator, in open loop.
pub fn load() -> LoadReport {
    let distribution = distribution(35_000.0, 3.0, 20_000);
    let response = Some(Latency::of(&distribution));
    LoadReport {
        valid: true,
        invalid_reasons: Vec::new(),
        settings: settings(),
        connections: Connections::default(),
        window_s: 1.0,
        throughput_per_s: 20_000.0,
        scheduled: 20_000,
        completed: 20_000,
        outstanding: 0,
        unsent: 0,
        errors: BTreeMap::new(),
        errnos: BTreeMap::new(),
        delayed: 0,
        service: Latency::of(&distribution),
        response,
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

fn settings() -> LoadSettings {
    LoadSettings {
        target: "127.0.0.1:7777".to_owned(),
        conns: 10,
        active: 10,
        mode: LoadMode::Open { rate_per_s: 20_000.0, arrivals: Arrivals::Poisson },
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

/// A machine.
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
        shares_descriptor_table: false,
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
