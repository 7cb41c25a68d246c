use std::collections::HashSet;

use model::campaign::{Campaign, Phase};
use model::schema::Point;
use serde_json::Value;

use super::super::*;
use crate::rounds::testing::{Behaviour, DEFAULT, Shape, decoded, realistic};

/// Three candidates at two points that only their sweeps tell apart, and one of them saturated.
fn campaign() -> Campaign {
    let points = vec![Point::new("idle-scaling", 100, 100), Point::new("all, active", 100, 100)];
    Shape { points, starts: 3, rounds: 4, ..Shape::of(&DEFAULT[2..5]) }.campaign(|name, point| Behaviour {
        keeps_up: if name == "poll" && point.sweep == "idle-scaling" { 0.6 } else { 1.0 },
        generator_busy: if name == "epoll-et" { 0.99 } else { 0.7 },
        samples: 1_000,
        ..realistic(name, point)
    })
}

fn exported(campaign: Campaign, format: Format) -> Exported {
    let (campaign, histograms) = decoded(campaign);
    render_campaign(&Analysis::of(&campaign, &histograms), format).expect("a format of campaigns")
}

fn one(campaign: Campaign, format: Format) -> String {
    match exported(campaign, format) {
        Exported::One(text) => text,
        Exported::Several(files) => panic!("{} files", files.len()),
    }
}

fn several(campaign: Campaign, format: Format) -> Vec<(String, String)> {
    match exported(campaign, format) {
        Exported::Several(files) => files,
        Exported::One(text) => panic!("one text: {text}"),
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

const ALL: [Format; 7] = [
    Format::GithubBenchmark,
    Format::Bmf,
    Format::Prometheus,
    Format::OpenMetrics,
    Format::Csv,
    Format::Hgrm(None),
    Format::Hlog,
];

#[test]
fn the_same_campaign_gives_the_same_bytes_and_an_empty_one_gives_no_figures() {
    let empty = Campaign { rounds: Vec::new(), starts: Vec::new(), ..campaign() };
    for format in ALL {
        let first = exported(campaign(), format);
        assert_eq!(first, exported(campaign(), format));
        assert_ne!(first, exported(empty.clone(), format));
    }
    assert!(several(empty.clone(), Format::GithubBenchmark).iter().all(|(_, text)| text == "[]\n"));
    assert_eq!(one(empty.clone(), Format::Bmf), "{}\n");
    assert!(several(empty, Format::Hgrm(None)).is_empty());
}

#[test]
fn a_format_of_one_kind_of_result_is_none_of_the_other() {
    let (campaign, histograms) = decoded(campaign());
    let analysis = Analysis::of(&campaign, &histograms);
    for format in [Format::Json, Format::Hgrm(Some(Measure::Service))] {
        let error = render_campaign(&analysis, format).expect_err("of load");
        assert!(error.to_string().ends_with("JSON is what it is already"), "{error}");
    }
}

#[test]
fn the_two_files_for_github_part_the_figures_by_direction() {
    let [(smaller, times), (bigger, rates)] = &several(campaign(), Format::GithubBenchmark)[..] else {
        panic!("two files")
    };
    assert_eq!((smaller.as_str(), bigger.as_str()), ("smaller-is-better.json", "bigger-is-better.json"));
    let figures = |text: &str| json_of(text).as_array().expect("an array").clone();
    let names = |text: &str| -> Vec<String> {
        figures(text).iter().map(|figure| figure["name"].as_str().expect("a name").to_owned()).collect()
    };
    let all: Vec<String> = [names(times), names(rates)].concat();
    assert_eq!(
        all.iter().collect::<HashSet<_>>().len(),
        all.len(),
        "the action tells figures by their names"
    );
    assert_eq!(names(rates).len(), 6, "three candidates at two points: no twins");
    assert!(all.contains(&"epoll-et/idle-scaling/100c/100a/response_p50".to_owned()), "{all:?}");
    assert!(all.contains(&"poll/all--active/100c/100a/response_p50".to_owned()), "{all:?}");
    assert!(!all.contains(&"poll/idle-scaling/100c/100a/response_p50".to_owned()), "it is saturated");
    let first = &figures(times)[0];
    let (value, range) =
        (first["value"].as_f64().expect("a number"), first["range"].as_str().expect("an interval"));
    let reach: f64 = range.strip_prefix("± ").expect("the sign").parse().expect("a number");
    assert_eq!(first["unit"], "us");
    assert!(value > 30.0 && value < 60.0 && reach > 0.0 && reach < 20.0, "{first}");
    let extra = |name: &str| {
        let all = figures(rates);
        let found = all.iter().find(|figure| figure["name"] == name).expect("there");
        found["extra"].as_str().expect("text").to_owned()
    };
    assert!(extra("epoll-et/idle-scaling/100c/100a/throughput").contains("a lower bound"));
    assert!(extra("poll/idle-scaling/100c/100a/throughput").contains(" of the reference\nbench-01, "));
}

#[test]
fn bencher_has_each_figure_in_a_measure_of_its_own_with_the_ends_of_its_interval() {
    let metrics = json_of(&one(campaign(), Format::Bmf));
    let response = &metrics["epoll-lt/idle-scaling/100c/100a/response_p50"]["latency"];
    let [low, value, high] =
        ["lower_value", "value", "upper_value"].map(|key| response[key].as_f64().expect("a number"));
    assert!(low < value && value < high && low > 1e4, "in nanoseconds: {response}");
    let throughput = &metrics["epoll-lt/idle-scaling/100c/100a/throughput"]["throughput"]["value"];
    assert!(throughput.as_f64() > Some(1e4));
}

#[test]
fn the_log_has_a_tagged_line_for_each_start_and_load_in_the_order_of_time() {
    let mut campaign = campaign();
    for (at, round) in campaign.rounds.iter_mut().enumerate() {
        round.began_s = at as f64;
    }
    let first = campaign.rounds[0].slices.clone();
    campaign.rounds[0].dropped = Some("the generator stood still".to_owned());
    let log = one(campaign.clone(), Format::Hlog);
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("Tag=")).collect();
    assert_eq!(lines.len(), 3 * 2 * 3 * 3, "candidates, points, loads, starts");
    assert!(log.contains("#[StartTime: 1767323045.000 (seconds since epoch), 2026-01-02T03:04:05Z]"));
    let began: Vec<f64> =
        lines.iter().map(|line| line.split(',').nth(1).expect("a time").parse().expect("a number")).collect();
    assert!(began.is_sorted() && began[0] == 1.0, "the first round does not count: {began:?}");
    // Three slices of a tenth of a second each, 9 rounds after the first that counts.
    let saturated = lines.iter().find(|line| line.starts_with("Tag=poll/idle-scaling/100c/100a/saturation,"));
    let expected = format!(",{:.3},{:.3},", 3.0, 6.0 + 0.1 * first.len() as f64);
    assert!(saturated.expect("a line").contains(&expected), "{saturated:?}, {expected}");
}

#[test]
fn a_distribution_is_of_all_rounds_of_one_load_that_count() {
    let mut campaign = campaign();
    let first = campaign.rounds.iter_mut().find(|round| round.phase == Phase::Light).expect("a light round");
    first.dropped = Some("the generator stood still".to_owned());
    let files = several(campaign, Format::Hgrm(None));
    assert_eq!(files.len(), 3 * 2 * 3);
    let total = |name: &str| {
        let text =
            &files.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("{name}: {files:?}")).1;
        text.split("Total count    =")
            .nth(1)
            .expect("a count")
            .trim_start()
            .split(']')
            .next()
            .map(str::to_owned)
    };
    assert_eq!(total("poll_idle-scaling_100c_100a_saturation.hgrm").as_deref(), Some("12000"));
    assert_eq!(total("poll_idle-scaling_100c_100a_light.hgrm").as_deref(), Some("11000"));
    assert_eq!(total("poll_all--active_100c_100a_light.hgrm").as_deref(), Some("12000"));
}

