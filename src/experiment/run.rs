//! Running a campaign: cell by cell, each kept at once, invalid ones tried again.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use model::schema::{Campaign, Cell, CellStatus, ResultFile};
use report::stop;

use super::cell::{self, Setting};
use super::environment::Pinning;
use super::journal::{Journal, JournalError};
use super::plan::{self, Task};
use super::server::Place;

/// How often one cell is tried.
const ATTEMPTS: u32 = 3;
/// Further attempts in the whole campaign, as a share of its cells: a machine that is never quiet must not
/// make a campaign endless.
const FURTHER_ATTEMPTS_SHARE: f64 = 0.1;

/// The campaign's file in its folder.
pub const FILE_NAME: &str = "campaign.json";

/// A campaign could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The program that serves was not found.
    #[error("cannot find the muxbench program to start servers with: {0}")]
    Program(std::io::Error),
    /// The other build is not there.
    #[error("{0}")]
    Base(String),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The final file failed; the journal holds every cell.
    #[error("{0}; the journal beside it holds every finished cell: free some space and use --resume")]
    Write(#[from] model::files::WriteError),
}

/// Told about each cell as it ends.
pub trait Audience {
    /// `cell` has ended.
    fn cell(&mut self, cell: &Cell);

    /// `repeats` are over, and another follows since the figures are not as sure as asked.
    fn another_repeat(&mut self, repeats: u32);
}

/// Measures what `campaign` lacks of its plan, in `folder`, and writes its file.
///
/// Returns when all is measured or `stop` is set; `campaign.complete` tells which.
///
/// # Errors
///
/// When results cannot be written.
pub fn run(
    campaign: &mut Campaign,
    journal: &mut Journal,
    folder: &Path,
    stop: &Arc<AtomicBool>,
    audience: &mut dyn Audience,
) -> Result<(), CampaignError> {
    let plan = campaign.plan.clone();
    let setting = Setting {
        place: Place {
            scenario: &plan.scenario,
            program: std::env::current_exe().map_err(CampaignError::Program)?,
            base: None,
            pinning: Pinning::of(&campaign.environment),
            stop: Arc::clone(stop),
        },
        seed: plan.seed,
        began: Instant::now(),
        began_s: campaign.cells.last().map_or(0.0, |cell| cell.began_s),
    };
    let mut runner = Runner { setting, journal, audience, further: further(campaign), campaign };
    runner.repeats()?;
    write(campaign, folder)?;
    Ok(())
}

/// Measures one repeat after the other.
struct Runner<'a> {
    setting: Setting<'a>,
    campaign: &'a mut Campaign,
    journal: &'a mut Journal,
    audience: &'a mut dyn Audience,
    /// Further attempts that may still be made.
    further: u32,
}

impl Runner<'_> {
    /// Measures until the rule of the scenario ends the repeats, or somebody else the campaign.
    fn repeats(&mut self) -> Result<(), JournalError> {
        let plan = self.campaign.plan.clone();
        self.campaign.complete = false;
        for (made, tasks) in (1..).zip(plan::repeats(&plan)) {
            let finished = finished(self.campaign);
            for task in tasks.iter().filter(|task| !finished.contains(&key(task))) {
                if !self.attempts(task)? {
                    return Ok(());
                }
            }
            if let Some(decision) = stop::decide(self.campaign, made) {
                self.campaign.stopped = decision.stopped();
                self.campaign.complete = true;
                return Ok(());
            }
            let may_end = made >= plan.scenario.repeats;
            if may_end && self.campaign.cells.iter().all(|cell| cell.repeat < made) {
                self.audience.another_repeat(made);
            }
        }
        unreachable!("a rule without a bound is refused")
    }

    /// Measures one task until it is valid, or has been tried as often as may be; false when the campaign is to end.
    fn attempts(&mut self, task: &Task) -> Result<bool, JournalError> {
        let key = key(task);
        let first = self.campaign.cells.iter().filter(|cell| task_of(cell) == key).count() as u32;
        for attempt in first..ATTEMPTS {
            let Some(cell) = cell::measure(task, attempt, &self.setting) else { return Ok(false) };
            self.audience.cell(&cell);
            self.journal.add(&cell)?;
            let valid = cell.status == CellStatus::Valid;
            self.campaign.cells.push(cell);
            if valid || self.further == 0 {
                break;
            }
            self.further -= u32::from(attempt + 1 < ATTEMPTS);
        }
        Ok(true)
    }
}

/// Further attempts that `campaign` may still make.
fn further(campaign: &Campaign) -> u32 {
    let scenario = &campaign.plan.scenario;
    let repeats = scenario.stop.map_or(scenario.repeats, |stop| stop.repeats_at_most);
    let planned = plan::cells_a_repeat(&campaign.plan) as f64 * f64::from(repeats);
    let tried: HashSet<_> = campaign.cells.iter().map(task_of).collect();
    let spent = (campaign.cells.len() - tried.len()) as u32;
    ((planned * FURTHER_ATTEMPTS_SHARE) as u32).saturating_sub(spent)
}

/// The tasks that need no further attempt: measured, or tried as often as may be.
pub fn finished(campaign: &Campaign) -> HashSet<TaskKey> {
    let tried = |key: &TaskKey| campaign.cells.iter().filter(|cell| task_of(cell) == *key).count();
    campaign
        .cells
        .iter()
        .map(|cell| (cell.status, task_of(cell)))
        .filter(|(status, key)| *status == CellStatus::Valid || tried(key) >= ATTEMPTS as usize)
        .map(|(_, key)| key)
        .collect()
}

/// A contender, a point and a repeat.
type TaskKey = (Box<str>, model::schema::Point, u32);

/// The same of a task.
fn key(task: &Task) -> TaskKey {
    (task.contender.as_str().into(), task.point.clone(), task.repeat)
}

/// Which task a cell belongs to.
fn task_of(cell: &Cell) -> TaskKey {
    (cell.mechanism.as_str().into(), cell.point.clone(), cell.repeat)
}

/// Writes the campaign's file.
fn write(campaign: &Campaign, folder: &Path) -> Result<(), model::files::WriteError> {
    let file = ResultFile::Campaign(campaign.clone());
    let mut text = serde_json::to_vec(&file).expect("results have string keys only");
    text.push(b'\n');
    model::files::write_atomically(&folder.join(FILE_NAME), &text)
}

/// Points of a campaign at which some contender has no valid cell at all: `contender at N connections`.
pub fn gaps(campaign: &Campaign) -> Vec<String> {
    let valid: HashSet<_> = campaign
        .cells
        .iter()
        .filter(|cell| cell.status == CellStatus::Valid)
        .map(|cell| (cell.mechanism.as_str(), &cell.point))
        .collect();
    let mut gaps: Vec<String> = Vec::new();
    for point in &campaign.plan.points {
        for contender in campaign.plan.scenario.contenders() {
            let is_planned = campaign.plan.scenario.exclusion(contender, point).is_none();
            if is_planned && !valid.contains(&(contender, point)) {
                let mut gap =
                    format!("{contender} at {} connections, {} active", point.connections, point.active);
                report::format::particulars(point)
                    .iter()
                    .for_each(|particular| gap += &format!(", {particular}"));
                gaps.push(gap);
            }
        }
    }
    gaps
}
