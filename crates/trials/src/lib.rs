//! Tests that say what they need, and are reported as ignored, with the reason, where that is missing.
//!
//! libtest has no test that finds out when it runs that it cannot. A test target with `harness = false` has, with
//!
//! ```text
//! use trials::test; // in each file that has tests, so that #[test] is this one
//!
//! fn main() -> std::process::ExitCode {
//!     trials::main()
//! }
//!
//! #[test(needs(Program("socat"), ROOT))]
//! fn socat_is_served() {}
//! ```
//!
//! What a target prints and understands is libtest's (libtest-mimic). Where CI is set, what is missing fails, unless there is an
//! *exemption*: a file of its name in `target/peers/exempt` which says why it cannot be had, written by `.ci/exempt`.

pub mod need;

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::panic;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;

pub use inventory::submit;
pub use libtest_mimic::{Arguments, Failed, Trial};
pub use need::Need;
pub use trials_macros::test;

use libtest_mimic::Completion;

/// A function that is a test, as [`macro@test`] registers it.
pub struct Test {
    module: &'static str,
    name: &'static str,
    run: fn(),
    needs: &'static [Need],
}

inventory::collect!(Test);

impl Test {
    /// The test `name` of `module`.
    pub const fn new(module: &'static str, name: &'static str, run: fn(), needs: &'static [Need]) -> Self {
        Self { module, name, run, needs }
    }

    fn trial(&self) -> Trial {
        // As libtest has it: from below the crate.
        let name = match self.module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.name),
            None => self.name.to_owned(),
        };
        let run = self.run;
        trial(name, self.needs, move || {
            run();
            Ok(())
        })
    }
}

/// Runs the tests of this binary as its arguments say.
pub fn main() -> ExitCode {
    run(&Arguments::from_args(), all())
}

/// The tests of this binary that [`macro@test`] stands before.
pub fn all() -> Vec<Trial> {
    let mut trials: Vec<Trial> = inventory::iter::<Test>.into_iter().map(Test::trial).collect();
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    assert!(!trials.is_empty(), "no file of this target says `use trials::test`");
    trials
}

/// Runs `trials`; after libtest's closing line comes one that counts what could not run, with the reasons.
pub fn run(arguments: &Arguments, trials: Vec<Trial>) -> ExitCode {
    let mut arguments = arguments.clone();
    // As libtest has it.
    let threads = std::env::var("RUST_TEST_THREADS").ok().and_then(|threads| threads.parse().ok());
    arguments.test_threads = arguments.test_threads.or(threads);
    let conclusion = libtest_mimic::run(&arguments, trials);
    let missing = MISSING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for (reason, tests) in missing.iter() {
        println!("cannot run here: {tests} {}: {reason}", if *tests == 1 { "test" } else { "tests" });
    }
    conclusion.exit_code()
}

/// A command that knows of this process's environment only what programs need: no variable of a terminal, a job or a language that somebody's
/// shell happens to have changes what it does.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let is_kept = |name: &str| {
        ["HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR"].contains(&name)
            || ["CARGO", "LLVM_", "MUXBENCH_", "RUST"].iter().any(|prefix| name.starts_with(prefix))
    };
    let kept = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept));
    let mut command = Command::new(program);
    command.env_clear().envs(kept);
    command
}

/// As [`command`], with a descriptor limit (ulimit -n), below which there are the three streams and nothing else: make(1), flock(1) and CI
/// runners hand down descriptors of theirs.
pub fn limited(descriptors: u32, program: impl AsRef<OsStr>) -> Command {
    let script = format!(
        "for path in /proc/self/fd/*; do n=${{path##*/}}; [ \"$n\" -le 2 ] || eval \"exec $n>&-\"; done; \
         ulimit -n {descriptors} && exec \"$0\" \"$@\""
    );
    let mut command = command("bash");
    command.args(["-c", &script]).arg(program);
    command
}

/// The number of tests that were ignored, by reason.
static MISSING: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// The test `name`, which runs where `needs` are met, on a thread of its own with that name as libtest has it.
pub fn trial(
    name: impl Into<String>,
    needs: &'static [Need],
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let name = name.into();
    let thread = thread::Builder::new().name(name.clone());
    Trial::ignorable_test(name, move || {
        let unmet = needs.iter().find_map(|need| need.look().err().map(|reason| (need.name(), reason)));
        if let Some((name, reason)) = unmet {
            return missing(&name, &reason);
        }
        match thread.spawn(run)?.join() {
            Ok(result) => result.map(|()| Completion::Completed),
            Err(payload) => match payload.downcast::<CannotRun>() {
                Ok(unmet) => missing(&unmet.need, &unmet.reason),
                Err(panic) => Err(said(&*panic).into()),
            },
        }
    })
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

struct CannotRun {
    need: String,
    reason: String,
}

/// Ends the running test as one that cannot run here, which only trying has shown: for want of `need`, because of `reason`.
pub fn cannot_run(need: &str, reason: impl Into<String>) -> ! {
    panic::resume_unwind(Box::new(CannotRun { need: need.into(), reason: reason.into() }))
}

/// Goes on only where `need` is met; for helpers that tests share, beside what each states of itself.
pub fn require(need: &Need) {
    if let Err(reason) = need.look() {
        cannot_run(&need.name(), reason);
    }
}

/// Returns whether `need` is met, for a test that libtest runs: such a test cannot be ignored once it runs, and passes without having tried
/// anything. If the need is not met, this writes the line by which tests that cannot run are counted.
///
/// # Panics
///
/// If the need is not met, CI is set, and there is no exemption.
pub fn is_met(need: &Need) -> bool {
    let Err(reason) = need.look() else { return true };
    let reason = reason_not_to_run(&need.name(), &reason).unwrap_or_else(|failure| panic!("{failure}"));
    // libtest holds back what is printed, not what is written; it may have begun a line.
    writeln!(std::io::stdout(), "\ncannot run here: 1 test: {reason}").expect("standard output is open");
    false
}

/// The outcome of a test that lacks `need`.
fn missing(need: &str, reason: &str) -> Result<Completion, Failed> {
    let reason = reason_not_to_run(need, reason)?;
    *MISSING.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).entry(reason.clone()).or_default() += 1;
    Ok(Completion::ignored_with(reason))
}

/// The reason for which a test that lacks `need` does not run, with its exemption if there is one; an error where CI must run it.
fn reason_not_to_run(need: &str, reason: &str) -> Result<String, String> {
    let exemption = std::fs::read_to_string(need::peers().join("exempt").join(need)).ok();
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    match exemption {
        Some(exemption) => Ok(format!("{reason}; exempt: {}", exemption.trim())),
        None if is_ci => Err(format!("{reason}, and CI must run everything: see CONTRIBUTING.md")),
        None => Ok(reason.to_owned()),
    }
}
