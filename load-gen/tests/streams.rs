//! `load-gen` with standard streams that are full or have lost their reader: no panic, and a result that cannot be printed is an
//! error.

use std::fs::File;
use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};

use crate::support::servers::echo;
use crate::support::{load_gen, stderr};
use rustix::process::Signal;

/// A device that is always full.
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("always there").into()
}

/// A pipe without a reader.
fn broken() -> Stdio {
    let (_, writer): (_, PipeWriter) = std::io::pipe().expect("a pipe");
    writer.into()
}

/// Prints help, a page, or the result of a short run, as JSON and as a table.
fn printing() -> Vec<Vec<String>> {
    let run = format!("--target {} --conns 2 -d 100ms --warmup 0s --quiet --no-preflight", echo());
    [
        "--help",
        "--version",
        "--generate man",
        &run,
        &format!("{run} --json"),
        &format!("{run} --export csv=-"),
    ]
    .map(|line| line.split(' ').map(str::to_owned).collect())
    .into()
}

fn run(arguments: &[String], stdout: Stdio) -> Output {
    load_gen(&[]).args(arguments).stdout(stdout).output().expect("it starts")
}

#[test]
fn a_result_for_a_full_disk_is_a_failure_of_one_line() {
    for arguments in printing() {
        let output = run(&arguments, full());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_program_without_a_word() {
    for arguments in printing() {
        let output = run(&arguments, broken());
        assert_eq!(output.status.signal(), Some(Signal::PIPE.as_raw()), "{arguments:?}: {}", output.status);
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn an_export_is_written_although_nobody_reads_the_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("result.json");
    let target = echo().to_string();
    for stdout in [full(), broken()] {
        let mut command =
            load_gen(&["--target", &target, "--conns", "2", "-d", "100ms", "--warmup", "0s", "--export"]);
        let output =
            command.arg(format!("json={}", path.display())).stdout(stdout).output().expect("it starts");
        assert!(!output.status.success(), "{}", output.status);
        let text = std::fs::read(&path).expect("written");
        serde_json::from_slice::<serde_json::Value>(&text).expect("JSON");
        std::fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn a_run_whose_progress_cannot_be_told_is_measured_all_the_same() {
    let target = echo().to_string();
    for stderr in [full(), broken()] {
        let mut command =
            load_gen(&["--target", &target, "--conns", "2", "-d", "1500ms", "--warmup", "0s", "--json"]);
        let output = command.stderr(stderr).output().expect("it starts");
        // On a busy machine the run is not valid, which is what status 4 says.
        assert!(matches!(output.status.code(), Some(0 | 4)), "{}", output.status);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(report["completed"].as_u64() > Some(0), "{report}");
    }
}
