//! One cell: one mechanism at one point, once.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use load_gen::fleet::{Edge, Fleet, FleetOptions, Load, Observer};
use load_gen::machine::{self, usage};
use report::schema::{
    Arrivals, Cell, CellStatus, Connections, LoadMode, Phase, ProcessUsage, Scenario, ServerCounters,
    SystemUsage, Usage, WaitPolicy,
};

use super::environment::Pinning;
use super::plan::Task;
use super::server_child::ServerChild;

/// A processor that is busy for less than this share of the window was not full.
const FULL: f64 = 0.95;
/// How long connecting, and draining after a window, may take in a campaign.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What every cell of a campaign has in common.
pub struct Setting<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The program that serves: this one.
    pub program: PathBuf,
    /// The processors.
    pub pinning: Pinning,
    /// The campaign's seed; every cell of a point and repeat draws the same schedule from it, so that
    /// mechanisms meet the same arrivals.
    pub seed: u64,
    /// Set when the campaign should end.
    pub stop: Arc<AtomicBool>,
    /// When this part of the campaign began, and how long after the campaign's own beginning its cells count.
    pub began: Instant,
    /// Seconds on the campaign's clock at that instant: more than zero when it is resumed.
    pub began_s: f64,
}

/// What was found before something failed.
#[derive(Default)]
struct Found {
    connections: Option<Connections>,
    server_rss_growth_bytes: Option<u64>,
    capacity: Option<Phase>,
    latency: Option<Phase>,
}

/// Measures `task`; nothing when the campaign is to stop, since half a cell is no cell.
pub fn measure(task: &Task, attempt: u32, setting: &Setting<'_>) -> Option<Cell> {
    let began_s = setting.began_s + setting.began.elapsed().as_secs_f64();
    let mut found = Found::default();
    let outcome = attempt_cell(task, setting, &mut found);
    if setting.stop.load(Relaxed) {
        return None;
    }
    let (status, reasons) = match outcome {
        Err(reason) => (CellStatus::Failed, vec![reason]),
        Ok(()) => {
            let reasons = invalid_reasons(&found);
            (if reasons.is_empty() { CellStatus::Valid } else { CellStatus::Invalid }, reasons)
        }
    };
    Some(Cell {
        mechanism: task.mechanism.clone(),
        point: task.point.clone(),
        repeat: task.repeat,
        attempt,
        status,
        reasons,
        began_s,
        connections: found.connections,
        server_rss_growth_bytes: found.server_rss_growth_bytes,
        capacity: found.capacity,
        latency: found.latency,
    })
}

fn attempt_cell(task: &Task, setting: &Setting<'_>, found: &mut Found) -> Result<(), String> {
    let Scenario { load, timing, .. } = setting.scenario;
    let mut server =
        ServerChild::start(&setting.program, &task.mechanism, load.protocol, setting.pinning.server)
            .map_err(|error| error.to_string())?;
    let resident_before = machine::resident_bytes(server.pid()).unwrap_or(0);
    let options = FleetOptions {
        target: server.address(),
        conns: task.point.connections,
        active: task.point.active,
        threads: 1,
        connect_rate: None,
        protocol: load.protocol,
        size_bytes: load.size_bytes,
        cpu: setting.pinning.generator,
        timeout: TIMEOUT,
        // Far apart for neighbouring seeds: the repeats of one campaign are not those of another.
        seed: setting.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(task.repeat.into()),
        live_latencies: false,
    };
    let mut fleet = Fleet::open(options, Arc::clone(&setting.stop), &mut ())
        .map_err(|error| died_or(&mut server, error))?;
    found.connections = Some(fleet.connections().clone());
    await_accepted(&mut server, fleet.connections().opened)?;
    let resident = machine::resident_bytes(server.pid()).unwrap_or(0);
    found.server_rss_growth_bytes = Some(resident.saturating_sub(resident_before));

    let warmup = Duration::from_secs_f64(timing.warmup_s);
    let closed = Load {
        mode: LoadMode::Closed { pipeline: 1 },
        wait: WaitPolicy::Sleep,
        warmup,
        duration: Duration::from_secs_f64(timing.capacity_s),
    };
    found.capacity = Some(phase(&mut fleet, &mut server, &closed)?);
    let open = Load {
        mode: LoadMode::Open { rate_per_s: load.rate_per_s, arrivals: Arrivals::Poisson },
        // A sleeping generator would add its own wake-up to every response. Without a processor of its own
        // it has to sleep, since spinning would take the server's.
        wait: if setting.pinning.generator.is_some() { WaitPolicy::Spin } else { WaitPolicy::Sleep },
        warmup,
        duration: Duration::from_secs_f64(timing.latency_s),
    };
    found.latency = Some(phase(&mut fleet, &mut server, &open)?);
    drop(fleet);
    server.stop();
    Ok(())
}

