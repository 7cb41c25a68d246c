//! The exports of `load-gen --export`, read by programs that nobody here wrote: promtool, a Pushgateway, node_exporter, HdrHistogram for Java, jq,
//! PyPI hdrhistogram, prometheus_client and jsonschema, npm hdr-histogram-js, Python's csv. `.ci/peers` and `.ci/readers` install them.

mod readers;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread;

use model::histogram::{self, HIGHEST_NS, Histogram};
use model::schema::{Churn, Interval, Latency, LoadReport, ResultFile};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use readers::read;
use report::export::{self, Format, Measure};
use serde_json::Value;
use trials::test;

fn main() -> std::process::ExitCode {
    trials::main()
}

/// An echo server that lives as long as the test.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = stream.try_clone().expect("a socket");
            thread::spawn(move || std::io::copy(&mut reader, &mut { stream }));
        }
    });
    address
}

fn load_gen(arguments: &[&str]) -> Output {
    let mut command = trials::command(env!("CARGO_BIN_EXE_load-gen"));
    command.args(arguments).stdin(Stdio::null()).output().expect("load-gen starts")
}

/// Runs a short load against a server that echoes.
fn run(arguments: &[&str]) -> Output {
    let target = echo().to_string();
    load_gen(&[&["--target", &target, "--conns", "4", "-d", "500ms", "--warmup", "0s"], arguments].concat())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The report of a short run, in open loop if there is a rate.
fn report(arguments: &[&str]) -> LoadReport {
    let output = run(&[&["--json"], arguments].concat());
    match serde_json::from_slice(&output.stdout) {
        Ok(ResultFile::Load(report)) => report,
        other => panic!("{other:?}: {}", stderr(&output)),
    }
}

/// A folder with `report` in each format.
fn exported(report: &LoadReport) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, format) in [
        ("hlog", Format::Hlog),
        ("csv", Format::Csv),
        ("prometheus", Format::Prometheus),
        ("openmetrics", Format::OpenMetrics),
        ("json", Format::Json),
    ] {
        let text = export::render(report, format, &[("mechanism", "of \"this\" test")]).expect("rendered");
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// One run of each loop, one with intervals that have what its window has, and one whose connections move.
fn reports() -> Vec<LoadReport> {
    let open = report(&["--rate", "4k"]);
    let closed = report(&["-d", "200ms"]);
    assert!(open.completed > 0 && closed.completed > 0, "{} {}", open.completed, closed.completed);
    let mut intervals = open.clone();
    let interval = |start_s| Interval {
        start_s,
        length_s: 0.25,
        completed: open.completed,
        errors: 0,
        response: open.response.clone(),
        service: closed.service.clone(),
    };
    intervals.intervals = vec![interval(0.0), interval(0.25)];
    let moving = report(&["--rate", "1k", "--active", "2", "--rotate", "50ms", "--churn", "100/s"]);
    assert!(moving.connections.rotated > Some(0) && moving.churn_connect.is_some(), "{moving:?}");
    vec![open, closed, intervals, moving]
}

/// What was counted of requests and of connections: the name in the exports, and how many; none where it is not counted.
fn counts(report: &LoadReport) -> Vec<(&'static str, &'static str, Option<u64>)> {
    let connections = &report.connections;
    let churn = |count: fn(&Churn) -> u64| connections.churn.as_ref().map(count);
    vec![
        ("requests", "scheduled", Some(report.scheduled)),
        ("requests", "completed", Some(report.completed)),
        ("requests", "failed", Some(report.errors.values().sum())),
        ("requests", "outstanding", Some(report.outstanding)),
        ("requests", "unsent", Some(report.unsent)),
        ("requests", "delayed", Some(report.delayed)),
        ("connections", "opened", Some(connections.opened)),
        ("connections", "lost", Some(connections.lost)),
        ("connections", "rotated", connections.rotated),
        ("connections", "churn_scheduled", churn(|churn| churn.scheduled)),
        ("connections", "churn_replaced", churn(|churn| churn.replaced)),
        ("connections", "churn_failed", churn(|churn| churn.failed)),
        ("connections", "churn_unfinished", churn(|churn| churn.unfinished)),
    ]
}

/// What a reader must find in a log: tag, begin, length and histogram of each line.
fn lines_of(report: &LoadReport) -> Vec<(&'static str, f64, f64, &Latency)> {
    let window = |measure: Measure| Some((measure.name(), 0.0, report.window_s, measure.of(report)?));
    let in_intervals = [Measure::Response, Measure::Service];
    let of_window = |measure: &Measure| report.intervals.is_empty() || !in_intervals.contains(measure);
    let mut lines: Vec<_> = Measure::ALL.into_iter().filter(of_window).filter_map(window).collect();
    for interval in &report.intervals {
        let Interval { start_s, length_s, .. } = *interval;
        lines.push(("response", start_s, length_s, interval.response.as_ref().expect("open loop")));
        lines.push(("service", start_s, length_s, &interval.service));
    }
    lines
}

#[test]
fn logs_read_back_with_the_same_counts_and_percentiles_at_the_same_times() {
    for report in reports() {
        let folder = exported(&report);
        let start = humantime::parse_rfc3339(&report.started_at).expect("an instant");
        let start_s = start.duration_since(std::time::UNIX_EPOCH).expect("after it").as_secs_f64();
        for script in ["hlog.py", "hlog.js"] {
            let log = read(script, &[&folder.path().join("hlog")], "");
            let close = |value: &Value, expected: f64| {
                let difference = value.as_f64().expect("a number") - expected;
                assert!(difference.abs() < 0.0011, "{script}: {value} for {expected}");
            };
            close(&log["start_s"], start_s);
            let expected = lines_of(&report);
            let lines = log["lines"].as_array().expect("lines");
            assert_eq!(lines.len(), expected.len(), "{script}: {log}");
            for (line, (tag, begin_s, length_s, latency)) in lines.iter().zip(expected) {
                let histogram = latency.histogram().expect("sound");
                assert_eq!(line["tag"], tag, "{script}");
                assert_eq!(line["count"], latency.count, "{script}: {tag}");
                assert_eq!(line["max"], latency.max_ns.expect("samples"), "{script}: {tag}");
                let buckets = histogram.iter_recorded().map(|bucket| {
                    (histogram.highest_equivalent(bucket.value_iterated_to()), bucket.count_at_value())
                });
                assert_eq!(
                    line["buckets"],
                    serde_json::json!(buckets.collect::<Vec<_>>()),
                    "{script}: {tag}"
                );
                if let Some(theirs) = line.get("percentiles") {
                    let ours = [0.5, 0.9, 0.99, 0.999].map(|quantile| histogram.value_at_quantile(quantile));
                    assert_eq!(theirs, &serde_json::json!(ours), "{script}: {tag}");
                }
                close(&line["begin_s"], start_s + begin_s);
                close(&line["length_s"], length_s);
            }
        }
    }
}

/// The samples of a family that have a name and a label, as numbers.
fn samples(family: &Value, name: &str, label: (&str, &str)) -> Vec<f64> {
    let samples = family["samples"].as_array().expect("samples").iter();
    let wanted = samples.filter(|sample| sample["name"] == name && sample["labels"][label.0] == label.1);
    wanted.map(|sample| sample["value"].as_f64().expect("a number")).collect()
}

#[test]
fn openmetrics_is_valid_to_a_strict_parser_and_says_what_the_report_says() {
    for report in reports() {
        let folder = exported(&report);
        let families = read("openmetrics.py", &[&folder.path().join("openmetrics")], "");
        let mechanism = ("mechanism", "of \"this\" test");
        for (of, name, count) in counts(&report) {
            let name = format!("load_gen_{of}_{name}");
            let Some(count) = count else {
                assert!(families[&name].is_null(), "{name}");
                continue;
            };
            assert_eq!(families[&name]["type"], "counter", "{name}");
            assert_eq!(
                samples(&families[&name], &format!("{name}_total"), mechanism),
                [count as f64],
                "{name}"
            );
        }
        for measure in Measure::ALL {
            let name = format!("load_gen_{}_seconds", measure.name());
            let Some(latency) = measure.of(&report) else {
                assert!(families[&name].is_null(), "{name}");
                continue;
            };
            assert_eq!(
                (&families[&name]["type"], &families[&name]["unit"]),
                (&"histogram".into(), &"seconds".into())
            );
            let count = latency.count as f64;
            let bucket = |le: &str| samples(&families[&name], &format!("{name}_bucket"), ("le", le));
            assert_eq!(samples(&families[&name], &format!("{name}_count"), mechanism), [count]);
            assert_eq!(bucket("+Inf"), [count]);
            let histogram = latency.histogram().expect("sound");
            assert_eq!(bucket("0.0001"), [histogram.count_between(0, 100_000) as f64]);
            let name = format!("load_gen_{}_percentiles_seconds", measure.name());
            assert_eq!(families[&name]["type"], "summary");
            for (quantile, ns) in [("0.5", latency.p50_ns), ("0.99", latency.p99_ns), ("1.0", latency.max_ns)]
            {
                let expected: Vec<f64> = ns.into_iter().map(|ns| ns as f64 / 1e9).collect();
                assert_eq!(
                    samples(&families[&name], &name, ("quantile", quantile)),
                    expected,
                    "{name} {quantile}"
                );
            }
        }
    }
}

#[test]
fn whoever_reads_prometheus_text_reads_the_same_of_a_run_and_it_is_what_the_report_says() {
    for report in reports() {
        let folder = exported(&report);
        let read = readers::read_by_prometheus(&folder.path().join("prometheus"));
        let samples = read["samples"].as_array().expect("samples");
        let value = |name: &str| {
            let sample = samples.iter().find(|sample| sample[0] == name);
            sample.map(|sample| sample[2].as_f64().expect("a number"))
        };
        for (of, name, count) in counts(&report) {
            let name = format!("load_gen_{of}_{name}");
            assert_eq!(value(&format!("{name}_total")), count.map(|count| count as f64), "{name}");
            let kind = count.map_or(Value::Null, |_| "counter".into());
            assert_eq!(read["types"][&name], kind, "{name}");
        }
        for measure in Measure::ALL {
            let latency = measure.of(&report);
            for (name, kind) in [("seconds", "histogram"), ("percentiles_seconds", "summary")] {
                let name = format!("load_gen_{}_{name}", measure.name());
                let count = latency.map(|latency| latency.count as f64);
                assert_eq!(value(&format!("{name}_count")), count, "{name}");
                assert_eq!(read["types"][&name], latency.map_or(Value::Null, |_| kind.into()), "{name}");
            }
        }
        assert_eq!(read["types"]["load_gen_run_info"], "gauge");
        assert_eq!(value("load_gen_run_info"), Some(1.0));
        assert_eq!(value("load_gen_valid"), Some(f64::from(u8::from(report.valid))));
    }
}

#[test]
fn the_log_processor_of_hdr_histogram_for_java_makes_the_distribution_that_is_exported_byte_for_byte() {
    for report in reports() {
        let folder = exported(&report);
        let in_window: &[Measure] = match report.intervals.is_empty() {
            true => &Measure::ALL,
            false => &[Measure::Lateness, Measure::Connect, Measure::ChurnConnect],
        };
        for measure in in_window.iter().filter(|measure| measure.of(&report).is_some()) {
            let log = folder.path().join("hlog");
            let theirs = readers::processed_by_java(&log, measure.name());
            let ours = export::render(&report, Format::Hgrm(Some(*measure)), &[]).expect("rendered");
            assert_eq!(theirs, ours, "{}", measure.name());
        }
    }
}

#[test(needs(Program("jq")))]
fn a_seed_of_64_bits_survives_jq() {
    // One more than the numbers that a double has all of.
    let seed = (1u64 << 53) + 1;
    let output = run(&["--json", "-d", "50ms", "--seed", &seed.to_string()]);
    let text = String::from_utf8(output.stdout).expect("text");
    let passed = readers::fed(trials::command("jq").arg("."), &text);
    assert!(passed.status.success(), "{}", stderr(&passed));
    match serde_json::from_slice(&passed.stdout) {
        Ok(ResultFile::Load(report)) => assert_eq!(report.settings.seed, seed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_table_says_what_the_report_says() {
    for report in reports() {
        let folder = exported(&report);
        let rows = read("table.py", &[&folder.path().join("csv")], "");
        let figures = |scope: &str, measure: &str, statistic: &str| -> Vec<f64> {
            let rows = rows.as_array().expect("rows").iter();
            let is_wanted = |row: &&Value| {
                row["scope"] == scope && row["measure"] == measure && row["statistic"] == statistic
            };
            let value = |row: &Value| row["value"].as_str().and_then(|text| text.parse().ok());
            rows.filter(is_wanted).map(|row| value(row).expect("a number")).collect()
        };
        for (of, name, count) in counts(&report) {
            let count = count.map(|count| count as f64);
            assert_eq!(figures("window", of, name), count.as_slice(), "{of} {name}");
        }
        assert_eq!(figures("window", "requests", "throughput"), [report.throughput_per_s]);
        for measure in Measure::ALL {
            let latency = measure.of(&report);
            let count = latency.map(|latency| latency.count as f64);
            assert_eq!(figures("window", measure.name(), "count"), count.as_slice());
            let p99 = latency.and_then(|latency| latency.p99_ns).map(|ns| ns as f64);
            assert_eq!(figures("window", measure.name(), "p99"), p99.as_slice());
        }
        let intervals: Vec<f64> =
            report.intervals.iter().map(|interval| interval.service.count as f64).collect();
        assert_eq!(figures("interval", "service", "count"), intervals);
    }
}

#[test]
fn the_json_of_a_run_is_valid_against_the_published_schema() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/schema.json");
    for report in reports() {
        let folder = exported(&report);
        let path = folder.path().join("json");
        let errors = read("schema.py", &[&schema, &path], "");
        assert_eq!(errors, serde_json::json!([]));
        let text = std::fs::read_to_string(&path).expect("written");
        std::fs::write(&path, text.replace("\"scheduled\"", "\"planned\"")).expect("written");
        let errors = read("schema.py", &[&schema, &path], "");
        assert_ne!(errors, serde_json::json!([]), "a result that lacks a key is no result");
    }
}

/// Histograms of many shapes, from none to more samples than 32 bits count.
fn shapes() -> Vec<Histogram> {
    let of = |values: &[(u64, u64)]| {
        let mut histogram = histogram::empty();
        values.iter().for_each(|(value, count)| histogram.record_n(*value, *count).expect("in range"));
        histogram
    };
    let mut shapes = vec![
        of(&[]),
        of(&[(0, 1)]),
        of(&[(1, 1)]),
        of(&[(HIGHEST_NS, 3)]),
        of(&[(35_000, 1_000_000)]),
        of(&[(2_047, 1), (2_048, 1), (4_095, 1), (4_096, 1)]),
        of(&[(1_000, 7_000_000_000), (1_000_000, 13)]),
        of(&[(1_500, 1), (1_501, 1)]),
        of(&[(0, 10), (HIGHEST_NS, 10)]),
    ];
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(4);
    for turn in 0..150 {
        let samples = 10f64.powf(random.random_range(0.0..4.5)) as u64;
        let (log_normal, exponential) = (
            LogNormal::new(random.random_range(0.0..20.0), random.random_range(0.01..3.0)).expect("valid"),
            Exp::new(10f64.powf(random.random_range(-7.0..0.0))).expect("valid"),
        );
        let mut histogram = histogram::empty();
        for _ in 0..samples {
            let value = match turn % 3 {
                0 => log_normal.sample(random) as u64,
                1 => exponential.sample(random) as u64,
                _ => random.random_range(0..1 << (turn % 42)),
            };
            histogram.saturating_record(value);
        }
        shapes.push(histogram);
    }
    shapes
}

#[test]
fn percentile_distributions_are_those_of_hdr_histogram_js_byte_for_byte() {
    let mut report = report(&["-d", "50ms"]);
    let shapes = shapes();
    let encoded: String = shapes.iter().map(|shape| histogram::encode(shape) + "\n").collect();
    let theirs = read("hgrm.js", &[], &encoded);
    let theirs = theirs.as_array().expect("texts");
    assert_eq!(theirs.len(), shapes.len());
    for (shape, theirs) in shapes.iter().zip(theirs) {
        report.service = Latency::of(shape);
        let ours = export::render(&report, Format::Hgrm(None), &[]).expect("rendered");
        assert_eq!(ours, theirs.as_str().expect("a text"));
    }
}

#[test]
fn every_kind_goes_to_its_file_and_the_result_is_printed_besides() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |kind: &str| folder.path().join(kind.replace(':', "-"));
    let kinds = ["hgrm", "hgrm:service", "hgrm:connect", "hlog", "csv", "prometheus", "openmetrics", "json"];
    let exports: Vec<String> = kinds.iter().map(|kind| format!("{kind}={}", path(kind).display())).collect();
    let arguments: Vec<&str> = exports.iter().flat_map(|export| ["--export", export]).collect();
    let report = report(&[&["--rate", "2k"], arguments.as_slice()].concat());
    let text = |kind: &str| std::fs::read_to_string(path(kind)).expect("written");
    for (kind, format) in [
        ("hgrm", Format::Hgrm(Some(Measure::Response))),
        ("hgrm:service", Format::Hgrm(Some(Measure::Service))),
        ("hgrm:connect", Format::Hgrm(Some(Measure::Connect))),
        ("hlog", Format::Hlog),
        ("csv", Format::Csv),
        ("prometheus", Format::Prometheus),
        ("openmetrics", Format::OpenMetrics),
        ("json", Format::Json),
    ] {
        assert_eq!(text(kind), export::render(&report, format, &[]).expect("rendered"), "{kind}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), kinds.len(), "nothing beside them");
}

#[test]
fn an_export_to_standard_output_has_it_for_itself() {
    let output = run(&["--export", "csv=-"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("target,scope,") && text.ends_with('\n'), "{text}");
    assert!(text.lines().all(|line| line.matches(',').count() == 7), "{text}");
    assert!(stderr(&output).contains("replies a second"), "the table is still there to see");
    assert_eq!(stderr(&run(&["--export", "csv=-", "--quiet"])), "");
}

#[test]
fn what_cannot_be_written_ends_the_run_before_it_begins() {
    for bad in ["/proc/nowhere/a.hlog", "/proc/a.hlog", "/"] {
        // Nothing listens there: the run would fail for another reason.
        let output = load_gen(&["--target", "127.0.0.1:1", "--export", &format!("hlog={bad}")]);
        assert_eq!(output.status.code(), Some(1), "{bad}");
        assert!(
            stderr(&output).starts_with(&format!("load-gen: cannot write {bad}: ")),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_full_disk_is_a_failure_that_loses_neither_the_result_nor_the_other_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("run.csv");
    let other = format!("csv={}", path.display());
    let output = run(&["--json", "--export", "hlog=/dev/full", "--export", &other]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write /dev/full"), "{}", stderr(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).expect("the result");
    assert!(printed["completed"].as_u64() > Some(0));
    assert!(path.exists());
}

#[test]
fn exports_that_make_no_sense_are_usage_errors() {
    for (arguments, advice) in [
        (["--export", "xml=a"].as_slice(), "hgrm, hlog, csv, prometheus, openmetrics or json"),
        (&["--export", "hgrm"], "KIND=PATH"),
        (&["--export", "hgrm:response=a"], "--rate"),
        (&["--json", "--export", "csv=-"], "--json"),
        (&["--generate", "tcsh"], "bash"),
    ] {
        let output = load_gen(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(advice), "{arguments:?}: {}", stderr(&output));
    }
}
