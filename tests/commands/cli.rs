//! The command line: what it prints, what it refuses, and how it says so.

use std::process::Stdio;

use rustix::process::Signal;
use trials::test;

use crate::support::{Server, muxbench, round_trip};

/// Runs the command to its end and returns its exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = muxbench().args(arguments).stdin(Stdio::null()).output().expect("muxbench runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_server_whose_input_is_the_null_device_runs_until_a_signal() {
    let mut command = muxbench();
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null());
    let server = Server::start_with_stdin_as_set(command);
    round_trip(&mut server.connect(), b"still there?");
    server.signal(Signal::TERM);
    assert_eq!(server.await_end().code(), Some(0));
}

#[test]
fn stats_are_one_line_with_the_event_first() {
    let server = Server::serve(&[]);
    server.command("stats");
    let line = server.line();
    assert!(line.starts_with(r#"{"event":"stats","waits":"#), "{line}");
    let stats: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    for key in [
        "waits",
        "events",
        "empty_wakeups",
        "recv",
        "send",
        "would_block",
        "accepted",
        "closed",
        "refused",
        "syscalls",
        "echoes",
    ] {
        assert!(stats[key].is_u64(), "{key}: {line}");
    }
}

#[test]
fn an_unknown_command_is_said_and_survived() {
    let server = Server::serve(&[]);
    server.command("make tea");
    server.await_stderr("unknown command 'make tea'");
    round_trip(&mut server.connect(), b"tea?");
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    for threads in ["1", "3"] {
        let server = Server::serve(&["--threads", threads]);
        let address = server.address.to_string();
        let (code, stdout, stderr) = run(&["serve", "--threads", threads, "--listen", &address]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        let expected = format!(
            "muxbench: cannot listen on {address}: address already in use; choose another with --listen\n"
        );
        assert_eq!(stderr, expected);
    }
}

#[test]
fn mistakes_in_the_command_line_are_one_line_and_exit_code_2() {
    let mistakes: &[(&[&str], &str)] = &[
        (&["serve", "--mechanism", "kqueue"], "there is no mechanism 'kqueue'; choose from threads, select"),
        (&["serve", "--mechanism", "poll", "--accept", "exclusive"], "reuseport or shared"),
        (&["serve", "--threads", "0"], "at least 1"),
        (&["serve", "--listen", "nowhere"], "127.0.0.1:7777"),
        (&["serve", "--listne", "x"], "--listen"),
        (&["serve", "--listen", "127.0.0.1:9-7"], "lower one first"),
        (&["serve", "--listen", "127.0.0.1:7777-7780", "--threads", "3"], "give --threads 4, and not 3"),
        (
            &["serve", "--listen", "127.0.0.1:1,127.0.0.1:2", "--threads", "2", "--accept", "shared"],
            "one listener for all threads, not 2: give --listen one port",
        ),
        (&["serve", "--cpu", "4095"], "may run on"),
        (&["juggle"], "juggle"),
    ];
    for (arguments, expected) in mistakes {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("muxbench: ") && stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
}

#[test]
fn without_a_command_the_first_example_is_the_main_job() {
    let (code, stdout, _) = run(&[]);
    assert_eq!(code, Some(0));
    let first = stdout.lines().skip_while(|line| !line.starts_with("Examples")).nth(1).expect("an example");
    assert!(first.trim_start().starts_with("muxbench run "), "{stdout}");
}

#[test]
fn the_list_names_every_mechanism_and_where_glibc_s_select_ends() {
    let (code, stdout, _) = run(&["list"]);
    assert_eq!(code, Some(0));
    for mechanism in muxbench::mechanisms::all() {
        assert!(stdout.contains(mechanism.name), "{stdout}");
    }
    assert!(stdout.contains("FD_SETSIZE"), "{stdout}");
}
