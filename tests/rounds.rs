//! `muxbench run`: who is measured when, what is left when it ends before its time, and what goes wrong.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use model::campaign::{Campaign, Phase};
use model::read;
use model::schema::Point;
use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, muxbench};
use trials::test;

fn main() -> std::process::ExitCode {
    trials::main()
}

/// Two mechanisms at two points, two starts of each of a quarter of a second.
const SCENARIO: &str = r#"
name = "short"
analysis = "Does the campaign survive?"
mechanisms = ["poll", "epoll-lt"]
reference = "epoll-lt"
rounds = { starts = 2, point_s = 0.5, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
load = { size_bytes = 64, protocol = "echo" }
[[sweep]]
name = "idle-scaling"
connections = ["10", "100"]
active = "10"
"#;

/// A folder with the scenario in it; results go to `out`.
struct Place(tempfile::TempDir);

impl Place {
    fn new(scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("short.toml"), scenario).expect("written");
        Self(folder)
    }

    /// Another scenario beside it, of that name.
    fn also(&self, name: &str, scenario: &str) -> PathBuf {
        let path = self.0.path().join(format!("{name}.toml"));
        fs::write(&path, scenario.replace("\"short\"", &format!("{name:?}"))).expect("written");
        path
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn run(&self) -> Command {
        let mut command = muxbench();
        command.arg("run").arg("--no-doctor").arg(self.0.path().join("short.toml"));
        command.arg("--out").arg(self.out());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn resume(&self) -> Output {
        muxbench().args(["run", "--resume"]).arg(self.out()).output().expect("muxbench starts")
    }

    fn campaign(&self) -> Campaign {
        campaign_in(&self.out())
    }

    /// Rounds in the journal, as far as their lines are whole.
    fn journalled(&self) -> Vec<String> {
        let bytes = fs::read(self.out().join("journal.jsonl")).unwrap_or_default();
        let whole = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
        whole
            .filter(|line| line.starts_with(b"{\"round\":"))
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    fn await_rounds(&self, rounds: usize) {
        let deadline = Instant::now() + *PATIENCE;
        while self.journalled().len() < rounds {
            assert!(Instant::now() < deadline, "no further round is finished");
            std::thread::yield_now();
        }
    }
}

fn campaign_in(folder: &Path) -> Campaign {
    read::campaign(&folder.join("campaign.json")).expect("a campaign").0
}

/// The processes whose parent is `child`.
fn children(child: &Child) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// On a busy machine so short a campaign may have gaps, which is what status 4 says; it was measured all the same.
fn is_measured(output: &Output) {
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(output));
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a child of ours");
}

#[test]
fn every_round_gives_each_candidate_one_slice_and_the_orders_differ() {
    let place = Place::new(SCENARIO);
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!((4..=40).contains(&answer.lines().count()) && answer.contains("poll"), "{answer}");
    let again = muxbench().arg("report").arg(place.out()).output().expect("muxbench starts");
    assert_eq!(String::from_utf8_lossy(&again.stdout), answer, "the same file gives the same answer");
    let page = fs::read_to_string(place.out().join("report.md")).expect("written");
    let (said, _) = answer.split_once("All of it: ").expect("where the rest is, by its path");
    assert!(page.contains(said.trim_end()) && page.contains("| epoll-lt"), "{page}");
    let campaign = place.campaign();
    assert!(campaign.complete && campaign.command.contains("--seed 1"), "{}", campaign.command);
    assert_eq!(campaign.starts.len(), 4, "two of each point");
    let all = BTreeSet::from(["poll", "epoll-lt", "epoll-lt again"]);
    let mut orders = BTreeSet::new();
    for round in &campaign.rounds {
        let order: Vec<&str> = round.slices.iter().map(|slice| slice.candidate.as_str()).collect();
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), all, "{order:?}");
        assert_eq!(order.len(), 3, "one slice each");
        orders.insert(order);
    }
    assert!(orders.len() > 1, "the order is random");
    for start in &campaign.starts {
        let of_it =
            campaign.rounds.iter().filter(|round| (round.point, round.start) == (start.point, start.start));
        let phases: BTreeSet<Phase> = of_it.map(|round| round.phase).collect();
        assert_eq!(phases.len(), 3, "each phase is measured in each start");
        for candidate in &start.candidates {
            assert_eq!(candidate.failed, None);
            assert!(candidate.setup.is_some() && candidate.teardown.is_some(), "{candidate:?}");
        }
    }
    for point in 0..2 {
        let busy = campaign.rounds.iter().filter(|round| round.point == point && round.phase == Phase::Busy);
        let rates: BTreeSet<String> = busy.map(|round| format!("{:?}", round.rate_per_s)).collect();
        assert_eq!(rates.len(), 1, "all starts of a point have one busy rate: {rates:?}");
    }
}

