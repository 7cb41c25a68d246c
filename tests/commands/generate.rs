//! `muxbench completions` and `muxbench man`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use trials::test;

use crate::support::muxbench;

#[test]
fn bash_completes_subcommands_and_their_options() {
    let output = muxbench().args(["completions", "bash"]).output().expect("muxbench runs");
    assert!(output.status.success());
    let script = String::from_utf8(output.stdout).expect("text");
    for (words, completed) in [
        ("muxbench rep", "report"),
        ("muxbench serve --mec", "--mechanism"),
        ("muxbench completions z", "zsh"),
    ] {
        // What readline does when somebody presses the tabulator.
        let press = "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
            _muxbench muxbench \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash")
            .args(["--norc", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let mut stdin = bash.stdin.take().expect("piped");
        write!(stdin, "{script}\nCOMP_WORDS=({words}); {press}\n").expect("it reads");
        drop(stdin);
        let output = bash.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), completed, "{words}");
    }
}

/// The manual pages, written into `folder`.
fn manual_pages(folder: &Path) -> Vec<PathBuf> {
    let pages = folder.join("man1");
    let status = muxbench().arg("man").arg(&pages).status().expect("muxbench runs");
    assert!(status.success());
    std::fs::read_dir(&pages).expect("listed").map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = manual_pages(folder.path());
    for name in ["muxbench.1", "muxbench-run.1", "muxbench-serve.1"] {
        assert!(pages.iter().any(|page| page.ends_with(name)), "{pages:?}");
    }
}

#[test(needs(Program("mandoc")))]
fn mandoc_finds_no_error_in_the_manual_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    for page in manual_pages(folder.path()) {
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&page).output();
        let lint = lint.expect("mandoc starts");
        assert!(lint.status.success(), "{}: {}", page.display(), String::from_utf8_lossy(&lint.stdout));
    }
}
