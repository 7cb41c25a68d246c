//! The exports of a campaign by `muxbench export`, read by programs that nobody here wrote: github-action-benchmark, promtool, a Pushgateway,
//! node_exporter, HdrHistogram for Java, PyPI hdrhistogram, prometheus_client and jsonschema, npm hdr-histogram-js, Python's csv. `.ci/peers` and
//! `.ci/readers` install them. The campaign is a part of the reference.

#[path = "../../load-gen/tests/readers/mod.rs"]
mod readers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use model::histogram::Histogram;
use model::read;
use model::schema::{Campaign, Cell, CellStatus};
use readers::read;
use report::export::campaign::{Exported, Format, render};
use serde_json::{Value, json};
use trials::{Need, test};

fn main() -> std::process::ExitCode {
    trials::main()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The first points of the reference campaign: the readers take their time.
fn reference() -> Campaign {
    let path = root().join("results/reference/campaign.json");
    let mut campaign = read::campaign(&path).expect("the reference campaign");
    campaign.plan.points.truncate(2);
    let points = campaign.plan.points.clone();
    campaign.cells.retain(|cell| points.contains(&cell.point));
    campaign
}

/// A folder with what `format` makes of `campaign`: one file `export`, or several.
fn exported(campaign: &Campaign, format: Format) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let files = match render(campaign, format).expect("sound histograms") {
        Exported::One(text) => vec![("export".to_owned(), text)],
        Exported::Several(files) => files,
    };
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// The valid cells of planned contenders, one a repeat.
fn valid(campaign: &Campaign) -> Vec<&Cell> {
    let again = campaign.plan.scenario.control_name();
    let counts = |cell: &&Cell| cell.status == CellStatus::Valid && Some(&cell.mechanism) != again.as_ref();
    let mut cells: Vec<&Cell> = campaign.cells.iter().filter(counts).collect();
    cells.sort_by_key(|cell| (&cell.mechanism, &cell.point, cell.repeat, std::cmp::Reverse(cell.attempt)));
    cells.dedup_by_key(|cell| (&cell.mechanism, &cell.point, cell.repeat));
    cells
}

fn response(cell: &Cell) -> Histogram {
    let latency = cell.latency.as_ref().and_then(|phase| phase.load.response.as_ref()).expect("open loop");
    latency.histogram().expect("sound")
}

#[test]
fn a_strict_parser_of_openmetrics_reads_every_figure() {
    let campaign = reference();
    let folder = exported(&campaign, Format::OpenMetrics);
    let families = read("openmetrics.py", &[&folder.path().join("export")], "");
    let cells = valid(&campaign);
    let first = cells[0];
    let samples = families["muxbench_response_seconds"]["samples"].as_array().expect("samples");
    let [connections, active] = [first.point.connections, first.point.active].map(|count| count.to_string());
    let is_of_first = |sample: &&Value| {
        let labels = &sample["labels"];
        labels["contender"] == first.mechanism.as_str()
            && labels["sweep"] == first.point.sweep.as_str()
            && labels["connections"] == connections.as_str()
            && labels["active"] == active.as_str()
    };
    let count =
        samples.iter().filter(is_of_first).find(|sample| sample["name"] == "muxbench_response_seconds_count");
    let same = |cell: &&&Cell| (&cell.mechanism, &cell.point) == (&first.mechanism, &first.point);
    let expected: u64 = cells.iter().filter(same).map(|cell| response(cell).len()).sum();
    assert_eq!(count.expect("a count")["value"].as_f64(), Some(expected as f64));
    for name in [
        "muxbench_response_p50_seconds",
        "muxbench_response_p99_seconds",
        "muxbench_server_cpu_per_echo_seconds",
    ] {
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
    let campaign = reference();
    let folder = exported(&campaign, Format::Prometheus);
    let read = readers::read_by_prometheus(&folder.path().join("export"));
    let expected = [
        ("muxbench_campaign_info", "gauge"),
        ("muxbench_response_p99_seconds", "gauge"),
        ("muxbench_capacity_echoes_per_second", "gauge"),
        ("muxbench_cells", "gauge"),
        ("muxbench_response_seconds", "histogram"),
    ];
    for (name, kind) in expected {
        assert_eq!(read["types"][name], kind, "{name}");
    }
    let samples = read["samples"].as_array().expect("samples").iter();
    let counts = samples.filter(|sample| sample[0] == "muxbench_response_seconds_count");
    let count: f64 = counts.filter_map(|sample| sample[2].as_f64()).sum();
    let expected: u64 = valid(&campaign).into_iter().map(|cell| response(cell).len()).sum();
    assert_eq!(count, expected as f64);
}

#[test]
fn what_github_action_benchmark_is_given_is_as_its_documentation_says() {
    let folder = exported(&reference(), Format::GithubBenchmark);
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
    let campaign = reference();
    let log = exported(&campaign, Format::Hlog);
    let distributions = exported(&campaign, Format::Hgrm);
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
    let folder = exported(&reference(), Format::Bmf);
    let (schema, path) = (root().join("report/tests/bmf.schema.json"), folder.path().join("export"));
    let errors = read("schema.py", &[&schema, &path], "");
    assert_eq!(errors, json!([]));
    let text = fs::read_to_string(&path).expect("written");
    fs::write(&path, text.replace("\"value\"", "\"median\"")).expect("written");
    let errors = read("schema.py", &[&schema, &path], "");
    assert_ne!(errors, json!([]), "a metric without a value is none");
}

#[test]
fn python_reads_a_row_a_cell() {
    let campaign = reference();
    let folder = exported(&campaign, Format::Csv);
    let rows = read("table.py", &[&folder.path().join("export")], "");
    let rows = rows.as_array().expect("rows");
    assert_eq!(rows.len(), campaign.cells.len());
    for (row, cell) in rows.iter().zip(&campaign.cells) {
        assert_eq!(row["contender"], cell.mechanism.as_str());
        assert_eq!(row["connections"], cell.point.connections.to_string());
        let p50 = cell.latency.as_ref().and_then(|phase| phase.load.response.as_ref()?.p50_ns);
        assert_eq!(row["response_p50_ns"], p50.map(|ns| ns.to_string()).unwrap_or_default());
    }
}

#[test]
fn readers_of_the_log_find_every_valid_cell_under_its_tag() {
    let campaign = reference();
    let folder = exported(&campaign, Format::Hlog);
    let cells = valid(&campaign);
    let counts = |tag: &str| -> u64 {
        let of_tag = |cell: &&&Cell| {
            let rest = tag.strip_prefix(&format!("{}/", cell.mechanism));
            let place = format!("{}c/{}a", cell.point.connections, cell.point.active);
            rest.is_some_and(|rest| rest == place || rest == format!("{}/{place}", cell.point.sweep))
        };
        cells.iter().filter(of_tag).map(|cell| response(cell).len()).sum()
    };
    for script in ["hlog.py", "hlog.js"] {
        let log = read(script, &[&folder.path().join("export")], "");
        let lines = log["lines"].as_array().expect("lines");
        assert_eq!(lines.len(), cells.len(), "{script}");
        let tag = lines[0]["tag"].as_str().expect("a tag");
        let total: u64 =
            lines.iter().filter(|line| line["tag"] == tag).filter_map(|line| line["count"].as_u64()).sum();
        assert_eq!(total, counts(tag), "{script}: {tag}");
    }
}

#[test]
fn distributions_are_those_of_hdr_histogram_js_byte_for_byte() {
    let campaign = reference();
    let cells = valid(&campaign);
    let first = cells[0];
    let same = |cell: &&&Cell| (&cell.mechanism, &cell.point) == (&first.mechanism, &first.point);
    let mut merged = model::histogram::empty();
    cells.iter().filter(same).for_each(|cell| merged += response(cell));
    let theirs = read("hgrm.js", &[], &(model::histogram::encode(&merged) + "\n"));
    let folder = exported(&campaign, Format::Hgrm);
    let ours = |path: PathBuf| fs::read_to_string(path).expect("written");
    let files: Vec<String> =
        fs::read_dir(folder.path()).expect("listed").flatten().map(|entry| ours(entry.path())).collect();
    let theirs = theirs[0].as_str().expect("a text");
    assert!(
        files.iter().any(|text| text == theirs),
        "no file is the distribution that hdr-histogram-js makes"
    );
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

    /// What it says of the file at `path` as the result of `commit`.
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
    let folder = exported(&reference(), Format::GithubBenchmark);
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
