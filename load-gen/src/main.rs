//! The `load-gen` command.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::Context;
use clap::Parser;
use load_gen::cli::Cli;
use load_gen::fleet::{Fleet, OpenError};
use load_gen::machine;
use load_gen::output::{self, ProgressLine};
use report::schema::ResultFile;

/// The run is not valid.
const INVALID: u8 = 4;
/// Interrupted by SIGINT: 128 + 2, as shells report it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("load-gen: {error:#}");
            let interrupted = matches!(error.downcast_ref(), Some(OpenError::Interrupted));
            ExitCode::from(if interrupted { INTERRUPTED } else { 1 })
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<u8> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second one ends the process at once, for whoever cannot wait.
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let processors = machine::allowed_cpus().context("cannot tell the processors")?;
    if let Some(cpu) = cli.cpu.filter(|cpu| !processors.contains(cpu)) {
        anyhow::bail!("there is no processor {cpu} to pin to; choose --cpu from {processors:?}");
    }
    let mut line = ProgressLine::new(cli.conns, cli.quiet);
    let mut fleet = Fleet::open(cli.fleet(line.is_shown()), Arc::clone(&stop), &mut line)?;
    line.loading();
    let report = fleet.run(&cli.load(processors.len()), &mut line)?;
    line.finish();
    let valid = report.valid;
    if cli.json {
        let file = ResultFile::Load(report);
        println_or_fail(&serde_json::to_string_pretty(&file)?)?;
    } else {
        println_or_fail(output::human(&report).trim_end())?;
    }
    Ok(match (stop.load(Relaxed), valid) {
        (true, _) => INTERRUPTED,
        (false, false) => INVALID,
        (false, true) => 0,
    })
}

/// Prints to standard output; a reader that has gone or a full disk is an error, not a panic.
fn println_or_fail(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write the result to standard output")
}
