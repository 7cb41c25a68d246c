//! Standard streams that are closed, full, or have lost their reader: no panic, no lost campaign, and one line at most.

use std::fs::{self, File};
use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use model::read;
use rustix::process::Signal;
use trials::test;

use crate::support::muxbench;

/// A device that is always full.
fn full() -> File {
    File::options().write(true).open("/dev/full").expect("always there")
}

/// A pipe without a reader.
fn broken() -> PipeWriter {
    std::io::pipe().expect("a pipe").1
}

/// Commands that print a result and do nothing else.
fn printing() -> Vec<Command> {
    let arguments = [
        &[][..],
        &["--help"],
        &["run", "--help"],
        &["--version"],
        &["list"],
        &["run", "--list"],
        &["completions", "bash"],
        &["doctor", "--listen", "0s", "--conns", "10"],
        &["semantics", "readable"],
    ];
    let command = |arguments: &[&str]| {
        let mut command = muxbench();
        command.args(arguments);
        command
    };
    arguments.map(command).into()
}

#[test]
fn a_result_for_a_full_disk_is_a_failure_of_one_line() {
    for mut command in printing() {
        let output = command.stdout(full()).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{command:?}: {said}");
        assert!(said.contains("cannot write to standard output: No space left"), "{command:?}: {said}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_program_without_a_word() {
    for mut command in printing() {
        let output = command.stdout(broken()).output().expect("it starts");
        assert_eq!(output.status.signal(), Some(Signal::PIPE.as_raw()), "{command:?}: {}", output.status);
        assert!(output.stderr.is_empty(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_mistake_that_cannot_be_told_has_its_exit_code_all_the_same() {
    for stderr in [Stdio::from(full()), broken().into()] {
        let status = muxbench().arg("--no-such-option").stderr(stderr).status().expect("it starts");
        assert_eq!(status.code(), Some(2), "{status}");
    }
    let status = muxbench().args(["claims", "/nowhere"]).stderr(full()).status().expect("it starts");
    assert_eq!(status.code(), Some(2));
}

const SCENARIO: &str = r#"
name = "short"
analysis = "Does the campaign survive?"
mechanisms = ["poll", "epoll-lt"]
reference = "epoll-lt"
load = { size_bytes = 64, protocol = "ack" }
rounds = { starts = 1, point_s = 0.1, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }
[[sweep]]
name = "idle-scaling"
connections = ["10"]
active = "10"
"#;

/// Runs scenarios called `names` with the streams as `redirect` has them, which is what a shell would be told, and asserts that all
/// is measured, drawn and kept.
fn survives(redirect: &str, names: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let scenarios = names.iter().map(|name| {
        let path = folder.path().join(format!("{name}.toml"));
        fs::write(&path, SCENARIO.replace("\"short\"", &format!("{name:?}"))).expect("written");
        path
    });
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        &format!("exec \"$0\" \"$@\" {redirect}"),
        env!("CARGO_BIN_EXE_muxbench"),
        "run",
        "--no-doctor",
    ]);
    shell.args(scenarios).arg("--out").arg(folder.path().join("out")).current_dir(&folder);
    let output = shell.stdin(Stdio::null()).output().expect("sh starts");
    let said = String::from_utf8_lossy(&output.stderr);
    // On a busy machine rounds are dropped, and status 4 says where all are. An answer that cannot be printed is a failure.
    let loses_the_answer = redirect.contains(">/dev/full") && !redirect.starts_with('2');
    let allowed = if loses_the_answer { [Some(1), Some(4)] } else { [Some(0), Some(4)] };
    assert!(allowed.contains(&output.status.code()), "{redirect}: {}: {said}", output.status);
    for name in names {
        let out = folder.path().join("out");
        let results = if names.len() > 1 { out.join(name) } else { out };
        let campaign = read::campaign(&results.join("campaign.json")).expect("a campaign").0;
        assert!(campaign.complete && campaign.rounds.len() >= 2, "{redirect}");
        assert!(results.join("report.md").is_file(), "{redirect}: the page of {name}");
        assert_no_notes_in(&results, redirect);
    }
}

/// A descriptor that was free could have become that of a file: then notes are in it.
fn assert_no_notes_in(folder: &Path, redirect: &str) {
    for entry in fs::read_dir(folder).expect("listed").flatten().filter(|entry| entry.path().is_file()) {
        let text = fs::read(entry.path()).expect("read");
        let has_note = text.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"muxbench: "));
        assert!(!has_note, "{redirect}: {}", entry.path().display());
    }
}

#[test]
fn a_campaign_survives_a_standard_error_that_is_closed_or_full() {
    survives("2>&-", &["short"]);
    survives("2>/dev/full", &["short"]);
}

#[test]
fn a_campaign_survives_standard_streams_that_are_all_closed_or_full() {
    survives("<&- >&- 2>&-", &["short"]);
    survives(">/dev/full 2>/dev/full", &["first", "second"]);
}

#[test]
fn a_campaign_survives_a_reader_of_its_notes_that_goes_away() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("short.toml"), SCENARIO).expect("written");
    let mut command = muxbench();
    command
        .args(["run", "--no-doctor"])
        .arg(folder.path().join("short.toml"))
        .arg("--out")
        .arg(folder.path().join("out"));
    let status = command.stdout(Stdio::null()).stderr(broken()).status().expect("muxbench starts");
    assert!(matches!(status.code(), Some(0 | 4)), "{status}");
    assert!(read::campaign(&folder.path().join("out/campaign.json")).expect("a campaign").0.complete);
}
