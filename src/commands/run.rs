//! `muxbench run`

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use load_gen::{machine, units};
use muxbench::experiment::environment::{self, Pinning};
use muxbench::experiment::journal::Journal;
use muxbench::experiment::run::{self, Audience};
use muxbench::experiment::scenario::{self, Overrides, ScenarioError};
use muxbench::mechanisms;
use report::format;
use report::schema::{Campaign, Cell, CellStatus, Plan, ResultFile, SCHEMA_VERSION, Scenario};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::report::Report;
use super::{INTERRUPTED, INVALID, UsageError};

/// Measure: the main job
///
/// Starts each mechanism's server, puts the scenario's load on it, and prints a table. The result goes to
/// results/<time>-<host>/campaign.json, figures to plots/<time>-<host>/. Ctrl-C keeps every finished cell.
#[derive(clap::Args)]
pub struct Run {
    /// A scenario: a name of `muxbench list`, or a path to a TOML file
    #[arg(default_value = scenario::DEFAULT)]
    scenario: String,
    /// The scenario's short form: under a minute, wide intervals
    #[arg(long)]
    quick: bool,
    /// Measure these mechanisms only: a,b
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    mechanisms: Option<Vec<String>>,
    /// Connections at each point: 100,1k,10k
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    conns: Option<Vec<String>>,
    /// Active connections, a sweep for each: 10,1%,100%
    #[arg(long, value_name = "SHARE|N,…", value_delimiter = ',')]
    active: Option<Vec<String>>,
    /// How often each cell is repeated
    #[arg(long, value_name = "N", value_parser = units::positive_count)]
    repeats: Option<u32>,
    /// Seed of the order of cells and of every schedule
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Folder of the result; it must not hold another campaign
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Complete an interrupted campaign as it was planned
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "scenario", "quick", "mechanisms", "conns", "active", "repeats", "seed", "out",
    ])]
    resume: Option<PathBuf>,
    /// Print the campaign as JSON instead of the table
    #[arg(long)]
    json: bool,
}

impl Run {
    /// Measures and reports.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The second one ends the process at once; the journal has every finished cell.
            signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&stop))?;
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        machine::raise_descriptor_limit();
        let (folder, mut campaign, mut journal) = match &self.resume {
            Some(folder) => {
                let (journal, campaign) = Journal::resume(folder)?;
                check_same_machine(&campaign)?;
                (folder.clone(), campaign, journal)
            }
            None => self.begin()?,
        };
        let mut watcher = Watcher::new(&campaign);
        run::run(&mut campaign, &mut journal, &folder, &stop, &mut watcher)?;
        watcher.bar.finish_and_clear();
        if self.json {
            let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone()))?;
            writeln!(std::io::stdout().lock(), "{text}").context("cannot write to standard output")?;
        }
        Report::of(&folder).write(&campaign, !self.json)?;
        Ok(verdict(&campaign, &folder, stop.load(Relaxed)))
    }

    /// Plans a new campaign and makes its folder and journal.
    fn begin(&self) -> anyhow::Result<(PathBuf, Campaign, Journal)> {
        let overrides = Overrides {
            quick: self.quick,
            mechanisms: self.mechanisms.clone(),
            connections: self.conns.clone(),
            active: self.active.clone(),
            repeats: self.repeats,
        };
        let usage = |error: ScenarioError| UsageError(error.to_string());
        let mut scenario = scenario::load(&self.scenario).map_err(usage)?;
        if self.mechanisms.is_none() {
            leave_out_what_is_not_built(&mut scenario);
        }
        let (scenario, points) = overrides.apply(scenario).map_err(usage)?;
        let environment = environment::capture(Pinning::choose());
        let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let folder = self.out.clone().unwrap_or_else(|| {
            let time = started.replace([':', '-'], "").replace('Z', "");
            Path::new("results").join(format!("{time}-{}", environment.host))
        });
        if cfg!(debug_assertions) {
            eprintln!("muxbench: this is a debug build: its figures say little; use cargo run --release");
        }
        if environment.server_cpu.is_none() {
            eprintln!(
                "muxbench: one processor only: server and generator share it, and most cells will be invalid"
            );
        }
        let campaign = Campaign {
            schema_version: SCHEMA_VERSION,
            muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            command: self.command(),
            quick: self.quick,
            complete: false,
            environment,
            plan: Plan { scenario, points, seed: self.seed },
            cells: Vec::new(),
        };
        std::fs::create_dir_all(&folder).with_context(|| {
            format!("cannot make the folder {}; choose another with --out", folder.display())
        })?;
        let journal = Journal::begin(&folder, &campaign)?;
        Ok((folder, campaign, journal))
    }

    /// The command that repeats this run exactly.
    fn command(&self) -> String {
        let mut words = vec!["muxbench run".to_owned(), self.scenario.clone()];
        if self.quick {
            words.push("--quick".to_owned());
        }
        for (option, values) in
            [("--mechanisms", &self.mechanisms), ("--conns", &self.conns), ("--active", &self.active)]
        {
            if let Some(values) = values {
                words.extend([option.to_owned(), values.join(",")]);
            }
        }
        if let Some(repeats) = self.repeats {
            words.push(format!("--repeats {repeats}"));
        }
        words.push(format!("--seed {}", self.seed));
        words.join(" ")
    }
}

