//! Tests of what real clients do besides a constant stream of equal requests, through the `load-gen` command.

mod counted;
mod dialogues;
mod servers;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use crate::support::{count, on_each_engine, wait_until};
use serde_json::{Value, json};
use servers::{echo, load_gen, run, server};
use trials::test;

on_each_engine! {
    sizes_of_a_range_arrive_as_they_were_drawn_and_the_same_seed_draws_the_same,
    exponential_sizes_come_back_whole_in_both_loops,
    so_many_requests_are_so_many_in_both_loops_and_over_all_workers,
    a_duration_bounds_the_time_that_so_many_requests_may_take,
    requests_beyond_the_bound_are_held_back_and_none_is_dropped,
    what_is_held_back_until_the_end_is_outstanding_and_said_to_be_unsent,
    a_thinking_connection_sends_nothing_before_its_pause_is_over,
    a_ramp_comes_before_the_window_in_both_loops,
}

fn sizes_of_a_range_arrive_as_they_were_drawn_and_the_same_seed_draws_the_same() {
    let sizes = || {
        let (target, seen) = echo();
        let report = run(target, "--conns 1 --size 64..1k --requests 300 --seed 9");
        assert_eq!(
            report["settings"]["size"],
            json!({"distribution": "uniform", "from_bytes": 64, "to_bytes": 1024})
        );
        assert_eq!((count(&report["settings"]["size_bytes"]), count(&report["completed"])), (544, 300));
        // One request under way on one connection: a read is a request.
        seen.reads.lock().expect("no panic").iter().map(|&(_, length)| length).collect::<Vec<_>>()
    };
    let first = sizes();
    assert!(first.iter().all(|size| (64..=1024).contains(size)), "{first:?}");
    assert!(first.iter().collect::<HashSet<_>>().len() > 200);
    assert_eq!(first, sizes());
}

fn exponential_sizes_come_back_whole_in_both_loops() {
    let (target, _) = echo();
    for mode in ["--pipeline 4", "--rate 3k"] {
        let report = run(target, &format!("--conns 3 --size exp:2k -d 300ms {mode}"));
        assert_eq!((&report["errors"], count(&report["outstanding"])), (&json!({}), 0), "{report}");
        assert!(count(&report["completed"]) > 100);
    }
}

fn so_many_requests_are_so_many_in_both_loops_and_over_all_workers() {
    for (arguments, requests) in [
        ("--conns 7 --threads 3 --requests 1001", 1001),
        ("--conns 7 --threads 3 --requests 1001 --pipeline 5", 1001),
        ("--conns 5 --threads 2 --requests 777 --rate 5k --warmup 100ms", 777),
        ("--conns 5 --requests 50 --think 1ms --warmup 20ms", 50),
        ("--conns 50 --requests 3", 3),
    ] {
        let (target, _) = echo();
        let report = run(target, arguments);
        assert_eq!(count(&report["scheduled"]), requests, "{arguments}: {report}");
        assert_eq!(count(&report["completed"]), requests, "{arguments}");
        assert_eq!(report["settings"]["requests"], requests);
    }
}

fn a_duration_bounds_the_time_that_so_many_requests_may_take() {
    let (target, _) = echo();
    let report = run(target, "--conns 2 --rate 1k --requests 1M -d 200ms");
    assert!((50..1_000).contains(&count(&report["scheduled"])), "{report}");
}

