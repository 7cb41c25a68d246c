//! The committed reference campaign, its figures and the README belong together.

#![cfg(feature = "plots")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::muxbench;

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_reference_figures_and_page_are_drawn_again_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    // The same two places relative to each other, since the page links to its figures.
    let results = folder.path().join("results/reference");
    fs::create_dir_all(results.join("bench")).expect("made");
    for file in ["campaign.json", "bench/wait.json", "bench/echo.json"] {
        fs::copy(Path::new("results/reference").join(file), results.join(file)).expect("copied");
    }
    let output = muxbench().arg("report").arg(&results).output().expect("muxbench starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut compared = 0;
    for entry in fs::read_dir("plots/reference").expect("committed").flatten() {
        if entry.path().extension().is_some_and(|kind| kind == "svg") {
            let again = folder.path().join("plots/reference").join(entry.file_name());
            assert!(
                read(entry.path()) == read(&again),
                "{} is stale: run `cargo run --release -- report results/reference`",
                entry.path().display()
            );
            compared += 1;
        }
    }
    assert_eq!(compared, fs::read_dir(folder.path().join("plots/reference")).expect("drawn").count() / 2);
    assert!(compared >= 4, "{compared} figures");
    assert!(read("results/reference/report.md") == read(results.join("report.md")), "report.md is stale");
}

#[test]
fn the_readme_has_the_table_and_the_finding_of_the_reference_campaign() {
    let output =
        muxbench().args(["report", "results/reference", "--table"]).output().expect("muxbench starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).expect("text");
    let readme = read("README.md");
    assert!(
        readme.contains(table.trim_end()),
        "the README's table is stale: put in what `muxbench report results/reference --table` prints"
    );
    let page = read("results/reference/report.md");
    let finding = page.lines().next().and_then(|title| title.split_once(": ")).expect("a title").1;
    assert!(readme.contains(finding), "the README does not state the finding: {finding}");
}

#[test]
fn the_readmes_files_and_figures_exist() {
    let readme = read("README.md");
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<&str> = links.filter(|link| !link.contains("://")).collect();
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        assert!(Path::new(file).exists(), "README.md links to {file}, which does not exist");
    }
}

/// The README's commands of `program`, as words.
fn commands(program: &str) -> Vec<Vec<String>> {
    let readme = read("README.md");
    let lines = readme.lines().filter_map(|line| line.strip_prefix("$ "));
    lines
        .map(|line| line.split('#').next().unwrap_or(line).trim().trim_end_matches('&').trim())
        .filter_map(|line| line.strip_prefix(program)?.strip_prefix(' '))
        .map(|arguments| arguments.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn the_readmes_muxbench_commands_are_understood() {
    let own = commands("muxbench").into_iter().chain(commands("cargo run --release --"));
    let mut tried = 0;
    for mut arguments in own {
        // Asking for help ends a command once its line has been understood up to there.
        arguments.push("--help".to_owned());
        let output = muxbench().args(&arguments).output().expect("muxbench starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        tried += 1;
    }
    assert!(tried >= 5, "{tried} commands");
}

#[test]
fn the_readmes_load_works_on_the_readmes_server() {
    let serve =
        commands("muxbench").into_iter().find(|arguments| arguments[0] == "serve").expect("in the README");
    let mut command = muxbench();
    command.args(serve).args(["--listen", "127.0.0.1:0"]);
    let server = support::Server::start(command);
    let program = Path::new(env!("CARGO_BIN_EXE_muxbench")).with_file_name("load-gen");
    if !program.exists() {
        // Built when the whole workspace is tested, as the README says and CI does.
        assert!(std::env::var_os("CI").is_none(), "load-gen is missing");
        return eprintln!("skipped: load-gen is not built");
    }
    let load = commands("load-gen");
    assert!(load.len() >= 3);
    for arguments in load {
        let target = server.address.to_string();
        let output = Command::new(&program)
            .args(&arguments)
            .args(["--target", &target, "-d", "200ms", "--warmup", "0s"])
            .output()
            .expect("load-gen starts");
        // 4 says that this machine is busy, which is no fault of the command.
        assert!(
            matches!(output.status.code(), Some(0 | 4)),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stdout.is_empty());
    }
}
