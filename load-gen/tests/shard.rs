//! One run carried by several `load-gen` processes, and when its load begins.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{json, stderr};

/// The first bytes that came on each connection.
type Openings = Arc<Mutex<Vec<Vec<u8>>>>;

/// An echo server that remembers how each connection began.
fn echo() -> (SocketAddr, Openings) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let openings = Openings::default();
    let seen = Arc::clone(&openings);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            thread::spawn(move || {
                let mut buffer = [0; 64];
                let mut is_first = true;
                while stream.read_exact(&mut buffer).and_then(|()| stream.write_all(&buffer)).is_ok() {
                    if std::mem::take(&mut is_first) {
                        seen.lock().expect("nobody panics").push(buffer.to_vec());
                    }
                }
            });
        }
    });
    (address, openings)
}

/// The command, with an environment that names no shard.
fn load_gen(target: SocketAddr, arguments: &str) -> Command {
    let mut command = trials::command(env!("CARGO_BIN_EXE_load-gen"));
    command.args([
        "--target",
        &target.to_string(),
        "-d",
        "300ms",
        "--warmup",
        "0s",
        "--wait",
        "sleep",
        "--json",
    ]);
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

fn run(target: SocketAddr, arguments: &str) -> Output {
    load_gen(target, arguments).output().expect("load-gen starts")
}

fn from_now(ahead: Duration) -> SystemTime {
    SystemTime::now() + ahead
}

fn unix_s(instant: SystemTime) -> String {
    let since = instant.duration_since(UNIX_EPOCH).expect("after 1970");
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}

#[test]
fn the_shards_do_together_exactly_what_one_process_does() {
    let (target, openings) = echo();
    let opened = |arguments: &str| {
        openings.lock().expect("nobody panics").clear();
        let report = json(&run(target, &format!("--conns 10 --active 7 {arguments}")));
        assert_eq!(report["settings"]["conns"], 10, "the settings are the whole's");
        assert_eq!(report["settings"]["active"], 7);
        let opened = report["connections"]["opened"].as_u64().expect("a count");
        (opened, openings.lock().expect("nobody panics").clone())
    };
    let (all, _) = opened("");
    assert_eq!(all, 10);
    let shards: Vec<_> = (1..=3).map(|index| opened(&format!("--shard {index}/3"))).collect();
    assert_eq!(shards.iter().map(|(opened, _)| *opened).collect::<Vec<_>>(), [4, 3, 3]);
    assert_eq!(shards.iter().map(|(_, openings)| openings.len()).collect::<Vec<_>>(), [3, 2, 2]);
    let streams: BTreeSet<_> = shards.iter().flat_map(|(_, openings)| openings).collect();
    assert_eq!(streams.len(), 7, "no connection sends what another shard's sends");
}

#[test]
fn the_table_of_a_shard_tells_its_own_connections_from_those_of_the_run() {
    let (target, _) = echo();
    let arguments = ["-d", "100ms", "--warmup", "0s", "--conns", "5", "--active", "3", "--shard", "2/2"];
    let output = trials::command(env!("CARGO_BIN_EXE_load-gen"))
        .args(["--target", &target.to_string()])
        .args(arguments)
        .output()
        .expect("load-gen starts");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.starts_with("2 connections to ") && table.contains(", 1 active, "), "{table}");
    assert!(table.contains("shard 2/2 of a run of 5 connections, 3 active"), "{table}");
}

#[test]
fn each_shard_carries_the_rate_of_its_active_connections() {
    let (target, _) = echo();
    let scheduled: Vec<f64> = (1..=2)
        .map(|index| {
            let report = json(&run(target, &format!("--conns 8 --active 3 --rate 30k --shard {index}/2")));
            assert_eq!(report["settings"]["mode"]["rate_per_s"], 30_000.0);
            let checks = report["self_check"]["checks"].as_array().expect("open loop");
            let rate = checks.iter().find(|check| check["name"] == "rate").expect("enough requests");
            assert_eq!(rate["passed"], true, "a shard answers for its own part of the rate: {rate}");
            report["scheduled"].as_f64().expect("a count")
        })
        .collect();
    // 6,000 and 3,000 requests in 300 ms on average; five standard deviations are below 400.
    assert!(
        (scheduled[0] - 6_000.0).abs() < 400.0 && (scheduled[1] - 3_000.0).abs() < 400.0,
        "{scheduled:?}"
    );
}

