//! Tests of what `load-gen` finds out about itself: self-check, kernel time-stamps, intervals, and the view of a run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use model::histogram;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The address of a server that echoes `most` bytes on each connection and then resets it, until the process ends.
fn echo_of(most: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = stream.try_clone().expect("a socket").take(most);
            thread::spawn(move || std::io::copy(&mut reader, &mut stream));
        }
    });
    address
}

fn echo() -> String {
    echo_of(u64::MAX)
}

/// An echo server that tells of each read.
fn echo_and_tell() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut buffer = [0; 1 << 12];
                while let Ok(length @ 1..) = stream.read(&mut buffer)
                    && stream.write_all(&buffer[..length]).is_ok()
                {
                    let _ = sender.send(());
                }
            });
        }
    });
    (address, requests)
}

/// `load-gen` against `target`, with arguments as one would type them.
fn load_gen(target: &str, arguments: &str) -> Command {
    let mut command = trials::command(env!("CARGO_BIN_EXE_load-gen"));
    command.args(["--target", target, "--warmup", "0s", "--timeout", "10s"]);
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

fn run(target: &str, arguments: &str) -> Output {
    load_gen(target, arguments).output().expect("load-gen starts")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn report(target: &str, arguments: &str) -> Value {
    json(&run(target, &format!("--json -q {arguments}")))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = list(&report["self_check"]["checks"]);
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// Everything that a self-check promises of itself, whatever it found.
fn assert_consistent(report: &Value) {
    let significance = number(&report["self_check"]["significance"]);
    let mut all = true;
    for check in list(&report["self_check"]["checks"]) {
        let real = check.get("p_value").is_none_or(|p| number(p) < significance);
        let failed = real && number(&check["statistic"]) > number(&check["threshold"]);
        assert_eq!(check["passed"], !failed, "{check}");
        assert_eq!(check.get("advice").is_some(), failed, "{check}");
        if failed {
            assert!(list(&report["invalid_reasons"]).contains(&check["advice"]), "{check} is no reason");
            assert_eq!(report["valid"], false);
        }
        all &= !failed;
    }
    assert_eq!(report["self_check"]["passed"], all);
}

/// A test does not control what a loaded machine does to the realised arrivals, only what the schedule intends.
#[test]
fn an_open_loop_run_tests_itself_and_its_schedule_passes() {
    let target = echo();
    let poisson = report(&target, "--conns 10 --rate 2k -d 1s");
    for name in ["gaps_intended", "independence_intended", "rate"] {
        assert_eq!(check(&poisson, name)["passed"], true, "{poisson}");
        assert!(number(&check(&poisson, name)["p_value"]) > 1e-4);
    }
    for name in [
        "gaps_realised",
        "independence_realised",
        "spacing",
        "standstill",
        "stationarity",
        "lateness",
        "starved",
    ] {
        assert!(number(&check(&poisson, name)["samples"]) > 50.0, "{name}: {poisson}");
    }
    assert_consistent(&poisson);
    let uniform = report(&target, "--conns 10 --rate 2k -d 1s --arrivals uniform -t 2");
    assert_eq!(check(&uniform, "gaps_intended")["passed"], true, "{uniform}");
    assert_eq!(check(&uniform, "rate")["passed"], true, "{uniform}");
    assert_consistent(&uniform);
}

#[test]
fn a_closed_loop_has_no_arrivals_to_test() {
    assert!(report(&echo(), "-d 100ms").get("self_check").is_none());
}

#[test]
fn a_load_gen_that_was_stopped_for_a_second_says_so_and_is_invalid() {
    const SILENCE: Duration = Duration::from_secs(1);
    let (target, requests) = echo_and_tell();
    let mut child = load_gen(&target, "--conns 10 --rate 1k -d 5s --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("load-gen starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(lines.any(|line| line.expect("text").contains("measuring")), "it measures");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP).expect("a child of ours");
    // A thousand are due a second; it lasts until none has come for a second.
    while requests.recv_timeout(SILENCE).is_ok() {}
    kill_process(pid, Signal::CONT).expect("a child of ours");
    thread::spawn(move || lines.for_each(drop));
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(4));
    let report = json(&output);
    let standstill = check(&report, "standstill");
    assert_eq!(standstill["passed"], false);
    assert!(number(&standstill["statistic"]) > 0.9, "{standstill}");
    assert!(report["invalid_reasons"].to_string().contains("it was stopped (SIGSTOP"), "{report}");
    assert_eq!(report["scheduled"], report["completed"], "no request is lost by it");
    assert_consistent(&report);
}

/// Adds up the intervals of a report and compares them with its totals.
fn assert_adds_up(report: &Value, latencies: &[&str]) {
    let intervals = list(&report["intervals"]);
    let sum = |key: &str| intervals.iter().map(|interval| number(&interval[key])).sum::<f64>();
    assert_eq!(sum("completed"), number(&report["completed"]));
    let errors = report["errors"].as_object().expect("counts by name");
    assert_eq!(sum("errors"), errors.values().map(number).sum::<f64>());
    for name in latencies {
        let decode = |latency: &Value| {
            histogram::decode(latency["histogram"].as_str().expect("text")).expect("a histogram")
        };
        let mut all = histogram::empty();
        for interval in intervals {
            assert_eq!(interval[name]["count"], interval["completed"], "{name}");
            all.add(decode(&interval[name])).expect("same bounds");
        }
        assert!(all == decode(&report[name]), "{name}");
    }
    for pair in intervals.windows(2) {
        let end_s = number(&pair[0]["start_s"]) + number(&pair[0]["length_s"]);
        assert!((end_s - number(&pair[1]["start_s"])).abs() < 1e-8, "a hole before {}", pair[1]);
    }
}

#[test]
fn intervals_cover_the_window_and_add_up_to_the_totals() {
    let target = echo();
    let open = report(&target, "--conns 10 --rate 3k -d 950ms --interval 200ms -t 2");
    assert_adds_up(&open, &["response", "service"]);
    let lengths: Vec<f64> =
        list(&open["intervals"]).iter().take(5).map(|interval| number(&interval["length_s"])).collect();
    assert_eq!(lengths, [0.2, 0.2, 0.2, 0.2, 0.15], "cut at the window's end");
    assert_eq!(open["settings"]["interval_s"], 0.2);
    let closed = report(&target, "--conns 4 -d 300ms --interval 10ms");
    assert_adds_up(&closed, &["service"]);
    assert!(list(&closed["intervals"]).len() >= 30 && closed["intervals"][0].get("response").is_none());
    assert!(report(&target, "-d 50ms").get("intervals").is_none(), "none without being asked");
}

#[test]
fn errors_are_in_the_interval_in_which_they_happened() {
    // Each connection carries a hundred replies and a half.
    let report = report(&echo_of(6_432), "--conns 4 --rate 1k -d 2s --interval 100ms");
    assert_adds_up(&report, &["response", "service"]);
    let intervals = list(&report["intervals"]);
    let first = intervals.iter().position(|interval| number(&interval["errors"]) > 0.0).expect("errors");
    let answered: f64 = intervals[..=first].iter().map(|interval| number(&interval["completed"])).sum();
    assert!(answered >= 100.0, "{answered} replies, and errors already: {report}");
}

#[test]
fn kernel_time_stamps_divide_every_response_in_two() {
    let target = echo();
    let open = report(&target, "--conns 10 --rate 2k -d 1s --timestamps kernel");
    let count = |name: &str| number(&open[name]["count"]);
    assert!(count("response") > 100.0, "{open}");
    assert_eq!(count("response_kernel"), count("response"), "{open}");
    assert_eq!(count("generator_added"), count("service"), "{open}");
    let mean = |name: &str| number(&open[name]["mean_ns"]);
    let sum = mean("response_kernel") + mean("generator_added");
    // Three digits in each histogram.
    assert!((sum / mean("response") - 1.0).abs() < 2e-3, "{sum} is not {}", mean("response"));
    for name in ["p50_ns", "p90_ns", "max_ns"] {
        let before = number(&open["response_kernel"][name]);
        assert!(before <= number(&open["response"][name]) * 1.001, "received after it was read: {name}");
    }
    assert!(open["timestamp_error_ns"].is_u64() && open["settings"]["timestamps"] == "kernel");
    let closed = report(&target, "-d 200ms --timestamps kernel");
    assert!(closed.get("response_kernel").is_none() && number(&closed["generator_added"]["count"]) > 0.0);
    let without = report(&target, "-d 50ms --rate 1k");
    for name in ["response_kernel", "generator_added", "timestamp_error_ns"] {
        assert!(without.get(name).is_none(), "{name}");
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn a_socket_that_the_kernel_does_not_stamp_is_said_once_and_not_if_quiet() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("echo.sock");
    let listener = UnixListener::bind(&path).expect("a new name");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = stream.try_clone().expect("a socket");
            thread::spawn(move || std::io::copy(&mut reader, &mut stream));
        }
    });
    let target = format!("unix:{}", path.display());
    let arguments = "--conns 2 --rate 500 -d 200ms --timestamps kernel";
    let said = stderr(&run(&target, arguments));
    assert_eq!(said.matches("the kernel stamped no reply").count(), 1, "{said}");
    assert_eq!(stderr(&run(&target, &format!("{arguments} -q"))), "");
}

