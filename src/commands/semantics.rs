//! `muxbench semantics`

use std::process::ExitCode;

use evidence::semantics::{self, Observation, Selection};
use model::note;
use model::schema::ResultFile;

use super::{FAILURE, UsageError, print};

/// Observe what each mechanism reports on this kernel, and decide the claims about it
///
/// Sets up each situation with real descriptors and asks select, poll, epoll (level-triggered,
/// edge-triggered, oneshot) and io_uring what they see. Then decides each claim by the system calls that it
/// is about. Takes a second or a few, needs no privilege, and leaves nothing behind. Exits 0 whatever the
/// verdicts are, and 1 when something could not be observed at all.
#[derive(clap::Args)]
pub struct Semantics {
    /// Situations (readable, reset, …) and claims (et-once, …) to look at; all of them without
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print JSON (schema: results/schema.json, kind "semantics")
    #[arg(long)]
    json: bool,
    /// Print a page of Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

impl Semantics {
    /// Observes and prints.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let selection = match self.names.as_slice() {
            [] => Selection::all(),
            names => Selection::of(names).map_err(|unknown| UsageError(unknown.to_string()))?,
        };
        let Observation { semantics: observed, failures } = semantics::observe(&selection);
        let text = if self.json {
            serde_json::to_string_pretty(&ResultFile::Semantics(observed))? + "\n"
        } else if self.markdown {
            report::semantics::page(&observed)
        } else {
            report::semantics::render(&observed)
        };
        print(&text)?;
        failures.iter().for_each(|failure| note!("muxbench: {failure}"));
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
    }
}
