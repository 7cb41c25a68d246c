//! `muxbench man`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

/// Write the manual pages, one for each command, into DIR: muxbench man /usr/local/share/man/man1
#[derive(clap::Args)]
pub struct Man {
    /// Where they go; made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    /// Writes them.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        model::files::make_folder(&self.folder)?;
        for (name, page) in load_gen::command::generate::manual_pages(super::Arguments::command()) {
            model::files::write_atomically(&self.folder.join(name), &page)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
