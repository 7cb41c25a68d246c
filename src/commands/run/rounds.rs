//! `muxbench run` of scenarios that are measured in rounds.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context;
use load_gen::machine::capacity::Capacity;
use load_gen::signals::{INTERRUPTED, Interruption};
use model::campaign::{Campaign, Histograms, Length, Plan, PlannedPoint};
use model::note;
use model::schema::{Point, ResultFile, SCHEMA_VERSION, Scenario};
use muxbench::experiment::environment::{self, Pinning};
use muxbench::experiment::journal::Journal;
use muxbench::experiment::rounds::{self, Audience, groups};
use muxbench::experiment::run::FILE_NAME;
use muxbench::experiment::scenario::Prepared;
use muxbench::experiment::server::Base;
use report::rounds::{Analysis, answer};

use super::{INVALID, Report, Run, UsageError, check_same_machine, gate, print};
use crate::commands::GATE;

/// What the reference is called where each candidate has one of its own.
const BUILD: &str = "base";

/// Measures `prepared`, one scenario after the other.
pub fn execute(run: &Run, prepared: Vec<Prepared>) -> anyhow::Result<ExitCode> {
    refuse_options_of_cells(run)?;
    run.against.as_deref().map(Base::parse).transpose().map_err(UsageError)?;
    let environment = environment::capture(&Pinning::choose());
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let diagnosis = (!run.no_doctor).then(|| run.ask_the_doctor(&prepared));
    let interruption = Interruption::take_over().context("cannot watch for signals")?;
    let mut status = 0;
    for (argument, Prepared { scenario, points, notes }) in run.scenarios.iter().zip(prepared) {
        notes.iter().for_each(|note| note!("muxbench: {}: {note}", scenario.name));
        let folder = run.folder(&started, &environment, &scenario.name);
        let campaign = Campaign {
            schema_version: SCHEMA_VERSION,
            muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
            started: started.clone(),
            command: run.command(argument),
            length: match (run.quick, run.thorough) {
                (true, _) => Length::Quick,
                (_, true) => Length::Thorough,
                _ => Length::Default,
            },
            complete: false,
            environment: environment.clone(),
            diagnosis: diagnosis.clone(),
            plan: plan(scenario, &points, run),
            starts: Vec::new(),
            rounds: Vec::new(),
        };
        run.baselines.check(&campaign)?;
        model::files::make_folder(&folder).context("choose another folder with --out")?;
        let journal = Journal::begin(&folder, &campaign)?;
        match measure(run, &folder, campaign, journal, &interruption)? {
            INTERRUPTED => return Ok(ExitCode::from(INTERRUPTED)),
            // A gate that failed stays so.
            worse if worse != 0 && status != GATE => status = worse,
            _ => {}
        }
    }
    Ok(ExitCode::from(status))
}

/// There are no cells to repeat.
fn refuse_options_of_cells(run: &Run) -> Result<(), UsageError> {
    match run.repeats {
        Some(_) => Err(UsageError(
            "a scenario with [rounds] has starts and rounds, and does not take --repeats".to_owned(),
        )),
        None => Ok(()),
    }
}

/// Completes the campaign of rounds in `folder`, if it is one.
pub fn resume(run: &Run, folder: &Path) -> Option<anyhow::Result<ExitCode>> {
    let (journal, campaign) = Journal::resume::<Campaign>(folder).ok()?;
    let go_on = || {
        check_same_machine(&campaign.environment, &campaign.muxbench_version)?;
        run.baselines.check(&campaign)?;
        let interruption = Interruption::take_over().context("cannot watch for signals")?;
        Ok(ExitCode::from(measure(run, folder, campaign, journal, &interruption)?))
    };
    Some(go_on())
}

/// Measures one campaign. Returns the status that the process is to end with.
fn measure(
    run: &Run,
    folder: &Path,
    mut campaign: Campaign,
    mut journal: Journal,
    interruption: &Interruption,
) -> anyhow::Result<u8> {
    rounds::run(&mut campaign, &mut journal, folder, interruption.stop(), &mut Watcher { told: 0 })?;
    if !campaign.complete {
        note!(
            "muxbench: interrupted; {} rounds are kept; to complete: muxbench run --resume {}",
            campaign.rounds.len(),
            folder.display()
        );
        run.baselines.tell_not_kept("it was interrupted");
        return Ok(INTERRUPTED);
    }
    let histograms = Histograms::of(&campaign)?;
    let told = interruption.while_all_is_saved(|| tell(run, folder, &campaign, &histograms));
    let gaps = rounds::gaps(&campaign);
    let gate = gate::conclude(run, &campaign, &histograms, &folder.join(FILE_NAME), gaps.is_empty())?;
    if !gaps.is_empty() {
        note!("muxbench: not a single round counts for: {}", gaps.join("; "));
    }
    // What was measured decides how the process ends.
    let code = match (gate, gaps.is_empty()) {
        (0, true) => return told.map(|()| 0),
        (0, false) => INVALID,
        (gate, _) => gate,
    };
    if let Err(trouble) = told {
        note!("muxbench: {}", report::format::error(trouble.as_ref()));
    }
    Ok(code)
}

/// Prints what was measured, and writes its pages.
fn tell(run: &Run, folder: &Path, campaign: &Campaign, histograms: &Histograms) -> anyhow::Result<()> {
    match run.json {
        true => print(serde_json::to_string(&ResultFile::Rounds(campaign.clone()))? + "\n"),
        false => Report::of(folder).of_rounds(campaign, histograms).map(|_| ()),
    }
}

/// Who is measured where.
fn plan(scenario: Scenario, points: &[Point], run: &Run) -> Plan {
    let machine = Capacity::of_this_machine();
    let reference = scenario.rounds.as_ref().map(|rounds| rounds.reference.clone()).unwrap_or_default();
    let is_against = run.against.is_some();
    let planned = |point: &Point| PlannedPoint {
        point: point.clone(),
        groups: match is_against {
            true => groups::against(&scenario, point),
            false => groups::groups(&scenario, &reference, point, &machine),
        },
    };
    let points = points.iter().map(planned).collect();
    let reference = if is_against { BUILD.to_owned() } else { reference };
    Plan { reference, against: run.against.clone(), points, seed: run.seed, scenario }
}

/// Tells how far a campaign is: what it would answer now, once every point has had as many starts as any.
struct Watcher {
    told: usize,
}

impl Audience for Watcher {
    fn round(&mut self, _campaign: &Campaign) {}

    fn start(&mut self, campaign: &Campaign) {
        let groups: usize = campaign.plan.points.iter().map(|planned| planned.groups.len()).sum();
        let passes = campaign.starts.iter().filter(|start| start.complete).count() / groups.max(1);
        // After the first pass and each time that there are twice as many.
        if passes < (self.told * 2).max(1) {
            return;
        }
        self.told = passes;
        if let Ok(histograms) = Histograms::of(campaign) {
            note!("{}", answer::provisional(&Analysis::of(campaign, &histograms)).trim_end());
        }
    }
}
