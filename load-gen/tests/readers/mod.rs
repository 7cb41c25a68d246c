//! Programs that nobody here wrote, which read what `load-gen` and `muxbench export` write. `.ci/peers` and `.ci/readers` install them.

#![allow(dead_code)] // each test binary has its own copy and uses what it needs of it

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use trials::Need;
use trials::need::peers;

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

/// What a script of this folder says, which is JSON. Without what it needs the test cannot run.
pub fn read(script: &str, arguments: &[&Path], input: &str) -> Value {
    let (needs, program) = match script.ends_with(".js") {
        true => (Need::Node("hdr-histogram-js"), "node".into()),
        false => (Need::Peer("python/bin/python"), peers().join("python/bin/python")),
    };
    trials::require(&needs);
    // Whichever package of the workspace is tested.
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../load-gen/tests/readers");
    let script = scripts.join(script);
    let mut reader = Command::new(program);
    reader.env("NODE_PATH", trials::need::node("")).arg(&script).args(arguments);
    let output = fed(&mut reader, input);
    assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
