//! The finished parts of a campaign, kept at once.
//!
//! A journal is a file of JSON lines: first the campaign without parts, then a part a line: a cell, or a start or a round. Whatever
//! ends the campaign, every finished part can be read back.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use model::campaign::{self as rounds, Round, Start};
use model::schema::{Campaign, Cell};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The file's name in a campaign's folder.
pub const FILE_NAME: &str = "journal.jsonl";

/// A campaign that is kept part by part.
pub trait Kept: Clone + Serialize + DeserializeOwned {
    /// A part of it, a line of the journal.
    type Part: Serialize + DeserializeOwned;

    /// The campaign before its first part.
    fn without_parts(&self) -> Self;

    /// Adds the next part.
    fn add(&mut self, part: Self::Part);
}

impl Kept for Campaign {
    type Part = Cell;

    fn without_parts(&self) -> Self {
        Self { cells: Vec::new(), ..self.clone() }
    }

    fn add(&mut self, cell: Cell) {
        self.cells.push(cell);
    }
}

/// A part of a campaign of rounds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::large_enum_variant)] // one lives at a time
pub enum Part {
    /// A start: when its connections are open, and once more when they are closed.
    Start(Start),
    /// A round.
    Round(Round),
}

impl Kept for rounds::Campaign {
    type Part = Part;

    fn without_parts(&self) -> Self {
        Self { starts: Vec::new(), rounds: Vec::new(), ..self.clone() }
    }

    fn add(&mut self, part: Part) {
        match part {
            Part::Start(start) => self.put_start(start),
            Part::Round(round) => self.rounds.push(round),
        }
    }
}

/// A journal could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It could not be written; what it held before is intact.
    #[error("cannot write {}: {source}; everything finished before that is kept", path.display())]
    Write {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder has a campaign already.
    #[error("{0} holds a campaign already: complete it with --resume {0}, or choose another folder with --out", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process is at work on it.
    #[error("another muxbench is measuring into {}: let it end, or choose another folder with --out", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// It could not be read.
    #[error("cannot resume from {}: {reason}", path.display())]
    Read {
        /// The journal.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// A journal that is being written, by this process alone.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines: what a failed write is cut back to.
    length: u64,
}

impl Journal {
    /// Begins the journal of `campaign` in `folder`, which must not have one yet.
    ///
    /// # Errors
    ///
    /// When the file exists or cannot be written.
    pub fn begin(folder: &Path, campaign: &impl Kept) -> Result<Self, JournalError> {
        let path = folder.join(FILE_NAME);
        let opened = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = opened.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Taken { folder: folder.to_owned() },
            _ => JournalError::Write { path: path.clone(), source },
        })?;
        lock(&file, folder)?;
        let mut journal = Self { path, file, length: 0 };
        let begun = journal.add(&campaign.without_parts());
        // The file is there after a power cut only if its name is.
        let begun = begun.and_then(|()| {
            model::files::sync_folder_of(&journal.path)
                .map_err(|source| JournalError::Write { path: journal.path.clone(), source })
        });
        if begun.is_err() {
            // An empty journal would only stand in the way of the next campaign.
            let _ = std::fs::remove_file(&journal.path);
        }
        begun.map(|()| journal)
    }

    /// Opens the journal in `folder` to go on with it; returns the campaign with the parts it has.
    ///
    /// # Errors
    ///
    /// When there is none, another process writes it, or it was not written by this program.
    pub fn resume<C: Kept>(folder: &Path) -> Result<(Self, C), JournalError> {
        let path = folder.join(FILE_NAME);
        let unreadable = |reason: String| JournalError::Read { path: path.clone(), reason };
        let opened = OpenOptions::new().read(true).append(true).open(&path);
        let mut file = opened.map_err(|error| unreadable(error.to_string()))?;
        // Before reading: what another process appends after that would be lost.
        lock(&file, folder)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
        let (campaign, length) = parse(&bytes).map_err(unreadable)?;
        let journal = Self { path, file, length };
        journal.cut_back();
        Ok((journal, campaign))
    }

    /// Adds a finished part and waits until it is on disk.
    ///
    /// # Errors
    ///
    /// When it could not be written; the journal is then as before.
    pub fn add(&mut self, part: &impl Serialize) -> Result<(), JournalError> {
        self.append(part, true)
    }

    /// Adds a finished part, which the next [`add`](Self::add) sees to disk: only a power cut before that loses it.
    ///
    /// # Errors
    ///
    /// When it could not be written; the journal is then as before.
    pub fn add_unsynced(&mut self, part: &impl Serialize) -> Result<(), JournalError> {
        self.append(part, false)
    }

    fn append(&mut self, part: &impl Serialize, is_synced: bool) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(part).expect("results have string keys only");
        line.push(b'\n');
        let sync = || if is_synced { self.file.sync_data() } else { Ok(()) };
        match (&self.file).write_all(&line).and_then(|()| sync()) {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(source) => {
                self.cut_back();
                Err(JournalError::Write { path: self.path.clone(), source })
            }
        }
    }

    /// Removes half a line at the end, as a full disk or a power cut leaves it. A failure is harmless:
    /// reading ignores such a line.
    fn cut_back(&self) {
        let _ = self.file.set_len(self.length);
    }
}

/// Keeps other processes off the journal until `file` is closed, if only by the end of this process (flock(2)).
fn lock(file: &File, folder: &Path) -> Result<(), JournalError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(JournalError::InUse { folder: folder.to_owned() }),
        // Some network file systems know no locks; a campaign is worth more there than the guard.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Reads a journal; returns the length of its whole lines too. What comes after the last of them is no text yet: it can end in half