#[test]
fn all_candidates_of_a_round_meet_the_same_arrivals() {
    let place = Place::new(SCENARIO);
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let mut rounds = 0;
    for round in place.campaign().rounds.iter().filter(|round| round.phase != Phase::Saturation) {
        // A server that is behind, as on a busy machine, is not sent all that falls due, but it falls due all the same.
        let due: BTreeSet<u64> = round.slices.iter().map(|slice| slice.scheduled).collect();
        assert_eq!(due.len(), 1, "{round:?}");
        rounds += 1;
    }
    assert!(rounds >= 8);
}

#[test]
fn an_interrupted_campaign_keeps_its_rounds_and_goes_on_with_a_new_start() {
    let place = Place::new(SCENARIO);
    let child = place.run().spawn().expect("muxbench starts");
    place.await_rounds(4);
    signal(&child, Signal::INT);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
    let kept = place.journalled();
    assert!(!place.campaign().complete && kept.len() >= 4);
    let output = place.resume();
    is_measured(&output);
    let campaign = place.campaign();
    assert!(campaign.complete);
    assert_eq!(place.journalled()[..kept.len()], kept, "what was measured before stays");
    let whole = |point| campaign.starts.iter().filter(|start| start.point == point && start.complete).count();
    assert_eq!([whole(0), whole(1)], [2, 2]);
    let mut keys: Vec<_> =
        campaign.rounds.iter().map(|round| (round.point, round.start, round.round)).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), campaign.rounds.len(), "no round has the number of another");
}

#[test]
fn a_campaign_that_is_killed_loses_at_most_the_round_under_way() {
    for rounds in [0, 1, 5, 9] {
        let place = Place::new(SCENARIO);
        let mut child = place.run().spawn().expect("muxbench starts");
        place.await_rounds(rounds);
        signal(&child, Signal::KILL);
        let _ = child.wait();
        if !place.out().join("journal.jsonl").exists() {
            continue;
        }
        let kept = place.journalled();
        assert!(kept.len() >= rounds);
        let output = place.resume();
        is_measured(&output);
        assert!(place.campaign().complete);
        assert_eq!(place.journalled()[..kept.len()], kept);
    }
}

#[test]
fn a_server_that_does_not_start_is_a_failed_candidate_and_the_others_are_measured() {
    let scenario = SCENARIO.replace(
        "[[sweep]]",
        "[[server]]\nname = \"broken\"\ncommand = [\"sh\", \"-c\", \"echo no such luck >&2; exit 3\", \"{port}\"]\n[[sweep]]",
    );
    let place = Place::new(&scenario);
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let campaign = place.campaign();
    for start in &campaign.starts {
        for candidate in &start.candidates {
            let failed = candidate.failed.as_deref().unwrap_or_default();
            assert_eq!(candidate.candidate == "broken", failed.contains("no such luck"), "{candidate:?}");
        }
    }
    assert!(campaign.rounds.iter().all(|round| round.slices.len() == 3));
}

/// The server of known flaws, built into the folder of `place`, with further arguments.
fn flawed(place: &Place, name: &str, flaws: &[&str]) -> String {
    let program = place.0.path().join("flawed_echo");
    if !program.exists() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/servers/flawed_echo.c");
        let built =
            Command::new("gcc").args(["-O2", "-o"]).arg(&program).arg(source).status().expect("gcc runs");
        assert!(built.success());
    }
    let mut words = vec![program.to_string_lossy().into_owned(), "{port}".to_owned()];
    words.extend(flaws.iter().map(ToString::to_string));
    format!("[[server]]\nname = \"{name}\"\ncommand = {words:?}\n")
}

