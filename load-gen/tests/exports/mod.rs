//! The exports of `load-gen --export`, read by programs that nobody here wrote: promtool, a Pushgateway, node_exporter, HdrHistogram for Java, jq,
//! PyPI hdrhistogram, prometheus_client and jsonschema, npm hdr-histogram-js, Python's csv. `.ci/peers` and `.ci/readers` install them.

mod distributions;
mod files;
mod read_back;

use std::process::{Output, Stdio};

use model::schema::{Interval, LoadReport, ResultFile};
use report::export::{self, Format};

use crate::support::servers::echo;
use crate::support::stderr;

fn load_gen(arguments: &[&str]) -> Output {
    let mut command = trials::command(env!("CARGO_BIN_EXE_load-gen"));
    command.args(arguments).stdin(Stdio::null()).output().expect("load-gen starts")
}

/// Runs a short load against a server that echoes.
fn run(arguments: &[&str]) -> Output {
    let target = echo().to_string();
    load_gen(&[&["--target", &target, "--conns", "4", "-d", "500ms", "--warmup", "0s"], arguments].concat())
}

/// The report of a short run, in open loop if there is a rate.
fn report(arguments: &[&str]) -> LoadReport {
    let output = run(&[&["--json"], arguments].concat());
    match serde_json::from_slice(&output.stdout) {
        Ok(ResultFile::Load(report)) => report,
        other => panic!("{other:?}: {}", stderr(&output)),
    }
}

/// A folder with `report` in each format.
fn exported(report: &LoadReport) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, format) in [
        ("hlog", Format::Hlog),
        ("csv", Format::Csv),
        ("prometheus", Format::Prometheus),
        ("openmetrics", Format::OpenMetrics),
        ("json", Format::Json),
    ] {
        let text = export::render(report, format, &[("mechanism", "of \"this\" test")]).expect("rendered");
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// One run of each loop, one with intervals that have what its window has, and one whose connections move.
fn reports() -> Vec<LoadReport> {
    let open = report(&["--rate", "4k"]);
    let closed = report(&["-d", "200ms"]);
    assert!(open.completed > 0 && closed.completed > 0, "{} {}", open.completed, closed.completed);
    let mut intervals = open.clone();
    let interval = |start_s| Interval {
        start_s,
        length_s: 0.25,
        completed: open.completed,
        errors: 0,
        response: open.response.clone(),
        service: closed.service.clone(),
    };
    intervals.intervals = vec![interval(0.0), interval(0.25)];
    let moving = report(&["--rate", "1k", "--active", "2", "--rotate", "50ms", "--churn", "100/s"]);
    assert!(moving.connections.rotated > Some(0) && moving.churn_connect.is_some(), "{moving:?}");
    vec![open, closed, intervals, moving]
}
