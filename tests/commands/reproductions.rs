//! `muxbench run reproductions`, and what else `run` knows by name, from their output alone.

use std::process::Output;

use serde_json::Value;
use trials::test;

use crate::support::muxbench;

fn run(arguments: &[&str]) -> Output {
    muxbench().arg("run").args(arguments).output().expect("muxbench starts")
}

/// The one line that a wrong command line is answered with.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn one_table_is_measured_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("text");
    let output = run(&["reproductions", "perf-epoll-wait", "--seed", "3", "--json", "--out", out]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["command"], "muxbench run reproductions perf-epoll-wait --seed 3");
    let tables = found["tables"].as_array().expect("a list");
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0]["name"], "perf-epoll-wait");
    let figures = tables[0]["figures"].as_array().expect("a list");
    assert_eq!(figures.len(), 3);
    for figure in figures {
        let [low, median, high] =
            ["low", "median", "high"].map(|key| figure[key].as_f64().expect("a number"));
        assert!(0.0 < low && low <= median && median <= high, "{figure}");
    }
    assert!(folder.path().join("reproductions.json").exists());
    assert!(folder.path().join("reproductions.md").exists());
}

#[test]
fn a_table_that_does_not_exist_is_told_with_those_that_do_before_anything_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("new");
    let said = refused(&["reproductions", "tlpi", "lpti", "--out", out.to_str().expect("text")]);
    assert!(
        said.contains("no table 'lpti'; its tables are tlpi, kegel, libevent, gammo, io-uring-echo"),
        "{said}"
    );
    assert!(!out.exists());
}

#[test]
fn the_help_of_run_names_every_table() {
    let help = String::from_utf8_lossy(&run(&["--help"]).stdout).into_owned();
    for table in evidence::reproductions::TABLES {
        assert!(help.contains(table), "{table} in {help}");
    }
}

#[test]
fn options_that_change_a_scenario_are_not_for_published_tables() {
    let said = refused(&["reproductions", "tlpi", "--quick", "--conns", "10"]);
    assert!(said.contains("and not --quick and --conns"), "{said}");
}

#[test]
fn what_is_no_scenario_is_named_with_what_to_do_and_stands_in_the_list() {
    let said = refused(&["million"]);
    assert!(said.contains("scenarios/million of the source: about 2 minutes and 8 GB"), "{said}");
    let said = refused(&["few-and-busy", "reproductions"]);
    assert!(said.contains("'reproductions' is measured alone: muxbench run reproductions"), "{said}");
    let output = run(&["--list"]);
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |name: &str| list.lines().find(|line| line.trim_start().starts_with(name));
    assert!(row("million").is_some_and(|row| row.contains("million connections")), "{list}");
    assert!(list.contains("scenarios/million") && row("reproductions").is_some(), "{list}");
}