#[test]
fn a_shard_of_idle_connections_holds_them_through_the_window() {
    let (target, _) = echo();
    for load in ["", "--rate 100"] {
        let output = run(target, &format!("--conns 4 --active 1 --shard 2/2 {load}"));
        let report = json(&output);
        assert_eq!(report["connections"]["opened"], 2);
        assert_eq!((&report["scheduled"], &report["window_s"]), (&0.into(), &0.3.into()), "{report}");
        let reasons = report["invalid_reasons"].to_string();
        assert!(!reasons.contains("no request"), "{reasons}");
    }
}

#[test]
fn more_shards_than_connections_is_a_usage_error_of_all_shards() {
    let (target, _) = echo();
    for index in 1..=3 {
        let output = run(target, &format!("--conns 2 --shard {index}/3"));
        assert_eq!(output.status.code(), Some(2));
        let message = stderr(&output);
        assert!(message.contains("shard 3/3") && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn an_indexed_job_and_an_array_are_taken_from_the_environment_and_said() {
    let (target, _) = echo();
    let kubernetes = [("JOB_COMPLETION_INDEX", "1"), ("JOB_COMPLETIONS", "3")];
    let slurm = [
        ("SLURM_ARRAY_TASK_ID", "11"),
        ("SLURM_ARRAY_TASK_MIN", "10"),
        ("SLURM_ARRAY_TASK_MAX", "12"),
        ("SLURM_ARRAY_TASK_STEP", "1"),
        ("SLURM_ARRAY_TASK_COUNT", "3"),
    ];
    for environment in [kubernetes.as_slice(), slurm.as_slice()] {
        let run = |arguments| {
            load_gen(target, arguments).envs(environment.iter().copied()).output().expect("load-gen starts")
        };
        let output = run("--conns 3");
        assert_eq!(json(&output)["shard"], serde_json::json!({ "index": 2, "count": 3 }));
        assert!(stderr(&output).contains("shard 2/3") && stderr(&output).contains(environment[0].0));
        assert_eq!(stderr(&run("--conns 3 --quiet")), "");
        let explicit = run("--conns 3 --shard 1/1");
        assert_eq!(json(&explicit)["shard"]["count"], 1, "--shard wins");
        assert_eq!(stderr(&explicit), "");
    }
    let half = load_gen(target, "").env("JOB_COMPLETION_INDEX", "1").output().expect("load-gen starts");
    assert_eq!(half.status.code(), Some(2));
    assert!(
        stderr(&half).contains("JOB_COMPLETIONS") && stderr(&half).lines().count() == 1,
        "{}",
        stderr(&half)
    );
}

#[test]
fn the_load_begins_at_the_instant_that_was_agreed_on() {
    let (target, _) = echo();
    // Far enough ahead for a machine under load to have opened two connections.
    let at = from_now(Duration::from_secs(3));
    let report = json(&run(target, &format!("--conns 2 --warmup 50ms --start-at {}", unix_s(at))));
    let began = humantime::parse_rfc3339(report["started_at"].as_str().expect("a time")).expect("RFC 3339");
    let expected = at + Duration::from_millis(50);
    let off = began.duration_since(expected).unwrap_or_else(|error| error.duration());
    // No timing: it is what the generator computes, up to how far apart two clocks are read.
    assert!(off < Duration::from_millis(20), "{off:?}");
    let start_at = report["settings"]["start_at"].as_str().expect("a time");
    assert_eq!(humantime::parse_rfc3339(start_at), Ok(at));
}

#[test]
fn an_instant_that_has_passed_is_a_usage_error_and_nothing_is_opened() {
    let (target, openings) = echo();
    let output = run(target, "--start-at 1767322800");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("2026-01-02T03:00:00Z passed"), "{}", stderr(&output));
    assert!(output.stdout.is_empty() && openings.lock().expect("nobody panics").is_empty());
}

#[test]
fn connections_that_are_not_open_in_time_are_an_error_and_no_late_load() {
    let (target, openings) = echo();
    // The last of the connections opens no sooner than four seconds after the instant.
    let at = from_now(Duration::from_secs(3));
    let output = run(target, &format!("--conns 8 --connect-rate 1 --start-at {}", unix_s(at)));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("before all connections were open"), "{}", stderr(&output));
    assert!(output.stdout.is_empty() && openings.lock().expect("nobody panics").is_empty());
}

#[test]
fn waiting_for_the_instant_can_be_interrupted() {
    let (target, _) = echo();
    let at = from_now(Duration::from_secs(3_600));
    let child = load_gen(target, &format!("--conns 2 --start-at {}", unix_s(at)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("load-gen starts");
    // Its worker is there once the handlers of signals are.
    let tasks = format!("/proc/{}/task", child.id());
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while std::fs::read_dir(&tasks).map_or(0, Iterator::count) < 2 {
        assert!(std::time::Instant::now() < deadline, "it does not come to wait");
        thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a child of ours");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}
