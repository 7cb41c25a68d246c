//! Running a campaign: cell by cell, each kept at once, invalid ones tried again.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use report::schema::{Campaign, Cell, CellStatus, ResultFile};

use super::cell::{self, Setting};
use super::environment::Pinning;
use super::journal::{Journal, JournalError};
use super::plan;

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
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The final file failed; the journal holds every cell.
    #[error("{0}; the journal beside it holds every finished cell: free some space and use --resume")]
    Write(#[from] report::files::WriteError),
}

/// Told about each cell as it ends.
pub trait Audience {
    /// `cell` is done; `done` of `planned` tasks are.
    fn cell(&mut self, cell: &Cell, done: usize, planned: usize);
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
    let tasks = plan::tasks(&campaign.plan);
    let setting = Setting {
        scenario: &campaign.plan.scenario,
        program: std::env::current_exe().map_err(CampaignError::Program)?,
        pinning: Pinning {
            server: campaign.environment.server_cpu,
            generator: campaign.environment.generator_cpu,
        },
        seed: campaign.plan.seed,
        stop: Arc::clone(stop),
        began: Instant::now(),
        began_s: campaign.cells.last().map_or(0.0, |cell| cell.began_s),
    };
    let finished = finished(campaign);
    let tried: HashSet<_> = campaign.cells.iter().map(task_of).collect();
    let spent = (campaign.cells.len() - tried.len()) as u32;
    let mut further = ((tasks.len() as f64 * FURTHER_ATTEMPTS_SHARE) as u32).saturating_sub(spent);
    let mut cells = std::mem::take(&mut campaign.cells);
    let mut outcome = Ok(());
    'tasks: for (number, task) in tasks.iter().enumerate() {
        let key = (task.mechanism.as_str().into(), task.point.clone(), task.repeat);
        if finished.contains(&key) {
            continue;
        }
        let first = cells.iter().filter(|cell| task_of(cell) == key).count() as u32;
        for attempt in first..ATTEMPTS {
            let Some(cell) = cell::measure(task, attempt, &setting) else { break 'tasks };
            audience.cell(&cell, number + 1, tasks.len());
            outcome = journal.add(&cell);
            if outcome.is_err() {
                break 'tasks;
            }
            let valid = cell.status == CellStatus::Valid;
            cells.push(cell);
            if valid || further == 0 {
                break;
            }
            further -= u32::from(attempt + 1 < ATTEMPTS);
        }
    }
    campaign.cells = cells;
    outcome?;
    let measured: HashSet<_> = campaign.cells.iter().map(task_of).collect();
    campaign.complete = !stop.load(Relaxed) && measured.len() == tasks.len();
    write(campaign, folder)?;
    Ok(())
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

/// A mechanism, a point and a repeat.
type TaskKey = (Box<str>, report::schema::Point, u32);

/// Which task a cell belongs to.
fn task_of(cell: &Cell) -> TaskKey {
    (cell.mechanism.as_str().into(), cell.point.clone(), cell.repeat)
}

/// Writes the campaign's file.
fn write(campaign: &Campaign, folder: &Path) -> Result<(), report::files::WriteError> {
    let file = ResultFile::Campaign(campaign.clone());
    let mut text = serde_json::to_vec(&file).expect("results have string keys only");
    text.push(b'\n');
    report::files::write_atomically(&folder.join(FILE_NAME), &text)
}

/// Points of a campaign at which some mechanism has no valid cell at all: `mechanism at N connections`.
pub fn gaps(campaign: &Campaign) -> Vec<String> {
    let valid: HashSet<_> = campaign
        .cells
        .iter()
        .filter(|cell| cell.status == CellStatus::Valid)
        .map(|cell| (cell.mechanism.as_str(), &cell.point))
        .collect();
    let mut gaps: Vec<String> = Vec::new();
    for point in &campaign.plan.points {
        for mechanism in &campaign.plan.scenario.mechanisms {
            if !valid.contains(&(mechanism.as_str(), point)) {
                gaps.push(format!(
                    "{mechanism} at {} connections, {} active",
                    point.connections, point.active
                ));
            }
        }
    }
    gaps
}