/// Waits until the server has taken all connections off its listener's queue: to the generator they are open
/// before that, and accepting them must not fall into a measured window.
///
/// A connection that overflows the queue looks established to its other end and never gets there (tcp(7),
/// syncookies), hence the bound.
fn await_accepted(server: &mut ServerChild, opened: u64) -> Result<(), String> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let ServerCounters { accepted, refused, .. } =
            server.counters().map_err(|error| error.to_string())?;
        if refused > 0 {
            return Err(format!(
                "the server refused {refused} of {opened} connections: its descriptor limit is too low; raise it with ulimit -n"
            ));
        }
        if accepted >= opened {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!(
                "the server accepted only {accepted} of {opened} connections: its listener's queue overflowed"
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs one window and adds up what it cost.
fn phase(fleet: &mut Fleet, server: &mut ServerChild, load: &Load) -> Result<Phase, String> {
    let mut edges = Edges { server, readings: Vec::with_capacity(2) };
    let outcome = fleet.run(load, &mut edges);
    let readings = edges.readings;
    let report = outcome.map_err(|error| died_or(server, error))?;
    if let Some(how) = server.ended() {
        return Err(format!("the server ended {how} in the middle of the cell"));
    }
    let [Some(begin), Some(end)] = &readings[..] else {
        return Err("the server's use of the processor could not be read".to_owned());
    };
    let usage = end.since(begin);
    let is_capacity =
        report.response.is_none() && usage.server_busy() >= FULL && report.generator_busy < FULL;
    let mut report = report;
    // The campaign keeps the connect times once, not with every phase.
    report.connect = report.connect.filter(|_| report.response.is_none());
    Ok(Phase { load: report, usage, is_capacity })
}

/// The end of the server if it has ended, since everything else that went wrong follows from that.
fn died_or(server: &mut ServerChild, error: impl std::fmt::Display) -> String {
    match server.ended() {
        Some(how) => format!("the server ended {how} in the middle of the cell"),
        None => error.to_string(),
    }
}

/// Reads the accounts of server, generator and machine at the edges of a window.
struct Edges<'a> {
    server: &'a mut ServerChild,
    readings: Vec<Option<Reading>>,
}

struct Reading {
    at: Instant,
    answered: u64,
    server: ProcessUsage,
    counters: ServerCounters,
    generator: ProcessUsage,
    system: SystemUsage,
}

impl Observer for Edges<'_> {
    fn edge(&mut self, _edge: Edge, answered: u64) {
        let reading = self.read(answered);
        self.readings.push(reading);
    }
}

impl Edges<'_> {
    fn read(&mut self, answered: u64) -> Option<Reading> {
        Some(Reading {
            at: Instant::now(),
            answered,
            server: usage::process(self.server.pid()).ok()?,
            generator: usage::process(std::process::id()).ok()?,
            system: usage::system().ok()?,
            counters: self.server.counters().ok()?,
        })
    }
}

impl Reading {
    fn since(&self, earlier: &Self) -> Usage {
        Usage {
            window_s: (self.at - earlier.at).as_secs_f64(),
            echoes: self.answered - earlier.answered,
            server: usage::process_since(self.server, earlier.server),
            counters: Some(self.counters.since(earlier.counters)),
            generator: usage::process_since(self.generator, earlier.generator),
            system: usage::system_since(self.system, earlier.system),
        }
    }
}

/// Every rule that a phase broke, with the phase's name.
fn invalid_reasons(found: &Found) -> Vec<String> {
    let mut reasons = Vec::new();
    for (name, phase) in [("capacity", &found.capacity), ("latency", &found.latency)] {
        if let Some(phase) = phase {
            reasons.extend(phase.load.invalid_reasons.iter().map(|reason| format!("{name}: {reason}")));
        }
    }
    reasons
}
