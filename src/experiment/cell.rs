//! One cell: one mechanism, or one external server, at one point, once.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use load_gen::fleet::{Edge, Fleet, FleetOptions, Load, Observer};
use load_gen::machine::{slab, usage};
use model::schema::{
    Arrivals, Cell, CellStatus, Connections, LoadMode, Phase, ProcessUsage, Scenario, ServerCounters, Size,
    Slab, SystemUsage, Usage, WaitPolicy, Workload,
};

use super::plan::Task;
use super::server::{Place, Server};

/// A processor that is busy for less than this share of the window was not full.
const FULL: f64 = 0.95;
/// How long connecting, and draining after a window, may take in a campaign.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What every cell of a campaign has in common.
pub struct Setting<'a> {
    /// Where servers run.
    pub place: Place<'a>,
    /// The campaign's seed; every cell of a point and repeat draws the same schedule from it, so that
    /// mechanisms meet the same arrivals.
    pub seed: u64,
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
    slab: Option<Slab>,
    setup: Option<Usage>,
    teardown: Option<Usage>,
    capacity: Option<Phase>,
    latency: Option<Phase>,
}

/// Measures `task`; nothing when the campaign is to stop, since half a cell is no cell.
pub fn measure(task: &Task, attempt: u32, setting: &Setting<'_>) -> Option<Cell> {
    let began_s = setting.began_s + setting.began.elapsed().as_secs_f64();
    let mut found = Found::default();
    let outcome = attempt_cell(task, setting, &mut found);
    if setting.place.stop.load(Relaxed) {
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
        mechanism: task.contender.clone(),
        point: task.point.clone(),
        repeat: task.repeat,
        attempt,
        status,
        reasons,
        began_s,
        connections: found.connections,
        server_rss_growth_bytes: found.server_rss_growth_bytes,
        slab: found.slab,
        setup: found.setup,
        teardown: found.teardown,
        capacity: found.capacity,
        latency: found.latency,
    })
}

fn attempt_cell(task: &Task, setting: &Setting<'_>, found: &mut Found) -> Result<(), String> {
    let Scenario { load, timing, .. } = setting.place.scenario;
    let point = &task.point;
    let mut server =
        Server::start(&task.contender, point, &setting.place).map_err(|error| error.to_string())?;
    let mut fleet = open(task, setting, &mut server, found)?;
    let processors = setting.place.pinning.of_server(point.threads).len().max(1) as f64;
    let warmup = Duration::from_secs_f64(timing.warmup_s);
    let closed = Load {
        mode: LoadMode::Closed { pipeline: 1 },
        wait: WaitPolicy::Sleep,
        warmup,
        duration: Duration::from_secs_f64(timing.capacity_s),
        interval: None,
    };
    found.capacity = Some(phase(&mut fleet, &mut server, &closed, processors)?);
    let open = Load {
        mode: LoadMode::Open {
            rate_per_s: point.rate_per_s.map_or(load.rate_per_s, f64::from),
            arrivals: Arrivals::Poisson,
        },
        // A sleeping generator would add its own wake-up to every response. Without a processor of its own
        // it has to sleep, since spinning would take the server's; as it would under a quota that both share.
        wait: match setting.place.pinning.generator {
            Some(_) if !setting.place.pinning.must_sleep => WaitPolicy::Spin,
            _ => WaitPolicy::Sleep,
        },
        warmup,
        duration: Duration::from_secs_f64(timing.latency_s),
        interval: None,
    };
    found.latency = Some(phase(&mut fleet, &mut server, &open, processors)?);
    close(fleet, &mut server, found);
    server.stop();
    Ok(())
}

