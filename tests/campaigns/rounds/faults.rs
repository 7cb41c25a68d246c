//! Tests of faults of servers and of the generator, and of their effect on the others.

use std::fs;
use std::time::Instant;

use model::campaign::Slice;
use rustix::process::{Signal, kill_process};
use trials::test;

use super::place::{Place, SCENARIO, flawed, is_measured, signal};
use crate::support::{PATIENCE, children, stderr};

/// A server that stands still for 50 ms on the first request after a pause is found, though no window holds that request.
#[test(needs(Program("gcc")))]
fn a_stall_on_the_first_request_after_a_pause_is_a_result_of_its_server() {
    let place = Place::new("");
    // It stalls at most once in 300 ms, of which most are not its own: it does so when its slice begins.
    let server = flawed(&place, "late", &["0", "0", "0", "300000000", "50000000"]);
    let scenario = SCENARIO
        .replace("[[sweep]]", &format!("{server}[[sweep]]"))
        .replace("slice_s = 0.01", "slice_s = 0.02")
        .replace("\"10\", \"100\"", "\"10\"")
        .replace("point_s = 0.5", "point_s = 8");
    fs::write(place.0.path().join("short.toml"), scenario).expect("written");
    let output = place.run().output().expect("muxbench starts");
    is_measured(&output);
    let campaign = place.campaign();
    let open_loop = campaign.rounds.iter().filter(|round| round.rate_per_s.is_some());
    let own = open_loop.flat_map(|round| &round.slices).filter(|slice| slice.candidate == "late");
    // On a busy machine the generator has no processor for a part of a stall, which is not the server's then.
    let is_stall = |slice: &Slice| slice.warmup_silence_ns > 5_000_000;
    let seen = own.filter(|slice| slice.first_request_ns >= Some(50_000_000) && is_stall(slice));
    assert!(seen.count() > 0, "they are seen");
    let answer = String::from_utf8_lossy(&output.stdout).replace("\n  ", " ");
    let named = answer.lines().any(|line| {
        line.starts_with("late at 10 × 10: stalled in ")
            && line.contains("on the first requests after a pause")
    });
    let counted = campaign.rounds.iter().filter(|round| round.dropped.is_none());
    let (own, others): (Vec<&Slice>, Vec<&Slice>) =
        counted.flat_map(|round| &round.slices).partition(|slice| slice.candidate == "late");
    let is_quiet = |slice: &&Slice| slice.longest_silence_ns.max(slice.warmup_silence_ns) <= 5_000_000;
    let is_clear = own.iter().filter(|slice| is_stall(slice)).count() >= 6 && others.iter().all(is_quiet);
    assert!(named || !is_clear, "{answer}");
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
