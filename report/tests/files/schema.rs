//! Campaign files on disk are what `results/schema.json` says: the reference campaign, and the one that
//! MUXBENCH_CAMPAIGN names, as CI does after its smoke campaign.

use std::io::Read;
use std::path::Path;

use model::schema::ResultFile;
use serde_json::Value;
use trials::test;

use crate::root;

fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    let mut plain: Box<dyn Read + '_> = match path.extension() {
        Some(packed) if packed == "gz" => Box::new(flate2::read::GzDecoder::new(&bytes[..])),
        _ => Box::new(&bytes[..]),
    };
    plain.read_to_string(&mut text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn assert_valid(path: &Path) {
    let schema = jsonschema::validator_for(&read(&root().join("results/schema.json"))).expect("a schema");
    let file = read(path);
    let errors: Vec<String> = schema.iter_errors(&file).take(5).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    let parsed: ResultFile = serde_json::from_value(file.clone()).expect("the types agree with the schema");
    assert_kept(&file, &serde_json::to_value(&parsed).expect("serialises"), &path.display().to_string());
}

/// Asserts that nothing of `before` is lost in `after`, which may have keys that came later.
fn assert_kept(before: &Value, after: &Value, place: &str) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let kept = after.get(key).unwrap_or_else(|| panic!("{place}.{key} is lost in reading"));
                assert_kept(value, kept, &format!("{place}.{key}"));
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len(), "{place}");
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                assert_kept(before, after, &format!("{place}[{at}]"));
            }
        }
        // A seed that was written as a number is a string of the same digits.
        (Value::Number(before), Value::String(after)) => assert_eq!(before.to_string(), *after, "{place}"),
        _ => assert_eq!(before, after, "{place} is changed by reading"),
    }
}

#[test]
fn the_reference_campaign_is_what_the_schema_says() {
    let reference = root().join("results/reference");
    assert_valid(&reference.join("campaign.json.gz"));
    for file in ["bench/wait.json", "bench/echo.json", "semantics.json", "reproductions.json"] {
        assert_valid(&reference.join(file));
    }
}

#[test]
fn the_campaign_named_in_the_environment_is_what_the_schema_says() {
    if let Some(path) = std::env::var_os("MUXBENCH_CAMPAIGN") {
        assert_valid(Path::new(&path));
    }
}
