//! `muxbench list`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use muxbench::experiment::scenario;
use muxbench::mechanisms;

/// List the mechanisms (what they are, the system calls they issue, where they end) and the scenarios
#[derive(clap::Args)]
pub struct List {}

impl List {
    /// Prints the table.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["mechanism", "family", "in this build", "system calls"]);
        for mechanism in mechanisms::all() {
            let compiled = if mechanism.is_compiled() { "yes" } else { "no" };
            table.add_row([mechanism.name, mechanism.family, compiled, mechanism.system_calls]);
        }
        let mut text = format!("{table}\n");
        for mechanism in mechanisms::all() {
            text.push_str(&format!(
                "\n {}: {}\n   limit: {}\n",
                mechanism.name, mechanism.about, mechanism.limit
            ));
        }
        text.push_str("\nscenarios, for `muxbench run NAME`:\n");
        for (name, _) in scenario::embedded() {
            let default = if name == scenario::DEFAULT { " (the default)" } else { "" };
            let analysis = scenario::load(name)?.analysis;
            text.push_str(&format!("\n {name}{default}: {}\n", analysis.trim().replace('\n', "\n   ")));
        }
        std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
        Ok(ExitCode::SUCCESS)
    }
}
