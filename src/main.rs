//! The `muxbench` command.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::parse().and_then(commands::Command::execute).unwrap_or_else(|error| commands::explain(&error))
}
