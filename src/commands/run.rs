//! `muxbench run`

mod apart;
mod gate;
mod interrupted;
mod listing;
mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use evidence::reproductions::NAME as REPRODUCTIONS;
use model::campaign::{Campaign, Histograms, Length};
use model::note;
use model::schema::{Diagnosis, Environment, ResultFile, SCHEMA_VERSION};
use muxbench::doctor;
use muxbench::experiment::FILE_NAME;
use muxbench::experiment::environment::{self, Pinning};
use muxbench::experiment::journal::Journal;
use muxbench::experiment::scenario::{self, Overrides, Prepared, ScenarioError};
use muxbench::experiment::server::Base;
use muxbench::experiment::{plan, rounds, shell};
use sys::capacity::Capacity;
use sys::limits;
use sys::signals::{INTERRUPTED, Interruption};

use self::progress::Watcher;
use super::baseline::Baselines;
use super::report::Report;
use super::reproductions;
use super::{GATE, INVALID, UsageError, print};

/// Measure: the main job
///
/// Starts the servers of all mechanisms, and of the scenario's external servers, gives each of them short slices of the same load in
/// turn, and prints how they compare with the reference. The result goes to results/<time>-<host>/campaign.json; of several
/// scenarios each has a folder of its own. Ctrl-C keeps every finished round. Ends with 4 where not a single round counts for a
/// candidate at a point, with 3 where a gate fails.
#[derive(clap::Args)]
pub struct Run {
    /// Scenarios, measured one after the other: names of `--list`, or paths to TOML files; or `reproductions` alone, published
    /// tables measured again, or some of them by name: tlpi, kegel, libevent, gammo, io-uring-echo, perf-epoll-wait
    #[arg(value_name = "SCENARIO", default_value = scenario::DEFAULT)]
    scenarios: Vec<String>,
    /// Print the scenarios, what each asks, and how long it takes
    #[arg(long)]
    list: bool,
    /// The scenario's short form: under a minute, wide intervals
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
    /// Seed of every order and every schedule
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Folder of the result, of several scenarios a folder in it for each; it must not hold another campaign
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Complete an interrupted campaign as it was planned
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "scenarios", "list", "quick", "thorough", "mechanisms", "conns", "active", "reference", "against", "seed", "out", "no_doctor",
    ])]
    resume: Option<PathBuf>,
    /// Do not ask the doctor first, which listens to the machine for five seconds (--quick: one)
    #[arg(long)]
    no_doctor: bool,
    #[command(flatten)]
    baselines: Baselines,
    /// Print the campaign as JSON instead of the answer
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
        limits::raise_descriptors();
        let planned = if self.resume.is_none() { self.plan(self.prepare()?)? } else { Vec::new() };
        // Until here there is nothing to save, and a signal ends the process at once.
        let interruption = Interruption::take_over().context("cannot watch for signals")?;
        let all = match &self.resume {
            Some(folder) => {
                let work = resume(folder)?;
                self.baselines.check(&work.campaign)?;
                vec![work]
            }
            None => planned.into_iter().map(begin).collect::<anyhow::Result<_>>()?,
        };
        tell_expected(&all);
        self.measure_all(all, &interruption)
    }

    /// Measures one campaign after the other, and tells each when it is over.
    fn measure_all(&self, mut left: Vec<Work>, interruption: &Interruption) -> anyhow::Result<ExitCode> {
        let several = left.len() > 1;
        let mut status = 0;
        // What cannot be told ends no campaign: it is all in the results.
        let mut trouble = None;
        while !left.is_empty() {
            let mut work = left.remove(0);
            measure(&mut work, &left, interruption)?;
            // One that came after the last round finds all of it measured, and is noticed while that is told.
            if interruption.has_come() && !work.campaign.complete {
                self.tell_interrupted(&work, &left);
                return Ok(ExitCode::from(INTERRUPTED));
            }
            let told = interruption
                .while_all_is_saved(|| self.tell_not_told(&work, &left), || self.conclude(&work, several));
            let (own, untold) = told?;
            trouble = trouble.or(untold);
            // A gate that failed stays so.
            if own != 0 && status != GATE {
                status = own;
            }
        }
        match (status, trouble) {
            (0, None) => Ok(ExitCode::SUCCESS),
            (0, Some(trouble)) => Err(trouble),
            // What was measured decides how the process ends.
            (status, trouble) => {
                if let Some(trouble) = trouble {
                    note!("muxbench: {}", report::format::error(trouble.as_ref()));
                }
                Ok(ExitCode::from(status))
            }
        }
    }

    /// Tells a measured campaign and holds it to what was asked. Gives its exit status, and why it could not be told.
    fn conclude(&self, work: &Work, several: bool) -> anyhow::Result<(u8, Option<anyhow::Error>)> {
        let histograms = Histograms::of(&work.campaign)?;
        let untold = self.tell(work, &histograms, several).err();
        let has_gaps = tell_gaps(&work.campaign);
        let file = work.folder.join(FILE_NAME);
        let gate = gate::conclude(self, &work.campaign, &histograms, &file, !has_gaps)?;
        Ok((if gate == 0 && has_gaps { INVALID } else { gate }, untold))
    }

    /// Prints a measured campaign, and makes its page.
    fn tell(&self, work: &Work, histograms: &Histograms, several: bool) -> anyhow::Result<()> {
        let Work { folder, campaign, .. } = work;
        if self.json {
            return print(serde_json::to_string(&ResultFile::Campaign(campaign.clone()))? + "\n");
        }
        let heading = if several { print(format!("{}\n", campaign.plan.scenario.name)) } else { Ok(()) };
        // What cannot be printed is written all the same.
        Report::of(folder).of_rounds(campaign, histograms).and(heading)
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

    /// Plans a campaign for each scenario, and says into which folder it goes. There is no plan unless all of them can be run.
    fn plan(&self, prepared: Vec<Prepared>) -> anyhow::Result<Vec<(PathBuf, Campaign)>> {
        let base = self.against.as_deref().map(Base::parse).transpose().map_err(UsageError)?;
        let environment = environment::capture(&Pinning::choose());
        let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        if cfg!(debug_assertions) {
            note!("muxbench: this is a debug build: its figures say little; use cargo run --release");
        }
        if environment.server_cpu.is_none() {
            note!(
                "muxbench: server and generator are bound to no processor (there is one only, or sched_setaffinity(2) is \
                 refused): they share, and most rounds will be dropped"
            );
        }
        let diagnosis = (!self.no_doctor).then(|| self.ask_the_doctor(&prepared));
        let machine = Capacity::of_this_machine();
        let mut planned = Vec::new();
        for (argument, mut prepared) in self.scenarios.iter().zip(prepared) {
            if let Some(base) = &base {
                base.choose(&mut prepared.scenario).map_err(UsageError)?;
            }
            let name = prepared.scenario.name.clone();
            tell_notes(&name, &prepared.notes, diagnosis.as_ref());
            let campaign = Campaign {
                schema_version: SCHEMA_VERSION,
                muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
                started: started.clone(),
                command: self.command(argument),
                length: match (self.quick, self.thorough) {
                    (true, _) => Length::Quick,
                    (_, true) => Length::Thorough,
                    _ => Length::Default,
                },
                complete: false,
                environment: environment.clone(),
                diagnosis: diagnosis.clone(),
                plan: plan::of(prepared, self.against.clone(), self.seed, &machine),
                starts: Vec::new(),
                rounds: Vec::new(),
            };
            self.baselines.check(&campaign)?;
            planned.push((self.folder(&started, &environment, &name), campaign));
        }
        Ok(planned)
    }

    /// Asks the doctor about the machine, for the most connections that are to be held, and prints its complaints. They
    /// stop nothing: what makes figures useless is found out round by round.
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
            thorough: self.thorough,
            reference: self.reference.clone(),
            against: self.against.is_some(),
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

    /// The folder for the result of one of the scenarios.
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
        let joined = |values: &Option<Vec<String>>| values.as_ref().map(|values| values.join(","));
        let options = [
            ("--reference", self.reference.clone()),
            ("--against", self.against.clone()),
            ("--mechanisms", joined(&self.mechanisms)),
            ("--conns", joined(&self.conns)),
            ("--active", joined(&self.active)),
            ("--seed", Some(self.seed.to_string())),
        ];
        let mut words = vec!["muxbench", "run", scenario];
        words.extend(self.quick.then_some("--quick"));
        words.extend(self.thorough.then_some("--thorough"));
        for (option, value) in &options {
            words.extend(value.as_deref().into_iter().flat_map(|value| [*option, value]));
        }
        shell::command(words)
    }
}

