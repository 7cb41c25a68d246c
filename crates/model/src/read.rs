//! Reading result files back. Each may be packed by gzip(1), as a file of that name and `.gz`: a histogram is compressed as it is,
//! but what stands around it shrinks to a tenth.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::campaign::{Campaign, Histograms};
use crate::histogram::DecodeError;
use crate::schema::{BenchGroup, LoadReport, Reproductions, SCHEMA_VERSION, Semantics};

/// The mark that some editors and shells write at the head of a text; it is no JSON.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The reason that a result file could not be read: one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is JSON, but not the kind of result that was asked for.
    #[error("{0}")]
    OtherKind(String),
    /// A histogram in it cannot be decoded.
    #[error("{0}: damaged: {1}")]
    Histogram(String, #[source] DecodeError),
    /// It is missing, unreadable, not JSON, newer than this build, or damaged.
    #[error("{0}")]
    Other(String),
}

/// Reads a campaign, and decodes its histograms.
///
/// # Errors
///
/// When the file is missing, unreadable, not a campaign, newer than this build, or damaged.
pub fn campaign(path: &Path) -> Result<(Campaign, Histograms), ReadError> {
    decoded(path, read_kind(path, "campaign")?)
}

/// `campaign` with its histograms.
fn decoded(path: &Path, campaign: Campaign) -> Result<(Campaign, Histograms), ReadError> {
    let histograms = check(path, Histograms::of(&campaign))?;
    Ok((campaign, histograms))
}

/// Reads one group of micro-benchmarks, and makes sure that every histogram in it decodes.
///
/// # Errors
///
/// When the file is missing, unreadable, not a bench group, newer than this build, or damaged.
pub fn bench(path: &Path) -> Result<BenchGroup, ReadError> {
    let group: BenchGroup = read_kind(path, "bench")?;
    for point in &group.points {
        check(path, point.calls.histogram())?;
    }
    Ok(group)
}

/// Reads what was observed of a kernel.
///
/// # Errors
///
/// When the file is missing, unreadable, not a result of `muxbench semantics`, newer than this build, or damaged.
pub fn semantics(path: &Path) -> Result<Semantics, ReadError> {
    read_kind(path, "semantics")
}

/// Reads published figures that were measured again.
///
/// # Errors
///
/// When the file is missing, unreadable, not a result of `muxbench run reproductions`, newer than this build, or damaged.
pub fn reproductions(path: &Path) -> Result<Reproductions, ReadError> {
    read_kind(path, "reproductions")
}

/// The kind of result that a file says it is; `None` of a file that is none.
///
/// # Errors
///
/// When the file is missing or unreadable.
pub fn kind(path: &Path) -> Result<Option<String>, ReadError> {
    // Only the tag is looked at: a campaign is some megabytes.
    #[derive(serde::Deserialize)]
    struct Tagged {
        kind: String,
    }
    let text = read_text(path)?;
    Ok(serde_json::from_str::<Tagged>(&text).ok().map(|tagged| tagged.kind))
}

/// Reads the runs of the load generator in one file, one JSON value after the other: one that `load-gen --json` wrote, or
/// several that were written to the same file or pipe.
///
/// # Errors
///
/// When the file is missing, unreadable or empty, or something in it is not a run, newer than this build, or damaged.
pub fn loads(path: &Path) -> Result<Vec<LoadReport>, ReadError> {
    read_values(path)?.into_iter().map(|value| of_kind(path, value, "load")).collect()
}

/// A file's content: a campaign, or runs of the load generator.
#[derive(Debug)]
pub enum Measured {
    /// The one campaign of a file, with its histograms.
    Campaign(Box<Campaign>, Histograms),
    /// The runs of a file, at least one.
    Loads(Vec<LoadReport>),
}

