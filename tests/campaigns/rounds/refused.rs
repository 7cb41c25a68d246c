//! Tests of what is refused before anything is measured.

use std::fs;

use trials::test;

use super::place::{Place, SCENARIO};
use crate::support::{muxbench, stderr};

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
fn a_build_that_is_not_there_is_told_before_anything_begins() {
    let place = Place::new(SCENARIO);
    let output = place.run().args(["--against", "/nowhere/muxbench"]).output().expect("muxbench starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--against: /nowhere/muxbench is no program"), "{}", stderr(&output));
    assert!(!place.out().exists());
}
