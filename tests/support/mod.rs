//! The common parts of the tests that drive a server: its process, ours or a foreign one, and ways to look at it.

// Each test binary has its own copy of this module and uses what it needs of it.
#![allow(dead_code, unused_imports)]

pub mod container;
mod foreign;
mod generator;
mod process;
mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

pub use foreign::{Foreign, asyncio, nginx, redis, socat};
pub use generator::Generator;
pub use process::Process;
pub use server::Server;

/// The time to wait for what must happen: long enough for a machine under load, so that only a defect ever uses it up.
/// `MUXBENCH_TEST_PATIENCE_S` sets another time, in seconds, for the search for defects.
pub static PATIENCE: LazyLock<Duration> = LazyLock::new(|| {
    let seconds = std::env::var("MUXBENCH_TEST_PATIENCE_S").ok();
    let seconds = seconds.map(|text| text.parse().expect("MUXBENCH_TEST_PATIENCE_S is a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(30))
});

/// The command under test: what `MUXBENCH_TEST_PROGRAM` names, where a broken build of it is tried.
pub fn muxbench() -> Command {
    let broken = std::env::var_os("MUXBENCH_TEST_PROGRAM");
    trials::command(broken.unwrap_or_else(|| env!("CARGO_BIN_EXE_muxbench").into()))
}

/// The generator, a command of another package: built here if it is not, as it is with the tests of the whole workspace, which need it too.
pub fn load_gen() -> PathBuf {
    static LOAD_GEN: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_muxbench")).parent().expect("a folder");
        let target = folder.parent().expect("a folder");
        let mut cargo = Command::new(env!("CARGO"));
        // With other features than the README's command has, all that it depends on would be built once more.
        cargo.args([
            "test",
            "--locked",
            "--quiet",
            "--workspace",
            "--all-features",
            "--test",
            "slices",
            "--no-run",
        ]);
        cargo
            .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--target-dir"])
            .arg(target);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo starts").success(), "load-gen does not build");
        folder.join("load-gen")
    });
    LOAD_GEN.clone()
}

/// Runs `test` against a server of each mechanism of this build.
pub fn for_every_mechanism(test: impl Fn(&Server)) {
    for mechanism in muxbench::mechanisms::compiled() {
        eprintln!("{}", mechanism.name);
        test(&Server::serve(&["--mechanism", mechanism.name]));
    }
}

/// The standard error of a command that has ended.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The processes whose parent is `child`.
pub fn children(child: &Child) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Looks again and again until `condition` holds; `what` says what was waited for in vain.
pub fn wait_until(mut condition: impl FnMut() -> bool, what: impl Fn() -> String) {
    let deadline = Instant::now() + *PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain waited for: {}", what());
        thread::sleep(Duration::from_millis(1));
    }
}

/// A connection to `address` on which what takes longer than [`PATIENCE`] fails.
pub fn connect(address: SocketAddr) -> TcpStream {
    with_patience(TcpStream::connect_timeout(&address, *PATIENCE).expect("the server accepts"))
}

/// The connection, with that bound on what it waits for.
pub fn with_patience(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(*PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(*PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Sends `message` and asserts that the same bytes come back.
pub fn round_trip(client: &mut TcpStream, message: &[u8]) {
    client.write_all(message).expect("sent");
    let mut answer = vec![0; message.len()];
    client.read_exact(&mut answer).expect("the whole answer");
    assert!(answer == message, "the answer differs from the {} bytes sent", message.len());
}

/// Closes `client` with a reset (socket(7), SO_LINGER with no time).
pub fn reset(client: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).expect("linger");
    drop(client);
}

/// Reads until the end of the stream.
pub fn rest_of(client: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).expect("an orderly end");
    bytes
}

/// Puts the calling thread, and what it starts from now on, before the other work of a shared machine (SCHED_FIFO), where
/// that is allowed. It must not keep a processor busy.
pub fn run_ahead_of_others() {
    let thread = rustix::thread::gettid().to_string();
    let _ = Command::new("chrt").args(["-f", "-p", "10", &thread]).output();
}

/// Does something when it goes out of scope, by a panic too.
pub struct AtTheEnd<F: Fn()>(pub F);

impl<F: Fn()> Drop for AtTheEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
