//! The gate of a run against a server's base.

use std::fs;
use std::process::Command;

use trials::test;

use super::place::{Place, SCENARIO};
use crate::support::stderr;

/// A server of known flaws beside the same without them.
#[test(needs(Program("gcc")))]
fn a_server_that_became_slower_than_its_base_fails_the_gate_of_the_run_with_a_line_for_each_figure() {
    let place = Place::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/servers/flawed_echo.c");
    let built =
        Command::new("gcc").args(["-O2", "-o", "flawed_echo", source]).current_dir(place.path()).status();
    assert!(built.expect("gcc runs").success());
    let program = place.path().join("flawed_echo").display().to_string();
    let server = format!(
        "[[server]]\nname = \"mine\"\ncommand = [\"{program}\", \"{{port}}\", \"100000\"]\n[[sweep]]"
    );
    fs::write(place.path().join("short.toml"), SCENARIO.replace("[[sweep]]", &server).replace("0.6", "2"))
        .expect("written");
    let base = format!("{program} {{port}} 0");
    let run = |out: &str, bound: &str| {
        let gate = ["--mechanisms", "mine", "--against", &base, "--fail-above", bound];
        place.muxbench(&[&["run", "--no-doctor", "short.toml", "--out", out], &gate[..]].concat())
    };
    // 100 µs of processor time a request are more than it takes otherwise.
    let strict = run("strict", "20%");
    match strict.status.code() {
        Some(3) => {
            let lines: Vec<String> = stderr(&strict).lines().map(str::to_owned).collect();
            let figure = "muxbench: gate: mine at 10 × 10 (idle-scaling): ";
            assert!(lines.iter().any(|line| line.starts_with(figure)), "{lines:?}");
        }
        // On a busy machine no round may count.
        Some(4) => assert!(stderr(&strict).contains("cannot be told"), "{}", stderr(&strict)),
        other => panic!("{other:?}: {}", stderr(&strict)),
    }
}
