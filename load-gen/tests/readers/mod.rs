//! Programs that nobody here wrote, which read what `load-gen` and `muxbench export` write. `.ci/peers` and `.ci/readers` install them.

#![allow(dead_code)] // each test binary has its own copy and uses what it needs of it

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs `program` on `input`, which it reads whole before it writes more than a pipe holds.
pub fn fed(program: &mut Command, input: &str) -> Output {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

/// `found`, or none with a word where it is not; CI, where all are installed, does not forgive that.
pub fn if_there<T>(found: Option<T>, name: &str) -> Option<T> {
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "{name} is missing: .ci/peers and .ci/readers install it"
    );
    if found.is_none() {
        eprintln!("skipped: {name} is not installed; see .ci/peers and .ci/readers");
    }
    found
}

/// What a script of this folder says, which is JSON; none where what it needs is not installed.
pub fn read(script: &str, arguments: &[&Path], input: &str) -> Option<Value> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
    let (needed, program) = match script.ends_with(".js") {
        true => (peers.join("node/node_modules/hdr-histogram-js"), "node".into()),
        false => (peers.join("python/bin/python"), peers.join("python/bin/python")),
    };
    if_there(needed.exists().then_some(()), &needed.display().to_string())?;
    // Whichever package of the workspace is tested.
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../load-gen/tests/readers");
    let script = scripts.join(script);
    let mut reader = Command::new(program);
    reader.env("NODE_PATH", peers.join("node/node_modules")).arg(&script).args(arguments);
    let output = fed(&mut reader, input);
    assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}
