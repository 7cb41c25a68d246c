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

/// Returns true if `program` is there to be run.
pub fn installed(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// The types and samples that promtool, prometheus_client, a Pushgateway and a node_exporter, which must agree, find in the Prometheus text
/// at `path`; none where one of them is not installed.
pub fn read_by_prometheus(path: &Path) -> Option<Value> {
    for program in ["promtool", "prometheus-pushgateway", "prometheus-node-exporter"] {
        if_there(installed(program).then_some(()), program)?;
    }
    let read = read("prometheus.py", &[path], "")?;
    assert_eq!(read["promtool"], serde_json::json!([0, ""]), "promtool has nothing to say against it");
    assert_eq!(read["node_textfile_scrape_error"], serde_json::json!(["0"]));
    let types = |reader: &str| read[reader]["types"].as_object().expect("types").clone();
    let samples = |reader: &str| read[reader]["samples"].as_array().expect("samples").clone();
    let ours = (types("client"), samples("client"));
    assert!(ours.1.len() > 10, "{read}");
    for reader in ["pushgateway", "node_exporter"] {
        let theirs = types(reader);
        // What has no sample is no family to them.
        assert!(theirs.iter().all(|(name, kind)| ours.0.get(name) == Some(kind)), "{reader}: {theirs:?}");
        assert_eq!(samples(reader), ours.1, "{reader}");
    }
    Some(read["client"].clone())
}

/// The percentile distribution that HistogramLogProcessor, the tool of HdrHistogram for Java, makes of a log's lines with `tag`, in
/// microseconds; none where Java or its library is not installed.
pub fn processed_by_java(log: &Path, tag: &str) -> Option<String> {
    const LIBRARY: &str = "/usr/share/java/hdrhistogram.jar";
    if_there(installed("java").then_some(()), "java")?;
    if_there(Path::new(LIBRARY).exists().then_some(()), LIBRARY)?;
    let mut java = Command::new("java");
    java.args(["-cp", LIBRARY, "org.HdrHistogram.HistogramLogProcessor", "-outputValueUnitRatio", "1000"]);
    let output = java.args(["-tag", tag, "-i"]).arg(log).output().expect("java starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    // Before the distribution it says when the log began.
    let (head, distribution) = text.split_once('\n').expect("lines");
    assert!(head.starts_with("#[StartTime: "), "{head}");
    Some(distribution.to_owned())
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
