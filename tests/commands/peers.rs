//! Clients and servers that nobody here wrote: redis-benchmark and socat drive every mechanism; load-gen drives
//! socat, a Python server, redis-server, and a server of ours behind nginx.
//!
//! The conformance suite runs against those servers as well.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use trials::test;

use crate::support::{Foreign, Generator, Server, asyncio, for_every_mechanism, nginx, redis, socat};

#[test(needs(Program("redis-benchmark")))]
fn redis_benchmark_drives_every_mechanism() {
    for_every_mechanism(|server| {
        // A request is an array of strings; the same array is a valid reply.
        let port = server.address.port().to_string();
        let output = Command::new("redis-benchmark")
            .args(["-p", &port, "-c", "20", "-n", "5000", "-P", "4", "-q", "ECHO", "hello"])
            .output()
            .expect("it starts");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("requests per second"), "{said}");
        let stats = server.await_stats("all clients gone", |stats| stats.closed == stats.accepted);
        assert!(stats.echoes > 0);
    });
}

#[test(needs(Program("socat")))]
fn socat_drives_every_mechanism() {
    for_every_mechanism(|server| {
        let message: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
        let mut client = Command::new("socat")
            .args(["-t", "30", "-", &format!("TCP:{}", server.address)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdin = client.stdin.take().expect("piped");
        let sent = message.clone();
        let writer = thread::spawn(move || stdin.write_all(&sent));
        let output = client.wait_with_output().expect("it ends");
        writer.join().expect("no panic").expect("sent");
        assert!(output.status.success());
        assert!(output.stdout == message, "{} bytes came back", output.stdout.len());
    });
}

/// Puts both loops on `server` and asserts that every reply was right; `more` is what it takes to speak with it.
fn assert_driven(server: &Foreign, more: &[&str]) {
    let mut connections = vec!["--conns", "20", "--active", "10", "--connect-rate", "500"];
    connections.extend(more);
    let mut generator = Generator::open(server.address, &connections);
    for load in [["--pipeline", "2"], ["--rate", "1k"]] {
        let mut arguments = vec!["-d", "500ms", "--wait", "sleep"];
        arguments.extend(load.iter().chain(more));
        let report = generator.run(&arguments, &mut ());
        assert_eq!(report.connections.opened, 20);
        assert!(report.completed > 100, "{report:?}");
        assert!(report.errors.is_empty() && report.connections.lost == 0, "{report:?}");
        assert_eq!(report.scheduled, report.completed);
    }
}

#[test(needs(Program("socat")))]
fn load_gen_drives_socat() {
    assert_driven(&Foreign::start(socat), &[]);
}

#[test(needs(Program("python3")))]
fn load_gen_drives_a_python_asyncio_server() {
    assert_driven(&Foreign::start(asyncio), &[]);
}

#[test(needs(Program("redis-server")))]
fn load_gen_drives_a_redis_server() {
    assert_driven(&Foreign::start(redis), &["--protocol", "redis"]);
}

#[test(needs(Program("nginx")))]
fn load_gen_drives_a_server_of_ours_through_nginx() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::serve(&[]);
    let proxy = Foreign::start(|port| nginx(folder.path(), port, server.address));
    assert_driven(&proxy, &[]);
    let stats = server.stats();
    assert!(stats.accepted >= 20 && stats.echoes > 200, "it was the server that answered: {stats:?}");
}
