//! Runs a command as `docker run` would, as far as system calls go: under Docker's default seccomp profile, without
//! capabilities, and as nobody (65534) where the caller is root.
//!
//! cargo run --example contained -- target/debug/muxbench list

#[allow(dead_code)]
#[path = "../tests/support/container.rs"]
mod container;

use std::os::unix::process::CommandExt;
use std::process::Command;

const NOBODY: u32 = 65_534;

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let [program, arguments @ ..] = &words[..] else { panic!("which command?") };
    container::enter(&container::docker());
    let mut command = Command::new(program);
    command.args(arguments);
    if rustix::process::getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    panic!("{}: {}", program.display(), command.exec());
}
