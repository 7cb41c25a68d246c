//! `muxbench semantics` as a command. It starts processes, which an observation in this process would notice:
//! hence not in the binary of `tests/semantics`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use evidence::semantics::{claims, situations};
use model::schema::ResultFile;
use serde_json::Value;
use trials::test;

fn semantics(arguments: &[&str]) -> Command {
    let mut command = trials::command(env!("CARGO_BIN_EXE_muxbench"));
    command.arg("semantics").args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    semantics(arguments).output().expect("muxbench starts")
}

/// Returns the output of a run that succeeds, and asserts that nothing goes to standard error.
fn printed(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Returns the message of a run that ends with `status`, and asserts that it is one line and all that is printed.
fn complaint(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert!(said.starts_with("muxbench: ") && said.lines().count() == 1, "{said}");
    said
}

#[test]
fn json_is_what_the_schema_says() {
    let json: Value = serde_json::from_str(&printed(&["--json"])).expect("JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/schema.json");
    let schema: Value = serde_json::from_reader(File::open(schema).expect("committed")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    assert_eq!(json["kind"], "semantics");
    let parsed: ResultFile = serde_json::from_value(json.clone()).expect("the types agree with the schema");
    assert_eq!(serde_json::to_value(&parsed).expect("serialises"), json, "nothing is lost in reading");
}

#[test]
fn the_page_has_every_situation_and_every_claim_with_its_verdict() {
    let page = printed(&["--markdown"]);
    for name in situations::all().map(|one| one.name).chain(claims::all().map(|one| one.id)) {
        assert!(page.contains(&format!("\n### {name}\n")), "{name}");
    }
    assert!(page.contains("| [sndlowat](#sndlowat) | 2.1 | refuted |"), "{page}");
}

#[test]
fn names_choose_situations_and_claims() {
    let text = printed(&["reset", "et-once"]);
    assert!(text.contains("\nreset: TCP socket") && text.contains("\net-once (§ 5.4): CONFIRMED"), "{text}");
    assert!(!text.contains("\nreadable: ") && !text.contains("\nsndlowat "), "{text}");
    let json: Value = serde_json::from_str(&printed(&["--json", "linger"])).expect("JSON");
    assert_eq!(json["situations"].as_array().map(Vec::len), Some(0));
    assert_eq!(json["claims"][0]["id"], "linger");
}

#[test]
fn an_unknown_name_is_a_usage_error_that_names_the_known_ones() {
    let said = complaint(&output(&["reset", "sockets"]), 2);
    assert!(
        said.contains("'sockets'") && said.contains("peer-closed") && said.contains("sndlowat"),
        "{said}"
    );
}

#[test]
fn json_and_markdown_exclude_each_other() {
    complaint(&output(&["--json", "--markdown"]), 2);
}

#[test]
fn output_that_cannot_be_written_is_one_line_and_status_1() {
    let full = File::options().write(true).open("/dev/full").expect("there");
    let output = semantics(&["fresh"]).stdout(full).output().expect("muxbench starts");
    assert!(complaint(&output, 1).contains("standard output"));
}

#[test]
fn a_low_descriptor_limit_changes_nothing_and_no_file_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = trials::command("sh");
    command.args(["-c", "ulimit -n 256 && exec \"$0\" semantics --json", env!("CARGO_BIN_EXE_muxbench")]);
    let output = command.env("TMPDIR", folder.path()).stdin(Stdio::null()).output().expect("sh starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0);
    let low: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let usual: Value = serde_json::from_str(&printed(&["--json"])).expect("JSON");
    assert_eq!(low["situations"], usual["situations"]);
    let verdicts = |json: &Value| -> Vec<Value> {
        json["claims"].as_array().expect("claims").iter().map(|claim| claim["verdict"].clone()).collect()
    };
    assert_eq!(verdicts(&low), verdicts(&usual));
}

#[test]
fn what_cannot_be_observed_is_said_and_does_not_hide_the_rest() {
    // Enough descriptors for a socket that is watched, too few for a connection that is.
    let mut command = trials::limited(6, env!("CARGO_BIN_EXE_muxbench"));
    command.args(["semantics", "--json", "fresh", "readable", "poll-set-once"]).stdin(Stdio::null());
    let output = command.output().expect("bash starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("muxbench: cannot observe readable: Too many open files"), "{said}");
    assert!(said.contains("muxbench: cannot observe poll-set-once: Too many open files"), "{said}");
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON all the same");
    assert_eq!(json["situations"][1]["phases"][0]["answers"]["epoll-lt"]["events"][1], "HUP");
    let names = json["situations"].as_array().expect("situations").iter().map(|one| one["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["readable", "fresh"]);
    assert_eq!(json["claims"][0]["verdict"], "not-measurable-here");
}
