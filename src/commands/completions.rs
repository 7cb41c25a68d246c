//! `muxbench completions`

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

/// Print shell completions: muxbench completions bash > /usr/share/bash-completion/completions/muxbench
#[derive(clap::Args)]
pub struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let script = load_gen::command::generate::completions(self.shell, super::Arguments::command());
        super::print(script)?;
        Ok(ExitCode::SUCCESS)
    }
}
