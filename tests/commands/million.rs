//! `scenarios/million` with few connections, and what it says when its server does not live.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use trials::test;

use crate::support::{load_gen, muxbench, stderr};

/// A folder that takes the place of `target`, with a cargo that builds nothing.
struct Programs(tempfile::TempDir);

impl Programs {
    fn new() -> Self {
        let programs = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(programs.0.path().join("release")).expect("a new folder");
        programs.write("cargo", "exit 0");
        programs
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a shell script there.
    fn write(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    }

    fn million(&self, arguments: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/million");
        let path = std::env::var("PATH").expect("a path");
        let mut command = Command::new(script);
        command.args(arguments.split_whitespace()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", self.0.path().display()));
        command.env("CARGO_TARGET_DIR", self.0.path()).output().expect("bash starts")
    }
}

#[test]
fn it_serves_loads_and_says_what_the_server_counted() {
    let programs = Programs::new();
    symlink(muxbench().get_program(), programs.path("release/muxbench")).expect("a new name");
    symlink(load_gen(), programs.path("release/load-gen")).expect("a new name");
    let output = programs.million("200 -d 200ms --warmup 0s --rate 500 --wait sleep");
    // A busy machine may spoil the run.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("200 connections to 127.0.0.1:") && text.contains("2 active"), "{text}");
    assert!(text.contains("server: \"accepted\":200,") && text.contains("kB resident at most"), "{text}");
}

#[test]
fn a_server_that_does_not_start_is_named_and_has_its_say() {
    let programs = Programs::new();
    programs.write("release/muxbench", "echo 'muxbench: no room at all' >&2; exit 1");
    let output = programs.million("100");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("muxbench: no room at all"), "{said}");
    assert!(said.contains("the server did not start") && !said.contains("unbound"), "{said}");
}

#[test]
fn a_server_that_ends_under_the_load_is_named_and_the_status_is_that_of_the_load() {
    let programs = Programs::new();
    // It is gone when the load ends, since that begins with the server's end.
    programs.write(
        "release/muxbench",
        r#"echo '{"event":"listening","address":"127.0.0.1:1"}'; echo $$ >"$0.pid""#,
    );
    let gone =
        r#"until pid=$(cat "$(dirname "$0")/muxbench.pid") && ! kill -0 "$pid"; do :; done 2>/dev/null"#;
    for (status, expected) in [(4, 4), (0, 1)] {
        programs.write("release/load-gen", &format!("{gone}; exit {status}"));
        let output = programs.million("100");
        assert_eq!(output.status.code(), Some(expected), "{}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("the server ended under the load") && !said.contains("unbound"), "{said}");
    }
}
