//! Campaign files on disk are what `results/schema.json` says: the reference campaign, and the one that
//! MUXBENCH_CAMPAIGN names, as CI does after its smoke campaign.

use std::path::{Path, PathBuf};

use report::schema::ResultFile;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn assert_valid(path: &Path) {
    let schema = jsonschema::validator_for(&read(&root().join("results/schema.json"))).expect("a schema");
    let file = read(path);
    let errors: Vec<String> = schema.iter_errors(&file).take(5).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    let parsed: ResultFile = serde_json::from_value(file.clone()).expect("the types agree with the schema");
    assert_eq!(serde_json::to_value(&parsed).expect("serialises"), file, "nothing is lost in reading");
}

#[test]
fn the_reference_campaign_is_what_the_schema_says() {
    let reference = root().join("results/reference");
    assert_valid(&reference.join("campaign.json"));
    for group in ["wait", "echo"] {
        assert_valid(&reference.join(format!("bench/{group}.json")));
    }
}

#[test]
fn the_campaign_named_in_the_environment_is_what_the_schema_says() {
    if let Some(path) = std::env::var_os("MUXBENCH_CAMPAIGN") {
        assert_valid(Path::new(&path));
    }
}
