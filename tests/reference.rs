//! The commands of the README and of the pages in docs work.

mod support;

use std::fs;
use std::path::Path;

use support::muxbench;

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands of `program` in the README and in `docs`, as words; the README's first.
fn commands(program: &str) -> Vec<Vec<String>> {
    let mut pages: Vec<_> =
        fs::read_dir("docs").expect("committed").flatten().map(|entry| entry.path()).collect();
    pages.sort();
    let text = std::iter::once(Path::new("README.md").to_owned()).chain(pages).map(read).collect::<String>();
    let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
    lines
        .map(|line| line.split('#').next().unwrap_or(line).trim().trim_end_matches('&').trim())
        .filter_map(|line| line.strip_prefix(program)?.strip_prefix(' '))
        .map(|arguments| arguments.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn the_documented_muxbench_commands_are_understood() {
    let own = commands("muxbench").into_iter().chain(commands("cargo run --release --"));
    let mut tried = 0;
    for mut arguments in own {
        // Asking for help ends a command once its line has been understood up to there.
        arguments.push("--help".to_owned());
        let output = muxbench().args(&arguments).output().expect("muxbench starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        tried += 1;
    }
    assert!(tried >= 20, "{tried} commands");
}

#[test]
fn the_documented_load_works_on_the_readmes_server() {
    let serve =
        commands("muxbench").into_iter().find(|arguments| arguments[0] == "serve").expect("in the README");
    let mut command = muxbench();
    command.args(serve).args(["--listen", "127.0.0.1:0"]);
    let server = support::Server::start(command);
    let program = support::load_gen();
    // Those with a target of their own are for somebody else's server.
    let mut load = commands("load-gen");
    load.retain(|arguments| !arguments.iter().any(|argument| argument == "--target"));
    load.sort();
    load.dedup();
    assert!(load.len() >= 8);
    for arguments in load {
        let target = server.address.to_string();
        let output = trials::command(&program)
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
