//! `muxbench run` when things go wrong: a server that dies, an interruption, a full disk, bad input.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use model::read;
use model::schema::{Campaign, CellStatus};
use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, muxbench};
use trials::test;

fn main() -> std::process::ExitCode {
    trials::main()
}

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
        command.arg("run").arg("--no-doctor").arg(self.scenario()).arg("--out").arg(self.out());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn resume(&self) -> Output {
        muxbench().args(["run", "--resume"]).arg(self.out()).output().expect("muxbench starts")
    }

    fn campaign(&self) -> Campaign {
        read::campaign(&self.out().join("campaign.json")).expect("a campaign")
    }

    /// Cells that are in the journal.
    fn finished(&self) -> usize {
        fs::read_to_string(self.out().join("journal.jsonl"))
            .map_or(0, |text| text.lines().count().saturating_sub(1))
    }

    fn await_finished(&self, cells: usize) {
        let deadline = Instant::now() + *PATIENCE;
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
    let counters = capacity.usage.counters.and_then(|counters| counters.calls).expect("our own server");
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
    let deadline = Instant::now() + *PATIENCE;
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
fn a_campaign_that_still_runs_is_not_resumed_by_a_second_process() {
    let place = Place::new();
    let campaign = place.run().spawn().expect("muxbench starts");
    place.await_finished(1);
    let second = place.resume();
    assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
    assert!(stderr(&second).contains("another muxbench is measuring"), "{}", stderr(&second));
    assert_eq!(stderr(&second).lines().count(), 1, "{}", stderr(&second));
    let output = campaign.wait_with_output().expect("it ends");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    assert_eq!(tasks(&place.campaign()), 8, "the first is undisturbed");
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

#[test(needs(MOUNT_NAMESPACE))]
fn a_full_disk_is_a_clear_error_and_keeps_the_cells_before_it() {
    let place = Place::new();
    // A small file system in a mount namespace of its own.
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
    let output = output.expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
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

/// Everything that a scenario can vary, on the smallest scale: what is measured is of no interest.
const VARIED: &str = r#"
name = "varied"
analysis = "Does every point get what it asks for?"
mechanisms = ["poll", "epoll-lt"]
control = "epoll-lt"
repeats = 3
stop = { ratio_half_width = 0.001, repeats_at_most = 4 }
load = { size_bytes = 64, rate_per_s = 1000, protocol = "echo" }
timing = { warmup_s = 0.0, capacity_s = 0.05, latency_s = 0.05 }
[[exclude]]
mechanism = "poll"
sweep = "threads"
above_connections = 30
reason = "so that something is left out"
[[sweep]]
name = "threads"
connections = ["20", "40"]
active = "10"
threads = [2]
accept = ["shared", "exclusive"]
churn = ["100"]
[[sweep]]
name = "sizes"
connections = ["10"]
active = ["1", "100%"]
sizes = ["1", "16k"]
rates = ["500"]
"#;

/// Cells of the first repeat: two thread points with poll left out of the larger and of `exclusive` everywhere, with the
/// control; four points of sizes.
const VARIED_CELLS: usize = (3 + 2 + 2 + 2) + 4 * 3;

#[test]
fn a_campaign_varies_all_that_its_scenario_lists_and_repeats_until_its_rule_ends_it() {
    let place = Place::new();
    fs::write(place.scenario(), VARIED).expect("written");
    let output = place.run().output().expect("muxbench starts");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("left out: poll in threads above 30 connections"), "{said}");
    assert!(said.contains("left out: poll with --accept exclusive"), "{said}");

    let campaign = place.campaign();
    assert!(campaign.complete);
    let stopped = campaign.stopped.as_ref().expect("a rule ended it");
    assert!(matches!(stopped.repeats, 3 | 4), "{stopped:?}");
    assert_eq!(said.contains("one more"), stopped.repeats == 4, "{said}");
    assert_eq!(tasks(&campaign), VARIED_CELLS * stopped.repeats as usize);
    assert!(campaign.cells.iter().any(|cell| cell.mechanism == "epoll-lt again"));
    let mode = |cell: &&model::schema::Cell| cell.point.accept.as_deref() == Some("exclusive");
    assert!(campaign.cells.iter().filter(mode).all(|cell| cell.mechanism.starts_with("epoll-lt")));
    for cell in campaign.cells.iter().filter(|cell| cell.status != CellStatus::Failed) {
        let latency = cell.latency.as_ref().expect("measured");
        let settings = &latency.load.settings;
        assert_eq!(settings.size_bytes, cell.point.size_bytes.unwrap_or(64));
        assert_eq!(settings.workload.churn_per_s, cell.point.churn_per_s.map(f64::from));
        let rate_per_s = f64::from(cell.point.rate_per_s.unwrap_or(1000));
        assert!(
            matches!(settings.mode, model::schema::LoadMode::Open { rate_per_s: rate, .. } if rate == rate_per_s)
        );
        let setup = cell.setup.as_ref().and_then(|setup| setup.counters).expect("our own server");
        assert_eq!(setup.accepted, u64::from(cell.point.connections));
        assert!(cell.slab.is_some() && cell.teardown.is_some());
    }
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("2 threads") && table.contains("16,384 B"), "{table}");
    assert!(table.contains("stopped after"), "{table}");
    // Below the rows there may be cells of it that do not count.
    assert!(table.lines().all(|line| !line.starts_with('│') || !line.contains("epoll-lt again")), "{table}");
}

#[test]
fn several_scenarios_are_measured_one_after_the_other_into_folders_of_their_own() {
    let place = Place::new();
    let second = place.0.path().join("second.toml");
    let text = SCENARIO.replace("\"short\"", "\"second\"").replace("repeats = 2", "repeats = 1");
    fs::write(&second, text).expect("written");
    let output = place.run().arg(&second).output().expect("muxbench starts");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    assert!(stderr(&output).contains("2 scenarios, about"), "{}", stderr(&output));
    for (name, cells) in [("short", 8), ("second", 4)] {
        let campaign = read::campaign(&place.out().join(name).join("campaign.json")).expect("a campaign");
        assert_eq!((campaign.plan.scenario.name.as_str(), tasks(&campaign)), (name, cells));
    }
}

#[test]
fn what_was_not_begun_when_a_run_is_interrupted_can_be_measured_later() {
    let place = Place::new();
    let second = place.0.path().join("second.toml");
    fs::write(&second, SCENARIO.replace("\"short\"", "\"second\"")).expect("written");
    let mut command = place.run();
    let campaign = command.arg(&second).spawn().expect("muxbench starts");
    let deadline = Instant::now() + *PATIENCE;
    while !place.out().join("second/journal.jsonl").exists() {
        assert!(Instant::now() < deadline, "nothing is begun");
        std::thread::yield_now();
    }
    signal(&campaign, Signal::INT);
    let output = campaign.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("second was not begun"), "{}", stderr(&output));
    let folder = place.out().join("second");
    let output = muxbench().args(["run", "--resume"]).arg(&folder).output().expect("muxbench starts");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    assert_eq!(tasks(&read::campaign(&folder.join("campaign.json")).expect("a campaign")), 8);
}

#[test]
fn one_scenario_that_cannot_be_run_keeps_all_from_beginning() {
    let place = Place::new();
    let bad = place.0.path().join("bad.toml");
    fs::write(&bad, SCENARIO.replace("repeats", "repeat").replace("\"10\", \"100\"", "\"10\", \"lots\""))
        .expect("written");
    let output = place.run().arg(&bad).output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("bad.toml: line 5: there is no 'repeat'; did you mean 'repeats'?"), "{said}");
    assert!(said.contains("bad.toml: line 10: sweep[0].connections: 'lots'"), "{said}");
    assert!(!place.out().exists(), "nothing was begun");
}

#[test]
fn the_list_of_scenarios_says_what_each_asks_and_how_long_it_takes() {
    let output = muxbench().args(["run", "--list"]).output().expect("muxbench starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in muxbench::experiment::scenario::embedded() {
        assert!(list.contains(name), "{name}: {list}");
    }
    assert!(list.contains(" min") && list.contains("--quick"), "{list}");
}
