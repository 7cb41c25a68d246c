//! The subcommands, one file each. To add one: a file with its arguments and `execute`, a variant of
//! [`Command`], and its arm in [`Command::execute`].

mod list;
mod report;
mod run;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

/// What a run of the program ends with, unless it says otherwise.
const FAILURE: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// What was measured may not be used.
const INVALID: u8 = 4;
/// Ended by SIGINT: 128 + 2, as shells report it.
const INTERRUPTED: u8 = 130;

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
  muxbench list                           the mechanisms of this build";

/// One subcommand with its arguments.
#[derive(clap::Subcommand)]
pub enum Command {
    Run(run::Run),
    Serve(serve::Serve),
    Report(report::Report),
    List(list::List),
}

impl Command {
    /// Does it.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(run) => run.execute(),
            Self::Serve(serve) => serve.execute(),
            Self::Report(report) => report.execute(),
            Self::List(list) => list.execute(),
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
            print!("{}", short_help());
            std::process::exit(0);
        }
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            error.exit()
        }
        Err(error) => Err(UsageError(one_line(&error)).into()),
    }
}

/// What `muxbench` alone says.
fn short_help() -> String {
    format!(
        "muxbench: {}\n\n{AFTER_HELP}\n\nAll commands and options: muxbench --help\n",
        env!("CARGO_PKG_DESCRIPTION")
    )
}

/// What clap has to say, without its paragraphs.
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
    eprintln!("muxbench: {error:#}");
    ExitCode::from(if error.is::<UsageError>() { USAGE } else { FAILURE })
}
