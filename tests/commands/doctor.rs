//! `muxbench doctor`, as a user and as a script meet it.

#[path = "../../load-gen/tests/support/quota.rs"]
mod quota;

use std::process::Output;

use model::schema::{Diagnosis, Health, ResultFile};
use trials::test;

use crate::support::muxbench;

fn doctor(arguments: &[&str]) -> Output {
    let mut command = muxbench();
    command.arg("doctor").args(arguments).output().expect("muxbench runs")
}

fn diagnosis(output: &Output) -> Diagnosis {
    match serde_json::from_slice(&output.stdout).expect("a result") {
        ResultFile::Diagnosis(diagnosis) => diagnosis,
        other => panic!("not a diagnosis: {other:?}"),
    }
}

#[test]
fn the_exit_code_says_whether_something_fails() {
    let output = doctor(&["--conns", "10", "--listen", "0s", "--json"]);
    let found = diagnosis(&output);
    assert_eq!(output.status.code(), Some(i32::from(found.failed())));
    assert_eq!(found.connections, 10);
    assert!(found.noise.is_none(), "it was not to listen");
    for name in
        ["memory", "descriptors", "local ports", "listen queue", "governor", "clock source", "io_uring"]
    {
        assert!(found.symptoms.iter().any(|symptom| symptom.name == name), "{name}");
    }
}

#[test]
fn more_connections_than_any_machine_holds_fail_with_what_would_change_it() {
    let output = doctor(&["--conns", "4000M", "--listen", "0s", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found = diagnosis(&output);
    let failed: Vec<_> = found.symptoms.iter().filter(|symptom| symptom.state == Health::Fail).collect();
    assert!(!failed.is_empty());
    assert!(failed.iter().all(|symptom| symptom.remedy.is_some() && !symptom.why.is_empty()), "{failed:?}");
}

#[test]
fn listening_says_how_small_a_difference_can_be_seen() {
    let output = doctor(&["--conns", "10", "--listen", "500ms", "--json"]);
    let found = diagnosis(&output);
    let noise = found.noise.expect("it listened");
    assert!(noise.visible_difference > 0.0 && noise.length_s >= 0.5, "{noise:?}");
    assert!(found.symptoms.iter().any(|symptom| symptom.name == "resolution"));
}

#[test]
fn people_read_why_and_what_to_do() {
    let output = doctor(&["--conns", "1M", "--listen", "0s"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("why: ") && text.contains("for 1,000,000 connections: "), "{text}");
}

#[test]
fn an_impossible_number_is_one_line_and_exit_code_2() {
    let output = doctor(&["--conns", "none"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.lines().count() == 1 && text.contains("none"), "{text}");
}

#[test]
fn half_a_processor_is_too_little_for_server_and_generator_and_the_file_that_grants_it_is_named() {
    let group = quota::ControlGroup::or_ignore(0.5, "doctor");
    let mut command = muxbench();
    command.args(["doctor", "--conns", "10", "--listen", "0s", "--json"]);
    let output = group.spawn(&command).wait_with_output().expect("muxbench runs");
    let found = diagnosis(&output);
    for (name, state) in [("processors", Health::Fail), ("processor time", Health::Warn)] {
        let symptom = found.symptoms.iter().find(|symptom| symptom.name == name).expect("asked");
        assert_eq!(symptom.state, state, "{symptom:?}");
        assert!(symptom.found.contains("0.5"), "{symptom:?}");
        let remedy = symptom.remedy.as_deref().expect("something to do");
        assert!(
            remedy.contains("--cpus 2") && remedy.contains(group.setting.to_str().expect("plain")),
            "{remedy}"
        );
    }
}