#[test(needs(Program("gcc")))]
fn what_a_server_does_is_its_result_and_drops_no_round() {
    let place = Place::new("");
    // The one sleeps 1 ms in every hundredth request, the other stands still for 50 ms in every 100.
    let servers = flawed(&place, "sleepy", &["0", "100", "1000000"])
        + &flawed(&place, "stalling", &["0", "0", "0", "100000000", "50000000"]);
    let scenario = SCENARIO
        .replace("[[sweep]]", &format!("{servers}[[sweep]]"))
        .replace("\"poll\", \"epoll-lt\"", "\"epoll-lt\"")
        .replace("slice_s = 0.01", "slice_s = 0.06")
        .replace("\"10\", \"100\"", "\"10\"")
        .replace("point_s = 0.5", "point_s = 4");
    fs::write(place.0.path().join("short.toml"), scenario).expect("written");
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let campaign = place.campaign();
    let slices = |name: &'static str| {
        let all = campaign.rounds.iter().flat_map(|round| &round.slices);
        all.filter(move |slice| slice.candidate == name)
    };
    let stalls = slices("stalling").filter(|slice| slice.longest_silence_ns >= 45_000_000);
    assert!(stalls.count() > 0, "its stalls are seen");
    let sleeps = slices("sleepy").filter(|slice| slice.longest_silence_ns >= 1_000_000);
    assert!(sleeps.count() > 0, "its sleeps are seen");
    // Whatever the machine did to the generator meanwhile is told apart from what the servers did.
    for name in ["stalling", "sleepy"] {
        assert!(slices(name).all(|slice| slice.errors.is_empty()));
    }
    for start in &campaign.starts {
        assert!(start.candidates.iter().all(|candidate| candidate.failed.is_none()), "{start:?}");
    }
}

#[test]
fn a_round_in_which_the_generator_stood_still_is_dropped_for_all() {
    let scenario = SCENARIO.replace("point_s = 0.5", "point_s = 60").replace("starts = 2", "starts = 1");
    let place = Place::new(&scenario);
    let mut child = place.run().spawn().expect("muxbench starts");
    place.await_rounds(1);
    let is_dropped = |line: &String| line.contains("\"dropped\":\"the generator stood still");
    let deadline = Instant::now() + *PATIENCE;
    // A stop that falls between two windows harms nobody.
    while !place.journalled().iter().any(is_dropped) {
        assert!(Instant::now() < deadline, "no round is dropped");
        let rounds = place.journalled().len();
        signal(&child, Signal::STOP);
        let stopped = Instant::now();
        while stopped.elapsed().as_millis() < 300 {
            std::thread::yield_now();
        }
        signal(&child, Signal::CONT);
        place.await_rounds(rounds + 1);
    }
    signal(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let campaign = place.campaign();
    let dropped = campaign.rounds.iter().filter(|round| round.dropped.is_some());
    for round in dropped {
        assert_eq!(round.slices.len(), 3, "what was measured is kept, and counts for nobody");
    }
}

#[test]
fn a_candidate_of_which_nothing_counts_is_named_and_the_exit_status_says_so() {
    let scenario = SCENARIO.replace(
        "[[sweep]]",
        "[[server]]\nname = \"broken\"\ncommand = [\"sh\", \"-c\", \"exit 3\", \"{port}\"]\n[[sweep]]",
    );
    let place = Place::new(&scenario);
    let output = place.run().output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(4));
    let said = stderr(&output);
    assert!(said.contains("not a single round counts for:") && said.contains("broken"), "{said}");
}

#[test]
fn a_server_that_is_killed_is_a_failed_candidate_of_its_start_alone() {
    let place = Place::new(&SCENARIO.replace("point_s = 0.5", "point_s = 4"));
    let child = place.run().spawn().expect("muxbench starts");
    place.await_rounds(1);
    let server = children(&child).into_iter().next().expect("all are alive");
    kill_process(server, Signal::KILL).expect("a server of ours");
    let output = child.wait_with_output().expect("it ends");
    is_measured(&output);
    let campaign = place.campaign();
    let failed: Vec<&str> = campaign
        .starts
        .iter()
        .flat_map(|start| &start.candidates)
        .filter_map(|candidate| candidate.failed.as_deref())
        .collect();
    assert!(campaign.complete && failed.len() == 1 && failed[0].contains("signal 9"), "{failed:?}");
}

#[test]
fn a_campaign_that_still_runs_is_not_resumed_by_a_second_process() {
    let place = Place::new(SCENARIO);
    let child = place.run().spawn().expect("muxbench starts");
    place.await_rounds(1);
    let second = place.resume();
    assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
    assert!(stderr(&second).contains("another muxbench is measuring"), "{}", stderr(&second));
    assert_eq!(stderr(&second).lines().count(), 1, "{}", stderr(&second));
    is_measured(&child.wait_with_output().expect("it ends"));
    assert!(place.campaign().complete, "the first is undisturbed");
}

