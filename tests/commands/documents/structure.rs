//! The diagram of packages and folders in docs/ARCHITECTURE.md is what Cargo and the `use` lines say, and every arrow in it
//! points upwards. Within a folder, no circle of files that use one another is larger than two.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use trials::test;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The packages that each package uses, or the folders that each folder of a package uses.
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
                let roots = ["crate::".to_owned(), "muxbench::".to_owned()];
                let used = uses(&file, &roots)
                    .into_iter()
                    .filter(|used| used != folder && stated.contains_key(used));
                arrows.get_mut(folder).expect("stated").extend(used);
            }
        }
        assert_eq!(arrows, stated, "{sources}");
    }
}

#[test]
fn no_more_than_two_files_of_a_folder_use_one_another_in_a_circle() {
    let sources = ["src", "load-gen/src", "report/src", "crates"];
    for folder in sources.iter().flat_map(|sources| folders(PathBuf::from(format!("{ROOT}/{sources}")))) {
        let used = uses_within(&folder);
        for file in used.keys() {
            let reaches_back = |other: &&str| reached(&used, other).contains(file.as_str());
            let circle = reached(&used, file).into_iter().filter(reaches_back);
            let circle: Vec<&str> = circle.collect();
            assert!(circle.len() <= 2, "{}: {circle:?} use one another", folder.display());
        }
    }
}

/// All that a file uses, and what that uses, to the end.
fn reached<'a>(used: &'a Arrows, from: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        next.extend(used[file].iter().map(String::as_str).filter(|used| reached.insert(*used)));
    }
    reached
}

/// A folder and the folders in it, without those of tests.
fn folders(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let inner = entries.filter(|path| path.is_dir() && !path.ends_with("tests")).flat_map(folders);
    let inner: Vec<PathBuf> = inner.collect();
    [vec![folder], inner].concat()
}

/// The other files of a folder of sources that each file there uses.
fn uses_within(folder: &Path) -> Arrows {
    let name = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let all: BTreeSet<String> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).filter_map(name).collect();
    let is_module = |name: &&String| !["lib", "main", "mod", "tests"].contains(&name.as_str());
    let modules: BTreeSet<String> = all.iter().filter(is_module).cloned().collect();
    let path = folder.strip_prefix(ROOT).expect("below the root").display().to_string();
    let within =
        format!("/{path}/").split_once("/src/").map_or(String::new(), |(_, within)| within.to_owned());
    let roots = ["super::".to_owned(), format!("crate::{}", within.replace('/', "::"))];
    let used = |name: &String| {
        let source = fs::read_to_string(folder.join(format!("{name}.rs"))).expect("a source");
        // What stands in the folder above is no neighbour.
        let source = source.replace("super::super::", "");
        uses(&source, &roots).into_iter().filter(|used| used != name && modules.contains(used)).collect()
    };
    modules.iter().map(|name| (name.clone(), used(name))).collect()
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

/// The first names after any of `roots` in what is no comment and no test.
fn uses(source: &str, roots: &[String]) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut names = BTreeSet::new();
    for rest in roots.iter().flat_map(|root| code.split(root.as_str()).skip(1)) {
        match rest.strip_prefix('{') {
            None => drop(names.insert(rest.split(|letter| !is_name(letter)).next().unwrap_or_default())),
            Some(group) => {
                names.extend(group.split('}').next().unwrap_or_default().split(|letter| !is_name(letter)))
            }
        }
    }
    names.into_iter().map(str::to_owned).collect()
}
