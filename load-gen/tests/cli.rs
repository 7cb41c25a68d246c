//! The `load-gen` command against servers that behave, and servers that do not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::support::servers::{echo, echoing_in_one_thread, half_close, hold, mute, replying, server};
use crate::support::{
    count, json, judged, load_gen, on_each_engine, output_of, reasons, run, signal, start, stderr,
};
use rustix::process::Signal;
use sys::clock;
use trials::test;

on_each_engine! {
    closed_loop_has_no_response_and_open_loop_has_all_three,
    requests_larger_than_any_buffer_come_back_whole,
    acknowledgements_are_counted,
    wrong_bytes_are_named_and_make_the_run_invalid,
    a_reply_that_comes_twice_is_surplus_or_wrong,
    a_server_that_closes_in_the_middle_of_a_reply_is_named_short,
    a_server_that_never_answers_leaves_everything_outstanding_and_the_run_ends,
    a_server_that_stops_reading_delays_requests_and_loses_none,
    requests_that_the_generator_never_came_to_send_are_in_the_count,
    a_rate_beyond_all_means_is_told_as_the_generators_own_fault_without_drawing_every_request,
    a_full_server_is_named,
    an_idle_connection_that_the_server_closes_makes_the_run_invalid,
    a_reset_is_named_and_the_others_go_on,
    thousands_of_connections_are_all_served,
}

fn closed_loop_has_no_response_and_open_loop_has_all_three() {
    let target = echo();
    let closed = json(&run(target, &["--conns", "4"]));
    assert!(closed.get("response").is_none() && closed.get("lateness").is_none());
    assert!(closed["service"]["count"].as_u64() > Some(100), "{closed}");
    let open = json(&run(target, &["--conns", "4", "--rate", "2k"]));
    for name in ["response", "service", "lateness"] {
        assert_eq!(open[name]["count"], open["scheduled"], "{name}");
        assert!(open[name]["histogram"].as_str().is_some_and(|text| text.starts_with("HISTF")), "{name}");
    }
    assert_eq!(open["connect"]["count"], 4);
    for report in [&closed, &open] {
        assert_eq!(report["errors"], serde_json::json!({}));
    }
}

fn requests_larger_than_any_buffer_come_back_whole() {
    let report = json(&run(echo(), &["--conns", "2", "--size", "3M", "-d", "1s"]));
    assert!(report["completed"].as_u64() > Some(0), "{report}");
    assert_eq!(report["errors"], serde_json::json!({}));
}

fn acknowledgements_are_counted() {
    let target = replying(|bytes, _| Some(format!("get bytes {}\n", bytes.len()).into_bytes()));
    let report = json(&run(target, &["--conns", "3", "--protocol", "ack", "--pipeline", "4"]));
    assert!(report["completed"].as_u64() > Some(100), "{report}");
}

fn wrong_bytes_are_named_and_make_the_run_invalid() {
    let target = replying(|bytes, turn| {
        let mut bytes = bytes.to_vec();
        bytes[0] ^= u8::from(turn == 10);
        Some(bytes)
    });
    let report = judged(&run(target, &["--conns", "2"]), 4);
    assert_eq!(report["valid"], false);
    assert_eq!(report["errors"]["wrong_bytes"], 2);
}

fn a_reply_that_comes_twice_is_surplus_or_wrong() {
    let target = replying(|bytes, turn| Some(bytes.repeat(if turn == 5 { 2 } else { 1 })));
    let report = json(&run(target, &["--conns", "1", "--rate", "500"]));
    let errors = report["connections"]["errors"].as_object().expect("counts by name");
    assert!(errors.contains_key("surplus") || errors.contains_key("wrong_bytes"), "{errors:?}");
}

fn a_server_that_closes_in_the_middle_of_a_reply_is_named_short() {
    let target = server(|mut stream, _| {
        let mut buffer = [0; 64];
        let _ = stream.read_exact(&mut buffer).and_then(|()| stream.write_all(&buffer[..10]));
    });
    let report = judged(&run(target, &["--conns", "3"]), 4);
    assert_eq!(report["errors"]["short"], 3, "{report}");
    assert_eq!(report["connections"]["lost"], 3);
}

