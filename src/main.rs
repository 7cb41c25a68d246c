//! The `muxbench` command.

mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::parse().and_then(commands::Command::execute).unwrap_or_else(|error| commands::explain(&error))
}
