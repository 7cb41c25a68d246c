//! `muxbench claims`, from its output alone.

use std::process::Output;
use std::sync::LazyLock;

use serde_json::Value;
use trials::test;

use crate::support::muxbench;

fn claims(arguments: &[&str]) -> Output {
    muxbench().arg("claims").args(arguments).output().expect("muxbench starts")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&text(&claims(&[arguments, &["--json"]].concat()))).expect("JSON")
}

/// The claims as the reference results decide them, found once, since reading all of these takes a while.
static OF_THE_REFERENCE: LazyLock<Value> = LazyLock::new(|| json(&["results/reference"]));

/// The verdict of each claim.
fn verdicts(found: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let claims = found["claims"].as_array().expect("a list").iter();
    claims.map(|claim| (text(&claim["id"]), text(&claim["verdict"]))).collect()
}

#[test]
fn the_page_of_claims_is_that_of_the_reference_campaign() {
    let page = text(&claims(&["--markdown", "results/reference"]));
    let committed = std::fs::read_to_string("docs/CLAIMS.md").expect("docs/CLAIMS.md");
    assert!(page == committed, "docs/CLAIMS.md is stale: run .ci/reference");
}

#[test]
fn the_claims_about_semantics_are_those_of_the_documentation() {
    let documented = std::fs::read_to_string("docs/CLAIMS.md").expect("docs/CLAIMS.md");
    let (_, semantics) = documented.split_once("## Semantics").expect("a section of semantics");
    let rows = semantics.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let all = evidence::semantics::claims::all();
    assert_eq!(rows.collect::<Vec<_>>(), all.map(|claim| claim.id).collect::<Vec<_>>());
}

#[test]
fn every_claim_has_a_verdict_and_one_without_data_the_command_that_makes_them() {
    let found = &*OF_THE_REFERENCE;
    assert_eq!(found["kind"], "claims");
    let verdicts = verdicts(found);
    assert_eq!(verdicts.len(), 18 + 19, "{verdicts:?}");
    for claim in found["claims"].as_array().expect("a list") {
        let is_open = claim["verdict"] == "open";
        assert!(!is_open || claim["needs"].as_array().is_some_and(|needs| !needs.is_empty()), "{claim}");
        assert!(!claim["evidence"].as_array().expect("a list").is_empty(), "{claim}");
    }
    let schema = std::fs::read_to_string("results/schema.json").expect("the schema");
    let schema = serde_json::from_str(&schema).expect("JSON");
    assert!(jsonschema::is_valid(&schema, found));
}

#[test]
fn a_folder_without_results_leaves_the_costs_open_and_decides_the_semantics_live() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("text");
    let found = json(&[path]);
    let (open, decided): (Vec<_>, Vec<_>) =
        verdicts(&found).into_iter().partition(|(_, verdict)| verdict == "open");
    // What the kernel says of limits is part of the semantics.
    let ids: Vec<&str> = decided.iter().map(|(id, _)| id.as_str()).collect();
    assert!(ids.contains(&"linked-list") && ids.contains(&"et-once"), "{ids:?}");
    assert_eq!(open.len(), 16, "{open:?}");
    assert!(found.get("false_differences").is_none());
    let sources = found["sources"].to_string();
    assert!(sources.contains("live"), "{sources}");
}

#[test]
fn results_of_several_folders_are_decided_from_together() {
    const FOLDER: &str = "results/reference/against-itself";
    let once = json(&[FOLDER]);
    // The same folder twice is twice as many results.
    let twice = json(&[FOLDER, FOLDER]);
    // Semantics are found live, once for all folders.
    let sources = |found: &Value| {
        let sources = found["sources"].as_array().expect("a list").iter();
        sources.filter(|source| source.as_str().is_some_and(|source| source.starts_with("campaign"))).count()
    };
    assert!(sources(&once) == 1 && once["false_differences"]["comparisons"].as_u64() > Some(0));
    assert_eq!(sources(&twice), 2 * sources(&once));
    let twins = |found: &Value| {
        let rate = &found["false_differences"];
        ["campaigns", "comparisons", "different"].map(|key| rate[key].as_u64().unwrap_or(0))
    };
    assert_eq!(twins(&twice), twins(&once).map(|count| 2 * count));
}

#[test]
fn a_folder_that_is_missing_or_damaged_is_one_line() {
    let missing = claims(&["no/such/folder"]);
    assert_eq!(missing.status.code(), Some(2));
    let line = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(line.contains("no/such/folder: no such folder") && line.lines().count() == 1, "{line}");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("campaign.json"), r#"{"kind":"campaign","schema_version":1}"#)
        .expect("written");
    let damaged = claims(&[folder.path().to_str().expect("text")]);
    assert_eq!(damaged.status.code(), Some(1));
    let line = String::from_utf8_lossy(&damaged.stderr).into_owned();
    assert!(line.contains("damaged") && line.lines().count() == 1, "{line}");
}
