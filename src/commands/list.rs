//! `muxbench list`

use std::process::ExitCode;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use muxbench::experiment::scenario;
use muxbench::mechanisms;
use muxbench::server::Mechanism;
use sys::descriptor_table;
use sys::limits;

use super::print;

/// List the mechanisms (what they are, how they meet connections, the system calls they issue, where they end, and
/// whether this kernel has them) and the scenarios
#[derive(clap::Args)]
pub struct List {}

impl List {
    /// Prints the table.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header([
            "mechanism",
            "family",
            "build",
            "kernel",
            "--accept",
            "system calls",
        ]);
        let tables = descriptor_table::Table::probe();
        let works = if tables.is_own() { "yes" } else { "yes, shares one table" };
        let all = mechanisms::all().iter();
        let tried: Vec<(&Mechanism, _)> =
            all.map(|mechanism| (mechanism, mechanism.is_compiled().then(|| mechanism.try_out()))).collect();
        for (mechanism, outcome) in &tried {
            let modes: Vec<_> = mechanism.accept.iter().map(ToString::to_string).collect();
            table.add_row([
                mechanism.name,
                mechanism.family,
                if mechanism.is_compiled() { "yes" } else { "no" },
                match outcome {
                    None => "?",
                    Some(Ok(_)) => works,
                    Some(Err(_)) => "no",
                },
                &modes.join(" "),
                &mechanism.echo_calls.join(" "),
            ]);
        }
        let mut text = format!("{table}\n");
        for (mechanism, outcome) in tried {
            text.push_str(&details(mechanism, outcome));
        }
        if !tables.is_own() {
            let limit = limits::descriptors().maximum.unwrap_or(u64::MAX);
            text.push_str(&format!(
                "\none table: {tables}; all loops of a server hold {limit} descriptors together\n   change: {}\n",
                descriptor_table::REMEDY
            ));
        }
        text.push_str("\nscenarios, for `muxbench run NAME` (how long each takes: `muxbench run --list`):\n");
        for name in scenario::embedded() {
            let default = if name == scenario::DEFAULT { " (the default)" } else { "" };
            let analysis = scenario::load(name)?.analysis;
            text.push_str(&format!("\n {name}{default}: {}\n", analysis.trim().replace('\n', "\n   ")));
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The details that a table has no room for.
fn details(mechanism: &Mechanism, outcome: Option<Result<Vec<&'static str>, String>>) -> String {
    let Mechanism { name, about, limit, .. } = mechanism;
    let calls = mechanism.connection_calls.join(" ");
    let mut text = format!("\n {name}: {about}\n   limit: {limit}\n   calls of a connection: {calls}\n");
    match outcome {
        None => text.push_str(&format!("   not in this build: build it with --features {name}\n")),
        Some(Ok(lacking)) => {
            lacking.iter().for_each(|what| text.push_str(&format!("   this kernel: {what}\n")));
        }
        Some(Err(reason)) => text.push_str(&format!("   this kernel: {reason}\n")),
    }
    text
}
