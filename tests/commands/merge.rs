//! `muxbench merge`: what it writes, and that every mistake is one line.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use model::read::loads;
use serde_json::Value;
use trials::test;

use crate::support::{Server, load_gen, muxbench};

/// Returns the report of shard `index` of two of a short run against `server`, with further `arguments`.
fn shard(server: &Server, index: u32, arguments: &str) -> String {
    let target = server.address.to_string();
    let shard = format!("{index}/2");
    let mut command = trials::command(load_gen());
    command.args([
        "--target", &target, "--conns", "4", "-d", "100ms", "--warmup", "0s", "--wait", "sleep", "--json",
    ]);
    command.args(["--shard", &shard]).args(arguments.split_whitespace()).stdin(Stdio::null());
    let output = command.output().expect("load-gen starts");
    String::from_utf8(output.stdout).expect("text")
}

/// Runs `muxbench merge` in `folder`.
fn merge(folder: &Path, arguments: &str) -> Output {
    let mut command = muxbench();
    command.arg("merge").args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command.output().expect("muxbench starts")
}

fn refusal(folder: &Path, arguments: &str) -> String {
    let output = merge(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments}: {stderr}");
    assert!(stderr.starts_with("muxbench: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(output.stdout.is_empty() && !folder.join("all.json").exists(), "{arguments}");
    stderr
}

/// The shard with the value at a JSON pointer replaced.
fn with(text: &str, pointer: &str, value: Value) -> String {
    let mut json: Value = serde_json::from_str(text).expect("JSON");
    *json.pointer_mut(pointer).expect("there") = value;
    json.to_string()
}

#[test]
fn shards_are_merged_from_files_and_from_one_pipe_and_mistakes_are_one_line() {
    let server = Server::serve(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    let (one, two) = (shard(&server, 1, ""), shard(&server, 2, ""));
    write("1.json", &one);
    write("2.json", &two);

    // Two runs one after the other are no run of two shards, unless one says so.
    let late = refusal(folder.path(), "1.json 2.json -o all.json");
    assert!(late.contains("2.json began") && late.contains("--max-skew"), "{late}");
    let alone = refusal(folder.path(), "1.json -o all.json");
    assert!(alone.contains("1 of 2 shards are missing: 2/2"), "{alone}");
    let doubled = refusal(folder.path(), "1.json 1.json -o all.json");
    assert!(doubled.contains("shard 1/2 is there twice: 1.json and 1.json"), "{doubled}");

    write("seed.json", &with(&two, "/settings/seed", "2".into()));
    let seed = refusal(folder.path(), "1.json seed.json -o all.json --max-skew 1h");
    assert!(seed.contains(r#"settings.seed is "1" and "2""#), "{seed}");
    write("torn.json", &two[..two.len() / 2]);
    assert!(refusal(folder.path(), "1.json torn.json -o all.json").contains("torn.json: not JSON"));
    write("empty.json", "");
    assert!(refusal(folder.path(), "1.json empty.json -o all.json").contains("empty.json: not JSON"));
    write("campaign.json", &with(&two, "/kind", "campaign".into()));
    let other = refusal(folder.path(), "1.json campaign.json -o all.json");
    assert!(other.contains("not a load result, but \"campaign\""), "{other}");
    assert!(refusal(folder.path(), "1.json nowhere.json -o all.json").contains("nowhere.json: no such file"));
    let nowhere = refusal(folder.path(), "1.json 2.json -o no/folder.json --max-skew 1h");
    assert!(nowhere.contains("cannot write no/folder.json"), "{nowhere}");

    // What is wrong with the machine or the shard is in the result, and the exit code.
    let is_valid = |text: &str| text.contains("\"valid\": true");
    let code = if is_valid(&one) && is_valid(&two) { 0 } else { 4 };
    let output = merge(folder.path(), "1.json 2.json -o all.json --max-skew 1h");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("merged from 2 shards"));
    let merged = loads(&folder.path().join("all.json")).expect("a result").remove(0);
    assert_eq!((merged.connections.opened, merged.shards.len()), (4, 2));

    write("both.json", &(one.clone() + &two));
    let piped = muxbench()
        .args(["merge", "-", "-o", "-", "--max-skew", "1h"])
        .stdin(fs::File::open(folder.path().join("both.json")).expect("just written"))
        .output()
        .expect("muxbench starts");
    assert_eq!(
        piped.stdout,
        fs::read(folder.path().join("all.json")).expect("written"),
        "the same, by a pipe"
    );
    fs::remove_file(folder.path().join("all.json")).expect("there");
    write("merged.json", &String::from_utf8_lossy(&piped.stdout));
    assert!(refusal(folder.path(), "merged.json -o all.json").contains("merged already"));
    write("invalid.json", &with(&two, "/valid", false.into()));
    let output = merge(folder.path(), "1.json invalid.json -o - --max-skew 1h");
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn without_files_or_a_place_for_the_result_it_is_a_usage_error() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in ["", "-o all.json", "1.json", "1.json -o all.json --max-skew soon"] {
        let output = merge(folder.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
