//! Reading result files back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::histogram::DecodeError;
use crate::schema::{BenchGroup, Campaign, SCHEMA_VERSION};

/// Why a result file could not be read. Each is one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("{}: no such file", .0.display())]
    NotFound(PathBuf),
    /// The system did not let it be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not JSON.
    #[error("{}: not JSON: {source}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where the parser stopped.
        source: serde_json::Error,
    },
    /// It is JSON, but not the kind of result that was asked for.
    #[error("{}: not a {wanted} result, but {found}", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// The kind that was asked for.
        wanted: &'static str,
        /// What the file says that it is.
        found: String,
    },
    /// It has a newer schema than this build knows.
    #[error("{}: written by a newer muxbench (schema version {found}, this one reads up to {SCHEMA_VERSION})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// It has the right kind and version, but not the right content.
    #[error("{}: damaged: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was missing or wrong.
        source: serde_json::Error,
    },
    /// A histogram in it cannot be decoded.
    #[error("{}: damaged: {source}", path.display())]
    Histogram {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        source: DecodeError,
    },
}

/// Reads a campaign, and makes sure that every histogram in it decodes.
///
/// # Errors
///
/// When the file is missing, unreadable, not a campaign, newer than this build, or damaged.
pub fn read(path: &Path) -> Result<Campaign, ReadError> {
    let campaign: Campaign = read_kind(path, "campaign")?;
    let phases = campaign.cells.iter().flat_map(|cell| [&cell.capacity, &cell.latency]).flatten();
    for latency in
        phases.flat_map(|phase| [Some(&phase.load.service), phase.load.response.as_ref()]).flatten()
    {
        check(path, latency.histogram())?;
    }
    Ok(campaign)
}

/// Reads one group of micro-benchmarks, and makes sure that every histogram in it decodes.
///
/// # Errors
///
/// When the file is missing, unreadable, not a bench group, newer than this build, or damaged.
pub fn read_bench(path: &Path) -> Result<BenchGroup, ReadError> {
    let group: BenchGroup = read_kind(path, "bench")?;
    for point in &group.points {
        check(path, point.calls.histogram())?;
    }
    Ok(group)
}

fn check<T>(path: &Path, decoded: Result<T, DecodeError>) -> Result<T, ReadError> {
    decoded.map_err(|source| ReadError::Histogram { path: path.to_owned(), source })
}

fn read_kind<T: DeserializeOwned>(path: &Path, wanted: &'static str) -> Result<T, ReadError> {
    let owned = || path.to_owned();
    let text = fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ReadError::NotFound(owned()),
        // Bytes that are not UTF-8 are no JSON either.
        io::ErrorKind::InvalidData => {
            ReadError::NotJson { path: owned(), source: serde::de::Error::custom(source) }
        }
        _ => ReadError::Io { path: owned(), source },
    })?;
    let value: Value =
        serde_json::from_str(&text).map_err(|source| ReadError::NotJson { path: owned(), source })?;
    // Kind and version come first, so that a newer file is not reported as a damaged one.
    match value.get("kind").and_then(Value::as_str) {
        Some(kind) if kind == wanted => {}
        kind => {
            let found = kind.map_or_else(|| "JSON without a \"kind\"".to_owned(), |kind| format!("{kind:?}"));
            return Err(ReadError::OtherKind { path: owned(), wanted, found });
        }
    }
    match value.get("schema_version").and_then(Value::as_u64) {
        Some(found) if found > u64::from(SCHEMA_VERSION) => Err(ReadError::Newer { path: owned(), found }),
        _ => serde_json::from_value(value).map_err(|source| ReadError::Damaged { path: owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ResultFile;
    use crate::testing;

    fn refusal_of(content: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("campaign.json");
        fs::write(&path, content).expect("written");
        let error = read(&path).expect_err("refused").to_string();
        assert!(error.contains("campaign.json") && !error.contains('\n'), "{error}");
        error
    }

    #[test]
    fn a_campaign_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("campaign.json");
        let campaign = testing::realistic();
        let text = serde_json::to_string(&ResultFile::Campaign(campaign.clone())).expect("serialises");
        fs::write(&path, text).expect("written");
        assert_eq!(read(&path).expect("read"), campaign);
    }

    #[test]
    fn each_refusal_is_one_line_that_names_the_file() {
        assert!(
            read(Path::new("/nowhere/campaign.json"))
                .expect_err("refused")
                .to_string()
                .ends_with("no such file")
        );
        assert!(refusal_of("hello").contains("not JSON"));
        assert!(refusal_of("{}").contains("without a \"kind\""));
        assert!(refusal_of(r#"{"kind":"load"}"#).contains("not a campaign result, but \"load\""));
        assert!(refusal_of(r#"{"kind":"campaign","schema_version":1}"#).contains("damaged: missing field"));
    }

    #[test]
    fn a_newer_schema_is_named_as_such_whatever_else_it_holds() {
        let error = refusal_of(r#"{"kind":"campaign","schema_version":99,"new":true}"#);
        assert!(error.contains("written by a newer muxbench"), "{error}");
    }

    #[test]
    fn a_damaged_histogram_is_found_on_reading() {
        let mut campaign = testing::realistic();
        if let Some(phase) = &mut campaign.cells[0].latency {
            phase.load.service.histogram = "aGVsbG8=".to_owned();
        }
        let error = refusal_of(&serde_json::to_string(&ResultFile::Campaign(campaign)).expect("serialises"));
        assert!(error.contains("V2"), "{error}");
    }
}
