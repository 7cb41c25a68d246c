//! `muxbench report` of a file: of a run of the generator, and of published tables measured again.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use trials::test;

use crate::support::muxbench;

fn report(file: &Path, plots: Option<&Path>) -> Output {
    let mut command = muxbench();
    command.arg("report").arg(file);
    if let Some(plots) = plots {
        command.arg("--plots").arg(plots);
    }
    command.output().expect("muxbench starts")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("drawn").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A run of the generator.
fn run() -> Value {
    serde_json::to_value(model::schema::ResultFile::Load(report::testing::load())).expect("serialises")
}

#[test]
fn a_run_of_the_generator_has_its_figures_drawn_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.json");
    let mut load = run();
    let latency = load["response"].clone();
    let interval = |start_s: f64| {
        serde_json::json!({ "start_s": start_s, "length_s": 1.0, "completed": latency["count"], "errors": 0,
            "response": latency, "service": latency })
    };
    load["intervals"] = vec![interval(0.0), interval(1.0)].into();
    fs::write(&file, load.to_string()).expect("written");
    let output = report(&file, None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut expected = vec!["heat-map.png", "heat-map.svg", "load-spectrum.png", "load-spectrum.svg"];
    expected.retain(|name| cfg!(feature = "png") || name.ends_with("svg"));
    assert_eq!(names(&folder.path().join("run-plots")), expected);
}

#[test]
fn published_tables_are_drawn_beside_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = report(Path::new("results/reference/reproductions.json"), Some(folder.path()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drawn = names(folder.path());
    assert!(drawn.contains(&"reproduction-tlpi.svg".to_owned()), "{drawn:?}");
}

#[test]
fn what_cannot_be_drawn_is_told_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.json");
    for (text, expected) in [
        (run().to_string() + &run().to_string(), "has 2 runs: merge them first"),
        (r#"{"kind":"diagnosis"}"#.to_owned(), "neither a campaign's folder nor a result of"),
        (r#"{"kind":"campaign"}"#.to_owned(), "give the folder of the campaign, not its file"),
    ] {
        fs::write(&file, text).expect("written");
        let output = report(&file, None);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected) && stderr.trim_end().lines().count() == 1, "{stderr}");
    }
}
