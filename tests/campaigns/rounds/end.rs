//! Tests of a campaign that ends before its time: what is left of it, and how it goes on.

use std::fs;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use trials::test;

use super::place::{Place, SCENARIO, campaign_in, is_measured, signal};
use crate::support::{PATIENCE, muxbench, stderr};

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