/// A build with some of the mechanisms measures those; which are left out is said.
fn leave_out_what_is_not_built(scenario: &mut Scenario) {
    let is_built = |name: &String| mechanisms::find(name).is_none_or(|mechanism| mechanism.is_compiled());
    let (built, missing): (Vec<_>, Vec<_>) = scenario.mechanisms.iter().cloned().partition(is_built);
    if !missing.is_empty() && !built.is_empty() {
        eprintln!("muxbench: not in this build, left out: {}", missing.join(", "));
        scenario.mechanisms = built;
    }
}

/// Cells of two machines must not end up in one campaign.
fn check_same_machine(campaign: &Campaign) -> anyhow::Result<()> {
    let here = environment::capture(Pinning::choose());
    let there = &campaign.environment;
    let same = (&here.host, &here.kernel, &here.processor, here.processors)
        == (&there.host, &there.kernel, &there.processor, there.processors);
    anyhow::ensure!(
        same,
        "this campaign was begun on {} ({}, {}): complete it there, or begin a new one here",
        there.host,
        there.kernel,
        there.processor
    );
    anyhow::ensure!(
        (here.server_cpu, here.generator_cpu) == (there.server_cpu, there.generator_cpu),
        "this campaign was pinned to other processors than this process may use now: resume it without taskset"
    );
    anyhow::ensure!(
        campaign.muxbench_version == env!("CARGO_PKG_VERSION"),
        "this campaign was begun with muxbench {}: complete it with that version, or begin a new one",
        campaign.muxbench_version
    );
    Ok(())
}

/// The exit code, and on standard error what it means.
fn verdict(campaign: &Campaign, folder: &Path, interrupted: bool) -> ExitCode {
    if interrupted {
        eprintln!(
            "muxbench: interrupted; {} finished cells are kept; to complete: muxbench run --resume {}",
            campaign.cells.len(),
            folder.display()
        );
        return ExitCode::from(INTERRUPTED);
    }
    let gaps = run::gaps(campaign);
    if !gaps.is_empty() {
        eprintln!(
            "muxbench: not a single valid cell for: {}; the reasons are with the table",
            gaps.join("; ")
        );
        return ExitCode::from(INVALID);
    }
    ExitCode::SUCCESS
}

/// Shows how far the campaign is: a bar on a terminal, a line a cell elsewhere.
struct Watcher {
    bar: ProgressBar,
    began: Instant,
    measured: usize,
}

impl Watcher {
    fn new(campaign: &Campaign) -> Self {
        let planned = campaign.plan.points.len() * campaign.plan.scenario.mechanisms.len();
        let planned = planned as u64 * u64::from(campaign.plan.scenario.repeats);
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} cells  {elapsed}  {msg}")
            .expect("the template is valid");
        let bar = ProgressBar::with_draw_target(Some(planned), target).with_style(style);
        if bar.is_hidden() {
            let left = planned.saturating_sub(run::finished(campaign).len() as u64);
            let seconds = left as f64 * expected_cell_s(campaign);
            eprintln!("muxbench: {left} cells, about {}", minutes(Duration::from_secs_f64(seconds)));
        }
        Self { bar, began: Instant::now(), measured: 0 }
    }
}

impl Audience for Watcher {
    fn cell(&mut self, cell: &Cell, done: usize, planned: usize) {
        self.measured += 1;
        let left = self.began.elapsed() / self.measured as u32 * (planned - done) as u32;
        let line = format!("{}; {} left", describe(cell), minutes(left));
        self.bar.set_position(done as u64);
        self.bar.set_message(line.clone());
        if self.bar.is_hidden() {
            eprintln!("[{done}/{planned}] {line}");
        }
    }
}

/// What a cell takes besides its phases: starting the server, connecting, draining, closing.
const AROUND_PHASES_S: f64 = 0.2;

fn expected_cell_s(campaign: &Campaign) -> f64 {
    let timing = &campaign.plan.scenario.timing;
    timing.capacity_s + timing.latency_s + 2.0 * timing.warmup_s + AROUND_PHASES_S
}

fn minutes(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds => format!("{:.0} min", seconds as f64 / 60.0),
    }
}

/// One line about a cell that has ended.
fn describe(cell: &Cell) -> String {
    let mut line = format!(
        "{} at {} connections, {} active",
        cell.mechanism,
        format::count(cell.point.connections.into()),
        format::count(cell.point.active.into())
    );
    let p50 = cell.latency.as_ref().and_then(|phase| phase.load.response.as_ref()?.p50_ns);
    if let Some(p50) = p50 {
        line += &format!(": p50 {}", format::duration_ns(p50 as f64));
    }
    if let Some(capacity) = &cell.capacity {
        line += &format!(", {} echoes/s", format::rate(capacity.load.throughput_per_s));
    }
    let word = match cell.status {
        CellStatus::Valid => return line,
        CellStatus::Invalid => "INVALID",
        CellStatus::Failed => "FAILED",
    };
    format!("{line}: {word}: {}", cell.reasons.join("; "))
}
