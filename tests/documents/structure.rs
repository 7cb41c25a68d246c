//! The diagram of packages and folders in docs/ARCHITECTURE.md is what Cargo and the `use` lines say, and every arrow in it
//! points upwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use trials::test;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What uses what: a package others, a folder other folders of its package.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The diagram: of the packages, and of the folders in each folder of sources that it names.
fn stated() -> (Arrows, BTreeMap<String, Arrows>) {
    let document = fs::read_to_string(format!("{ROOT}/docs/ARCHITECTURE.md")).expect("the document");
    let diagram = document.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut all: BTreeMap<String, Arrows> = BTreeMap::new();
    let (mut section, mut above) = (String::new(), BTreeSet::new());
    for line in diagram.expect("a diagram").lines().filter(|line| !line.trim().is_empty()) {
        let Some(entry) = line.strip_prefix("  ") else {
            (section, above) = (line.trim_end_matches(':').to_owned(), BTreeSet::new());
            continue;
        };
        let (name, used) = entry.split_once("->").unwrap_or((entry, ""));
        let used: BTreeSet<String> = used.split_whitespace().map(str::to_owned).collect();
        assert!(used.is_subset(&above), "{section}: an arrow of {name} does not point upwards: {used:?}");
        above.insert(name.trim().to_owned());
        all.entry(section.clone()).or_default().insert(name.trim().to_owned(), used);
    }
    (all.remove("packages").expect("packages"), all)
}

#[test]
fn packages_depend_on_one_another_as_the_diagram_says() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(ROOT)
        .output()
        .expect("cargo");
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let short = |name: &serde_json::Value| {
        let name = name.as_str().expect("a name");
        name.strip_prefix("muxbench-").unwrap_or(name).to_owned()
    };
    let published: BTreeSet<String> = stated().0.into_keys().collect();
    let arrows: Arrows = packages
        .iter()
        .filter(|package| package["publish"].is_null())
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
            let of_users = dependencies.filter(|dependency| dependency["kind"].is_null());
            let used = of_users.map(|dependency| short(&dependency["name"]));
            (short(&package["name"]), used.filter(|name| published.contains(name)).collect())
        })
        .collect();
    assert_eq!(arrows, stated().0);
}

#[test]
fn folders_use_one_another_as_the_diagram_says() {
    for (sources, stated) in stated().1 {
        let mut arrows: Arrows = stated.keys().map(|folder| (folder.clone(), BTreeSet::new())).collect();
        for folder in stated.keys() {
            for file in files(Path::new(&format!("{ROOT}/{sources}/{folder}"))) {
                let used = uses(&file).into_iter().filter(|used| used != folder && stated.contains_key(used));
                arrows.get_mut(folder).expect("stated").extend(used);
            }
        }
        assert_eq!(arrows, stated, "{sources}");
    }
}

#[test]
fn the_servers_use_nothing_of_the_generator() {
    for folder in ["server", "mechanisms"] {
        for file in files(Path::new(&format!("{ROOT}/src/{folder}"))) {
            assert!(!file.contains("load_gen"), "{folder}: {}", file.lines().next().unwrap_or_default());
        }
    }
}

/// The sources of a module: those of its folder, and its file beside that. Those of tests are left out.
fn files(module: &Path) -> Vec<String> {
    let mut paths = vec![module.with_extension("rs")];
    let mut folders = vec![module.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.retain(|path| path.is_file() && !path.to_string_lossy().contains("tests"));
    paths.iter().map(|path| fs::read_to_string(path).expect("a source")).collect()
}

/// The first names after `crate::`, and after the package's own name, in what is no comment and no test.
fn uses(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut names = BTreeSet::new();
    for rest in ["crate::", "muxbench::"].iter().flat_map(|root| code.split(root).skip(1)) {
        match rest.strip_prefix('{') {
            None => drop(names.insert(rest.split(|letter| !is_name(letter)).next().unwrap_or_default())),
            Some(group) => {
                names.extend(group.split('}').next().unwrap_or_default().split(|letter| !is_name(letter)))
            }
        }
    }
    names.into_iter().map(str::to_owned).collect()
}
