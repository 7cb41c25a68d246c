//! Tests that what was written survives a power cut: files are synced before they get their name, and the folder after.

use std::fs;
use std::path::Path;
use std::process::Command;

use trials::test;

/// The calls that make `muxbench` with `arguments` durable, one a line, as strace(1) tells them.
fn calls(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let log = folder.join("strace.log");
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat";
    // With -y a descriptor has its path beside it.
    let output = Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", calls, "-e", "signal=none", "-o"])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_muxbench"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("strace starts");
    let text = fs::read_to_string(&log).unwrap_or_default();
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}

/// Asserts that after each call that `makes` a name, and before the next such, the folder is synced.
#[track_caller]
fn assert_synced_after(calls: &[String], makes: &str, folder: &str) {
    let made: Vec<usize> =
        (0..calls.len()).filter(|&at| calls[at].contains(makes) && calls[at].contains("= 0")).collect();
    assert!(!made.is_empty(), "{makes} in: {calls:#?}");
    let synced = |call: &String| {
        call.contains("fsync(") && call.contains(&format!("{folder}>")) && call.contains("= 0")
    };
    for at in made {
        assert!(calls[at..].iter().any(synced), "{folder} after {}: {calls:#?}", calls[at]);
    }
}

#[test(needs(STRACE))]
fn a_file_is_synced_before_it_has_its_name_and_its_folders_after() {
    let place = tempfile::tempdir().expect("a folder");
    let calls = calls(place.path(), &["man", "a/b"]);
    let root = fs::canonicalize(place.path()).expect("there").display().to_string();
    assert_synced_after(&calls, "mkdir(\"a\"", &root);
    assert_synced_after(&calls, "mkdir(\"a/b\"", &format!("{root}/a"));
    assert_synced_after(&calls, "rename", &format!("{root}/a/b"));
    let renamed = calls.iter().position(|call| call.contains("rename")).expect("renamed");
    assert!(
        calls[..renamed].iter().any(|call| call.contains("fsync(") && call.contains(".muxbench-")),
        "{calls:#?}"
    );
}

#[test(needs(STRACE))]
fn a_journal_and_a_campaign_are_in_a_folder_that_is_synced() {
    let place = tempfile::tempdir().expect("a folder");
    let scenario = "name = \"short\"\nanalysis = \"Is it kept?\"\nmechanisms = [\"poll\"]\nreference = \"poll\"\n\
        load = { size_bytes = 64, protocol = \"ack\" }\n\
        rounds = { starts = 1, point_s = 0.1, slice_s = 0.01, light_per_s = 1000, busy_share = 0.5 }\n\
        [[sweep]]\nname = \"idle-scaling\"\nconnections = [\"10\"]\nactive = \"10\"\n";
    fs::write(place.path().join("short.toml"), scenario).expect("written");
    let calls = calls(place.path(), &["run", "short.toml", "--no-doctor", "--out", "out/deep"]);
    let root = fs::canonicalize(place.path()).expect("there").display().to_string();
    assert_synced_after(&calls, "mkdir(\"out\"", &root);
    assert_synced_after(&calls, "mkdir(\"out/deep\"", &format!("{root}/out"));
    let journal = calls
        .iter()
        .position(|call| call.contains("fdatasync(") && call.contains("journal.jsonl"))
        .expect("synced");
    assert!(
        calls[journal..].iter().any(|call| call.contains("fsync(") && call.contains("/out/deep>")),
        "{calls:#?}"
    );
    assert_synced_after(&calls, "campaign.json\"", &format!("{root}/out/deep"));
}
