//! Tests of resources that run out as connections open, and of openings that end early.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};

use trials::test;

use super::{echo, load_gen, report, run, stderr};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves at `address`, each connection on a thread of its own, until the process ends; each is told of.
fn server(address: &str) -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind(address).expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (sender, accepted) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = sender.send(());
            thread::spawn(move || echo(stream));
        }
    });
    (address, accepted)
}

#[test]
fn a_listener_that_never_accepts_is_named_once_its_queue_is_full() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    rustix::net::listen(&listener, 8).expect("it is bound");
    let target = listener.local_addr().expect("bound").to_string();
    let output = run(&["--target", &target, "--conns", "5000", "--rate", "100", "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let report = report(&output);
    assert_eq!(report["connections"]["errors"]["backlog_full"], 1, "{report}");
    assert!((1..=9).contains(&report["connections"]["opened"].as_u64().expect("a count")), "{report}");
    assert_eq!(report["outstanding"], report["scheduled"], "what was sent waits in the queue");
}

#[test]
fn a_unix_socket_that_never_accepts_is_named_once_its_queue_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deaf.sock");
    let listener = UnixListener::bind(&path).expect("a new name");
    rustix::net::listen(&listener, 2).expect("it is bound");
    let target = format!("unix:{}", path.display());
    let output = run(&["--target", &target, "--conns", "5000", "--rate", "100", "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let report = report(&output);
    // The kernel takes one more than listen(2) was told (net/unix/af_unix.c, `unix_recvq_full`).
    assert_eq!(report["connections"]["opened"], 3, "{report}");
    assert!(report["connections"]["errors"]["backlog_full"].as_u64() > Some(0), "{report}");
    assert!(report["connections"]["errors"].get("out_of_ports").is_none(), "{report}");
}

#[test]
fn interrupted_between_two_connections_it_ends_and_opens_no_more() {
    let (target, accepted) = server("127.0.0.1:0");
    // The first connection is due at once, the second in a quarter of an hour.
    let child = load_gen(&["--target", &target.to_string(), "--conns", "100", "--connect-rate", "0.001"])
        .spawn()
        .expect("load-gen starts");
    accepted.recv_timeout(PATIENCE).expect("it opens one connection");
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).expect("a child of ours");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(stderr(&output), "load-gen: interrupted while opening connections\n");
    assert_eq!(accepted.try_iter().count(), 0);
}

#[test]
fn many_workers_that_wait_for_their_turns_are_interrupted_together() {
    let (target, accepted) = server("127.0.0.1:0");
    let script = format!(
        "ulimit -n 40 && exec {} --target {target} --conns 2000 --connect-rate 50 -q",
        env!("CARGO_BIN_EXE_load-gen")
    );
    let child = trials::command("sh").args(["-c", &script]).spawn().expect("a shell");
    (0..40).for_each(|_| accepted.recv_timeout(PATIENCE).expect("it goes on opening"));
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).expect("a child of ours");
    let status = child.wait_with_output().expect("it ends").status;
    assert_eq!(status.code(), Some(130));
    assert!(accepted.try_iter().count() < 1_900);
}

#[test]
fn descriptors_that_run_out_in_a_table_are_named() {
    let (target, accepted) = server("127.0.0.1:0");
    let child = load_gen(&["--target", &target.to_string(), "--conns", "5000", "--connect-rate", "2k"])
        .spawn()
        .expect("load-gen starts");
    accepted.recv_timeout(PATIENCE).expect("it opens connections");
    // Fewer than it has reckoned with: it has asked for its limit before the first connection.
    let few = Rlimit { current: Some(60), maximum: Some(60) };
    rustix::process::prlimit(Some(Pid::from_child(&child)), Resource::Nofile, few).expect("a child of ours");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let report = report(&output);
    assert_eq!(report["connections"]["errors"]["out_of_descriptors"], 16, "{report}");
    assert!(report["completed"].as_u64() > Some(0), "those that are open are used: {report}");
}

#[test]
fn a_limit_too_low_for_one_connection_is_said_with_the_command_that_raises_it() {
    let mut command = trials::limited(10, env!("CARGO_BIN_EXE_load-gen"));
    let output = command.args(["--conns", "100"]).output().expect("a shell");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("ulimit -n 116"), "{}", stderr(&output));
}

#[test]
fn what_the_machine_is_missing_is_said_before_anything_starts() {
    // Nothing listens there: that is not even found out.
    let output = run(&["--target", "[::1]:1", "--conns", "1M"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = stderr(&output);
    assert!(
        said.contains("local ports towards [::1]:1") && said.contains("--target HOST:PORT-PORT"),
        "{said}"
    );
    assert!(!said.contains("nothing listens"), "{said}");
}

/// Set for the process that runs a test inside a network namespace.
const INSIDE: &str = "MUXBENCH_TEST_INSIDE";

#[test(needs(Program("ip"), NETWORK_NAMESPACE))]
fn local_ports_that_run_out_are_named_and_loopback_addresses_make_up_for_them() {
    if std::env::var_os(INSIDE).is_some() {
        return few_local_ports();
    }
    let script = "ip link set lo up && echo '40000 40099' > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"";
    let here = std::env::current_exe().expect("this test");
    let name = "big::limits::local_ports_that_run_out_are_named_and_loopback_addresses_make_up_for_them";
    let output = Command::new("unshare")
        .args(["-Urn", "sh", "-c", script])
        .arg(here)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", stderr(&output));
}

/// Inside a network namespace with a hundred local ports.
fn few_local_ports() {
    let (target, accepted) = server("[::1]:7777");
    let asked = ["--target", &target.to_string(), "--conns", "300"];
    let refused = run(&asked);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("one address has 100 local ports towards [::1]:7777, and 300 are needed"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(accepted.try_iter().count(), 0, "nothing was begun");
    let output = run(&[&asked[..], &["--no-preflight"]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let short = report(&output);
    assert_eq!(short["connections"]["opened"], 100, "{short}");
    assert_eq!(short["connections"]["errors"]["out_of_ports"], 16, "{short}");

    let (target, _accepted) = server("127.0.0.1:7777");
    let whole = report(&run(&["--target", &target.to_string(), "--conns", "300"]));
    assert_eq!(whole["connections"]["opened"], 300, "{whole}");
}
