//! The exports of a campaign by `muxbench export`, read by programs that nobody here wrote: github-action-benchmark, promtool, a Pushgateway,
//! node_exporter, HdrHistogram for Java, PyPI hdrhistogram, prometheus_client and jsonschema, npm hdr-histogram-js, Python's csv. `.ci/peers` and
//! `.ci/readers` install them. The campaign is made up.

#[path = "../../../load-gen/tests/readers/mod.rs"]
mod readers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use model::campaign::{Campaign, Histograms, Phase};
use model::histogram::{self, Histogram};
use model::schema::Point;
use readers::read;
use report::export::{Exported, Format, render_campaign};
use report::rounds::testing::{Behaviour, Shape};
use report::rounds::{Analysis, METRICS, Shown};
use serde_json::{Value, json};
use trials::{Need, test};

use crate::root;

/// Three candidates at two points, with their histograms.
fn campaign() -> (Campaign, Histograms) {
    let points = [100, 1_000].map(|connections| Point::new("idle-scaling", connections, 10));
    let shape =
        Shape { points: points.into(), starts: 3, rounds: 4, ..Shape::of(&["epoll-lt", "poll", "epoll-et"]) };
    let campaign = shape.campaign(|name, _| Behaviour {
        samples: 1_000,
        ..Behaviour::times(if name == "poll" { 1.2 } else { 1.0 }, 1.0, 1.0)
    });
    let histograms = Histograms::of(&campaign).expect("sound histograms");
    (campaign, histograms)
}

/// A folder with what `format` makes of the campaign: one file `export`, or several.
fn exported(format: Format) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let (campaign, histograms) = campaign();
    let analysis = Analysis::of(&campaign, &histograms);
    let files = match render_campaign(&analysis, format).expect("a format of campaigns") {
        Exported::One(text) => vec![("export".to_owned(), text)],
        Exported::Several(files) => files,
    };
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// The responses of a candidate at a point under one load.
fn responses(candidate: &str, point: u32, phase: Phase) -> Histogram {
    let (campaign, histograms) = campaign();
    let mut all = histogram::empty();
    for (at, round) in campaign.rounds.iter().enumerate() {
        let place = round.slices.iter().position(|slice| slice.candidate == candidate);
        if (round.point, round.phase) == (point, phase) {
            all += histogram::of_counts(histograms.slice(at, place.expect("measured")));
        }
    }
    all
}

#[test]
fn a_strict_parser_of_openmetrics_reads_every_figure() {
    let folder = exported(Format::OpenMetrics);
    let families = read("openmetrics.py", &[&folder.path().join("export")], "");
    let samples = |family: &str| families[family]["samples"].as_array().expect("samples").clone();
    let is_of_poll = |sample: &&Value| {
        let labels = &sample["labels"];
        labels["candidate"] == "poll" && labels["connections"] == "100" && labels["phase"] == "light"
    };
    let all = samples("muxbench_response_seconds");
    let count =
        all.iter().filter(is_of_poll).find(|sample| sample["name"] == "muxbench_response_seconds_count");
    let expected = responses("poll", 0, Phase::Light).len();
    assert_eq!(count.expect("a count")["value"].as_f64(), Some(expected as f64));
    for name in
        ["muxbench_response_p50_seconds", "muxbench_busy_response_p99_seconds", "muxbench_cpu_seconds"]
    {
        let family = &families[name];
        assert_eq!((&family["type"], &family["unit"]), (&json!("gauge"), &json!("seconds")), "{name}");
        for sample in family["samples"].as_array().expect("samples") {
            let value = sample["value"].as_f64().expect("a number");
            assert!(value > 1e-7 && value < 1.0, "in seconds: {sample}");
        }
    }
    assert_eq!(families["muxbench_campaign"]["type"], "info");
}

#[test]
fn whoever_reads_prometheus_text_reads_the_same_of_a_campaign() {
    let folder = exported(Format::Prometheus);
    let read = readers::read_by_prometheus(&folder.path().join("export"));
    let expected = [
        ("muxbench_campaign_info", "gauge"),
        ("muxbench_response_p99_seconds", "gauge"),
        ("muxbench_throughput_per_second", "gauge"),
        ("muxbench_ratio_to_reference", "gauge"),
        ("muxbench_response_seconds", "histogram"),
    ];
    for (name, kind) in expected {
        assert_eq!(read["types"][name], kind, "{name}");
    }
    let samples = read["samples"].as_array().expect("samples").iter();
    let counts = samples.filter(|sample| sample[0] == "muxbench_response_seconds_count");
    let count: f64 = counts.filter_map(|sample| sample[2].as_f64()).sum();
    // Candidates, points, loads, starts, rounds, samples of a slice.
    assert_eq!(count, f64::from(3 * 2 * 3 * 3 * 4 * 1_000));
}