fn requests_beyond_the_bound_are_held_back_and_none_is_dropped() {
    // The first reply on one connection is kept back until fifty requests have come on the other.
    const MEANWHILE: u32 = 50;
    let served = Arc::new((Mutex::new(0), Condvar::new()));
    let held = Arc::new(AtomicU64::new(0));
    let (count_served, time_held) = (Arc::clone(&served), Arc::clone(&held));
    let (target, seen) = server(move |mut stream, number, seen| {
        let (served, more) = &*count_served;
        let mut buffer = [0; 1 << 10];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            seen.reads.lock().expect("no panic").push((number, length));
            let mut served = served.lock().expect("no panic");
            if number > 0 {
                *served += 1;
                more.notify_all();
            } else if *served < MEANWHILE {
                let begin = Instant::now();
                served = more.wait_while(served, |served| *served < MEANWHILE).expect("no panic");
                time_held.fetch_add(begin.elapsed().as_nanos() as u64, SeqCst);
            }
            drop(served);
            if stream.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
    });
    let report = run(target, "--conns 2 --rate 500 --requests 400 --pipeline 1");
    assert_eq!(report["settings"]["most_under_way"], 1);
    assert_eq!((count(&report["scheduled"]), count(&report["completed"])), (400, 400), "{report}");
    // About as many were due on the one as came on the other.
    assert!(count(&report["delayed"]) > u64::from(MEANWHILE) / 4, "{report}");
    // No two requests were ever under way together.
    assert!(seen.reads.lock().expect("no panic").iter().all(|&(_, length)| length == 64));
    // The clock of each ran on from when it was due, though only the first was long on its way.
    let mean = |name: &str| report[name]["mean_ns"].as_f64().expect("a mean");
    assert!(count(&report["response"]["max_ns"]) as f64 > 0.99 * held.load(SeqCst) as f64, "{report}");
    assert!(mean("response") > 2.0 * mean("service"), "{report}");
}

fn what_is_held_back_until_the_end_is_outstanding_and_said_to_be_unsent() {
    let (target, _) = server(|mut stream, _, _| drop(std::io::copy(&mut stream, &mut std::io::sink())));
    let report = run(target, "--conns 2 --rate 500 -d 200ms --pipeline 1 --timeout 200ms");
    let (scheduled, unsent) = (count(&report["scheduled"]), count(&report["unsent"]));
    assert_eq!(count(&report["outstanding"]), scheduled);
    // One on each connection was sent.
    assert_eq!(unsent, scheduled - 2, "{report}");
    assert_eq!(count(&report["delayed"]), unsent);
    assert!(report["invalid_reasons"].to_string().contains("never sent"), "{report}");
}

fn a_thinking_connection_sends_nothing_before_its_pause_is_over() {
    for wait in ["sleep", "spin"] {
        let (target, _) = echo();
        let report = run(target, &format!("--conns 4 --think 20ms -d 400ms --wait {wait}"));
        // A pause and at least no time for the reply: 20 in 400 ms and the first.
        let completed = count(&report["completed"]);
        assert!((4..=4 * 21).contains(&completed), "{wait}: {completed}");
        assert_eq!(report["settings"]["think"], json!({"distribution": "fixed", "length_s": 0.02}));
    }
    let (target, _) = echo();
    let report = run(target, "--conns 4 --think exp:5ms -d 200ms --pipeline 3");
    assert_eq!((&report["errors"], count(&report["outstanding"])), (&json!({}), 0));
}

fn a_ramp_comes_before_the_window_in_both_loops() {
    for mode in ["--rate 2k", "--pipeline 2"] {
        let (target, seen) = echo();
        let report = run(target, &format!("--conns 4 {mode} --ramp 200ms -d 200ms"));
        assert_eq!(report["settings"]["ramp_s"], 0.2);
        let bytes: usize = seen.reads.lock().expect("no panic").iter().map(|&(_, length)| length).sum();
        // What was sent during the ramp is not in the books.
        assert!(bytes as u64 / 64 > count(&report["scheduled"]), "{report}");
        assert_eq!(count(&report["completed"]), count(&report["scheduled"]));
    }
}

#[test]
fn the_active_set_moves_over_all_connections_and_no_reply_is_lost() {
    for mode in ["--rate 2k", "", "--pipeline 3", "--think 1ms"] {
        let (target, seen) = echo();
        let report = run(target, &format!("--conns 20 --active 4 --rotate 20ms -d 400ms {mode}"));
        assert_eq!((&report["errors"], count(&report["outstanding"])), (&json!({}), 0), "{mode}: {report}");
        assert_eq!(count(&report["connections"]["lost"]), 0, "{mode}: {report}");
        assert!(count(&report["connections"]["rotated"]) >= 16, "{mode}: {report}");
        let used: HashSet<usize> =
            seen.reads.lock().expect("no panic").iter().map(|&(conn, _)| conn).collect();
        assert!(used.len() >= 16, "{mode}: {used:?}");
        seen.await_accepted(20);
        assert_eq!(seen.accepted.load(SeqCst), 20, "they move, and none is opened for it");
    }
}