/// Opens the connections of `task` and waits until the server has taken them all in; keeps what that took.
fn open(task: &Task, setting: &Setting<'_>, server: &mut Server, found: &mut Found) -> Result<Fleet, String> {
    let Task { point, .. } = task;
    let load = &setting.place.scenario.load;
    let options = FleetOptions {
        protocol: load.protocol,
        size: Size::Fixed { bytes: point.size_bytes.unwrap_or(load.size_bytes) },
        workload: Workload { churn_per_s: point.churn_per_s.map(f64::from), ..Workload::default() },
        cpu: setting.place.pinning.generator,
        timeout: TIMEOUT,
        // Far apart for neighbouring seeds: the repeats of one campaign are not those of another.
        seed: setting.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(task.repeat.into()),
        ..FleetOptions::new(server.address(), point.connections, point.active)
    };
    let slab_before = slab::Reading::now();
    let resident_before = server.resident_bytes().unwrap_or(0);
    let before = Reading::of(server, 0);
    let fleet = Fleet::open(options, Arc::clone(&setting.place.stop), &mut ())
        .map_err(|error| died_or(server, error))?;
    let connections = fleet.connections().clone();
    let opened = connections.opened;
    found.connections = Some(connections);
    server.await_accepted(opened).map_err(|error| error.to_string())?;
    found.setup = used_since(before, server);
    let resident = server.resident_bytes().unwrap_or(0);
    found.server_rss_growth_bytes = Some(resident.saturating_sub(resident_before));
    found.slab = slab::Reading::now().since(&slab_before, opened);
    Ok(fleet)
}

/// Closes the connections and waits until the server has noticed; keeps what that took.
fn close(fleet: Fleet, server: &mut Server, found: &mut Found) {
    let before = Reading::of(server, 0);
    let closed_s = fleet.close();
    if let Some(connections) = &mut found.connections {
        connections.closed_s = Some(closed_s);
    }
    if server.await_closed() {
        found.teardown = used_since(before, server);
    }
}

/// What has been used since `before`, without any echo.
fn used_since(before: Option<Reading>, server: &mut Server) -> Option<Usage> {
    Some(Reading::of(server, 0)?.since(&before?))
}

/// Runs one window and adds up what it cost a server that has so many processors.
fn phase(fleet: &mut Fleet, server: &mut Server, load: &Load, processors: f64) -> Result<Phase, String> {
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
    let is_full = usage.server_busy() >= FULL * processors;
    let is_capacity = report.response.is_none() && is_full && report.generator_busy < FULL;
    let mut report = report;
    // The campaign keeps the connect times once, not with every phase.
    report.connect = report.connect.filter(|_| report.response.is_none());
    Ok(Phase { load: report, usage, is_capacity })
}

/// The end of the server if it has ended, since everything else that went wrong follows from that.
fn died_or(server: &mut Server, error: impl std::fmt::Display) -> String {
    match server.ended() {
        Some(how) => format!("the server ended {how} in the middle of the cell"),
        None => error.to_string(),
    }
}

/// Reads the accounts of server, generator and machine at the edges of a window.
struct Edges<'a> {
    server: &'a mut Server,
    readings: Vec<Option<Reading>>,
}

struct Reading {
    at: Instant,
    answered: u64,
    server: ProcessUsage,
    counters: Option<ServerCounters>,
    generator: ProcessUsage,
    system: SystemUsage,
}

impl Observer for Edges<'_> {
    fn edge(&mut self, _edge: Edge, answered: u64) {
        let reading = Reading::of(self.server, answered);
        self.readings.push(reading);
    }
}

impl Reading {
    /// The accounts now, when so many requests have been answered; nothing when the server has ended.
    fn of(server: &mut Server, answered: u64) -> Option<Self> {
        Some(Self {
            at: Instant::now(),
            answered,
            server: server.usage().ok()?,
            generator: usage::process(std::process::id()).ok()?,
            system: usage::system().ok()?,
            counters: server.counters().ok()?,
        })
    }

    fn since(&self, earlier: &Self) -> Usage {
        Usage {
            window_s: (self.at - earlier.at).as_secs_f64(),
            echoes: self.answered - earlier.answered,
            server: usage::process_since(self.server, earlier.server),
            counters: self.counters.zip(earlier.counters).map(|(later, earlier)| later.since(earlier)),
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
