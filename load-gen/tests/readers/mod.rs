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

/// The types and samples that promtool, prometheus_client, a Pushgateway and a node_exporter, which must agree, find in the Prometheus text
/// at `path`.
pub fn read_by_prometheus(path: &Path) -> Value {
    for program in ["promtool", "prometheus-pushgateway", "prometheus-node-exporter"] {
        trials::require(&Need::Program(program));
    }
    let read = read("prometheus.py", &[path], "");
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
    read["client"].clone()
}

/// The percentile distribution that HistogramLogProcessor, the tool of HdrHistogram for Java, makes of a log's lines with `tag`, in
/// microseconds.
pub fn processed_by_java(log: &Path, tag: &str) -> String {
    const LIBRARY: &str = "/usr/share/java/hdrhistogram.jar";
    trials::require(&Need::Program("java"));
    trials::require(&Need::Met("libhdrhistogram-java", || match Path::new(LIBRARY).exists() {
        true => Ok(()),
        false => Err(format!("{LIBRARY} is not there")),
    }));
    let mut java = Command::new("java");
    java.args(["-cp", LIBRARY, "org.HdrHistogram.HistogramLogProcessor", "-outputValueUnitRatio", "1000"]);
    let output = java.args(["-tag", tag, "-i"]).arg(log).output().expect("java starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    // Before the distribution it says when the log began.
    let (head, distribution) = text.split_once('\n').expect("lines");
    assert!(head.starts_with("#[StartTime: "), "{head}");
    distribution.to_owned()
}

/// The output of a script of this folder, which is JSON. Without what the script needs the test cannot run.
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
