//! The `load-gen` command against servers that behave, and servers that do not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

/// Serves every connection with `serve`, which is told the how many-th it is, each on a thread of its own, until
/// the process ends.
fn server(serve: impl Fn(TcpStream, usize) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for (index, stream) in listener.incoming().flatten().enumerate() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream, index));
        }
    });
    address
}

/// Hands each read to `reply`; what that returns is written, and nothing ends the connection.
fn replying(reply: impl Fn(&[u8], u64) -> Option<Vec<u8>> + Clone + Send + 'static) -> SocketAddr {
    server(move |mut stream, _| {
        let mut buffer = vec![0; 1 << 16];
        for turn in 0.. {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(length) => match reply(&buffer[..length], turn) {
                    Some(bytes) if stream.write_all(&bytes).is_ok() => {}
                    _ => return,
                },
            }
        }
    })
}

fn echo() -> SocketAddr {
    replying(|bytes, _| Some(bytes.to_vec()))
}

fn load_gen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load-gen"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs `load-gen` against `target` for a short time.
fn run(target: SocketAddr, arguments: &[&str]) -> Output {
    let target = target.to_string();
    let mut all = vec!["--target", &target, "-d", "300ms", "--warmup", "0s", "--timeout", "5s", "--json"];
    all.extend(arguments);
    load_gen(&all).output().expect("load-gen starts")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// scheduled = completed + errors + outstanding, exactly.
fn assert_books_balance(report: &Value) {
    let number = |value: &Value| value.as_u64().expect("a count");
    let errors: u64 = report["errors"].as_object().expect("counts by name").values().map(number).sum();
    let sum = number(&report["completed"]) + errors + number(&report["outstanding"]);
    assert_eq!(number(&report["scheduled"]), sum, "{report}");
}

#[test]
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
        assert_books_balance(report);
        assert_eq!(report["errors"], serde_json::json!({}));
    }
}

#[test]
fn requests_larger_than_any_buffer_come_back_whole() {
    let report = json(&run(echo(), &["--conns", "2", "--size", "3M", "-d", "1s"]));
    assert!(report["completed"].as_u64() > Some(0), "{report}");
    assert_eq!(report["errors"], serde_json::json!({}));
    assert_books_balance(&report);
}

#[test]
fn acknowledgements_are_counted() {
    let target = replying(|bytes, _| Some(format!("get bytes {}\n", bytes.len()).into_bytes()));
    let report = json(&run(target, &["--conns", "3", "--protocol", "ack", "--pipeline", "4"]));
    assert!(report["completed"].as_u64() > Some(100), "{report}");
    assert_books_balance(&report);
}

#[test]
fn wrong_bytes_are_named_and_make_the_run_invalid() {
    let target = replying(|bytes, turn| {
        let mut bytes = bytes.to_vec();
        bytes[0] ^= u8::from(turn == 10);
        Some(bytes)
    });
    let output = run(target, &["--conns", "2"]);
    assert_eq!(output.status.code(), Some(4));
    let report = json(&output);
    assert_eq!(report["valid"], false);
    assert_eq!(report["errors"]["wrong_bytes"], 2);
    assert_books_balance(&report);
}

#[test]
fn a_reply_that_comes_twice_is_surplus_or_wrong() {
    let target = replying(|bytes, turn| Some(bytes.repeat(if turn == 5 { 2 } else { 1 })));
    let report = json(&run(target, &["--conns", "1", "--rate", "500"]));
    let errors = report["connections"]["errors"].as_object().expect("counts by name");
    assert!(errors.contains_key("surplus") || errors.contains_key("wrong_bytes"), "{errors:?}");
    assert_books_balance(&report);
}

#[test]
fn a_server_that_closes_in_the_middle_of_a_reply_is_named_short() {
    let target = server(|mut stream, _| {
        let mut buffer = [0; 64];
        let _ = stream.read_exact(&mut buffer).and_then(|()| stream.write_all(&buffer[..10]));
    });
    let output = run(target, &["--conns", "3"]);
    assert_eq!(output.status.code(), Some(4));
    let report = json(&output);
    assert_eq!(report["errors"]["short"], 3, "{report}");
    assert_eq!(report["connections"]["lost"], 3);
    assert_books_balance(&report);
}