/// Makes the folder and the journal of a campaign.
fn begin((folder, campaign): (PathBuf, Campaign)) -> anyhow::Result<Work> {
    model::files::make_folder(&folder).context("choose another folder with --out")?;
    let journal = Journal::begin(&folder, &campaign)?;
    Ok(Work { folder, campaign, journal })
}

/// Opens a campaign that was begun, to complete it.
fn resume(folder: &Path) -> anyhow::Result<Work> {
    let (journal, campaign) = Journal::resume(folder)?;
    check_same_machine(&campaign.environment, &campaign.muxbench_version)?;
    let missing = scenario::missing_programs(&campaign.plan.scenario);
    anyhow::ensure!(missing.is_empty(), "{}", missing.join("\nmuxbench: "));
    Ok(Work { folder: folder.to_owned(), campaign, journal })
}

/// Figures of two machines, or of two builds, must not end up in one campaign, which was begun `there` with `version`.
fn check_same_machine(there: &Environment, version: &str) -> anyhow::Result<()> {
    let here = environment::capture(&Pinning::choose());
    let key = |of: &Environment| {
        let names = [&of.host, &of.kernel, &of.processor].map(String::clone);
        (names, of.processors, of.cpu_quota, of.shares_descriptor_table)
    };
    let same = key(&here) == key(there);
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
        (version, &here.profile, &here.rustc_version)
            == (env!("CARGO_PKG_VERSION"), &there.profile, &there.rustc_version),
        "this campaign was begun with muxbench {version} ({}, {}): complete it with that build, or begin a new one",
        there.profile,
        there.rustc_version
    );
    Ok(())
}