#[test]
fn connections_are_exchanged_on_epoll_whatever_the_kernel_has() {
    for moved in [["--rotate", "20ms"], ["--churn", "100/s"]] {
        let (target, _) = echo();
        let all = [&moved[..], &["--conns", "9", "--active", "3", "--timestamps", "kernel", "-d", "200ms"]]
            .concat();
        let report = run(target, &all.join(" "));
        assert_eq!(report["settings"]["engine"], "epoll");
        assert_eq!((&report["errors"], count(&report["outstanding"])), (&json!({}), 0), "{report}");
        // Those that came later are stamped too.
        assert_eq!(report["generator_added"]["count"], report["completed"], "{report}");
        let (target, seen) = echo();
        let asked = load_gen(target, &[&all[..], &["--timestamps", "user", "--engine", "io-uring"]].concat());
        assert_eq!(asked.status.code(), Some(2));
        assert!(
            crate::support::stderr(&asked).contains("choose epoll"),
            "{}",
            crate::support::stderr(&asked)
        );
        assert_eq!(seen.accepted.load(SeqCst), 0, "nothing was opened for it");
    }
}

#[test]
fn the_connections_of_a_unix_socket_are_replaced_as_well() {
    let name = format!("load-gen-workload-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a short name");
    let listener = UnixListener::bind_addr(&address).expect("a free name");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut reader = stream.try_clone().expect("a socket");
                std::io::copy(&mut reader, &mut stream)
            });
        }
    });
    let target = format!("unix:@{name}");
    let arguments =
        ["--target", &target, "--conns", "6", "--active", "3", "--churn", "100/s", "-d", "300ms", "--json"];
    let report = crate::support::json(&crate::support::output_of(crate::support::spawn(
        crate::support::load_gen(&arguments),
    )));
    assert_eq!((&report["errors"], count(&report["connections"]["lost"])), (&json!({}), 0), "{report}");
    assert!(count(&report["connections"]["churn"]["replaced"]) > 5, "{report}");
}

