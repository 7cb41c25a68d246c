//! `muxbench run`

mod apart;
mod gate;
mod listing;
mod progress;
mod rounds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use load_gen::machine::capacity::Capacity;
use load_gen::signals::{INTERRUPTED, Interruption};
use load_gen::{machine, units};
use model::note;
use model::schema::{Campaign, Diagnosis, Environment, Plan, ResultFile, SCHEMA_VERSION};
use muxbench::doctor;
use muxbench::experiment::environment::{self, Pinning};
use muxbench::experiment::expectation::Expectation;
use muxbench::experiment::journal::Journal;
use muxbench::experiment::run;
use muxbench::experiment::scenario::{self, Overrides, Prepared, ScenarioError};
use muxbench::reproductions::NAME as REPRODUCTIONS;

use self::progress::Watcher;
use super::baseline::Baselines;
use super::report::Report;
use super::reproductions;
use super::{INVALID, UsageError, print};

/// Measure: the main job
///
/// Starts each mechanism's server, and each external server of the scenario, puts the scenario's load on it, and
/// prints a table. The result goes to results/<time>-<host>/campaign.json, figures to plots/<time>-<host>/; of several
/// scenarios each has a folder of its own. Ctrl-C keeps every finished cell. Ends with 4 where nothing valid was measured for a
/// contender at a point, with 3 where a gate fails (--fail-above).
#[derive(clap::Args)]
pub struct Run {
    /// Scenarios, measured one after the other: names of `--list`, or paths to TOML files; or `reproductions` alone, published
    /// tables measured again, or some of them by name: tlpi, kegel, libevent, gammo, io-uring-echo, perf-epoll-wait
    #[arg(value_name = "SCENARIO", default_value = scenario::DEFAULT)]
    scenarios: Vec<String>,
    /// Print the scenarios, what each asks, and how long it takes
    #[arg(long)]
    list: bool,
    /// The scenario's short form: about a minute, wide intervals
    #[arg(long)]
    quick: bool,
    /// Narrow intervals: six times the default's time
    #[arg(long, conflicts_with = "quick")]
    thorough: bool,
    /// Measure these only, mechanisms or servers of the scenario: a,b
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    mechanisms: Option<Vec<String>>,
    /// Connections at each point: 100,1k,10k
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    conns: Option<Vec<String>>,
    /// Active connections, a sweep for each: 10,1%,100%
    #[arg(long, value_name = "SHARE|N,…", value_delimiter = ',')]
    active: Option<Vec<String>>,
    /// The candidate that the others are compared with: the scenario's, unless given
    #[arg(long, value_name = "NAME")]
    reference: Option<String>,
    /// Compare with another build in the same rounds: a muxbench, its folder, or the command of a server, as "./old {port}"
    #[arg(long, value_name = "DIR|COMMAND", conflicts_with = "reference")]
    against: Option<String>,
    /// How often each cell is repeated, exactly
    #[arg(long, value_name = "N", value_parser = units::positive_count)]
    repeats: Option<u32>,
    /// Seed of the order of cells and of every schedule
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Folder of the result, of several scenarios a folder in it for each; it must not hold another campaign
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Complete an interrupted campaign as it was planned
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "scenarios", "list", "quick", "thorough", "mechanisms", "conns", "active", "reference", "against", "repeats", "seed", "out", "no_doctor",
    ])]
    resume: Option<PathBuf>,
    /// Do not ask the doctor first, which listens to the machine for five seconds (--quick: one)
    #[arg(long)]
    no_doctor: bool,
    #[command(flatten)]
    baselines: Baselines,
    /// Print the campaign as JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// A campaign that is to be measured, or measured to its end.
struct Work {
    folder: PathBuf,
    campaign: Campaign,
    journal: Journal,
}