#[test]
fn the_table_has_a_row_for_each_metric_and_says_what_is_saturated() {
    let mut campaign = campaign();
    campaign.plan.scenario.name = "=cmd|' /C calc'!A0".to_owned();
    let (campaign, histograms) = decoded(campaign);
    let analysis = Analysis::of(&campaign, &histograms);
    let Ok(Exported::One(table)) = render_campaign(&analysis, Format::Csv) else { panic!("a text") };
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    let head = reader.headers().expect("a head").clone();
    let rows: Vec<::csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows");
    let column = |row: &::csv::StringRecord, name: &str| {
        row[head.iter().position(|header| header == name).expect("a column")].to_owned()
    };
    assert!(
        rows.iter()
            .all(|row| column(row, "scenario") == "'=cmd|' /C calc'!A0" && column(row, "threads") == "1")
    );
    let find = |candidate: &str, metric: &str| {
        let is_it = |row: &&::csv::StringRecord| {
            column(row, "candidate") == candidate
                && column(row, "metric") == metric
                && column(row, "sweep") == "idle-scaling"
        };
        rows.iter().find(is_it).unwrap_or_else(|| panic!("{candidate} {metric}"))
    };
    let cpu = analysis.points[0].rows().into_iter().find(|(_, one)| one.name == "epoll-et").expect("there").1;
    let figure = cpu.figure(&crate::rounds::metrics::CPU).expect("measured");
    let row = find("epoll-et", "cpu");
    assert_eq!(column(row, "value"), figure.value.to_string());
    assert_eq!(column(row, "ratio"), figure.comparison.expect("compared").ratio.to_string());
    assert_eq!((column(row, "unit"), column(row, "ratio_low").is_empty()), ("ns".to_owned(), false));
    assert_eq!(column(find("epoll-et", "throughput"), "is_lower_bound"), "true");
    assert_eq!(column(find("epoll-lt", "cpu"), "ratio"), "", "it is the reference");
    let saturated = find("poll", "response_p50");
    assert_eq!(
        (column(saturated, "value"), column(saturated, "saturated_rate_per_s")),
        (String::new(), "1000".to_owned())
    );
}

#[test]
fn every_family_of_the_exposition_stands_together_and_no_sample_is_there_twice() {
    let text = one(campaign(), Format::OpenMetrics);
    assert!(text.ends_with("# EOF\n"));
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let names: HashSet<&str> =
        samples.iter().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
    assert_eq!(names.len(), samples.len());
    let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(families.len(), families.iter().collect::<HashSet<_>>().len());
    let place = r#"candidate="poll",sweep="idle-scaling",connections="100",active="100",threads="1""#;
    for expected in [
        format!("muxbench_saturated{{scenario=\"many-idle-few-active\",{place},phase=\"light\"}} 1\n"),
        format!("{place},metric=\"throughput\",of=\"low\"}} "),
        "# UNIT muxbench_cpu_seconds seconds\n".to_owned(),
        "muxbench_syscalls_per_request{".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected}");
    }
    assert!(
        !text.contains(&format!("muxbench_response_p50_seconds{{scenario=\"many-idle-few-active\",{place}"))
    );
}

#[test]
fn every_metric_has_a_family_of_its_own() {
    let names: HashSet<String> =
        crate::rounds::METRICS.iter().map(|metric| metrics::family(metric).0).collect();
    assert_eq!(names.len(), crate::rounds::METRICS.len());
    assert!(!names.contains("muxbench_response_seconds"), "that is the histogram's");
}
