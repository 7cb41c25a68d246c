//! How a server is started, asked, and stopped.

use std::io::Read;
use std::net::TcpStream;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::*;

/// Starts a server of the first mechanism of this build.
fn serve(arguments: &[&str]) -> Server {
    let mut command = muxbench();
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    Server::start(command)
}

/// Runs the command to its end and returns its exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = muxbench().args(arguments).stdin(Stdio::null()).output().expect("muxbench runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A client that sends and reads without a pause until the connection ends.
fn busy(mut client: TcpStream) {
    use std::io::Write;
    let mut buffer = [0; 4096];
    while client.write_all(&[1; 512]).is_ok() {
        if !matches!(client.read(&mut buffer), Ok(1..)) {
            break;
        }
    }
}

/// Starts `threads` loops of every mechanism, keeps them busy, stops them with `stop`, and asserts that
/// they end well.
fn assert_ends_well(arguments: &[&str], stop: impl Fn(&Server)) {
    for mechanism in muxbench::mechanisms::compiled() {
        let mut server = serve(&[&["--mechanism", mechanism.name], arguments].concat());
        let clients: Vec<_> = (0..4).map(|_| server.connect()).collect();
        std::thread::scope(|scope| {
            for client in clients {
                scope.spawn(|| busy(client));
            }
            server.await_stats("it is busy", |stats| stats.send > 100);
            stop(&server);
            let status = server.await_end();
            assert_eq!(status.code(), Some(0), "{}: {}", mechanism.name, server.stderr());
        });
    }
}

#[test]
fn the_end_of_input_stops_a_busy_server() {
    assert_ends_well(&[], Server::end_input);
}

#[test]
fn sigterm_stops_a_busy_server_of_several_loops() {
    assert_ends_well(&["--threads", "3"], |server| server.signal(Signal::TERM));
}

#[test]
fn sigint_stops_a_busy_server() {
    assert_ends_well(&[], |server| server.signal(Signal::INT));
}

#[test]
fn an_idle_server_stops_at_the_end_of_input() {
    for mechanism in muxbench::mechanisms::compiled() {
        let mut server = serve(&["--mechanism", mechanism.name, "--threads", "2"]);
        server.end_input();
        assert_eq!(server.await_end().code(), Some(0), "{}", mechanism.name);
    }
}

#[test]
fn a_server_whose_input_is_the_null_device_runs_until_a_signal() {
    let mut command = muxbench();
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null());
    let mut server = Server::start_with_stdin_as_set(command);
    round_trip(&mut server.connect(), b"still there?");
    server.signal(Signal::TERM);
    assert_eq!(server.await_end().code(), Some(0));
}

#[test]
fn the_line_on_listening_says_where_and_what() {
    for_every_mechanism(|server| {
        let listening = server.listening.as_object().expect("an object");
        assert_eq!(listening["event"], "listening");
        assert_eq!(listening["pid"], server.child.id());
        assert_ne!(server.address.port(), 0);
        let keys: Vec<_> = listening.keys().map(String::as_str).collect();
        for key in ["event", "address", "mechanism", "threads", "pid"] {
            assert!(keys.contains(&key), "{keys:?}");
        }
    });
}

#[test]
fn stats_are_one_line_with_the_event_first() {
    let server = serve(&[]);
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
    ] {
        assert!(stats[key].is_u64(), "{key}: {line}");
    }
}

#[test]
fn an_unknown_command_is_said_and_survived() {
    let server = serve(&[]);
    server.command("make tea");
    server.await_stderr("unknown command 'make tea'");
    round_trip(&mut server.connect(), b"tea?");
}

#[test]
fn the_log_has_a_line_for_each_coming_and_going() {
    for_every_mechanism_with(&["--log", "--max-conns", "1"], |server| {
        let client = server.connect();
        let peer = client.local_addr().expect("an address");
        server.await_stderr(&format!("{peer} connected\n"));
        assert!(!rest_of(&mut server.connect()).is_empty());
        server.await_stderr("refused: the server is full\n");
        drop(client);
        server.await_stderr(&format!("{peer} disconnected\n"));
        reset(server.connect());
        server.await_stderr("disconnected: ");
    });
}

#[test]
fn without_the_log_nothing_is_written_for_a_connection() {
    for_every_mechanism(|server| {
        for _ in 0..3 {
            round_trip(&mut server.connect(), b"quiet");
        }
        server.await_stats("all are closed", |stats| stats.closed == 3);
        server.await_stderr("until end of input");
        assert_eq!(server.stderr().lines().count(), 1, "{}", server.stderr());
    });
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    for threads in ["1", "3"] {
        let server = serve(&["--threads", threads]);
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
        (&["serve", "--mechanism", "kqueue"], "there is no mechanism 'kqueue'; choose from select"),
        (&["serve", "--accept", "shared"], "--accept reuseport"),
        (&["serve", "--threads", "0"], "at least 1"),
        (&["serve", "--listen", "nowhere"], "127.0.0.1:7777"),
        (&["serve", "--listne", "x"], "--listen"),
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