fn a_reset_is_named_and_the_others_go_on() {
    let target = server(|mut stream, index| {
        let (mut buffer, mut echoed) = ([0; 64], 0);
        while stream.read_exact(&mut buffer).is_ok() {
            // One is read and not answered, so that there is one under way.
            if index % 4 == 1 && echoed == 20 {
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket");
                return;
            }
            if stream.write_all(&buffer).is_err() {
                return;
            }
            echoed += 1;
        }
    });
    for load in [["--pipeline", "3"], ["--rate", "2k"]] {
        let report = json(&run(target, &[&["--conns", "4"], &load[..]].concat()));
        assert_eq!(report["connections"]["errors"], serde_json::json!({ "reset": 1 }), "{report}");
        assert!(report["errors"]["reset"].as_u64() > Some(0), "{report}");
        assert!(report["completed"].as_u64() > Some(100), "{report}");
    }
}

fn a_server_that_never_answers_leaves_everything_outstanding_and_the_run_ends() {
    let report = judged(&run(mute(), &["--conns", "2", "--rate", "200", "--timeout", "300ms"]), 4);
    assert!(report["scheduled"].as_u64() > Some(10));
    assert_eq!(report["outstanding"], report["scheduled"]);
}

fn a_server_that_stops_reading_delays_requests_and_loses_none() {
    let target = server(|stream, _| hold(&stream));
    let report = json(&run(target, &["--conns", "1", "--rate", "200", "--size", "1M", "--timeout", "200ms"]));
    assert!(report["delayed"].as_u64() > Some(0), "{report}");
}

/// Two thousand million requests: to draw them all takes half a minute where nothing else runs, and minutes in a debug build.
fn a_rate_beyond_all_means_is_told_as_the_generators_own_fault_without_drawing_every_request() {
    for load in [
        &["--rate", "1000M", "-d", "2s"][..],
        &["--rate", "1000M", "-d", "2s", "--arrivals", "uniform"],
        &["--rate", "1000M", "-d", "2s", "--ramp", "100ms"],
        &["--rate", "1000M", "-d", "1h", "--requests", "2000M"],
    ] {
        let mut arguments = vec!["--conns", "2", "--timeout", "100ms", "--wait", "sleep"];
        arguments.extend(load);
        let child = start(echo(), &arguments);
        let is_counted = load.contains(&"--requests");
        if is_counted {
            // It would go on until all are answered.
            clock::sleep_until(clock::now_ns() + 1_000_000_000);
            signal(&child, Signal::INT);
        }
        let report = judged(&output_of(child), if is_counted { 130 } else { 4 });
        let said = reasons(&report);
        assert!(said.contains("the generator sent"), "{said}");
        if !is_counted {
            // A standard deviation is 45,000.
            assert!(count(&report["scheduled"]).abs_diff(2_000_000_000) < 300_000, "{report}");
        }
        // It is not the schedule that is wrong.
        assert!(!said.contains("another --seed"), "{said} {}", report["self_check"]["checks"]);
    }
}

fn requests_that_the_generator_never_came_to_send_are_in_the_count() {
    let report =
        judged(&run(echo(), &["--conns", "2", "--rate", "5M", "-d", "200ms", "--timeout", "200ms"]), 4);
    let scheduled = report["scheduled"].as_u64().expect("a count");
    // A million on average, with a standard deviation of a thousand.
    assert!((990_000..1_010_000).contains(&scheduled), "{scheduled}");
    assert!(report["outstanding"].as_u64() > Some(0));
    assert!(
        report["invalid_reasons"].to_string().contains("the generator sent"),
        "{}",
        report["invalid_reasons"]
    );
}

/// Nothing but the bound of memory ends the drawing of its requests, and nothing but the silence the wait for their replies.
#[test]
fn a_counted_run_of_more_requests_than_memory_holds_ends_when_its_server_is_silent() {
    let target = server(|stream, _| hold(&stream));
    let load = [
        "--conns",
        "1",
        "--rate",
        "1000M",
        "--requests",
        "1000M",
        "--wait",
        "sleep",
        "-d",
        "1h",
        "--timeout",
        "300ms",
    ];
    let report = judged(&run(target, &load), 4);
    assert!(count(&report["scheduled"]) > 1 << 22, "{report}");
    assert_eq!(report["outstanding"], report["scheduled"]);
    let said = reasons(&report);
    assert!(said.contains("the server stalled") && !said.contains("the generator sent"), "{said}");
}

fn a_full_server_is_named() {
    let target = server(|mut stream, _| {
        let _ = stream.write_all(b"server is full, try again later\n");
        // The refusal is read before the request can reset the connection.
        half_close(&stream);
    });
    let report = json(&run(target, &["--conns", "4", "--active", "1"]));
    // The run ends when the active one is refused. A busy machine may not have come to refuse each idle one by then.
    let lost = count(&report["connections"]["lost"]);
    assert!((1..=4).contains(&lost), "{report}");
    assert_eq!(report["connections"]["errors"], serde_json::json!({ "server_full": lost }), "{report}");
    assert_eq!(report["errors"], serde_json::json!({ "server_full": 1 }), "{report}");
}

