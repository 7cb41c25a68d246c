//! Clients and servers that nobody here wrote: redis-benchmark and socat drive every mechanism; load-gen drives
//! socat and a Python server.
//!
//! A peer that is not installed is skipped with a word, except where CI is set: there `.ci/peers` has put it.

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use load_gen::fleet::{Fleet, FleetOptions, Load};
use report::schema::{LoadMode, Protocol, WaitPolicy};
use support::{PATIENCE, for_every_mechanism};

/// Whether `program` is there to be driven.
fn is_there(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let there = found.is_ok_and(|output| output.status.success());
    assert!(there || std::env::var_os("CI").is_none(), "{program} is missing: .ci/peers installs it");
    if !there {
        eprintln!("skipped: {program} is not installed");
    }
    there
}

#[test]
fn redis_benchmark_drives_every_mechanism() {
    if !is_there("redis-benchmark") {
        return;
    }
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
        assert!(stats.recv > 0);
    });
}

#[test]
fn socat_drives_every_mechanism() {
    if !is_there("socat") {
        return;
    }
    for_every_mechanism(|server| {
        let message = support::pattern(300_000);
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

/// A server of somebody else's; dropping it kills it.
struct Foreign {
    child: Child,
    address: SocketAddr,
}

impl Foreign {
    /// Starts `command` for a free port and waits until it takes connections.
    fn start(command: impl Fn(u16) -> Command) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
        let child = command(free.port()).stdin(Stdio::null()).spawn().expect("it starts");
        let server = Self { child, address: free };
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(free).is_err() {
            assert!(Instant::now() < deadline, "it does not listen");
            thread::yield_now();
        }
        server
    }

    /// Puts load on it and asserts that every reply was right.
    fn assert_driven(&self) {
        let options = FleetOptions {
            target: self.address,
            conns: 20,
            active: 10,
            threads: 1,
            connect_rate: Some(500.0),
            protocol: Protocol::Echo,
            size_bytes: 64,
            cpu: None,
            timeout: PATIENCE,
            seed: 1,
            live_latencies: false,
        };
        let mut fleet = Fleet::open(options, Arc::default(), &mut ()).expect("it takes connections");
        let load = Load {
            mode: LoadMode::Closed { pipeline: 2 },
            wait: WaitPolicy::Sleep,
            warmup: Duration::ZERO,
            duration: Duration::from_millis(500),
        };
        let report = fleet.run(&load, &mut ()).expect("the workers live");
        assert_eq!(report.connections.opened, 20);
        assert!(report.completed > 0, "{report:?}");
        assert!(report.errors.is_empty() && report.connections.lost == 0, "{report:?}");
        assert_eq!(report.scheduled, report.completed);
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn load_gen_drives_socat() {
    if is_there("socat") {
        let command = |port| {
            let mut command = Command::new("socat");
            command.args([&format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=64"), "PIPE"]);
            command
        };
        Foreign::start(command).assert_driven();
    }
}

#[test]
fn load_gen_drives_a_python_asyncio_server() {
    const SERVER: &str = r"
import asyncio, sys

async def serve(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()

async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', int(sys.argv[1]))
    async with server:
        await server.serve_forever()

asyncio.run(main())
";
    if is_there("python3") {
        let command = |port: u16| {
            let mut command = Command::new("python3");
            command.args(["-c", SERVER, &port.to_string()]);
            command
        };
        Foreign::start(command).assert_driven();
    }
}
