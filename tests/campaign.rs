//! `muxbench run` when things go wrong: a server that dies, an interruption, a full disk, bad input.

#![cfg(all(feature = "poll", feature = "epoll-lt"))]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use report::campaign;
use report::schema::{Campaign, CellStatus};
use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, muxbench};

/// A scenario that takes about a quarter of a second a cell: what it measures is of no interest here.
const SCENARIO: &str = r#"
name = "short"
analysis = "Does the campaign survive?"
mechanisms = ["poll", "epoll-lt"]
repeats = 2
load = { size_bytes = 64, rate_per_s = 1000, protocol = "ack" }
timing = { warmup_s = 0.0, capacity_s = 0.1, latency_s = 0.1 }
[[sweep]]
name = "idle-scaling"
connections = ["10", "100"]
active = "10"
"#;

/// A folder with the scenario in it; results go to `out`.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("short.toml"), SCENARIO).expect("written");
        Self(folder)
    }

    fn scenario(&self) -> PathBuf {
        self.0.path().join("short.toml")
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn run(&self) -> Command {
        let mut command = muxbench();
        command.arg("run").arg(self.scenario()).arg("--out").arg(self.out());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn resume(&self) -> Output {
        muxbench().args(["run", "--resume"]).arg(self.out()).output().expect("muxbench starts")
    }

    fn campaign(&self) -> Campaign {
        campaign::read(&self.out().join("campaign.json")).expect("a campaign")
    }

    /// Cells that are in the journal.
    fn finished(&self) -> usize {
        fs::read_to_string(self.out().join("journal.jsonl"))
            .map_or(0, |text| text.lines().count().saturating_sub(1))
    }

    fn await_finished(&self, cells: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.finished() < cells {
            assert!(Instant::now() < deadline, "no further cell is finished");
            std::thread::yield_now();
        }
    }
}

/// Cells of different tasks, however often each was tried.
fn tasks(campaign: &Campaign) -> usize {
    let mut tasks: Vec<_> =
        campaign.cells.iter().map(|cell| (&cell.mechanism, &cell.point, cell.repeat)).collect();
    tasks.sort_unstable();
    tasks.dedup();
    tasks.len()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a child of ours");
}

/// The processes whose parent is `child`.
fn children(child: &Child) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

#[test]
fn a_campaign_measures_every_cell_and_says_how_to_repeat_it() {
    let place = Place::new();
    let output = place.run().output().expect("muxbench starts");
    // On a busy machine cells are invalid, which is what status 4 says; measured they are all the same.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    let campaign = place.campaign();
    assert!(campaign.complete);
    assert_eq!(tasks(&campaign), 8);
    assert!(campaign.command.contains("--seed 1"), "{}", campaign.command);
    let cell = &campaign.cells[0];
    let capacity = cell.capacity.as_ref().expect("measured");
    let counters = capacity.usage.counters.expect("our own server");
    assert!(counters.recv > 0 && counters.send > 0 && counters.waits > 0, "{counters:?}");
    assert!(capacity.usage.server.cpu_s > 0.0);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("poll") && table.contains("epoll-lt"), "{table}");
    assert!(place.out().join("report.md").is_file());
}

#[test]
fn a_server_that_is_killed_fails_its_cell_and_the_campaign_goes_on() {
    let place = Place::new();
    let campaign = place.run().spawn().expect("muxbench starts");
    place.await_finished(1);
    let deadline = Instant::now() + PATIENCE;
    // The server of some cell, in the middle of it: one that has taken connections.
    let server = loop {
        assert!(Instant::now() < deadline, "no server is started");
        let busy = children(&campaign).into_iter().find(|pid| {
            let descriptors = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
            descriptors.is_ok_and(|tasks| {
                tasks
                    .flatten()
                    .any(|task| fs::read_dir(task.path().join("fd")).is_ok_and(|fds| fds.count() > 12))
            })
        });
        if let Some(server) = busy {
            break server;
        }
        std::thread::yield_now();
    };
    kill_process(server, Signal::KILL).expect("a server of ours");
    let output = campaign.wait_with_output().expect("it ends");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    let campaign = place.campaign();
    assert_eq!(tasks(&campaign), 8, "the others were measured");
    let failed: Vec<_> = campaign.cells.iter().filter(|cell| cell.status == CellStatus::Failed).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].reasons[0].contains("signal 9"), "{:?}", failed[0].reasons);
}

