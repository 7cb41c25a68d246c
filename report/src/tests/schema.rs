//! The schema of results, on results that were made up.

use std::fs;
use std::path::PathBuf;

use model::schema::*;

use crate::rounds::testing::{Behaviour, Shape};
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

fn campaign() -> ResultFile {
    ResultFile::Campaign(
        Shape { starts: 2, rounds: 1, ..Shape::of(&["poll"]) }.campaign(|_, _| Behaviour::default()),
    )
}

#[test]
fn every_kind_of_result_validates_against_the_schema() {
    assert_eq!(errors_of(&campaign()), [""; 0]);
    assert_eq!(errors_of(&ResultFile::Bench(testing::bench())), [""; 0]);
    assert_eq!(errors_of(&ResultFile::Load(testing::load())), [""; 0]);
    assert_eq!(errors_of(&ResultFile::Semantics(testing::semantics())), [""; 0]);
}

#[test]
fn what_is_no_result_does_not_validate() {
    let schema = serde_json::to_value(json_schema()).expect("a schema is JSON");
    let mut campaign = serde_json::to_value(campaign()).expect("a result is JSON");
    assert!(jsonschema::is_valid(&schema, &campaign));
    campaign["rounds"][0]["phase"] = "splendid".into();
    assert!(!jsonschema::is_valid(&schema, &campaign));
    campaign["kind"] = "guess".into();
    assert!(!jsonschema::is_valid(&schema, &campaign));
}
