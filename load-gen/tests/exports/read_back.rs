//! The exports of runs, read back by others.

use std::path::Path;

use model::schema::{Churn, Interval, Latency, LoadReport, ResultFile};
use report::export::{self, Format, Measure};
use serde_json::Value;
use trials::test;

use super::{exported, reports, run, stderr};
use crate::readers::{self, read};

/// The counts of requests and connections: kind, name in the exports, and number; `None` where it is not counted.
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

/// The lines that a reader must find in a log: tag, begin, length and histogram of each.
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