fn an_idle_connection_that_the_server_closes_makes_the_run_invalid() {
    let target = server(|mut stream, index| {
        // The first connection is the idle one: of two, one is active, and it is the second.
        if index > 0 {
            let (mut reader, mut writer) = (stream.try_clone().expect("a socket"), &mut stream);
            let _ = std::io::copy(&mut reader, &mut writer);
        }
    });
    let report = judged(&run(target, &["--conns", "2", "--active", "1"]), 4);
    assert_eq!(report["connections"]["lost"], 1, "{report}");
    assert_eq!(report["errors"], serde_json::json!({}));
}

#[test]
fn nothing_listening_says_how_to_start_a_server() {
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
    let output = run(free, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("muxbench serve"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn bad_arguments_are_usage_errors_that_say_what_to_write() {
    for (arguments, advice) in [
        (["--active", "0.05"], "5%"),
        (["--conns", "0"], "at least 1"),
        (["--rate", "fast"], "20k"),
        (["--duration", "10"], "10s"),
        (["--target", "nowhere"], "HOST:PORT"),
        (["--size", "0"], "64"),
        (["--cpu", "999"], "choose --cpu from"),
    ] {
        assert_usage_error(&arguments, advice);
    }
}

fn assert_usage_error(arguments: &[&str], advice: &str) {
    let output = load_gen(arguments).output().expect("load-gen starts");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(advice), "{arguments:?}: {}", stderr(&output));
}

#[test]
fn options_that_would_say_nothing_are_usage_errors() {
    for (arguments, advice) in [
        (&["--arrivals", "uniform"][..], "give a --rate"),
        (&["--size", "100", "--send", "PING", "--expect", "PONG"], "neither {payload} nor {size}"),
        (&["--rotate", "1s", "--conns", "4"], "--rotate needs idle connections"),
        (
            &["--rotate", "1s", "--conns", "10", "--active", "8", "--shard", "1/3"],
            "shard 2/3 would have none",
        ),
        (&["--rate", "1k", "--export", "hgrm:churn_connect=-"], "give --churn"),
    ] {
        assert_usage_error(arguments, advice);
    }
}

#[test]
fn a_full_disk_is_an_error_and_not_a_panic() {
    let target = echo().to_string();
    for form in [&[][..], &["--json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("always there");
        let mut arguments = vec!["--target", &target, "-d", "50ms", "--warmup", "0s"];
        arguments.extend(form);
        let output = load_gen(&arguments).stdout(full).output().expect("load-gen starts");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("standard output"), "{}", stderr(&output));
    }
}

/// More of them are ready at once than there are buffers, events a call, or entries in a queue.
fn thousands_of_connections_are_all_served() {
    let target = echoing_in_one_thread();
    let report = json(&run(target, &["--conns", "3000", "--timeout", "60s"]));
    assert_eq!(report["connections"]["opened"], 3000, "{report}");
    assert!(report["completed"].as_u64() > Some(256), "{report}");
    assert_eq!(report["completed"], report["scheduled"], "{report}");
}

#[test]
fn each_engine_says_which_it_is() {
    let target = echo();
    for engine in ["epoll", "io-uring"] {
        let report = json(&run(target, &["--engine", engine]));
        assert_eq!(report["settings"]["engine"], engine, "{report}");
    }
}

#[test]
fn a_low_descriptor_limit_is_no_limit_on_connections() {
    let target = echo().to_string();
    let script = format!(
        "ulimit -n 128 && exec {} --target {target} --conns 500 --active 20 -d 200ms --warmup 0s --json",
        env!("CARGO_BIN_EXE_load-gen")
    );
    let output = trials::command("sh").args(["-c", &script]).output().expect("a shell");
    let report = json(&output);
    assert_eq!(report["connections"]["opened"], 500, "{report}");
    assert!(report["settings"]["threads"].as_u64() > Some(4), "tables of their own: {report}");
}

#[test]
fn human_output_goes_to_standard_output_and_nothing_else() {
    let target = echo().to_string();
    let output =
        load_gen(&["--target", &target, "-d", "100ms", "--warmup", "0s"]).output().expect("load-gen starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("service") && text.contains("replies per second"), "{text}");
    assert!(!stderr(&output).contains(['\x1b', '\r']), "no animation without a terminal");
}
