//! Servers that do not echo: a Redis server, and some of lines.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use trials::test;

use super::servers::{Seen, load_gen, replying, run, server};
use crate::support::{count, on_each_engine};

on_each_engine! {
    a_server_of_another_protocol_is_driven_by_template_and_verified,
    a_reply_that_nobody_asked_for_is_surplus_by_template_too,
}

/// A server that answers `set SIZE PAYLOAD` with `SIZE stored`, as many servers of lines do.
fn storing(answer: &'static str) -> (SocketAddr, Arc<Seen>) {
    server(move |stream, _, _| {
        let mut writer = stream.try_clone().expect("a socket");
        for line in std::io::BufRead::lines(std::io::BufReader::new(stream)).map_while(Result::ok) {
            let mut words = line.split(' ');
            let (Some("set"), Some(size), Some(payload)) = (words.next(), words.next(), words.next()) else {
                return;
            };
            assert_eq!(size, payload.len().to_string());
            if writer.write_all(format!("{size} {answer}\r\n").as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn a_server_of_another_protocol_is_driven_by_template_and_verified() {
    let template =
        ["--send", r"set {size} {payload}\n", "--expect", r"{size} stored\r\n", "--json", "-d", "300ms"];
    for mode in [["--pipeline", "4"], ["--rate", "2k"]] {
        for size in ["64", "1..300"] {
            let (target, _) = storing("stored");
            let output =
                load_gen(target, &[&template[..], &mode[..], &["--conns", "5", "--size", size]].concat());
            let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!((&report["errors"], &report["outstanding"]), (&json!({}), &json!(0)), "{report}");
            assert!(count(&report["completed"]) > 100, "{report}");
            assert_eq!(report["settings"]["protocol"], "template");
            assert_eq!(report["settings"]["dialogue"]["expect"], template[3]);
        }
    }
    let (target, _) = storing("sorted");
    let output = load_gen(target, &[&template[..], &["--conns", "2"]].concat());
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["errors"]["wrong_bytes"], 2, "{report}");
}

/// A Redis server on a port of its own; dropping it kills it.
struct Redis {
    process: Child,
    address: SocketAddr,
}

impl Redis {
    fn start() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
        let started = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &address.port().to_string(),
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let mut redis = Self { process: started.expect("redis-server starts"), address };
        while TcpStream::connect(address).is_err() {
            assert!(redis.process.try_wait().expect("a child of ours").is_none(), "redis-server ended");
            thread::yield_now();
        }
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

#[test(needs(Program("redis-server")))]
fn a_redis_server_is_driven_and_every_reply_verified() {
    let redis = Redis::start();
    for arguments in [
        "--conns 10 --pipeline 8",
        "--conns 10 --size 1..2k --rate 2k",
        "--conns 10 --active 5 --size exp:300 --rate 2k --rotate 50ms --churn 100/s",
    ] {
        let report = run(redis.address, &format!("--protocol redis -d 300ms {arguments}"));
        assert_eq!((&report["errors"], count(&report["outstanding"])), (&json!({}), 0), "{report}");
        assert!(count(&report["completed"]) > 100, "{report}");
        assert_eq!(count(&report["connections"]["lost"]), 0);
        assert_eq!(report["settings"]["protocol"], "redis");
    }
    // A reply that is right for Redis and not what was expected.
    let output = load_gen(
        redis.address,
        &["--send", r"PING\r\n", "--expect", r"+PANG\r\n", "--conns", "2", "-d", "100ms", "--json"],
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["errors"]["wrong_bytes"], 2, "{report}");
}

fn a_reply_that_nobody_asked_for_is_surplus_by_template_too() {
    let (target, _) = replying(|_| b"+PONG\r\n+PONG\r\n".to_vec());
    let output = load_gen(
        target,
        &["--send", r"PING\r\n", "--expect", r"+PONG\r\n", "--conns", "1", "-d", "200ms", "--json"],
    );
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["connections"]["errors"]["surplus"], 1, "{report}");
}