#[test]
fn what_github_action_benchmark_is_given_is_as_its_documentation_says() {
    let folder = exported(Format::GithubBenchmark);
    let schema = root().join("report/tests/github-action-benchmark.schema.json");
    for name in ["smaller-is-better.json", "bigger-is-better.json"] {
        let path = folder.path().join(name);
        let errors = read("schema.py", &[&schema, &path], "");
        assert_eq!(errors, json!([]), "{name}");
        let text = fs::read_to_string(&path).expect("written");
        let figures: Vec<Value> = serde_json::from_str(&text).expect("an array");
        let names: std::collections::BTreeSet<&str> =
            figures.iter().filter_map(|figure| figure["name"].as_str()).collect();
        assert_eq!(names.len(), figures.len(), "figures are told from one another by their names alone");
        for (right, wrong) in [("\"unit\"", "\"units\""), ("\"± ", "\"about ")] {
            fs::write(&path, text.replace(right, wrong)).expect("written");
            assert_ne!(read("schema.py", &[&schema, &path], ""), json!([]), "{wrong}");
        }
    }
}

#[test]
fn the_log_processor_of_hdr_histogram_for_java_makes_the_distributions_that_are_exported_byte_for_byte() {
    let log = exported(Format::Hlog);
    let distributions = exported(Format::Hgrm(None));
    let text = fs::read_to_string(log.path().join("export")).expect("written");
    let tags = text.lines().filter_map(|line| line.strip_prefix("Tag=")?.split(',').next());
    let tags: std::collections::BTreeSet<&str> = tags.collect();
    assert!(tags.len() > 10, "{tags:?}");
    // Java takes its time to start.
    for tag in tags.into_iter().step_by(5) {
        let theirs = readers::processed_by_java(&log.path().join("export"), tag);
        let file = distributions.path().join(format!("{}.hgrm", tag.replace('/', "_")));
        assert_eq!(theirs, fs::read_to_string(file).expect("written"), "{tag}");
    }
}

#[test]
fn bencher_s_format_is_as_its_documentation_says() {
    let folder = exported(Format::Bmf);
    let (schema, path) = (root().join("report/tests/bmf.schema.json"), folder.path().join("export"));
    let errors = read("schema.py", &[&schema, &path], "");
    assert_eq!(errors, json!([]));
    let text = fs::read_to_string(&path).expect("written");
    fs::write(&path, text.replace("\"value\"", "\"median\"")).expect("written");
    let errors = read("schema.py", &[&schema, &path], "");
    assert_ne!(errors, json!([]), "a metric without a value is none");
}

#[test]
fn python_reads_a_row_for_each_figure() {
    let folder = exported(Format::Csv);
    let rows = read("table.py", &[&folder.path().join("export")], "");
    let rows = rows.as_array().expect("rows");
    let (campaign, histograms) = campaign();
    let analysis = Analysis::of(&campaign, &histograms);
    let mut expected = Vec::new();
    for point in &analysis.points {
        for (metric, (_, candidate)) in
            METRICS.iter().flat_map(|metric| point.rows().into_iter().map(move |row| (metric, row)))
        {
            if let Shown::Figure(figure) = candidate.shown(metric) {
                let connections = point.point.connections.to_string();
                expected.push([
                    candidate.name.to_owned(),
                    connections,
                    metric.key.to_owned(),
                    figure.value.to_string(),
                ]);
            }
        }
    }
    let text = |row: &Value, column: &str| row[column].as_str().expect("text").to_owned();
    let mut found: Vec<[String; 4]> = rows
        .iter()
        .map(|row| ["candidate", "connections", "metric", "value"].map(|column| text(row, column)))
        .collect();
    found.sort();
    expected.sort();
    assert!(expected.len() > 100);
    assert_eq!(found, expected);
}

#[test]
fn readers_of_the_log_find_every_start_under_its_tag() {
    let folder = exported(Format::Hlog);
    for script in ["hlog.py", "hlog.js"] {
        let log = read(script, &[&folder.path().join("export")], "");
        let lines = log["lines"].as_array().expect("lines");
        assert_eq!(lines.len(), 3 * 2 * 3 * 3, "{script}: candidates, points, loads, starts");
        let of_tag = lines.iter().filter(|line| line["tag"] == "poll/1000c/10a/busy");
        let total: u64 = of_tag.filter_map(|line| line["count"].as_u64()).sum();
        assert_eq!(total, responses("poll", 1, Phase::Busy).len(), "{script}");
    }
}