impl Run {
    /// Measures and reports.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        if self.list {
            listing::print()?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some((REPRODUCTIONS, tables)) =
            self.scenarios.split_first().map(|(first, others)| (first.as_str(), others))
        {
            self.refuse_options_of_campaigns()?;
            return reproductions::execute(tables, self.seed, self.out.as_deref(), self.json);
        }
        machine::raise_descriptor_limit();
        if let Some(outcome) = self.resume.as_ref().and_then(|folder| rounds::resume(&self, folder)) {
            return outcome;
        }
        let prepared = if self.resume.is_none() { self.prepare()? } else { Vec::new() };
        match prepared.iter().filter(|one| one.scenario.rounds.is_some()).count() {
            0 if self.against.is_some() => {
                let what = "--against is for scenarios with [rounds], as side-by-side";
                return Err(UsageError(what.to_owned()).into());
            }
            0 => {}
            rounds if rounds == prepared.len() => return rounds::execute(&self, prepared),
            _ => {
                let what = "scenarios with [rounds] and others: one at a time";
                return Err(UsageError(what.to_owned()).into());
            }
        }
        let planned = if self.resume.is_none() { self.plan(prepared)? } else { Vec::new() };
        // Until here there is nothing to save, and a signal ends the process at once.
        let interruption = Interruption::take_over().context("cannot watch for signals")?;
        let mut left = match &self.resume {
            Some(folder) => {
                vec![resume(folder)?]
            }
            None => begin(planned)?,
        };
        tell_expected(&left);
        let several = left.len() > 1;
        let mut all_valid = true;
        // What cannot be told or drawn ends no campaign: it is all in the results.
        let mut trouble = None;
        while !left.is_empty() {
            let mut work = left.remove(0);
            self.measure(&mut work, &left, &interruption)?;
            if interruption.has_come() {
                tell_interrupted(&work, &left);
                return Ok(ExitCode::from(INTERRUPTED));
            }
            let told = interruption.while_all_is_saved(|| self.tell(&work.folder, &work.campaign, several));
            trouble = trouble.or(told.err());
            let valid = tell_gaps(&work.campaign) && work.campaign.complete;
            all_valid &= valid;
        }
        if all_valid {
            return trouble.map_or(Ok(ExitCode::SUCCESS), Err);
        }
        // What was measured decides how the process ends.
        if let Some(trouble) = trouble {
            note!("muxbench: {}", report::format::error(trouble.as_ref()));
        }
        Ok(ExitCode::from(INVALID))
    }

    /// The published tables are what they are: none of the options that change a scenario means anything there.
    fn refuse_options_of_campaigns(&self) -> Result<(), UsageError> {
        let given = [
            ("--quick", self.quick),
            ("--thorough", self.thorough),
            ("--reference", self.reference.is_some()),
            ("--against", self.against.is_some()),
            ("--mechanisms", self.mechanisms.is_some()),
            ("--conns", self.conns.is_some()),
            ("--active", self.active.is_some()),
            ("--repeats", self.repeats.is_some()),
            ("a baseline or a gate", self.baselines.is_any()),
        ];
        let given: Vec<&str> =
            given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
        if given.is_empty() {
            return Ok(());
        }
        let given = report::format::and(&given);
        Err(UsageError(format!(
            "{REPRODUCTIONS} takes the names of its tables, --seed, --out and --json, and not {given}"
        )))
    }

    /// Measures one campaign, after which `later` are to follow.
    fn measure(&self, work: &mut Work, later: &[Work], interruption: &Interruption) -> anyhow::Result<()> {
        let Work { folder, campaign, journal } = work;
        let later_s = later.iter().map(|work| Expectation::of(&work.campaign.plan).least_s()).sum();
        let mut watcher = Watcher::new(campaign, later_s);
        let outcome = run::run(campaign, journal, folder, interruption.stop(), &mut watcher);
        watcher.finish();
        Ok(outcome?)
    }

    /// Prints a measured campaign, and makes its pages and figures.
    fn tell(&self, folder: &Path, campaign: &Campaign, several: bool) -> anyhow::Result<()> {
        let heading = several && !self.json;
        let text = match self.json {
            true => serde_json::to_string(&ResultFile::Campaign(campaign.clone()))? + "\n",
            false if heading => format!("{}\n", campaign.plan.scenario.name),
            false => String::new(),
        };
        let printed = print(text);
        // What cannot be printed is written all the same.
        Report::of(folder).write(campaign, !self.json).and(printed)
    }

    /// Plans a campaign for each scenario, and says into which folder it goes. There is no plan unless all of them can be run.
    fn plan(&self, prepared: Vec<Prepared>) -> anyhow::Result<Vec<(PathBuf, Campaign)>> {
        let environment = environment::capture(&Pinning::choose());
        let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        if cfg!(debug_assertions) {
            note!("muxbench: this is a debug build: its figures say little; use cargo run --release");
        }
        if environment.server_cpu.is_none() {
            note!(
                "muxbench: server and generator are bound to no processor (there is one only, or sched_setaffinity(2) is \
                 refused): they share, and most cells will be invalid"
            );
        }
        let diagnosis = (!self.no_doctor).then(|| self.ask_the_doctor(&prepared));
        let mut planned = Vec::new();
        for (argument, Prepared { scenario, points, notes }) in self.scenarios.iter().zip(prepared) {
            // What the doctor has said is not said again.
            let is_said = |note: &&String| {
                let symptoms = diagnosis.iter().flat_map(|diagnosis| &diagnosis.symptoms);
                symptoms.map(|symptom| &symptom.found).any(|found| note.starts_with(found.as_str()))
            };
            let news = notes.iter().filter(|note| !is_said(note));
            news.for_each(|note| note!("muxbench: {}: {note}", scenario.name));
            let folder = self.folder(&started, &environment, &scenario.name);
            let campaign = Campaign {
                schema_version: SCHEMA_VERSION,
                muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
                started: started.clone(),
                command: self.command(argument),
                quick: self.quick,
                complete: false,
                environment: environment.clone(),
                diagnosis: diagnosis.clone(),
                plan: Plan { scenario, points, seed: self.seed },
                cells: Vec::new(),
                stopped: None,
            };
            planned.push((folder, campaign));
        }
        Ok(planned)
    }

    /// What the doctor says of the machine, about the most connections that are to be held. What is wrong is told, and
    /// stops nothing: what makes figures useless is found out cell by cell.
    fn ask_the_doctor(&self, prepared: &[Prepared]) -> Diagnosis {
        const QUICKLY: Duration = Duration::from_secs(1);
        let points = prepared.iter().flat_map(|one| &one.points);
        let most = points.map(|point| point.connections).max().unwrap_or(1);
        let diagnosis = doctor::examine(most, Some(if self.quick { QUICKLY } else { doctor::PROBE }));
        for complaint in report::diagnosis::complaints(&diagnosis) {
            note!("muxbench: doctor: {complaint}");
        }
        diagnosis
    }

    /// The scenarios as the command line wants them, or everything that is wrong with any of them.
    fn prepare(&self) -> Result<Vec<Prepared>, UsageError> {
        let overrides = Overrides {
            quick: self.quick,
            mechanisms: self.mechanisms.clone(),
            connections: self.conns.clone(),
            active: self.active.clone(),
            repeats: self.repeats,
            thorough: self.thorough,
            reference: self.reference.clone(),
        };
        let machine = Capacity::of_this_machine();
        let (mut all, mut wrong) = (Vec::<Prepared>::new(), Vec::new());
        for name in &self.scenarios {
            if let Some(advice) = apart::advice(name) {
                wrong.push(advice);
                continue;
            }
            match scenario::draft(name).and_then(|draft| overrides.apply(draft, &machine)) {
                Ok(prepared) if all.iter().any(|one| one.scenario.name == prepared.scenario.name) => {
                    wrong
                        .push(format!("two scenarios are named '{}': one at a time", prepared.scenario.name));
                }
                Ok(prepared) => all.push(prepared),
                Err(ScenarioError(lines)) => wrong.extend(lines),
            }
        }
        if wrong.is_empty() { Ok(all) } else { Err(UsageError(ScenarioError(wrong).to_string())) }
    }

    /// Where the result of one of the scenarios goes.
    fn folder(&self, started: &str, environment: &Environment, scenario: &str) -> PathBuf {
        let several = self.scenarios.len() > 1;
        match &self.out {
            Some(out) if several => out.join(scenario),
            Some(out) => out.clone(),
            None => {
                let time = started.replace([':', '-'], "").replace('Z', "");
                let host = &environment.host;
                let which = if several { format!("-{scenario}") } else { String::new() };
                Path::new("results").join(format!("{time}-{host}{which}"))
            }
        }
    }

    /// The command that repeats the run of one scenario exactly.
    fn command(&self, scenario: &str) -> String {
        let mut words = vec!["muxbench run".to_owned(), scenario.to_owned()];
        if self.quick {
            words.push("--quick".to_owned());
        }
        if self.thorough {
            words.push("--thorough".to_owned());
        }
        if let Some(reference) = &self.reference {
            words.push(format!("--reference {reference}"));
        }
        if let Some(against) = &self.against {
            words.push(format!("--against '{against}'"));
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

/// Makes the folders and journals of campaigns.
fn begin(planned: Vec<(PathBuf, Campaign)>) -> anyhow::Result<Vec<Work>> {
    let begin = |(folder, campaign): (PathBuf, Campaign)| {
        model::files::make_folder(&folder).context("choose another folder with --out")?;
        let journal = Journal::begin(&folder, &campaign)?;
        Ok(Work { folder, campaign, journal })
    };
    planned.into_iter().map(begin).collect()
}

/// Opens a campaign that was begun, to complete it.
fn resume(folder: &Path) -> anyhow::Result<Work> {
    let (journal, campaign) = Journal::resume::<Campaign>(folder)?;
    check_same_machine(&campaign.environment, &campaign.muxbench_version)?;
    let missing = scenario::missing_programs(&campaign.plan.scenario);
    anyhow::ensure!(missing.is_empty(), "{}", missing.join("\nmuxbench: "));
    Ok(Work { folder: folder.to_owned(), campaign, journal })
}

/// Figures of two machines, or of two builds, must not end up in one campaign, which was begun `there` with `version`.
fn check_same_machine(there: &Environment, version: &str) -> anyhow::Result<()> {
    let here = environment::capture(&Pinning::choose());
    let same = (&here.host, &here.kernel, &here.processor, here.processors, here.cpu_quota)
        == (&there.host, &there.kernel, &there.processor, there.processors, there.cpu_quota);
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
        version == env!("CARGO_PKG_VERSION"),
        "this campaign was begun with muxbench {version}: complete it with that version, or begin a new one"
    );
    Ok(())
}

/// Says what is to be measured, and how long that takes.
fn tell_expected(all: &[Work]) {
    let expectations: Vec<Expectation> =
        all.iter().map(|work| Expectation::of(&work.campaign.plan)).collect();
    for (work, expected) in all.iter().zip(&expectations) {
        let kept = match work.campaign.cells.len() {
            0 => String::new(),
            cells => format!(", {cells} of them measured before"),
        };
        note!("muxbench: {}: {}{kept}", work.campaign.plan.scenario.name, progress::expected(expected));
    }
    if all.len() > 1 {
        let least_s = expectations.iter().map(Expectation::least_s).sum();
        note!("muxbench: {} scenarios, about {} together", all.len(), progress::minutes(least_s));
    }
}

/// Says how what was interrupted, and what had not begun, can be completed.
fn tell_interrupted(work: &Work, left: &[Work]) {
    note!(
        "muxbench: interrupted; {} finished cells are kept; to complete: muxbench run --resume {folder}; their table and figures: \
         muxbench report {folder}",
        work.campaign.cells.len(),
        folder = work.folder.display()
    );
    for work in left {
        let name = &work.campaign.plan.scenario.name;
        note!(
            "muxbench: {name} was not begun; to measure it: muxbench run --resume {}",
            work.folder.display()
        );
    }
}

/// Says where nothing valid was measured; whether there is no such place.
fn tell_gaps(campaign: &Campaign) -> bool {
    let gaps = run::gaps(campaign);
    if !gaps.is_empty() {
        note!("muxbench: not a single valid cell for: {}; the reasons are with the table", gaps.join("; "));
    }
    gaps.is_empty()
}