/// Measures one campaign, after which `later` are to follow.
fn measure(work: &mut Work, later: &[Work], interruption: &Interruption) -> anyhow::Result<()> {
    let Work { folder, campaign, journal } = work;
    let later_s = later.iter().map(|work| plan::expected_s(&work.campaign.plan)).sum();
    let mut watcher = Watcher::new(campaign, later_s);
    let outcome = rounds::run(campaign, journal, folder, interruption.stop(), &mut watcher);
    watcher.finish();
    Ok(outcome?)
}

/// Says what to know of a scenario beforehand, but for what the doctor has said.
fn tell_notes(scenario: &str, notes: &[String], diagnosis: Option<&Diagnosis>) {
    let is_said = |note: &&String| {
        let symptoms = diagnosis.iter().flat_map(|diagnosis| &diagnosis.symptoms);
        symptoms.map(|symptom| &symptom.found).any(|found| note.starts_with(found.as_str()))
    };
    notes.iter().filter(|note| !is_said(note)).for_each(|note| note!("muxbench: {scenario}: {note}"));
}

/// Says what is to be measured, and how long that takes.
fn tell_expected(all: &[Work]) {
    for Work { campaign, .. } in all {
        let kept = match campaign.rounds.len() {
            0 => String::new(),
            rounds => format!(", of which {} were measured before", report::format::plural(rounds, "round")),
        };
        note!("muxbench: {}: {}{kept}", campaign.plan.scenario.name, progress::expected(&campaign.plan));
    }
    if all.len() > 1 {
        let all_s = all.iter().map(|work| plan::expected_s(&work.campaign.plan)).sum();
        note!("muxbench: {} scenarios, about {} together", all.len(), progress::minutes(all_s));
    }
}

/// Says of whom nothing counts, and where; whether there is such a place.
fn tell_gaps(campaign: &Campaign) -> bool {
    let gaps = rounds::gaps(campaign);
    if !gaps.is_empty() {
        note!("muxbench: not a single round counts for: {}", gaps.join("; "));
    }
    !gaps.is_empty()
}