#[test]
fn distributions_are_those_of_hdr_histogram_js_byte_for_byte() {
    let merged = responses("poll", 1, Phase::Light);
    let theirs = read("hgrm.js", &[], &(histogram::encode(&merged) + "\n"));
    let folder = exported(Format::Hgrm(None));
    let ours = fs::read_to_string(folder.path().join("poll_1000c_10a_light.hgrm")).expect("written");
    assert_eq!(theirs[0].as_str().expect("a text"), ours);
}

/// github-action-benchmark itself, as a workflow runs it: its own program, its inputs in the environment, its data in a file.
struct Action {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Action {
    /// The program that `.ci/readers` fetches from GitHub, or `GITHUB_ACTION_BENCHMARK`, a folder with it.
    fn program() -> PathBuf {
        let folder = std::env::var_os("GITHUB_ACTION_BENCHMARK").map(PathBuf::from);
        folder
            .unwrap_or_else(|| root().join("target/peers/github-action-benchmark"))
            .join("dist/src/index.js")
    }

    fn find() -> Self {
        Self { program: Self::program(), folder: tempfile::tempdir().expect("a folder") }
    }

    /// Runs it on the file at `path` as the result of `commit`, and returns its output.
    fn run(&self, tool: &str, path: &Path, commit: &str) -> Output {
        let event = self.folder.path().join("event.json");
        let author = json!({ "name": "a", "username": "a", "email": "a@example.org" });
        let head = json!({
            "id": commit, "message": commit, "timestamp": "2026-01-02T03:04:05Z", "url": "https://example.org",
            "author": author, "committer": author,
        });
        let content = json!({ "head_commit": head, "repository": { "html_url": "https://github.com/a/b" } });
        fs::write(&event, content.to_string()).expect("written");
        let mut node = Command::new("node");
        node.arg(&self.program).env("GITHUB_EVENT_PATH", event).env("GITHUB_REPOSITORY", "a/b");
        for (input, value) in [
            ("NAME", "muxbench"),
            ("TOOL", tool),
            ("OUTPUT-FILE-PATH", &path.to_string_lossy()),
            ("EXTERNAL-DATA-JSON-PATH", &self.folder.path().join(format!("{tool}.json")).to_string_lossy()),
            ("ALERT-THRESHOLD", "150%"),
            ("FAIL-ON-ALERT", "true"),
            ("SAVE-DATA-FILE", "true"),
            ("GH-PAGES-BRANCH", "gh-pages"),
            ("BENCHMARK-DATA-DIR-PATH", "dev/bench"),
        ] {
            node.env(format!("INPUT_{input}"), value);
        }
        node.output().expect("node starts")
    }
}

/// It is in no registry.
const ACTION: Need = Need::Met("github-action-benchmark", || match Action::program().exists() {
    true => Ok(()),
    false => Err("github-action-benchmark was not fetched".into()),
});

#[test(needs(ACTION, Program("node")))]
fn github_action_benchmark_takes_both_files_and_flags_a_regression_by_two() {
    let action = Action::find();
    let folder = exported(Format::GithubBenchmark);
    for (tool, name, factor) in [
        ("customSmallerIsBetter", "smaller-is-better.json", 2.0),
        ("customBiggerIsBetter", "bigger-is-better.json", 0.5),
    ] {
        let path = folder.path().join(name);
        let said = |output: &Output| {
            String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
        };
        let first = action.run(tool, &path, "1111111");
        assert!(first.status.success(), "{tool}: {}", said(&first));
        let same = action.run(tool, &path, "2222222");
        assert!(same.status.success(), "{tool}: the same figures are no regression: {}", said(&same));
        let mut figures: Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("written")).expect("JSON");
        let worse = figures[0]["value"].as_f64().expect("a number") * factor;
        figures[0]["value"] = json!(worse);
        let doctored = folder.path().join("doctored.json");
        fs::write(&doctored, figures.to_string()).expect("written");
        let flagged = action.run(tool, &doctored, "3333333");
        assert_eq!(flagged.status.code(), Some(1), "{tool}: {}", said(&flagged));
        assert!(said(&flagged).contains(figures[0]["name"].as_str().expect("a name")), "{}", said(&flagged));
    }
}
