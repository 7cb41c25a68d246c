//! One run of load-gen by several hosts, put together by `muxbench merge`: two generators and a server in network namespaces joined by
//! a bridge, under GNU parallel, by the scripts of `deploy/parallel`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::read::loads;
use model::schema::{Latency, LoadReport};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use trials::{Need, test};

use crate::support::{AtTheEnd, load_gen, muxbench, stderr, wait_until};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/parallel");

/// A server in one namespace, a shard in each of the two others, and what the server counted. The first line names the network
/// namespace in which the three are joined.
const RUN: &str = r#"
set -euo pipefail
readlink /proc/self/ns/net
coproc server { ip netns exec server "$MUXBENCH" serve --mechanism epoll-et --listen 10.99.0.1:7777 2>/dev/null; }
read -r listening <&"${server[0]}"
status=0
"$SCRIPTS/run-shards" all.json one,two --target 10.99.0.1:7777 --conns 11 --active 5 --rate 2k --wait sleep \
  --duration 1s --warmup 100ms >table || status=$?
echo stats >&"${server[1]}"
read -r stats <&"${server[0]}"
echo "$stats" >stats.json
exit "$status"
"#;

/// A command that runs `script` where `server`, `one` and `two` are hosts, in `folder`.
fn in_namespaces(folder: &Path, script: &str) -> Command {
    let mut command = Command::new(format!("{SCRIPTS}/in-namespaces"));
    command.args(["server,one,two", "bash", "-c", script]).current_dir(folder).process_group(0);
    command.env("SCRIPTS", SCRIPTS).env("PARALLEL_SSH", format!("{SCRIPTS}/netns-shell"));
    command.env("MUXBENCH", muxbench().get_program()).env("LOAD_GEN", load_gen());
    // GNU parallel keeps notes in the user's folders.
    command.env("PARALLEL_HOME", folder).env("LEAD_S", "8");
    // As for a user of a service, who has no shell to log in with.
    command.env("SHELL", "/bin/false");
    command.stdin(Stdio::null());
    command
}

/// That namespaces can be made here: by root, or where the kernel lets users have their own.
const NAMESPACES: Need = Need::Met("namespaces", || {
    let folder = tempfile::tempdir().expect("a folder");
    let output = in_namespaces(folder.path(), "ip -netns server address").output().expect("it starts");
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "network namespaces need root, or user namespaces for everybody: {}",
            stderr(&output).trim()
        )),
    }
});

/// Returns whether a process is still in the network namespace `name`, as readlink(1) gave it.
fn is_inhabited(name: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("a proc file system").flatten();
    processes
        .filter_map(|process| fs::read_link(process.path().join("ns/net")).ok())
        .any(|link| link == Path::new(name))
}

/// The names that ip-netns(8) gives to namespaces on this machine.
fn named_namespaces() -> Vec<PathBuf> {
    let mut names: Vec<_> =
        fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|name| name.path()).collect();
    names.sort();
    names
}

/// The count of each value in a histogram.
type Counts = BTreeMap<u64, u64>;

/// Decodes histograms by PyPI's hdrhistogram.
fn decoded(latencies: &[&Latency]) -> Vec<Counts> {
    const READER: &str = "
import json, sys
from hdrh.histogram import HdrHistogram
for line in sys.stdin:
    histogram = HdrHistogram.decode(line.strip())
    print(json.dumps({i.value_iterated_to: i.count_added_in_this_iter_step for i in histogram.get_recorded_iterator()}))
";
    let lines: Vec<&str> = latencies.iter().map(|latency| latency.histogram.as_str()).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("histograms");
    fs::write(&input, lines.join("\n") + "\n").expect("written");
    let input = fs::File::open(input).expect("just written");
    let output = Command::new(trials::need::python("hdrh"))
        .args(["-c", READER])
        .stdin(input)
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let counts = |line: &str| serde_json::from_str(line).expect("counts by value");
    String::from_utf8_lossy(&output.stdout).lines().map(counts).collect()
}