/// a character.
fn parse<C: Kept>(bytes: &[u8]) -> Result<(C, u64), String> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let whole = |line: &&[u8]| line.ends_with(b"\n");
    let first = lines.next().filter(whole).ok_or("it is empty")?;
    let mut campaign: C =
        serde_json::from_slice(first).map_err(|error| format!("its first line is no campaign ({error})"))?;
    let mut length = first.len();
    for (number, line) in lines.filter(whole).enumerate() {
        match serde_json::from_slice(line) {
            Ok(part) => campaign.add(part),
            Err(error) => return Err(format!("line {} is no part of it ({error})", number + 2)),
        }
        length += line.len();
    }
    Ok((campaign, length as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{environment, scenario};
    use model::schema::{CellStatus, Plan, Point, SCHEMA_VERSION};

    fn campaign() -> Campaign {
        let point = Point::new("idle-scaling", 10, 10);
        Campaign {
            schema_version: SCHEMA_VERSION,
            muxbench_version: "0".into(),
            started: "now".into(),
            command: "muxbench run".into(),
            quick: true,
            complete: false,
            environment: environment::capture(&environment::Pinning::default()),
            plan: Plan {
                scenario: scenario::load(scenario::DEFAULT).expect("embedded"),
                points: vec![point],
                seed: 1,
            },
            cells: Vec::new(),
            stopped: None,
            diagnosis: None,
        }
    }

    fn cell(repeat: u32) -> Cell {
        Cell {
            mechanism: "poll".into(),
            point: Point::new("idle-scaling", 10, 10),
            repeat,
            attempt: 0,
            status: CellStatus::Failed,
            reasons: vec!["the server ended by signal 9".into()],
            began_s: 1.5,
            connections: None,
            server_rss_growth_bytes: None,
            slab: None,
            setup: None,
            teardown: None,
            capacity: None,
            latency: None,
        }
    }

    #[test]
    fn what_was_added_is_read_back_and_more_can_be_added() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), &campaign()).expect("begun");
        journal.add(&cell(0)).expect("added");
        drop(journal);
        let (mut journal, read) = Journal::resume::<Campaign>(folder.path()).expect("resumed");
        assert_eq!(read.cells, [cell(0)]);
        journal.add(&cell(1)).expect("added");
        drop(journal);
        assert_eq!(Journal::resume::<Campaign>(folder.path()).expect("resumed").1.cells, [cell(0), cell(1)]);
    }

    #[test]
    fn a_torn_last_line_costs_that_cell_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), &campaign()).expect("begun");
        journal.add(&cell(0)).expect("added");
        journal.file.write_all(b"{\"mechanism\":\"po").expect("torn");
        drop(journal);
        let (mut journal, read) = Journal::resume::<Campaign>(folder.path()).expect("resumed");
        assert_eq!(read.cells, [cell(0)]);
        journal.add(&cell(1)).expect("added");
        drop(journal);
        assert_eq!(Journal::resume::<Campaign>(folder.path()).expect("resumed").1.cells.len(), 2);
    }

    /// As a power cut can leave it: the file is as long as any of its parts, and ends anywhere, in a character too.
    #[test]
    fn a_journal_that_is_cut_anywhere_loses_the_torn_line_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), &campaign()).expect("begun");
        let cells: Vec<Cell> = (0..3)
            .map(|repeat| Cell {
                reasons: vec!["der Server – «poll» – endete: 1 µs".into()], ..cell(repeat)
            })
            .collect();
        cells.iter().for_each(|cell| journal.add(cell).expect("added"));
        let path = journal.path.clone();
        drop(journal);
        let whole = std::fs::read(&path).expect("read");
        let ends: Vec<usize> =
            whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).expect("written");
            let kept = ends.iter().filter(|&&end| end <= length).count();
            match Journal::resume::<Campaign>(folder.path()) {
                Err(error) => {
                    assert!(kept == 0 && error.to_string().contains("it is empty"), "{length}: {error}")
                }
                Ok((mut journal, read)) => {
                    assert_eq!(read.cells, cells[..kept - 1], "cut at {length}");
                    journal.add(&cell(9)).expect("added");
                    drop(journal);
                    let bytes = std::fs::read(&path).expect("read");
                    assert!(bytes.starts_with(&whole[..ends[kept - 1]]), "cut at {length}");
                    assert_eq!(
                        parse::<Campaign>(&bytes).expect("a journal").0.cells.len(),
                        kept,
                        "cut at {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_second_campaign_does_not_overwrite_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        Journal::begin(folder.path(), &campaign()).expect("begun");
        assert!(Journal::begin(folder.path(), &campaign()).is_err());
    }

    #[test]
    fn nobody_else_goes_on_with_a_journal_that_is_being_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let begun = Journal::begin(folder.path(), &campaign()).expect("begun");
        let refusal = || Journal::resume::<Campaign>(folder.path()).err().expect("in use").to_string();
        assert!(refusal().contains("another muxbench"), "{}", refusal());
        drop(begun);
        let _resumed = Journal::resume::<Campaign>(folder.path()).expect("nobody has it any more");
        assert!(refusal().contains("another muxbench"), "{}", refusal());
    }

    #[test]
    fn a_folder_without_a_journal_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Journal::resume::<Campaign>(folder.path()).err().expect("none").to_string();
        assert!(error.contains(FILE_NAME), "{error}");
    }
}
