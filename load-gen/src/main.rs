//! The `load-gen` command.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::Context;
use load_gen::command::cli::{Cli, Plan};
use load_gen::command::curve;
use load_gen::command::output;
use load_gen::command::start_at::{StartAt, StartError};
use load_gen::command::view::{Paint, View};
use load_gen::plan::options::PoolOptions;
use load_gen::plan::preflight;
use load_gen::plan::target::Target;
use load_gen::pool::Pool;
use load_gen::pool::look_up::{LookUp, LookUpError};
use model::note;
use model::schema::{LoadMode, LoadReport, ResultFile, Timestamps};
use model::streams::{self, PrintError};
use sys::capacity::Capacity;
use sys::processors;
use sys::signals::{self, INTERRUPTED, Interruption};

/// The command line is wrong.
const USAGE: u8 = 2;
/// The run is not valid.
const INVALID: u8 = 4;

fn main() -> ExitCode {
    match Cli::of_process().map_err(Into::into).and_then(|cli| run(&cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.downcast_ref().is_some_and(PrintError::is_broken_pipe) => {
            signals::end_by_broken_pipe()
        }
        Err(error) => {
            note!("load-gen: {}", report::format::error(error.as_ref()));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let is_usage = error.is::<UsageError>() || matches!(error.downcast_ref(), Some(StartError::Passed(..)));
    match is_usage {
        // Whatever failed, somebody wanted it to end.
        _ if streams::interrupted().load(Relaxed) => INTERRUPTED,
        true => USAGE,
        false => 1,
    }
}

/// A mistake in the command line that clap cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

/// The connections that this process is to open: a shard's, if it is one.
fn options(cli: &Cli, target: Target) -> Result<PoolOptions, UsageError> {
    let whole = cli.pool(target, false);
    let Some((shard, why)) = cli.shard_and_why().map_err(UsageError)? else { return Ok(whole) };
    if let Some(why) = why.filter(|_| !cli.quiet) {
        note!("load-gen: this is shard {shard}, by {why}");
    }
    whole.cut(shard).map_err(UsageError)
}

/// The places of the target, names looked up.
fn look_up(cli: &Cli, stop: &AtomicBool) -> Result<Target, LookUpError> {
    let say = |line: &str| {
        if !cli.quiet {
            note!("load-gen: {line}");
        }
    };
    LookUp::by_system(cli.timeout, stop, &say).places(&cli.written_target())
}

fn run(cli: &Cli) -> anyhow::Result<u8> {
    if let Some(generate) = cli.generate {
        streams::print(generate.text())?;
        return Ok(0);
    }
    cli.exports().check_writable()?;
    let plan = plan(cli)?;
    // Until here there is nothing to wait for, and a signal ends the process at once.
    let interruption = Interruption::take_over().context("cannot watch for signals")?;
    let stop = interruption.stop();
    let options = options(cli, look_up(cli, stop)?)?;
    ask_the_machine(cli, &options)?;
    let mut view = View::new(options.conns, cli.quiet, cli.color);
    let options = PoolOptions { live_latencies: view.is_shown(), ..options };
    let mut pool = Pool::open(options, Arc::clone(stop), &mut view)?;
    let mut file = measure(cli, plan, &mut pool, stop, &mut view)?;
    view.closing();
    let closed_s = pool.close();
    let valid = match &mut file {
        ResultFile::Load(report) => {
            report.connections.closed_s = closed_s;
            report.valid
        }
        ResultFile::LoadCurve(curve) => {
            curve.steps.iter_mut().for_each(|step| step.connections.closed_s = closed_s);
            curve.valid
        }
        _ => true,
    };
    view.finish();
    // The result is printed although an export may fail, and exported although nobody may read what is printed. An export that
    // failed is told first: a reader of the result that has gone ends the process without a word.
    let exported = match &file {
        ResultFile::Load(report) => cli.exports().write(report),
        _ => Ok(()),
    };
    let printed = print_result(cli, &file);
    exported.and(printed)?;
    Ok(match (interruption.has_come(), valid) {
        (true, _) => INTERRUPTED,
        (false, false) => INVALID,
        (false, true) => 0,
    })
}

/// Returns the measurement that the options ask for, if they allow it.
fn plan(cli: &Cli) -> anyhow::Result<Plan> {
    let processors = processors::allowed().context("cannot tell the processors")?;
    if let Some(cpu) = cli.cpu.filter(|cpu| !processors.contains(cpu)) {
        let sentence = format!("there is no processor {cpu} to pin to; choose --cpu from {processors:?}");
        anyhow::bail!(UsageError(sentence));
    }
    let plan = cli.plan().map_err(UsageError)?;
    let is_shard = cli.shard_and_why().map_err(UsageError)?.is_some();
    let is_for_one_window = is_shard || cli.start_at.is_some() || cli.exports().is_any();
    if plan != Plan::Once && is_for_one_window {
        let sentence = "--shard, --start-at and --export are for one window, not for a curve or a search: give one --rate";
        anyhow::bail!(UsageError(sentence.to_owned()));
    }
    cli.start_at.map_or(Ok(()), StartAt::check)?;
    Ok(plan)
}

/// Puts the load that `plan` asks for on the connections.
fn measure(
    cli: &Cli,
    plan: Plan,
    pool: &mut Pool,
    stop: &AtomicBool,
    view: &mut View,
) -> anyhow::Result<ResultFile> {
    let start_ns = cli.start_at.map(|at| at.wait(stop, view)).transpose()?;
    let load = cli.load(processors::granted().context("cannot tell the processors")?);
    view.loading(matches!(load.mode, LoadMode::Open { .. }));
    let curve = match plan {
        Plan::Once => {
            let mut report = pool.run_from(start_ns, &load, view)?;
            report.settings.start_at = cli.start_at.map(|at| at.to_string());
            if !cli.quiet {
                say_if_unstamped(&report);
            }
            return Ok(ResultFile::Load(report));
        }
        Plan::Steps(rates) => curve::steps(pool, &load, &rates, view)?,
        Plan::Search(range, objective) => curve::search(pool, &load, range, objective, view)?,
    };
    Ok(ResultFile::LoadCurve(curve))
}

fn say_if_unstamped(report: &LoadReport) {
    let stamped = report.generator_added.as_ref().map_or(0, |added| added.count);
    match (report.settings.timestamps, stamped) {
        (Timestamps::Kernel, 0) => note!(
            "load-gen: the kernel stamped no reply (SO_TIMESTAMPING), so the result is without its time-stamps"
        ),
        (Timestamps::Kernel, _) if stamped < report.completed => note!(
            "load-gen: the kernel stamped {stamped} of {} replies (SO_TIMESTAMPING); of the others it cannot be said what the generator added",
            report.completed
        ),
        _ => {}
    }
}

/// As a table or JSON. The table goes to standard error where an export has taken standard output.
fn print_result(cli: &Cli, file: &ResultFile) -> anyhow::Result<()> {
    let paint = Paint::of(cli.color, &std::io::stdout());
    let table = match file {
        ResultFile::Load(report) if !cli.json => output::human(report, paint),
        ResultFile::LoadCurve(curve) if !cli.json => output::human_curve(curve),
        _ => return Ok(streams::print(format!("{}\n", serde_json::to_string_pretty(file)?))?),
    };
    if !cli.exports().take_standard_output() {
        return Ok(streams::print(format!("{}\n", table.trim_end()))?);
    }
    if !cli.quiet {
        note!("{}", table.trim_end());
    }
    Ok(())
}

/// Says what this machine is missing for the run; an error if the run cannot succeed.
fn ask_the_machine(cli: &Cli, options: &PoolOptions) -> anyhow::Result<()> {
    let plan = preflight::Plan {
        target: &options.target,
        is_local: preflight::is_local(&options.target),
        conns: options.conns,
        active: options.active,
        servers: 1,
        threads: options.threads,
        size_bytes: options.mean_size_bytes(),
    };
    let findings = preflight::findings(&plan, &Capacity::of_this_machine());
    let is_fatal = findings.iter().any(|finding| finding.is_fatal) && !cli.no_preflight;
    for finding in &findings {
        match finding.is_fatal && is_fatal {
            true => note!("load-gen: {finding}"),
            false if cli.quiet => {}
            false => note!("load-gen: warning: {finding}"),
        }
    }
    if is_fatal {
        anyhow::bail!(
            "this machine cannot hold {} connections; --no-preflight tries it all the same",
            options.conns
        );
    }
    Ok(())
}