fn assert_histogram_is_the_sum(what: &str, merged: &Latency, shards: &[&Latency]) {
    let mut histograms = decoded(&[&[merged], shards].concat());
    let merged_counts = histograms.remove(0);
    let mut sum = Counts::new();
    for (value, count) in histograms.iter().flatten() {
        *sum.entry(*value).or_default() += count;
    }
    assert_eq!(merged_counts, sum, "{what}");
    assert_eq!(merged.count, sum.values().sum::<u64>(), "{what}");
    assert_eq!(merged.max_ns, shards.iter().filter_map(|shard| shard.max_ns).max(), "{what}");
}

fn assert_is_the_sum(merged: &LoadReport, shards: &[LoadReport]) {
    let sum = |count: fn(&LoadReport) -> u64| shards.iter().map(count).sum::<u64>();
    let counts: [fn(&LoadReport) -> u64; 6] = [
        |report| report.scheduled,
        |report| report.completed,
        |report| report.outstanding,
        |report| report.delayed,
        |report| report.errors.values().sum(),
        |report| report.connections.opened,
    ];
    for count in counts {
        assert_eq!(count(merged), sum(count));
    }
    assert_eq!(merged.scheduled, merged.completed + merged.outstanding + merged.errors.values().sum::<u64>());
    let all = |latency: fn(&LoadReport) -> Option<&Latency>| {
        let shards: Vec<_> = shards.iter().map(|shard| latency(shard).expect("open loop")).collect();
        (latency(merged).expect("open loop"), shards)
    };
    for (what, (merged, shards)) in [
        ("response", all(|report| report.response.as_ref())),
        ("service", all(|report| Some(&report.service))),
        ("lateness", all(|report| report.lateness.as_ref())),
        ("connect", all(|report| report.connect.as_ref())),
    ] {
        assert_histogram_is_the_sum(what, merged, &shards);
    }
}

#[test(needs(Program("ip"), Program("unshare"), Program("parallel"), NAMESPACES, Python("hdrh")))]
fn two_hosts_put_one_load_on_a_third_and_the_merge_is_exactly_their_sum() {
    let before = named_namespaces();
    let folder = tempfile::tempdir().expect("a folder");
    let output = in_namespaces(folder.path(), RUN).output().expect("it starts");
    // On a machine under load the figures may not be valid; that they add up does not depend on it.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{:?}: {}", output.status, stderr(&output));
    let merged = loads(&folder.path().join("all.json")).expect("a result").remove(0);
    let mut shards = loads(&folder.path().join("all.shards.json")).expect("results");
    shards.sort_by_key(|report| report.shard.map(|shard| shard.index));
    let opened: Vec<_> = shards.iter().map(|report| report.connections.opened).collect();
    assert_eq!(opened, [6, 5]);
    assert!(shards.iter().all(|report| report.scheduled > 100), "{shards:?}");
    assert_is_the_sum(&merged, &shards);
    assert_eq!(merged.valid, output.status.success());
    assert_eq!(merged.shards.len(), 2);
    let stats: Value = serde_json::from_slice(&fs::read(folder.path().join("stats.json")).expect("written"))
        .expect("counters");
    assert_eq!(stats["accepted"], 11, "the server has seen the connections of both");
    let table = fs::read_to_string(folder.path().join("table")).expect("written");
    assert!(table.contains("merged from 2 shards"), "{table}");

    let joined = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    wait_until(|| !is_inhabited(&joined), || format!("nobody is left in {joined}"));
    assert_eq!(named_namespaces(), before);
}

#[test(needs(Program("ip"), Program("unshare"), Program("parallel"), NAMESPACES))]
fn namespaces_go_with_whoever_made_them_even_if_that_is_killed() {
    let before = named_namespaces();
    let folder = tempfile::tempdir().expect("a folder");
    // Namespaces within the namespace, each with a process in it.
    let script = "for name in server one two; do ip netns exec $name sleep 1000 & done; readlink /proc/self/ns/net; wait";
    let mut child = in_namespaces(folder.path(), script).stdout(Stdio::piped()).spawn().expect("it starts");
    let pid = Pid::from_child(&child);
    let kill = AtTheEnd(|| {
        let _ = kill_process(pid, Signal::KILL);
    });
    let mut joined = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut joined).expect("a line");
    let joined = joined.trim();
    assert!(is_inhabited(joined), "{joined}");
    drop(kill);
    child.wait().expect("killed");
    wait_until(|| !is_inhabited(joined), || format!("nobody is left in {joined}"));
    assert_eq!(named_namespaces(), before);
}
