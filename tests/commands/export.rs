//! `muxbench export`: what load-gen would have exported itself, from its result; and what does not fit is one line.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use report::rounds::testing::{Behaviour, Shape};
use trials::test;

use crate::support::{Server, load_gen, muxbench};

/// Runs `muxbench export` in `folder`.
fn export(folder: &Path, arguments: &str) -> Output {
    let mut command = muxbench();
    command.arg("export").args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command.output().expect("muxbench starts")
}

/// The file of a campaign that was made up.
fn made_up() -> String {
    let shape = Shape { starts: 2, rounds: 4, ..Shape::of(&["epoll-lt", "epoll-et"]) };
    let campaign = shape.campaign(|_, _| Behaviour::default());
    serde_json::to_string(&model::schema::ResultFile::Campaign(campaign)).expect("serialises")
}

/// Runs load-gen in `folder` for a short time.
fn run_load(folder: &Path, server: &Server, arguments: &str) {
    let target = server.address.to_string();
    let mut command = trials::command(load_gen());
    command.args([
        "--target", &target, "--conns", "4", "-d", "300ms", "--warmup", "0s", "--wait", "sleep", "-q",
    ]);
    command.args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    let code = command.output().expect("load-gen starts").status.code();
    assert!(matches!(code, Some(0 | 4)), "{code:?}");
}

#[test]
fn each_format_is_what_load_gen_itself_exports() {
    let server = Server::serve(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let formats = ["hgrm", "hgrm:service", "hlog", "csv", "prometheus", "openmetrics", "json"];
    let file = |format: &str| format!("{}.of-load-gen", format.replace(':', "-"));
    let exports: Vec<_> =
        formats.iter().map(|format| format!("--export {format}={}", file(format))).collect();
    run_load(folder.path(), &server, &format!("--rate 2k --interval 100ms {}", exports.join(" ")));
    for format in formats {
        let expected = fs::read(folder.path().join(file(format))).expect("written");
        let printed = export(folder.path(), &format!("json.of-load-gen --format {format}"));
        assert_eq!(printed.status.code(), Some(0), "{format}: {printed:?}");
        assert!(printed.stdout == expected, "{format}, printed");
        let written = export(folder.path(), &format!("json.of-load-gen --format {format} -o again"));
        assert!(written.status.success() && written.stdout.is_empty(), "{format}: {written:?}");
        assert!(fs::read(folder.path().join("again")).expect("written") == expected, "{format}, written");
    }
    let piped = muxbench()
        .args(["export", "-", "--format", "csv"])
        .stdin(fs::File::open(folder.path().join("json.of-load-gen")).expect("written"))
        .output()
        .expect("muxbench starts");
    assert!(piped.stdout == fs::read(folder.path().join("csv.of-load-gen")).expect("written"), "by a pipe");
}

#[test]
fn what_does_not_fit_is_one_line_and_exit_code_2() {
    let server = Server::serve(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    run_load(folder.path(), &server, "--export json=closed.json");
    let closed = fs::read_to_string(folder.path().join("closed.json")).expect("written");
    fs::write(folder.path().join("two.json"), closed.repeat(2)).expect("written");
    fs::write(folder.path().join("torn.json"), &closed[..closed.len() / 2]).expect("written");
    let campaign = "campaign.json";
    fs::write(folder.path().join(campaign), made_up()).expect("written");
    let bench = concat!(env!("CARGO_MANIFEST_DIR"), "/results/reference/bench/wait.json");
    for (arguments, code, expected) in [
        ("closed.json --format hgrm:response", 2, "closed.json: the result has no response times"),
        ("closed.json --format hgrm:churn_connect", 2, "no churn_connect times"),
        ("closed.json --format xml", 2, "hgrm, hlog, csv, prometheus, openmetrics or json"),
        ("closed.json --format bmf", 2, "closed.json: a load result has no such format; it is for campaigns"),
        (
            "closed.json --format xml",
            2,
            "of a campaign github-benchmark, bmf, prometheus, openmetrics, csv, hgrm or hlog",
        ),
        ("closed.json --format csv:service", 2, "only hgrm"),
        ("closed.json", 2, "--format"),
        ("two.json --format csv", 2, "two.json: 2 results in one file"),
        (&format!("{campaign} --format json"), 2, "JSON is what it is already"),
        (&format!("{campaign} --format hgrm:service"), 2, "a campaign is written as github-benchmark, bmf"),
        (&format!("{campaign} --format hgrm"), 2, "several files: name a folder for them with -o"),
        (&format!("{bench} --format csv"), 2, "not a load result, but \"bench\"; export takes"),
        ("torn.json --format csv", 1, "torn.json: not JSON"),
        ("nowhere.json --format csv", 1, "nowhere.json: no such file"),
        ("closed.json --format csv -o no/folder", 1, "cannot write no/folder"),
    ] {
        let output = export(folder.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{arguments}: {stderr}");
        assert!(stderr.starts_with("muxbench: ") && stderr.contains(expected), "{arguments}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments}: {stderr}");
        let said: Vec<&str> = stderr.trim_end().split(": ").collect();
        let again = said.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(again, None, "{arguments}: an error is told once: {stderr}");
    }
}

#[test]
fn a_run_that_is_not_valid_is_exported_with_a_word() {
    let server = Server::serve(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    run_load(folder.path(), &server, "--export json=run.json");
    let path = folder.path().join("run.json");
    let mut result: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("written")).expect("JSON");
    (result["valid"], result["invalid_reasons"]) = (false.into(), ["too noisy"].as_slice().into());
    fs::write(&path, result.to_string()).expect("written");
    let output = export(folder.path(), "run.json --format hgrm");
    assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "muxbench: run.json: the run is not valid: too noisy\n");
}

#[test]
fn a_campaign_is_exported_from_its_file_its_folder_or_a_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("reference")).expect("made");
    fs::write(folder.path().join("reference/campaign.json"), made_up()).expect("written");
    let reference = "reference";
    for format in ["bmf", "prometheus", "openmetrics", "csv", "hlog"] {
        let of_folder = export(folder.path(), &format!("{reference} --format {format}"));
        assert!(of_folder.status.success() && of_folder.stdout.len() > 1000, "{format}: {of_folder:?}");
        let of_file =
            export(folder.path(), &format!("{reference}/campaign.json --format {format} -o {format}"));
        assert!(of_file.status.success() && of_file.stdout.is_empty(), "{format}: {of_file:?}");
        assert!(fs::read(folder.path().join(format)).expect("written") == of_folder.stdout, "{format}");
    }
    let piped = muxbench()
        .args(["export", "-", "--format", "csv"])
        .stdin(fs::File::open(folder.path().join("reference/campaign.json")).expect("written"))
        .output()
        .expect("muxbench starts");
    assert!(piped.stdout == fs::read(folder.path().join("csv")).expect("written"));
    for (format, files) in [("github-benchmark", "smaller-is-better.json"), ("hgrm", "epoll-et_")] {
        let written = export(folder.path(), &format!("{reference} --format {format} -o out/{format}"));
        assert!(written.status.success(), "{format}: {written:?}");
        let names = fs::read_dir(folder.path().join("out").join(format)).expect("made").flatten();
        assert!(names.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with(files)));
    }
}
