//! The places that exports go to, and what becomes of those that cannot.

use std::path::PathBuf;

use report::export::{self, Format, Measure};
use serde_json::Value;
use trials::test;

use super::{load_gen, report, run, stderr};

#[test]
fn every_kind_goes_to_its_file_and_the_result_is_printed_besides() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |kind: &str| folder.path().join(kind.replace(':', "-"));
    let kinds = ["hgrm", "hgrm:service", "hgrm:connect", "hlog", "csv", "prometheus", "openmetrics", "json"];
    let exports: Vec<String> = kinds.iter().map(|kind| format!("{kind}={}", path(kind).display())).collect();
    let arguments: Vec<&str> = exports.iter().flat_map(|export| ["--export", export]).collect();
    let report = report(&[&["--rate", "2k"], arguments.as_slice()].concat());
    let text = |kind: &str| std::fs::read_to_string(path(kind)).expect("written");
    for (kind, format) in [
        ("hgrm", Format::Hgrm(Some(Measure::Response))),
        ("hgrm:service", Format::Hgrm(Some(Measure::Service))),
        ("hgrm:connect", Format::Hgrm(Some(Measure::Connect))),
        ("hlog", Format::Hlog),
        ("csv", Format::Csv),
        ("prometheus", Format::Prometheus),
        ("openmetrics", Format::OpenMetrics),
        ("json", Format::Json),
    ] {
        assert_eq!(text(kind), export::render(&report, format, &[]).expect("rendered"), "{kind}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), kinds.len(), "nothing beside them");
}

#[test]
fn an_export_to_standard_output_has_it_for_itself() {
    let output = run(&["--export", "csv=-"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("target,scope,") && text.ends_with('\n'), "{text}");
    assert!(text.lines().all(|line| line.matches(',').count() == 7), "{text}");
    assert!(stderr(&output).contains("replies per second"), "the table is still there to see");
    assert_eq!(stderr(&run(&["--export", "csv=-", "--quiet"])), "");
}

#[test]
fn what_cannot_be_written_ends_the_run_before_it_begins() {
    for bad in ["/proc/nowhere/a.hlog", "/proc/a.hlog", "/"] {
        // Nothing listens there: the run would fail for another reason.
        let output = load_gen(&["--target", "127.0.0.1:1", "--export", &format!("hlog={bad}")]);
        assert_eq!(output.status.code(), Some(1), "{bad}");
        assert!(
            stderr(&output).starts_with(&format!("load-gen: cannot write {bad}: ")),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_full_disk_is_a_failure_that_loses_neither_the_result_nor_the_other_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("run.csv");
    let other = format!("csv={}", path.display());
    let output = run(&["--json", "--export", "hlog=/dev/full", "--export", &other]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write /dev/full"), "{}", stderr(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).expect("the result");
    assert!(printed["completed"].as_u64() > Some(0));
    assert!(path.exists());
}

#[test]
fn exports_that_make_no_sense_are_usage_errors() {
    for (arguments, advice) in [
        (["--export", "xml=a"].as_slice(), "hgrm, hlog, csv, prometheus, openmetrics or json"),
        (&["--export", "hgrm"], "KIND=PATH"),
        (&["--export", "hgrm:response=a"], "--rate"),
        (&["--json", "--export", "csv=-"], "--json"),
        (&["--generate", "tcsh"], "bash"),
    ] {
        let output = load_gen(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(advice), "{arguments:?}: {}", stderr(&output));
    }
}
