//! Whatever names the mechanisms names the same ones: the registry, Cargo's features, the README, `muxbench list`
//! and the files.

use std::collections::BTreeSet;

use muxbench::mechanisms;
use trials::test;

/// Features that are not mechanisms.
const OTHER_FEATURES: [&str; 2] = ["default", "png"];

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
}

fn registered() -> Vec<&'static str> {
    mechanisms::all().iter().map(|mechanism| mechanism.name).collect()
}

/// The names in the first column of the README's table of mechanisms, in order.
fn names_in_the_readme() -> Vec<String> {
    let readme = read("README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("The mechanisms\n"));
    let rows =
        section.expect("a section on the mechanisms").lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn every_mechanism_is_a_feature_and_every_feature_a_mechanism() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let features = manifest["features"].as_table().expect("a table");
    let named: BTreeSet<_> =
        features.keys().map(String::as_str).filter(|name| !OTHER_FEATURES.contains(name)).collect();
    assert_eq!(named, registered().into_iter().collect());
    let default = features["default"].as_array().expect("a list");
    for mechanism in mechanisms::all() {
        let is_default = default.iter().any(|name| name.as_str() == Some(mechanism.name));
        assert_eq!(is_default, mechanism.family != "library", "{}", mechanism.name);
    }
}

#[test]
fn the_readme_has_a_row_for_each_mechanism_in_their_order() {
    assert_eq!(names_in_the_readme(), registered());
}

#[test]
fn the_list_has_a_row_for_each_mechanism_in_their_order() {
    let list = trials::command(env!("CARGO_BIN_EXE_muxbench")).arg("list").output().expect("it runs");
    let text = String::from_utf8(list.stdout).expect("text");
    let rows = text.lines().skip(1).take_while(|line| !line.trim().is_empty());
    let names: Vec<_> = rows.filter_map(|row| row.split_whitespace().next()).collect();
    assert_eq!(names, registered());
}

#[test]
fn each_mechanism_is_one_file() {
    let file = |name: &str| format!("{}.rs", name.replace('-', "_"));
    let files: BTreeSet<_> = registered().into_iter().map(file).collect();
    let folder = format!("{}/src/mechanisms", env!("CARGO_MANIFEST_DIR"));
    let found = std::fs::read_dir(folder).expect("a folder").flatten();
    let found: BTreeSet<_> = found.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    assert_eq!(found, files);
}

#[test]
fn no_mechanism_lacks_a_way_to_accept_or_its_calls() {
    for mechanism in mechanisms::all() {
        assert!(!mechanism.accept.is_empty(), "{}", mechanism.name);
        assert!(!mechanism.echo_calls.is_empty() && !mechanism.connection_calls.is_empty());
    }
}
