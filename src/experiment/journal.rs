//! The finished rounds of a campaign, kept at once.
//!
//! A journal is a file of JSON lines: first the campaign without starts and rounds, then one of them a line. Whatever ends the campaign,
//! every finished round can be read back.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use model::campaign::{Campaign, Round, Start};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::shell;

/// The file's name in a campaign's folder.
pub const FILE_NAME: &str = "journal.jsonl";

/// A part of a campaign, a line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::large_enum_variant)] // one lives at a time
pub enum Part {
    /// A start: when its connections are open, and once more when they are closed.
    Start(Start),
    /// A round.
    Round(Round),
}

/// A journal could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It could not be written; what it held before is intact.
    #[error("cannot write {}: {source}; everything finished before that is kept", path.display())]
    Write {
        /// The journal.
        path: PathBuf,
        /// The error that the system reported.
        source: io::Error,
    },
    /// The folder has a campaign already.
    #[error("{0} holds a campaign already: complete it with --resume {1}, or choose another folder with --out", folder.display(), shell::path(folder))]
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
        /// The reason.
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
    pub fn begin(folder: &Path, campaign: &Campaign) -> Result<Self, JournalError> {
        let path = folder.join(FILE_NAME);
        let opened = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = opened.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Taken { folder: folder.to_owned() },
            _ => JournalError::Write { path: path.clone(), source },
        })?;
        lock(&file, folder)?;
        let mut journal = Self { path, file, length: 0 };
        let begun =
            journal.append(&Campaign { starts: Vec::new(), rounds: Vec::new(), ..campaign.clone() }, true);
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

    /// Opens the journal in `folder` to go on with it; returns the campaign with the starts and rounds it has.
    ///
    /// # Errors
    ///
    /// When there is none, another process writes it, or it was not written by this program.
    pub fn resume(folder: &Path) -> Result<(Self, Campaign), JournalError> {
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
    pub fn add(&mut self, part: &Part) -> Result<(), JournalError> {
        self.append(part, true)
    }

    /// Adds a finished part, which the next [`add`](Self::add) sees to disk: only a power cut before that loses it.
    ///
    /// # Errors
    ///
    /// When it could not be written; the journal is then as before.
    pub fn add_unsynced(&mut self, part: &Part) -> Result<(), JournalError> {
        self.append(part, false)
    }

    fn append(&mut self, line: &impl Serialize, is_synced: bool) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(line).expect("results have string keys only");
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
fn parse(bytes: &[u8]) -> Result<(Campaign, u64), String> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let whole = |line: &&[u8]| line.ends_with(b"\n");
    let first = lines.next().filter(whole).ok_or("it is empty")?;
    let mut campaign: Campaign =
        serde_json::from_slice(first).map_err(|error| format!("its first line is no campaign ({error})"))?;
    let mut length = first.len();
    for (number, line) in lines.filter(whole).enumerate() {
        match serde_json::from_slice(line) {
            Ok(Part::Start(start)) => campaign.put_start(start),
            Ok(Part::Round(round)) => campaign.rounds.push(round),
            Err(error) => return Err(format!("line {} is no part of it ({error})", number + 2)),
        }
        length += line.len();
    }
    Ok((campaign, length as u64))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::experiment::{environment, scenario};
    use model::campaign::{Length, Phase, Plan, Slice};
    use model::schema::SCHEMA_VERSION;

    /// A campaign before its first start.
    pub fn campaign() -> Campaign {
        let mut scenario = scenario::load(scenario::DEFAULT).expect("embedded");
        (scenario.analysis, scenario.quick) = ("?".into(), None);
        let reference = scenario.reference.clone();
        Campaign {
            schema_version: SCHEMA_VERSION,
            muxbench_version: "0".into(),
            started: "now".into(),
            command: "muxbench run".into(),
            length: Length::Quick,
            complete: false,
            environment: environment::capture(&environment::Pinning::default()),
            diagnosis: None,
            plan: Plan { scenario, reference, against: None, points: Vec::new(), seed: 1 },
            starts: Vec::new(),
            rounds: Vec::new(),
        }
    }

    /// A round of one slice.
    pub fn round(number: u32) -> Round {
        Round {
            point: 0,
            group: 0,
            start: 0,
            round: number,
            phase: Phase::Light,
            rate_per_s: Some(1000.0),
            began_s: 1.5,
            dropped: Some("der Generator – «steal» – stand: 1 µs".into()),
            slices: vec![Slice { candidate: "poll".into(), ..Slice::default() }],
        }
    }

    fn add(journal: &mut Journal, number: u32) {
        journal.add(&Part::Round(round(number))).expect("added");
    }

    #[test]
    fn what_was_added_is_read_back_and_more_can_be_added() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), &campaign()).expect("begun");
        add(&mut journal, 0);
        drop(journal);
        let (mut journal, read) = Journal::resume(folder.path()).expect("resumed");
        assert_eq!(read.rounds, [round(0)]);
        add(&mut journal, 1);
        drop(journal);
        assert_eq!(Journal::resume(folder.path()).expect("resumed").1.rounds, [round(0), round(1)]);
    }

    #[test]
    fn a_torn_last_line_costs_that_round_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), &campaign()).expect("begun");
        add(&mut journal, 0);
        journal.file.write_all(b"{\"round\":{\"po").expect("torn");
        drop(journal);
        let (mut journal, read) = Journal::resume(folder.path()).expect("resumed");
        assert_eq!(read.rounds, [round(0)]);
        add(&mut journal, 1);
        drop(journal);
        assert_eq!(Journal::resume(folder.path()).expect("resumed").1.rounds.len(), 2);
    }

    /// As a power cut can leave it: the file is as long as any of its parts, and ends anywhere, in a character too.
    #[test]
    fn a_journal_that_is_cut_anywhere_loses_the_torn_line_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), &campaign()).expect("begun");
        let rounds: Vec<Round> = (0..3).map(round).collect();
        (0..3).for_each(|number| add(&mut journal, number));
        let path = journal.path.clone();
        drop(journal);
        let whole = std::fs::read(&path).expect("read");
        let ends: Vec<usize> =
            whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).expect("written");
            let kept = ends.iter().filter(|&&end| end <= length).count();
            match Journal::resume(folder.path()) {
                Err(error) => {
                    assert!(kept == 0 && error.to_string().contains("it is empty"), "{length}: {error}")
                }
                Ok((mut journal, read)) => {
                    assert_eq!(read.rounds, rounds[..kept - 1], "cut at {length}");
                    add(&mut journal, 9);
                    drop(journal);
                    let bytes = std::fs::read(&path).expect("read");
                    assert!(bytes.starts_with(&whole[..ends[kept - 1]]), "cut at {length}");
                    assert_eq!(parse(&bytes).expect("a journal").0.rounds.len(), kept, "cut at {length}");
                }
            }
        }
    }

    #[test]
    fn a_start_that_is_told_again_takes_the_place_of_what_was_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::begin(folder.path(), &campaign()).expect("begun");
        let start = |complete| Start {
            point: 0,
            group: 0,
            start: 0,
            began_s: 0.5,
            complete,
            doublings: 0,
            candidates: Vec::new(),
        };
        for complete in [false, true] {
            journal.add(&Part::Start(start(complete))).expect("added");
        }
        drop(journal);
        assert_eq!(Journal::resume(folder.path()).expect("resumed").1.starts, [start(true)]);
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
        let refusal = || Journal::resume(folder.path()).err().expect("in use").to_string();
        assert!(refusal().contains("another muxbench"), "{}", refusal());
        drop(begun);
        let _resumed = Journal::resume(folder.path()).expect("nobody has it any more");
        assert!(refusal().contains("another muxbench"), "{}", refusal());
    }

    #[test]
    fn a_folder_without_a_journal_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Journal::resume(folder.path()).err().expect("none").to_string();
        assert!(error.contains(FILE_NAME), "{error}");
    }
}