#[test(needs(MOUNT_NAMESPACE))]
fn a_full_disk_is_a_clear_error_and_keeps_the_rounds_before_it() {
    let place = Place::new(SCENARIO);
    // A small file system in a mount namespace of its own.
    let script = format!(
        "mkdir {out} && mount -t tmpfs -o size=24k none {out} && \
         {muxbench} run {scenario} --no-doctor --out {out}/campaign; echo \"status $?\"; \
         head -c 1 {out}/campaign/journal.jsonl; wc -l < {out}/campaign/journal.jsonl; ls {out}/campaign",
        out = place.out().display(),
        muxbench = env!("CARGO_BIN_EXE_muxbench"),
        scenario = place.0.path().join("short.toml").display(),
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
    let place = Place::new(SCENARIO);
    for (arguments, advice) in [
        (vec!["run", "nowhere"], "many-idle-few-active"),
        (vec!["run", "--mechanisms", "kqueue"], "epoll-lt"),
        (vec!["run", "--reference", "kqueue"], "epoll-lt"),
        (vec!["run", "--active", "0.05"], "5%"),
        (vec!["run", "--conns", "lots"], "10k"),
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
    let output = muxbench().args(["run", "--no-doctor", "--out", "/proc/nowhere"]).output();
    let output = output.expect("muxbench starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--out"), "{}", stderr(&output));
}

#[test]
fn a_second_campaign_in_the_same_folder_is_refused() {
    let place = Place::new(SCENARIO);
    fs::create_dir(place.out()).expect("made");
    fs::write(place.out().join("journal.jsonl"), "precious").expect("written");
    let output = place.run().output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read(place.out().join("journal.jsonl")).expect("read"), b"precious");
}

/// Everything that a scenario can vary, on the smallest scale: what is measured is of no interest.
const VARIED: &str = r#"
name = "short"
analysis = "Does every point get what it asks for?"
mechanisms = ["poll", "epoll-lt", "epoll-et"]
reference = "epoll-lt"
rounds = { starts = 1, point_s = 0.1, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
load = { size_bytes = 64, protocol = "echo" }
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
[[sweep]]
name = "slices"
connections = ["10"]
active = "10"
slices_ms = [10, 30]
alive = [2]
"#;

#[test]
fn a_campaign_varies_all_that_its_scenario_lists() {
    let place = Place::new(VARIED);
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let said = stderr(&output);
    assert!(said.contains("left out: poll in threads above 30 connections"), "{said}");
    assert!(said.contains("left out: poll with --accept exclusive"), "{said}");
    let campaign = place.campaign();
    assert!(campaign.complete);
    assert_eq!(campaign.plan.points.len(), 4 + 4 + 2);
    for planned in &campaign.plan.points {
        let Point { sweep, connections, accept, .. } = &planned.point;
        let is_left_out = sweep == "threads" && (*connections > 30 || accept.as_deref() == Some("exclusive"));
        let has_poll = planned.groups.iter().flatten().any(|name| name == "poll");
        assert_eq!(has_poll, !is_left_out, "{planned:?}");
        assert_eq!(planned.groups.len(), if sweep == "slices" { 2 } else { 1 }, "{planned:?}");
    }
    for start in &campaign.starts {
        let at = &campaign.plan.points[start.point as usize].point;
        for candidate in &start.candidates {
            assert_eq!(candidate.failed, None, "{at:?}");
            let setup = candidate.setup.and_then(|setup| setup.counters).expect("our own server");
            assert_eq!(setup.accepted, u64::from(at.connections), "{at:?}");
            assert!(candidate.slab.is_some() && candidate.teardown.is_some(), "{candidate:?}");
        }
    }
    for round in campaign.rounds.iter().filter(|round| round.phase == Phase::Light) {
        let at = &campaign.plan.points[round.point as usize].point;
        assert_eq!(round.rate_per_s, Some(at.rate_per_s.map_or(1000.0, f64::from)), "{at:?}");
    }
}

#[test]
fn several_scenarios_are_measured_one_after_the_other_into_folders_of_their_own() {
    let place = Place::new(SCENARIO);
    let second = place.also("second", SCENARIO);
    let output = place.run().arg(&second).output().expect("muxbench starts");
    is_measured(&output);
    assert!(stderr(&output).contains("2 scenarios, about"), "{}", stderr(&output));
    for name in ["short", "second"] {
        let campaign = campaign_in(&place.out().join(name));
        assert!(campaign.complete && campaign.plan.scenario.name == name);
    }
}

#[test]
fn what_was_not_begun_when_a_run_is_interrupted_can_be_measured_later() {
    let place = Place::new(SCENARIO);
    let second = place.also("second", SCENARIO);
    let child = place.run().arg(&second).spawn().expect("muxbench starts");
    let deadline = Instant::now() + *PATIENCE;
    while !place.out().join("second/journal.jsonl").exists() {
        assert!(Instant::now() < deadline, "nothing is begun");
        std::thread::yield_now();
    }
    signal(&child, Signal::INT);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("second was not begun"), "{}", stderr(&output));
    let folder = place.out().join("second");
    let output = muxbench().args(["run", "--resume"]).arg(&folder).output().expect("muxbench starts");
    is_measured(&output);
    assert!(campaign_in(&folder).complete);
}

