//! The common parts of the command's tests: servers that behave, servers that do not, and how the command is run.

// Each test binary has its own copy of this module and uses what it needs of it.
#![allow(dead_code, unused_imports, unused_macros)]

pub mod engines;
pub mod network;
pub mod quota;
pub mod servers;

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) use engines::on_each_engine;

/// The longest wait for what must happen: long enough for a machine under load, so that only a wait without a bound
/// ever uses it up.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The command under test.
pub fn load_gen(arguments: &[&str]) -> Command {
    let mut command = trials::command(env!("CARGO_BIN_EXE_load-gen"));
    command.args(engines::arguments()).args(arguments).stdin(Stdio::null());
    command
}

/// Starts `load-gen --json` against `target` for a short time; `arguments` come last and so prevail.
pub fn start(target: SocketAddr, arguments: &[&str]) -> Child {
    let target = target.to_string();
    let mut all = vec!["--target", &target, "-d", "300ms", "--warmup", "0s", "--timeout", "5s", "--json"];
    all.extend(arguments);
    spawn(load_gen(&all))
}

/// Runs what [`start`] starts to its end.
pub fn run(target: SocketAddr, arguments: &[&str]) -> Output {
    output_of(start(target, arguments))
}

/// Starts `command` with its output caught.
pub fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Waits for the end of `child` and returns what it printed. A child that does not end is ended, and fails the test:
/// no wait of the generator is without a bound.
pub fn output_of(mut child: Child) -> Output {
    let stdout = read_to_end(child.stdout.take().expect("piped"));
    let stderr = read_to_end(child.stderr.take().expect("piped"));
    let deadline = Instant::now() + PATIENCE;
    let mut ended = child.try_wait().expect("a child of ours");
    while ended.is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
        ended = child.try_wait().expect("a child of ours");
    }
    if ended.is_none() {
        child.kill().expect("a child of ours");
        let _ = child.wait();
    }
    let all = |reader: JoinHandle<Vec<u8>>| reader.join().expect("no reader panics");
    let (stdout, stderr) = (all(stdout), all(stderr));
    let status = ended.unwrap_or_else(|| panic!("it hangs; {}", String::from_utf8_lossy(&stderr)));
    Output { status, stdout, stderr }
}

fn read_to_end(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe");
        bytes
    })
}

/// Sends `signal` to a running command.
pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a child of ours");
}

/// Looks again and again until `condition` holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The result that a run printed. Whatever went wrong in it, its books balance, and its exit status, its verdict and
/// its reasons say the same.
pub fn json(output: &Output) -> Value {
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_books_balance(&report);
    assert_verdict_is_consistent(&report, output.status.code());
    report
}

/// The result of a run that must end with `exit_code`.
pub fn judged(output: &Output, exit_code: i32) -> Value {
    let report = json(output);
    assert_eq!(output.status.code(), Some(exit_code), "{report}");
    report
}

/// The text that a run printed to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A count of a report.
pub fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// The sum of counts by name.
pub fn total(by_name: &Value) -> u64 {
    by_name.as_object().expect("counts by name").values().map(count).sum()
}

/// scheduled = completed + errors + outstanding, exactly, and each histogram has a sample for each request that it is
/// about.
pub fn assert_books_balance(report: &Value) {
    let completed = count(&report["completed"]);
    let sum = completed + total(&report["errors"]) + count(&report["outstanding"]);
    assert_eq!(count(&report["scheduled"]), sum, "{report}");
    assert_eq!(count(&report["service"]["count"]), completed, "{report}");
    if let Some(response) = report.get("response") {
        assert_eq!(count(&response["count"]), completed, "{report}");
        let sent = count(&report["lateness"]["count"]);
        assert!((completed..=count(&report["scheduled"])).contains(&sent), "{report}");
    }
    // Every connection that was lost has a name; one that was not opened may never have been tried.
    let connections = &report["connections"];
    assert!(total(&connections["errors"]) >= count(&connections["lost"]), "{report}");
}

fn assert_verdict_is_consistent(report: &Value, exit_code: Option<i32>) {
    let valid = report["valid"].as_bool().expect("a verdict");
    let reasons = report["invalid_reasons"].as_array().expect("sentences");
    assert_eq!(valid, reasons.is_empty(), "{reasons:?}");
    match exit_code {
        Some(0) => assert!(valid, "{reasons:?}"),
        Some(4 | 130) => assert!(!valid),
        other => panic!("a result was printed, and the exit status is {other:?}"),
    }
}

/// The reasons why a run is not valid, in one text.
pub fn reasons(report: &Value) -> String {
    report["invalid_reasons"]
        .as_array()
        .expect("sentences")
        .iter()
        .map(|reason| format!("{reason}\n"))
        .collect()
}
