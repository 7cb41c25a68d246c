//! The subcommands, one file each. To add one: a file with its arguments and `execute`, a variant of
//! [`Command`], and its arm in [`Command::execute`].

mod baseline;
mod claims;
mod compare;
mod completions;
mod doctor;
mod export;
mod list;
mod man;
mod merge;
mod report;
mod reproductions;
mod run;
mod semantics;
mod serve;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use ::model::note;
use ::model::streams::{self, PrintError};
use clap::Parser;
use clap::error::ErrorKind;
use sys::signals::{self, INTERRUPTED};

/// The exit code of a failure that has none of its own.
const FAILURE: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// A gate failed: something is worse than it may be.
const GATE: u8 = 3;
/// The figures may not be used.
const INVALID: u8 = 4;

#[derive(Parser)]
#[command(name = "muxbench", version, about, after_help = AFTER_HELP, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Examples:
  muxbench run                            the main job: a table, results/ and plots/
  muxbench serve --mechanism epoll-et     one echo server, to load with load-gen
  muxbench merge shard-*.json -o all.json the shards of one run of load-gen, put together
  muxbench compare results/a results/b    is the second campaign better or worse than the first?
  muxbench export all.json --format csv   a result for other tools
  muxbench claims results/reference       what a campaign proves: a verdict for each claim
  muxbench semantics reset et-once        what each mechanism reports of a reset, and one claim decided
  muxbench doctor --conns 100k            will this machine hold them, and is it quiet enough?
  muxbench list                           the mechanisms of this build";

/// One subcommand with its arguments.
#[derive(clap::Subcommand)]
pub enum Command {
    Run(run::Run),
    Serve(serve::Serve),
    Report(report::Report),
    Compare(compare::Compare),
    Merge(merge::Merge),
    Export(export::Export),
    Claims(claims::Claims),
    Semantics(semantics::Semantics),
    Doctor(doctor::Doctor),
    List(list::List),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// Does it.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(run) => run.execute(),
            Self::Serve(serve) => serve.execute(),
            Self::Report(report) => report.execute(),
            Self::Compare(compare) => compare.execute(),
            Self::Merge(merge) => merge.execute(),
            Self::Export(export) => export.execute(),
            Self::Claims(claims) => claims.execute(),
            Self::Semantics(semantics) => semantics.execute(),
            Self::Doctor(doctor) => doctor.execute(),
            Self::List(list) => list.execute(),
            Self::Completions(completions) => completions.execute(),
            Self::Man(man) => man.execute(),
        }
    }
}

/// A mistake in the command line that clap cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Reads the command line; help and version are printed and end the process.
pub fn parse() -> anyhow::Result<Command> {
    match Arguments::try_parse() {
        Ok(Arguments { command: Some(command) }) => Ok(command),
        Ok(Arguments { command: None }) => {
            print(short_help())?;
            std::process::exit(0);
        }
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(load_gen::command::cli::end_with(&error)?)
        }
        Err(error) => Err(UsageError(one_line(&error)).into()),
    }
}

/// Returns whether `path` stands for standard input or output.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

/// The path at which the input that `path` stands for can be read.
fn readable(path: &Path) -> &Path {
    if is_stream(path) { Path::new("/dev/stdin") } else { path }
}

/// Prints to standard output; a reader that has gone or a full disk is an error, not a panic.
fn print(text: impl AsRef<[u8]>) -> anyhow::Result<()> {
    Ok(streams::print(text)?)
}

/// The text that `muxbench` alone prints.
fn short_help() -> String {
    format!(
        "muxbench: {}\n\n{AFTER_HELP}\n\nAll commands and options: muxbench --help\n",
        env!("CARGO_PKG_DESCRIPTION")
    )
}

/// The message and the tips of a clap error, in one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let mut line = words(first.strip_prefix("error: ").unwrap_or(first));
    for paragraph in paragraphs {
        if let Some(tip) = paragraph.trim_start().strip_prefix("tip: ") {
            line.push_str("; ");
            line.push_str(&words(tip));
        }
    }
    line.push_str("; see --help");
    line
}

/// Says on standard error what went wrong, and returns the exit code for it.
pub fn explain(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref().is_some_and(PrintError::is_broken_pipe) {
        signals::end_by_broken_pipe();
    }
    note!("muxbench: {}", ::report::format::error(error.as_ref()));
    ExitCode::from(match error.is::<UsageError>() {
        // Whatever failed, somebody wanted it to end.
        _ if streams::interrupted().load(Relaxed) => INTERRUPTED,
        true => USAGE,
        false => FAILURE,
    })
}