#[test]
fn a_server_that_never_answers_leaves_everything_outstanding_and_the_run_ends() {
    let target = server(|mut stream, _| drop(std::io::copy(&mut stream, &mut std::io::sink())));
    let output = run(target, &["--conns", "2", "--rate", "200", "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(4));
    let report = json(&output);
    assert!(report["scheduled"].as_u64() > Some(10));
    assert_eq!(report["outstanding"], report["scheduled"]);
    assert_books_balance(&report);
}

#[test]
fn a_server_that_stops_reading_delays_requests_and_loses_none() {
    let target = server(|stream, _| {
        // Holds the connection without reading until the peer gives up.
        let mut stream = stream;
        while !matches!(stream.peek(&mut [0; 1 << 16]), Ok(0) | Err(_)) {
            if stream.take_error().is_ok_and(|error| error.is_some()) || stream.write(&[]).is_err() {
                break;
            }
            thread::yield_now();
        }
    });
    let report = json(&run(target, &["--conns", "1", "--rate", "200", "--size", "1M", "--timeout", "200ms"]));
    assert!(report["delayed"].as_u64() > Some(0), "{report}");
    assert_books_balance(&report);
}

#[test]
fn requests_that_the_generator_never_came_to_send_are_in_the_count() {
    let output = run(echo(), &["--conns", "2", "--rate", "5M", "-d", "200ms", "--timeout", "200ms"]);
    assert_eq!(output.status.code(), Some(4));
    let report = json(&output);
    let scheduled = report["scheduled"].as_u64().expect("a count");
    // A million on average, with a standard deviation of a thousand.
    assert!((990_000..1_010_000).contains(&scheduled), "{scheduled}");
    assert!(report["outstanding"].as_u64() > Some(0));
    assert!(
        report["invalid_reasons"].to_string().contains("rate was missed"),
        "{}",
        report["invalid_reasons"]
    );
    assert_books_balance(&report);
}

#[test]
fn a_full_server_is_named() {
    let target = server(|mut stream, _| {
        let _ = stream.write_all(b"server is full, try again later\n");
        // The refusal is read before the request can reset the connection.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let report = json(&run(target, &["--conns", "4", "--active", "1"]));
    assert_eq!(report["connections"]["errors"]["server_full"], 4, "{report}");
}

#[test]
fn an_idle_connection_that_the_server_closes_makes_the_run_invalid() {
    let target = server(|mut stream, index| {
        // The first connection is the idle one: of two, one is active, and it is the second.
        if index > 0 {
            let (mut reader, mut writer) = (stream.try_clone().expect("a socket"), &mut stream);
            let _ = std::io::copy(&mut reader, &mut writer);
        }
    });
    let output = run(target, &["--conns", "2", "--active", "1"]);
    assert_eq!(output.status.code(), Some(4));
    let report = json(&output);
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
    ] {
        let output = load_gen(&arguments).output().expect("load-gen starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(advice), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_full_disk_is_an_error_and_not_a_panic() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("always there");
    let target = echo().to_string();
    let status = load_gen(&["--target", &target, "-d", "50ms", "--warmup", "0s", "--json"])
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .expect("load-gen starts");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn an_interrupted_run_prints_what_it_measured() {
    let target = echo().to_string();
    let child = load_gen(&["--target", &target, "--conns", "2", "-d", "1h", "--warmup", "0s", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("load-gen starts");
    // Its worker has a thread of its own once the load runs.
    let tasks = format!("/proc/{}/task", child.id());
    let is_loading = || {
        std::fs::read_dir(&tasks).is_ok_and(|tasks| {
            tasks.flatten().any(|task| {
                let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
                let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let ran_ns = stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
                name.starts_with("load-gen-") && ran_ns > 20_000_000
            })
        })
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !is_loading() {
        assert!(std::time::Instant::now() < deadline, "it does not come to run");
        thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a child of ours");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let report = json(&output);
    assert!(report["completed"].as_u64() > Some(0));
    assert_eq!(report["valid"], false);
    assert_books_balance(&report);
}

#[test]
fn a_low_descriptor_limit_is_no_limit_on_connections() {
    let target = echo().to_string();
    let script = format!(
        "ulimit -n 128 && exec {} --target {target} --conns 500 --active 20 -d 200ms --warmup 0s --json",
        env!("CARGO_BIN_EXE_load-gen")
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    let report = json(&output);
    assert_eq!(report["connections"]["opened"], 500, "{report}");
    assert!(report["settings"]["threads"].as_u64() > Some(4), "tables of their own: {report}");
    assert_books_balance(&report);
}

#[test]
fn human_output_goes_to_standard_output_and_nothing_else() {
    let target = echo().to_string();
    let output =
        load_gen(&["--target", &target, "-d", "100ms", "--warmup", "0s"]).output().expect("load-gen starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("service") && text.contains("replies a second"), "{text}");
    assert_eq!(stderr(&output), "", "no animation without a terminal");
}
