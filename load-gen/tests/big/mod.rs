//! Many connections: where they go, what they may run out of, and how opening them ends early.

mod limits;
mod memory;
mod targets;

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use crate::support::{json as report, stderr};

/// Runs `load-gen` for a short time.
fn run(arguments: &[&str]) -> Output {
    load_gen(arguments).output().expect("load-gen starts")
}

fn load_gen(arguments: &[&str]) -> Command {
    let mut command = trials::command(env!("CARGO_BIN_EXE_load-gen"));
    command.args(["-d", "200ms", "--warmup", "0s", "--timeout", "5s", "--json"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Echoes until the peer ends the connection; true if it did so with a reset.
fn echo(mut stream: impl Read + Write) -> bool {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(length) if stream.write_all(&buffer[..length]).is_ok() => {}
            Ok(_) => return true,
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