/// Reads either of the two from a file. It is read once, so it may be a pipe.
///
/// # Errors
///
/// As [`campaign`] or [`loads`].
pub fn measured(path: &Path) -> Result<Measured, ReadError> {
    let mut values = read_values(path)?;
    match values.pop() {
        Some(value) if values.is_empty() && value["kind"] == "campaign" => {
            let (campaign, histograms) = decoded(path, of_kind(path, value, "campaign")?)?;
            Ok(Measured::Campaign(Box::new(campaign), histograms))
        }
        last => {
            let loads = values.into_iter().chain(last).map(|value| of_kind(path, value, "load"));
            Ok(Measured::Loads(loads.collect::<Result<_, _>>()?))
        }
    }
}

/// The JSON values of a file, one after the other, at least one.
fn read_values(path: &Path) -> Result<Vec<Value>, ReadError> {
    let text = read_text(path)?;
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    let values = values.map_err(|error| not_json(path, error))?;
    if values.is_empty() { Err(not_json(path, "it is empty")) } else { Ok(values) }
}

/// Returns the error that says what is wrong with a file.
fn wrong(path: &Path, what: impl Display) -> ReadError {
    ReadError::Other(format!("{}: {what}", path.display()))
}

fn not_json(path: &Path, why: impl Display) -> ReadError {
    wrong(path, format!("not JSON: {why}"))
}

fn check<T>(path: &Path, decoded: Result<T, DecodeError>) -> Result<T, ReadError> {
    decoded.map_err(|error| ReadError::Histogram(path.display().to_string(), error))
}

fn read_kind<T: DeserializeOwned>(path: &Path, wanted: &'static str) -> Result<T, ReadError> {
    let value = serde_json::from_str(&read_text(path)?).map_err(|error| not_json(path, error))?;
    of_kind(path, value, wanted)
}

/// The text of a file, or of the packed one in its place.
fn read_text(path: &Path) -> Result<String, ReadError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => unpacked(&packed(path)),
        text => text,
    };
    let read = text.map(|text| match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => rest.to_owned(),
        None => text,
    });
    read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong(path, "no such file"),
        // Bytes that are not UTF-8 are no JSON either.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            not_json(path, error)
        }
        _ => ReadError::Other(format!("cannot read {}: {error}", path.display())),
    })
}

/// The path of the packed file in place of `path`.
pub fn packed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

fn unpacked(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path)?).read_to_string(&mut text)?;
    Ok(text)
}

/// The name under which a result is read, of a file in a folder of results: `campaign.json` for `campaign.json` and for
/// `campaign.json.gz`. `None` of what is no result by its name.
pub fn result_name(path: &Path) -> Option<PathBuf> {
    let path =
        if path.extension() == Some(OsStr::new("gz")) { path.with_extension("") } else { path.to_owned() };
    (path.extension() == Some(OsStr::new("json"))).then_some(path)
}

/// Returns whether there is a result of this name, packed or not.
pub fn exists(path: &Path) -> bool {
    path.is_file() || packed(path).is_file()
}

fn of_kind<T: DeserializeOwned>(path: &Path, value: Value, wanted: &'static str) -> Result<T, ReadError> {
    // Kind and version come first, so that a newer file is not reported as a damaged one.
    match value.get("kind").and_then(Value::as_str) {
        Some(kind) if kind == wanted => {}
        kind => {
            let found = kind.map_or_else(|| "JSON without a \"kind\"".to_owned(), |kind| format!("{kind:?}"));
            let path = path.display();
            return Err(ReadError::OtherKind(format!("{path}: not a {wanted} result, but {found}")));
        }
    }
    match value.get("schema_version").and_then(Value::as_u64) {
        Some(found) if found > u64::from(SCHEMA_VERSION) => {
            let newest = format!("schema version {found}, this one reads up to {SCHEMA_VERSION}");
            Err(wrong(path, format!("written by a newer muxbench ({newest})")))
        }
        _ => serde_json::from_value(value).map_err(|error| wrong(path, format!("damaged: {error}"))),
    }
}
