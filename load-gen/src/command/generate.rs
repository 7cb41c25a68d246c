//! The files that a package installs besides a program, made from its command line itself: shell completions and manual
//! pages.

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::command::cli::Cli;

/// The output of `--generate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// Completions for bash
    Bash,
    /// Completions for elvish
    Elvish,
    /// Completions for fish
    Fish,
    /// Completions for PowerShell
    Powershell,
    /// Completions for zsh
    Zsh,
    /// The manual page
    Man,
}

impl Generate {
    /// The completions or the page of `load-gen`.
    pub fn text(self) -> Vec<u8> {
        let shell = match self {
            Self::Bash => Shell::Bash,
            Self::Elvish => Shell::Elvish,
            Self::Fish => Shell::Fish,
            Self::Powershell => Shell::PowerShell,
            Self::Zsh => Shell::Zsh,
            Self::Man => return manual_page(Man::new(Cli::command())),
        };
        completions(shell, Cli::command())
    }
}

/// The completions of `command` for `shell`.
pub fn completions(shell: Shell, mut command: Command) -> Vec<u8> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// The manual pages of `command` and its subcommands: name of the file, content.
pub fn manual_pages(mut command: Command) -> Vec<(String, Vec<u8>)> {
    command.build();
    let subcommands = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()).cloned();
    std::iter::once(command.clone())
        .chain(subcommands)
        .map(|command| {
            let man = Man::new(command);
            (man.get_filename(), manual_page(man))
        })
        .collect()
}

fn manual_page(man: Man) -> Vec<u8> {
    let mut page = Vec::new();
    // Without a date, readers would take the version, which comes next, for one.
    let man = man.date(" ").manual("User Commands");
    man.render(&mut page).expect("rendered into memory");
    // What follows the options has lines and columns of its own, which must not be filled.
    let page = String::from_utf8(page).expect("text");
    page.replace(".SH EXTRA\n", ".SH NOTES\n.nf\n")
        .replace(".SH VERSION\n", ".fi\n.SH VERSION\n")
        .into_bytes()
}