#[test]
fn shards_send_all_the_requests_between_them_and_replace_their_part_of_the_connections() {
    let (target, _) = echo();
    let shard = |number: u32, arguments: &str| run(target, &format!("--shard {number}/3 {arguments}"));
    for load in ["--rate 2k", ""] {
        let arguments = format!("--conns 10 --active 5 --requests 501 --churn 60/s {load}");
        let shards: Vec<Value> = (1..=3).map(|number| shard(number, &arguments)).collect();
        let scheduled: Vec<u64> = shards.iter().map(|report| count(&report["scheduled"])).collect();
        // Two, two and one of the active connections.
        assert_eq!(scheduled, [200, 200, 101], "{load}");
        for report in &shards {
            assert_eq!(
                (&report["settings"]["requests"], &report["settings"]["churn_per_s"]),
                (&json!(501), &json!(60.0))
            );
        }
    }
    let output = load_gen(target, &["--shard", "1/3", "--conns", "9", "--active", "2", "--requests", "10"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(crate::support::stderr(&output).contains("--duration"), "{}", crate::support::stderr(&output));
}

#[test]
fn counted_requests_in_open_loop_are_tested_as_any_others() {
    let (target, _) = echo();
    let report = run(target, "--conns 4 --rate 2k --requests 1k");
    let checks = report["self_check"]["checks"].as_array().expect("checks");
    let is_there = |name: &str| checks.iter().any(|check| check["name"] == name);
    assert!(["gaps_intended", "gaps_realised", "rate", "stationarity"].into_iter().all(is_there), "{report}");
    assert!(
        checks.iter().filter(|check| check["name"] == "rate").all(|check| check["passed"] == true),
        "{report}"
    );
}

#[test]
fn nothing_to_rotate_is_said_before_any_load() {
    let (target, seen) = echo();
    let output = load_gen(target, &["--conns", "5", "--rotate", "1s"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(crate::support::stderr(&output).contains("--active"));
    // Workers whose tables have no room for idle connections.
    let script = format!(
        "ulimit -n 64 && exec {} --target {target} --conns 200 --active 20 --rotate 1s -d 100ms",
        env!("CARGO_BIN_EXE_load-gen")
    );
    let output = trials::command("sh").args(["-c", &script]).output().expect("a shell");
    assert_eq!(output.status.code(), Some(1));
    let message = crate::support::stderr(&output);
    assert!(message.contains("--threads"), "{message}");
    assert_eq!(seen.accepted.load(SeqCst), 0);
}

#[test]
fn connections_are_replaced_with_a_fin_and_no_request_is_lost() {
    for mode in ["--rate 2k", "--pipeline 2", "--think 1ms", "--rate 2k --rotate 30ms --wait sleep"] {
        let (target, seen) = echo();
        let report = run(target, &format!("--conns 10 --active 5 --churn 200/s -d 500ms {mode}"));
        assert_eq!((&report["errors"], count(&report["outstanding"])), (&json!({}), 0), "{mode}: {report}");
        assert_eq!(count(&report["connections"]["lost"]), 0, "{mode}: {report}");
        let churn = &report["connections"]["churn"];
        let [scheduled, replaced, failed, unfinished] =
            ["scheduled", "replaced", "failed", "unfinished"].map(|name| count(&churn[name]));
        assert_eq!((scheduled, failed), (replaced + unfinished, 0), "{mode}: {report}");
        // A hundred on average: fewer than 60 come in one of 40,000 runs, and the seed is fixed.
        assert!((60..150).contains(&scheduled) && replaced * 2 > scheduled, "{mode}: {report}");
        assert_eq!(count(&report["churn_connect"]["count"]), replaced);
        assert_eq!(count(&report["connect"]["count"]), 10);
        seen.await_accepted(10 + replaced);
        // The ten that are left are closed with a reset at the end.
        wait_until("connections that end with a FIN", || seen.ended.load(SeqCst) >= replaced);
        assert!(seen.broken.load(SeqCst) <= 10, "{mode}");
    }
}

#[test]
fn a_server_that_takes_no_new_connections_fails_the_replacements_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let target = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let first: Vec<TcpStream> = listener.incoming().flatten().take(8).collect();
        drop(listener);
        for mut stream in first {
            thread::spawn(move || {
                let mut reader = stream.try_clone().expect("a socket");
                let _ = std::io::copy(&mut reader, &mut stream);
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
    let output = load_gen(
        target,
        &["--conns", "8", "--active", "4", "--rate", "1k", "--churn", "50/s", "-d", "300ms", "--json"],
    );
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let failed = count(&report["connections"]["churn"]["failed"]);
    assert!(failed > 0, "{report}");
    assert_eq!(count(&report["connections"]["errors"]["refused"]), failed, "{report}");
    // One that was replaced before the server stopped listening may be reset in its queue.
    let errors = report["connections"]["errors"].as_object().expect("by name");
    assert_eq!(count(&report["connections"]["lost"]), errors.values().map(count).sum::<u64>(), "{report}");
}

#[test]
fn bad_workloads_are_usage_errors_that_say_what_to_write() {
    let (target, _) = echo();
    for (arguments, advice) in [
        (&["--size", "1k..64"][..], "64..1k"),
        (&["--think", "10"], "10ms"),
        (&["--think", "1ms", "--rate", "1k"], "--rate"),
        (&["--requests", "0"], "at least 1"),
        (&["--churn", "often"], "20k"),
        (&["--requests", "10", "--rate", "1k..2k:2"], "--duration"),
        (&["--requests", "10", "--slo", "p99=1ms", "-d", "1s"], "--duration"),
        (&["--requests", "10", "--interval", "1s"], "--duration"),
        (&["--think", "1ms", "--slo", "p99=1ms"], "--slo"),
        (&["--send", "x"], "--expect"),
        (&["--send", r"\q", "--expect", "x"], "escape"),
        (&["--protocol", "redis", "--send", "x", "--expect", "y"], "cannot be used with"),
        (&["--protocol", "redis", "--size", "4M"], "1M"),
    ] {
        let output = load_gen(target, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = crate::support::stderr(&output);
        assert!(message.contains(advice), "{arguments:?}: {message}");
    }
}

#[test]
fn the_output_for_people_says_what_was_asked_for_and_what_became_of_it() {
    let (target, _) = echo();
    let arguments = "--conns 9 --active 3 --size exp:100 --rate 1k --pipeline 8 --rotate 50ms --churn 50 --ramp 20ms -d 200ms";
    let output = load_gen(target, &arguments.split(' ').collect::<Vec<_>>());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in [
        "100 bytes on average (exponential)",
        "at most 8 under way",
        "after a ramp of 20",
        "rotate every 50",
        "50 connections replaced a second",
        "churn connect",
        "an idle connection became active",
        "to replace",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