#[test]
fn away_from_a_terminal_there_is_a_plain_line_a_second_and_none_if_quiet() {
    let target = echo();
    for (arguments, times) in
        [("-d 1500ms", ", p50/p99/max service "), ("--rate 500 -d 2500ms", ", p50/p99/max response ")]
    {
        let lines = stderr(&run(&target, &format!("--conns 5 {arguments}")));
        assert!(lines.lines().count() >= 1, "{lines}");
        for line in lines.lines() {
            assert!(line.starts_with("load-gen: ") && line.contains("5 connections"), "{line}");
            assert!(line.contains("offered") && line.contains("0 errors"), "{line}");
            assert!(line.contains(times) && line.contains("service "), "{line}");
        }
        assert!(!lines.contains(['\x1b', '\r']), "no control sequences");
    }
    let output = run(&target, "--conns 5 --rate 500 -d 500ms");
    let human = String::from_utf8(output.stdout).expect("text");
    assert!(!human.contains('\x1b'), "no control sequences");
    assert!(
        human.contains("response") && human.contains("lateness") && human.contains("self-check: "),
        "{human}"
    );
    assert_eq!(stderr(&run(&target, "--rate 500 -d 1500ms -q")), "");
}

#[test]
fn colours_can_be_had_and_refused_whatever_the_stream_is() {
    let target = echo();
    let text = |colour: &str| {
        let output = run(&target, &format!("--conns 2 --rate 500 -d 200ms -q --color {colour}"));
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(text("always").contains("\x1b["));
    assert!(!text("auto").contains('\x1b') && !text("never").contains('\x1b'));
}

#[test]
fn on_a_terminal_one_line_is_redrawn() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let target = echo();
    let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&control).and_then(|()| unlockpt(&control)).expect("ours");
    let name = ptsname(&control, Vec::new()).expect("a name").into_string().expect("text");
    let terminal = std::fs::File::options().read(true).write(true).open(name).expect("the other end");
    let mut child = load_gen(&target, "--conns 5 --rate 500 -d 1500ms")
        .env("TERM", "xterm")
        .stdout(Stdio::null())
        .stderr(terminal)
        .spawn()
        .expect("load-gen starts");
    // The end of the last process that has it open ends the reading, with EIO (tty_io(4) has no end of file).
    let mut shown = Vec::new();
    let _ = std::fs::File::from(control).read_to_end(&mut shown);
    child.wait().expect("it ends");
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("5 connections") && shown.contains("achieved"), "{shown:?}");
    assert!(shown.contains('\r') || shown.contains("\x1b["), "redrawn: {shown:?}");
}

#[test]
fn wrong_intervals_and_time_stamps_are_usage_errors() {
    for (arguments, advice) in [
        ("--interval 1ms", "at least 10ms"),
        ("--interval 10ms -d 1h", "lengthen --interval"),
        ("--timestamps hardware", "kernel"),
        ("--color sometimes", "always"),
    ] {
        let output = run("127.0.0.1:9", arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(stderr(&output).contains(advice), "{arguments}: {}", stderr(&output));
    }
}
