//! On a kernel that has no io_uring, or forbids it as containers do, everything else works and a clear line says
//! what does not. A seccomp filter stands in for such a kernel.

use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use load_gen::plan::options::{Load, PoolOptions};
use load_gen::pool::Pool;
use model::schema::{EngineKind, LoadMode, WaitPolicy};
use muxbench::mechanisms;
use muxbench::server::Mechanism;
use trials::test;

use crate::support::{PATIENCE, Server, container, muxbench, round_trip};

/// Mechanisms that cannot do without.
const ON_IO_URING: [&str; 3] = ["io-uring-poll", "io-uring", "compio"];

/// Runs `test` on a thread for which io_uring_setup(2) fails with `errno`, as for every process that it starts.
fn where_io_uring_fails<T: Send>(errno: i32, test: impl FnOnce() -> T + Send) -> T {
    container::inside(&[container::refuse("io_uring_setup", errno)], test)
}

fn compiled(on_io_uring: bool) -> impl Iterator<Item = &'static Mechanism> {
    mechanisms::compiled().filter(move |mechanism| ON_IO_URING.contains(&mechanism.name) == on_io_uring)
}

fn run(arguments: &[&str]) -> Output {
    muxbench().args(arguments).output().expect("muxbench runs")
}

#[test]
fn a_mechanism_on_io_uring_says_in_one_line_why_it_cannot_run() {
    for (errno, reason) in [(libc::ENOSYS, "no io_uring"), (libc::EPERM, "forbidden")] {
        where_io_uring_fails(errno, || {
            for mechanism in compiled(true) {
                let output = run(&["serve", "--mechanism", mechanism.name, "--listen", "127.0.0.1:0"]);
                let said = String::from_utf8(output.stderr).expect("text");
                assert_eq!(output.status.code(), Some(1), "{}: {said}", mechanism.name);
                assert!(said.contains(reason) && said.lines().count() == 1, "{}: {said}", mechanism.name);
            }
        });
    }
}

#[test]
fn the_generator_takes_epoll_unless_io_uring_was_asked_for() {
    let mut command = muxbench();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command);
    let options =
        |engine| PoolOptions { engine, timeout: *PATIENCE, ..PoolOptions::new(server.address, 3, 3) };
    let load = Load {
        mode: LoadMode::Closed { pipeline: 1 },
        wait: WaitPolicy::Sleep,
        warmup: Duration::ZERO,
        duration: Duration::from_millis(100),
        interval: None,
    };
    where_io_uring_fails(libc::EPERM, || {
        let mut pool = Pool::open(options(None), Arc::default(), &mut ()).expect("the server listens");
        let report = pool.run(&load, &mut ()).expect("the workers live");
        assert_eq!(report.settings.engine, EngineKind::Epoll);
        assert!(report.completed > 0 && report.errors.is_empty(), "{report:?}");
        let refused = Pool::open(options(Some(EngineKind::IoUring)), Arc::default(), &mut ());
        let error = refused.err().expect("there is no io_uring").to_string();
        assert!(error.contains("forbidden") && error.contains("--engine epoll"), "{error}");
    });
}

#[test]
fn every_other_mechanism_serves() {
    where_io_uring_fails(libc::ENOSYS, || {
        for mechanism in compiled(false) {
            let mut command = muxbench();
            command.args(["serve", "--mechanism", mechanism.name, "--listen", "127.0.0.1:0"]);
            round_trip(&mut Server::start(command).connect(), b"still here");
        }
    });
}

#[test]
fn the_list_says_which_cannot_run_here_and_why() {
    where_io_uring_fails(libc::EPERM, || {
        let output = run(&["list"]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        let forbidden = text.lines().filter(|line| line.contains("io_uring is forbidden here")).count();
        assert_eq!(forbidden, compiled(true).count(), "{text}");
        let row = |name: &str| {
            let row = text.lines().find(|line| line.split_whitespace().next() == Some(name));
            row.and_then(|row| row.split_whitespace().nth(3)).map(str::to_owned)
        };
        for mechanism in mechanisms::compiled() {
            let expected = if ON_IO_URING.contains(&mechanism.name) { "no" } else { "yes" };
            assert_eq!(row(mechanism.name).as_deref(), Some(expected), "{text}");
        }
    });
}

/// A scenario of all mechanisms; what it measures is of no interest here.
const SCENARIO: &str = r#"
name = "short"
analysis = "Who is left out?"
reference = "epoll-lt"
load = { size_bytes = 64, protocol = "echo" }
rounds = { starts = 1, point_s = 0.1, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
[[sweep]]
name = "one"
connections = ["10"]
active = "1"
"#;

#[test]
fn a_campaign_leaves_them_out_unless_they_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("campaign").display().to_string();
    let scenario = folder.path().join("short.toml");
    std::fs::write(&scenario, SCENARIO).expect("written");
    where_io_uring_fails(libc::ENOSYS, || {
        for mechanism in compiled(true) {
            let output = run(&["run", "--mechanisms", mechanism.name, "--out", &out]);
            let said = String::from_utf8(output.stderr).expect("text");
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(&format!("{} cannot run here: ", mechanism.name)), "{said}");
        }
        let output = run(&["run", &scenario.display().to_string(), "--no-doctor", "--out", &out]);
        let said = String::from_utf8(output.stderr).expect("text");
        let cannot_run =
            said.lines().find_map(|line| line.split_once("left out: ")?.1.split_once(": cannot run here"));
        let (names, _) = cannot_run.unwrap_or_else(|| panic!("{said}"));
        let is_named = |mechanism: &Mechanism| names.split([' ', ',']).any(|word| word == mechanism.name);
        assert!(compiled(true).all(is_named), "{said}");
        let campaign = std::fs::read(folder.path().join("campaign/campaign.json")).expect("written");
        let campaign: serde_json::Value = serde_json::from_slice(&campaign).expect("JSON");
        let measured: Vec<_> = campaign["plan"]["scenario"]["mechanisms"].as_array().expect("names").clone();
        assert_eq!(measured.len(), compiled(false).count(), "{measured:?}");
    });
}
