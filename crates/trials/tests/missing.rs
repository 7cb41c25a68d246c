//! Tests of how trials treats tests whose needs are met and others: this binary runs itself again with tests of each
//! kind.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use trials::test;

/// Set where this is the binary that is looked at, and not the one that looks.
const INSIDE: &str = "TRIALS_INSIDE";

fn main() -> ExitCode {
    let mut arguments = trials::Arguments::from_args();
    if std::env::var_os(INSIDE).is_none() {
        arguments.skip.push("looked_at::".into());
    }
    trials::run(&arguments, trials::all())
}

/// A run of the tests of [`looked_at`], and of nothing else, in an environment with and without CI.
fn run(filter: &str, ci: Option<&str>) -> (Output, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args([filter, "--test-threads", "1"]).env(INSIDE, "1").env_remove("CI");
    command.envs(ci.map(|ci| ("CI", ci)));
    let output = command.output().expect("it starts");
    let said = [&output.stdout[..], &output.stderr].concat();
    (output, String::from_utf8(said).expect("text"))
}

mod looked_at {
    use trials::test;

    #[test]
    fn passes() {}

    #[test(needs(Program("sh")))]
    fn has_what_it_needs() {}

    #[test(needs(Program("sh"), Program("no-such-program")))]
    fn lacks_a_program() {
        panic!("it must not run");
    }

    #[test(needs(Met("moon", || Err("no moon tonight".into()))))]
    fn lacks_something_else() {
        panic!("it must not run");
    }

    #[test]
    fn finds_out() {
        trials::cannot_run("tide", "the tide is out");
    }

    #[test]
    fn passes_without_having_tried() {
        assert!(trials::is_met(&trials::Need::Program("sh")));
        assert!(!trials::is_met(&trials::Need::Program("no-such-oracle")));
    }

    #[test]
    fn fails() {
        panic!("as it should");
    }
}

#[test]
fn a_test_that_cannot_run_is_ignored_with_its_reason_and_counted() {
    let (output, said) = run("looked_at::", None);
    assert_eq!(output.status.code(), Some(101), "{said}");
    for line in [
        "looked_at::lacks_a_program      ... ignored (no-such-program is not installed)",
        "looked_at::lacks_something_else ... ignored (no moon tonight)",
        "looked_at::finds_out            ... ignored (the tide is out)",
        "cannot run here: 1 test: no moon tonight\n",
        "\ncannot run here: 1 test: no-such-oracle is not installed\n",
        "test result: FAILED. 3 passed; 1 failed; 3 ignored; ",
        "as it should",
    ] {
        assert!(unpadded(&said).contains(&unpadded(line)), "{line}: {said}");
    }
    let (output, said) = run("looked_at::lacks", None);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("test result: ok. 0 passed; 0 failed; 2 ignored; "), "{said}");
}

/// Columns are as wide as the longest name in them.
fn unpadded(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn ci_fails_on_a_test_that_cannot_run() {
    for filter in ["lacks_a_program", "lacks_something_else", "finds_out", "passes_without_having_tried"] {
        let filter = &format!("looked_at::{filter}");
        let (output, said) = run(filter, Some("true"));
        assert_eq!(output.status.code(), Some(101), "{said}");
        assert!(said.contains("CI must run everything"), "{said}");
        assert!(run(filter, Some("")).0.status.success(), "set to nothing");
    }
    assert!(run("looked_at::has_what_it_needs", Some("true")).0.status.success());
}

/// The files of every test target of `package` that has no harness of the compiler's.
fn files_of_targets(package: &Path) -> Vec<PathBuf> {
    let manifest = std::fs::read_to_string(package.join("Cargo.toml")).expect("a package");
    let targets = manifest.split("\n[").filter(|section| section.starts_with("[test]]"));
    let targets = targets.filter(|section| section.contains("\nharness = false"));
    let mut files = Vec::new();
    for target in targets {
        let value = |key: &str| {
            let line = target.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            line.map(|rest| rest.trim_end_matches('"'))
        };
        let own = || format!("tests/{}.rs", value("name").expect("a name"));
        let main = package.join(value("path").map_or_else(own, str::to_owned));
        add_with_modules(&main, main.parent().expect("a folder"), &mut files);
    }
    files
}

/// Adds `file`, whose modules are in `folder` unless it says where, and the files of its modules.
fn add_with_modules(file: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    files.push(file.to_owned());
    let mut path = None;
    for line in text.lines() {
        let is_said = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]"));
        path = is_said.or(path);
        let declared = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ");
        let Some(name) = declared.and_then(|rest| rest.strip_suffix(';')) else { continue };
        let below = folder.join(name);
        let module = match path.take() {
            Some(path) => file.with_file_name(path),
            None if below.join("mod.rs").is_file() => below.join("mod.rs"),
            None => below.with_extension("rs"),
        };
        match module.ends_with("mod.rs") {
            true => add_with_modules(&module, module.parent().expect("a folder"), files),
            false => add_with_modules(&module, &module.with_extension(""), files),
        }
    }
}

/// In a target without libtest the compiler drops what its own `#[test]` stands before, without a word.
#[test]
fn no_test_of_any_package_is_dropped() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let packages = ["", "load-gen", "report", "crates/trials"].map(|package| workspace.join(package));
    let files: Vec<PathBuf> = packages.iter().flat_map(|package| files_of_targets(package)).collect();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        let is_test = |line: &str| line.trim().starts_with("#[test]") || line.trim().starts_with("#[test(");
        let is_registered = text.contains("use trials::test;") || text.contains("use trials::{Need, test};");
        assert!(is_registered || !text.lines().any(is_test), "{}: `use trials::test`", file.display());
    }
}