#[test]
fn an_interrupted_campaign_keeps_its_cells_and_can_be_completed() {
    let place = Place::new();
    let campaign = place.run().spawn().expect("muxbench starts");
    place.await_finished(2);
    signal(&campaign, Signal::INT);
    let output = campaign.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
    let kept = place.campaign();
    assert!(!kept.complete && kept.cells.len() >= 2);

    let output = place.resume();
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    let completed = place.campaign();
    assert!(completed.complete);
    assert_eq!(tasks(&completed), 8);
    assert_eq!(completed.cells[..kept.cells.len()], kept.cells[..], "what was kept is untouched");
}

#[test]
fn a_killed_campaign_leaves_a_journal_to_resume_from() {
    let place = Place::new();
    let mut campaign = place.run().spawn().expect("muxbench starts");
    place.await_finished(2);
    campaign.kill().expect("a child of ours");
    campaign.wait().expect("killed");
    assert!(place.finished() >= 2);
    let output = place.resume();
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    assert_eq!(tasks(&place.campaign()), 8);
}

#[test]
fn a_full_disk_is_a_clear_error_and_keeps_the_cells_before_it() {
    let place = Place::new();
    // A small file system in a mount namespace of its own, where this user may make one.
    let script = format!(
        "mkdir {out} && mount -t tmpfs -o size=24k none {out} && \
         {muxbench} run {scenario} --out {out}/campaign; echo \"status $?\"; \
         head -c 1 {out}/campaign/journal.jsonl; wc -l < {out}/campaign/journal.jsonl; ls {out}/campaign",
        out = place.out().display(),
        muxbench = env!("CARGO_BIN_EXE_muxbench"),
        scenario = place.scenario().display(),
    );
    let output =
        Command::new("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).output();
    let Ok(output) = output else { return eprintln!("skipped: there is no unshare(1)") };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !said.contains("status") {
        return eprintln!("skipped: no mount namespace for this user: {}", stderr(&output));
    }
    assert!(said.contains("status 1\n"), "{said} {}", stderr(&output));
    assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
    assert!(said.contains('{') && !said.contains("campaign.json"), "whole lines only: {said}");
}

#[test]
fn bad_input_is_refused_before_anything_starts() {
    let place = Place::new();
    for (arguments, advice) in [
        (vec!["run", "nowhere"], "many-idle-few-active"),
        (vec!["run", "--mechanisms", "kqueue"], "epoll-lt"),
        (vec!["run", "--active", "0.05"], "5%"),
        (vec!["run", "--conns", "lots"], "10k"),
        (vec!["run", "--repeats", "0"], "at least 1"),
        (vec!["serve", "--mechanism", "kqueue"], "epoll-lt"),
    ] {
        let output =
            muxbench().args(&arguments).current_dir(place.0.path()).output().expect("muxbench starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(advice), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!place.0.path().join("results").exists(), "nothing was begun");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_anything_is_measured() {
    let output = muxbench().args(["run", "--out", "/proc/nowhere"]).output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--out"), "{}", stderr(&output));
}

#[test]
fn a_second_campaign_in_the_same_folder_is_refused() {
    let place = Place::new();
    fs::create_dir(place.out()).expect("made");
    fs::write(place.out().join("journal.jsonl"), "precious").expect("written");
    let output = place.run().output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read(Path::new(&place.out()).join("journal.jsonl")).expect("read"), b"precious");
}
