//! `load-gen --generate`: completions that a shell loads and that complete, a manual page that renders.

use std::process::{Command, Output};

use crate::readers::fed;
use trials::test;

fn generate(what: &str) -> String {
    let output = trials::command(env!("CARGO_BIN_EXE_load-gen"))
        .args(["--generate", what])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The output of `mandoc` for a page.
fn mandoc(arguments: &[&str], page: &str) -> Output {
    fed(Command::new("mandoc").args(arguments), page)
}

#[test]
fn bash_completes_options_and_their_values() {
    let script = generate("bash");
    let syntax = fed(Command::new("bash").arg("-n"), &script);
    assert!(syntax.status.success(), "{syntax:?}");
    for (words, completed) in [
        ("load-gen --expo", "--export"),
        ("load-gen --arrivals u", "uniform"),
        ("load-gen --conns 5 --protocol a", "ack"),
        ("load-gen --generate p", "powershell"),
    ] {
        // What readline does when somebody presses the tabulator.
        let press = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _load__gen load-gen \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
             echo \"${{COMPREPLY[@]}}\"\n"
        );
        let output = fed(Command::new("bash").args(["--norc", "-s"]), &press);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), completed, "{words}: {output:?}");
    }
}

#[test]
fn every_shell_has_completions_that_know_the_options() {
    for (shell, line) in [
        ("elvish", "edit:completion:arg-completer[load-gen]"),
        ("fish", "complete -c load-gen -l export"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName 'load-gen'"),
        ("zsh", "#compdef load-gen"),
    ] {
        let script = generate(shell);
        assert!(script.contains(line) && script.contains("connect-rate"), "{shell}: {script}");
    }
}

#[test(needs(Program("mandoc")))]
fn the_manual_page_renders_and_has_every_option() {
    let page = generate("man");
    assert!(page.contains("\n.TH load-gen 1 "), "{page}");
    let lint = mandoc(&["-T", "lint", "-W", "error"], &page);
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
    let rendered = mandoc(&["-T", "utf8"], &page);
    // Bold and underlined letters are written twice, with a backspace between.
    let text = String::from_utf8(rendered.stdout).expect("text");
    let letters: Vec<char> = text.chars().collect();
    let overstruck = |index: usize| letters.get(index + 1) == Some(&'\u{8}');
    let plain: String = (0..letters.len())
        .filter(|index| letters[*index] != '\u{8}' && !overstruck(*index))
        .map(|index| letters[index])
        .collect();
    for heading in [
        "NAME",
        "SYNOPSIS",
        "OPTIONS",
        "--connect-rate",
        "--export",
        "[default: 10s]",
        "\n         load-gen --conns",
    ] {
        assert!(plain.contains(heading), "{heading}: {plain}");
    }
}
