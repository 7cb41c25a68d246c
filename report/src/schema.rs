//! The schema of results, on results that were made up.

use std::fs;
use std::path::PathBuf;

use model::schema::*;

use crate::testing;

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../results/schema.json")
}

fn errors_of(result: &ResultFile) -> Vec<String> {
    let schema = serde_json::to_value(json_schema()).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let instance = serde_json::to_value(result).expect("a result is JSON");
    validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let generated = serde_json::to_string_pretty(&json_schema()).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        model::files::write_atomically(&committed(), generated.as_bytes()).expect("written");
    }
    let found = fs::read_to_string(committed()).unwrap_or_default();
    assert!(
        found == generated,
        "results/schema.json is out of date; bring it up to date with\n\n    \
         UPDATE_SCHEMA=1 cargo test -p muxbench-report the_committed_schema\n\n\
         and raise SCHEMA_VERSION if a key was removed or changed its meaning"
    );
}

#[test]
fn every_kind_of_result_validates_against_the_schema() {
    let mut campaign = testing::realistic();
    testing::spoil(&mut campaign, 0, CellStatus::Failed, "the server died");
    let load = campaign.cells[1].latency.clone().expect("measured").load;
    assert_eq!(errors_of(&ResultFile::Campaign(campaign)), [""; 0]);
    assert_eq!(errors_of(&ResultFile::Bench(testing::bench())), [""; 0]);
    assert_eq!(errors_of(&ResultFile::Load(load)), [""; 0]);
    assert_eq!(errors_of(&ResultFile::Semantics(testing::semantics())), [""; 0]);
}

#[test]
fn a_campaign_with_external_servers_validates_and_reads_back() {
    let campaign = testing::with_servers(&["poll"], &["socat"]);
    assert_eq!(campaign.plan.scenario.contenders().collect::<Vec<_>>(), ["poll", "socat"]);
    assert_eq!(errors_of(&ResultFile::Campaign(campaign.clone())), [""; 0]);
    let text = serde_json::to_string(&campaign).expect("serialises");
    assert!(text.contains(r#""server":[{"name":"socat""#));
    assert_eq!(serde_json::from_str::<Campaign>(&text).expect("reads"), campaign);
}

#[test]
fn what_is_no_result_does_not_validate() {
    let schema = serde_json::to_value(json_schema()).expect("a schema is JSON");
    let mut campaign = serde_json::to_value(ResultFile::Campaign(testing::realistic_of(&["poll"])))
        .expect("a result is JSON");
    assert!(jsonschema::is_valid(&schema, &campaign));
    campaign["cells"][0]["status"] = "splendid".into();
    assert!(!jsonschema::is_valid(&schema, &campaign));
    campaign["kind"] = "guess".into();
    assert!(!jsonschema::is_valid(&schema, &campaign));
}
