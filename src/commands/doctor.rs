//! `muxbench doctor`

use std::process::ExitCode;
use std::time::Duration;

use load_gen::plan::units;
use model::schema::ResultFile;
use muxbench::doctor;

use super::{FAILURE, print};

/// Say whether this machine will hold so many connections, and whether it is quiet enough to measure on
///
/// Asks about descriptors, ports, memory, the clock, the governor, steal time and more; each answer is pass, warn or fail, with
/// why it matters and the command that changes it. Then listens for five seconds and says how small a
/// difference can be seen today. Changes nothing. Ends with 1 if something fails.
#[derive(clap::Args)]
pub struct Doctor {
    /// Connections that the machine should hold, all on loopback: 10k, 1M
    #[arg(short, long, value_name = "N", default_value = "10k", value_parser = units::positive_count)]
    conns: u32,
    /// How long to listen to the machine; 0s leaves it out
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::duration)]
    listen: Duration,
    /// Print JSON (schema: results/schema.json, kind "diagnosis")
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Asks, listens and prints.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let diagnosis = doctor::examine(self.conns, Some(self.listen).filter(|length| !length.is_zero()));
        let failed = diagnosis.failed();
        let text = match self.json {
            true => serde_json::to_string_pretty(&ResultFile::Diagnosis(diagnosis))? + "\n",
            false => report::diagnosis::render(&diagnosis),
        };
        print(&text)?;
        Ok(if failed { ExitCode::from(FAILURE) } else { ExitCode::SUCCESS })
    }
}