#[test]
fn one_scenario_that_cannot_be_run_keeps_all_from_beginning() {
    let place = Place::new(SCENARIO);
    let bad = SCENARIO.replace("reference", "referense").replace("\"10\", \"100\"", "\"10\", \"lots\"");
    let bad = place.also("bad", &bad);
    let output = place.run().arg(&bad).output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("bad.toml: line 5: there is no 'referense'; did you mean 'reference'?"), "{said}");
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
    assert!(list.contains(" points") && list.contains(" min") && list.contains("--quick"), "{list}");
}

#[test]
fn another_build_is_measured_in_the_same_rounds_as_the_reference_of_each_candidate() {
    let place = Place::new(SCENARIO);
    let output =
        place.run().arg("--against").arg(env!("CARGO_BIN_EXE_muxbench")).output().expect("muxbench starts");
    is_measured(&output);
    let campaign = place.campaign();
    assert_eq!(campaign.plan.against.as_deref(), Some(env!("CARGO_BIN_EXE_muxbench")));
    for planned in &campaign.plan.points {
        let groups: Vec<Vec<&str>> =
            planned.groups.iter().map(|group| group.iter().map(String::as_str).collect()).collect();
        let group = |name, base, twin| vec![base, name, twin];
        assert_eq!(
            groups,
            [
                group("poll", "poll base", "poll base again"),
                group("epoll-lt", "epoll-lt base", "epoll-lt base again")
            ]
        );
    }
    for start in &campaign.starts {
        assert!(start.candidates.iter().all(|candidate| candidate.failed.is_none()), "{start:?}");
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains("ratios to base"), "{answer}");
}

#[test(needs(Program("gcc")))]
fn a_server_s_other_command_is_measured_against_it() {
    let place = Place::new("");
    let server = flawed(&place, "mine", &["0"]);
    let scenario =
        SCENARIO.replace("[[sweep]]", &format!("{server}[[sweep]]")).replace("\"10\", \"100\"", "\"10\"");
    fs::write(place.0.path().join("short.toml"), scenario).expect("written");
    let slower = format!("{} {{port}} 50000", place.0.path().join("flawed_echo").display());
    let output =
        place.run().args(["--mechanisms", "mine", "--against", &slower]).output().expect("muxbench starts");
    is_measured(&output);
    let campaign = place.campaign();
    let cpu_s = |name: &str| {
        let slices = campaign.rounds.iter().flat_map(|round| &round.slices);
        let of_it = slices.filter(|slice| slice.candidate == name);
        let (cpu_s, answered) = of_it.fold((0.0, 0), |(cpu_s, answered), slice| {
            (cpu_s + slice.server.cpu_s, answered + slice.answered)
        });
        cpu_s / answered as f64
    };
    // 50 µs of each request are burnt by the base alone.
    assert!(cpu_s("mine base") > cpu_s("mine") + 25e-6, "{} {}", cpu_s("mine base"), cpu_s("mine"));
}

#[test]
fn a_build_that_is_not_there_is_told_before_anything_begins() {
    let place = Place::new(SCENARIO);
    let output = place.run().args(["--against", "/nowhere/muxbench"]).output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--against: /nowhere/muxbench is no program"), "{}", stderr(&output));
    assert!(!place.out().exists());
}

#[test]
fn a_campaign_of_another_machine_or_build_is_not_gone_on_with() {
    let place = Place::new(SCENARIO);
    let mut child = place.run().spawn().expect("muxbench starts");
    place.await_rounds(1);
    signal(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let journal = place.out().join("journal.jsonl");
    let text = fs::read_to_string(&journal).expect("written");
    for (here, there) in
        [("\"host\":\"", "\"host\":\"not-"), ("\"muxbench_version\":\"", "\"muxbench_version\":\"9")]
    {
        assert!(text.contains(here));
        fs::write(&journal, text.replacen(here, there, 1)).expect("written");
        let output = place.resume();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("this campaign was begun"), "{}", stderr(&output));
    }
}
