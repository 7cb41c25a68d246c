use std::collections::HashSet;

use serde_json::Value;

use super::*;
use crate::testing;
use model::schema::CellStatus;

fn one(campaign: &Campaign, format: Format) -> String {
    match render(campaign, format).expect("sound histograms") {
        Exported::One(text) => text,
        Exported::Several(files) => panic!("{} files", files.len()),
    }
}

fn several(campaign: &Campaign, format: Format) -> Vec<(String, String)> {
    match render(campaign, format).expect("sound histograms") {
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
    Format::Hgrm,
    Format::Hlog,
];

#[test]
fn the_same_campaign_gives_the_same_bytes_and_an_empty_one_gives_no_figures() {
    let campaign = testing::realistic();
    let mut empty = campaign.clone();
    empty.cells.clear();
    for format in ALL {
        let [first, again] =
            [&campaign, &campaign.clone()].map(|campaign| render(campaign, format).expect("sound"));
        assert_eq!(first, again);
        assert_ne!(first, render(&empty, format).expect("sound"));
    }
    assert!(several(&empty, Format::GithubBenchmark).iter().all(|(_, text)| text == "[]\n"));
    assert_eq!(one(&empty, Format::Bmf), "{}\n");
    assert!(several(&empty, Format::Hgrm).is_empty());
}

#[test]
fn the_two_files_for_github_part_the_figures_by_direction() {
    let mut campaign = testing::realistic();
    // Of a single point of a contender every cell is lost.
    for at in 0..campaign.cells.len() {
        let cell = &campaign.cells[at];
        if cell.mechanism == "poll" && cell.point.connections == 10_000 {
            testing::spoil(&mut campaign, at, CellStatus::Failed, "the server died");
        }
    }
    let [(smaller, times), (bigger, capacities)] = &several(&campaign, Format::GithubBenchmark)[..] else {
        panic!("two files")
    };
    assert_eq!((smaller.as_str(), bigger.as_str()), ("smaller-is-better.json", "bigger-is-better.json"));
    let names = |text: &str| -> Vec<String> {
        let array = json_of(text);
        let names = array.as_array().expect("an array").iter().map(|figure| figure["name"].as_str());
        names.map(|name| name.expect("a name").to_owned()).collect()
    };
    let (times_named, capacities_named) = (names(times), names(capacities));
    // Four contenders at seven points, but one; p50, p99 and cpu, and beside them the capacity.
    assert_eq!((times_named.len(), capacities_named.len()), (27 * 3, 27));
    let unique: HashSet<&String> = times_named.iter().chain(&capacities_named).collect();
    assert_eq!(unique.len(), 27 * 4, "the action tells figures by their names");
    assert!(times_named.contains(&"epoll-et/10000c/10a/p99".to_owned()), "{times_named:?}");
    assert!(times_named.contains(&"poll/idle-scaling/10c/10a/p50".to_owned()), "both sweeps have 10 × 10");
    assert!(capacities_named.contains(&"poll/1000c/1000a/capacity".to_owned()));
    let figure = &json_of(times)[0];
    let (value, range) =
        (figure["value"].as_f64().expect("a number"), figure["range"].as_str().expect("an interval"));
    assert_eq!(figure["unit"], "us");
    let reach: f64 = range.strip_prefix("± ").expect("the sign").parse().expect("a number");
    assert!(value > 30.0 && value < 40.0 && reach > 0.0 && reach < 5.0, "{value} {range}");
    assert!(figure["extra"].as_str().expect("text").contains("Linux 6.8.0-45-generic"), "{figure}");
    // The figure of a contender that is only a lower bound says so.
    let bound = json_of(capacities)
        .as_array()
        .expect("an array")
        .iter()
        .find(|f| f["name"] == "epoll-lt/1000c/10a/capacity")
        .cloned();
    assert!(bound.expect("there")["extra"].as_str().expect("text").contains("a lower bound"));
}

#[test]
fn bencher_has_each_figure_in_a_measure_of_its_own_with_the_ends_of_its_interval() {
    let metrics = json_of(&one(&testing::realistic(), Format::Bmf));
    assert_eq!(metrics.as_object().expect("an object").len(), 28 * 4);
    let p99 = &metrics["select/1000c/10a/p99"]["latency"];
    let [low, value, high] =
        ["lower_value", "value", "upper_value"].map(|key| p99[key].as_f64().expect("a number"));
    assert!(low < value && value < high && low > 1e5, "in nanoseconds: {p99}");
    assert!(metrics["select/1000c/10a/capacity"]["throughput"]["value"].as_f64() > Some(1e4));
}

#[test]
fn the_log_has_a_tagged_line_a_valid_cell_in_the_order_of_time() {
    let mut campaign = testing::realistic();
    testing::spoil(&mut campaign, 0, CellStatus::Invalid, "the generator was late");
    let log = one(&campaign, Format::Hlog);
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("Tag=")).collect();
    assert_eq!(lines.len(), campaign.cells.len() - 1);
    assert!(
        log.contains("#[StartTime: 1767323045.000 (seconds since epoch), 2026-01-02T03:04:05Z]"),
        "{}",
        &log[..300]
    );
    // Begun 0.679 s after the campaign, by the generator's clock.
    assert!(lines[0].contains(",0.679,1.000,"), "{}", lines[0]);
    assert!(lines.iter().all(|line| line.split(',').count() == 5));
}

#[test]
fn the_table_has_a_row_a_cell_whatever_became_of_it() {
    let mut campaign = testing::realistic();
    testing::spoil(&mut campaign, 3, CellStatus::Failed, "it died, \"quietly\"\nand alone");
    let table = one(&campaign, Format::Csv);
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    let headers = reader.headers().expect("a head").clone();
    let rows: Vec<::csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows");
    assert_eq!(rows.len(), campaign.cells.len());
    let column = |row: usize, name: &str| {
        rows[row][headers.iter().position(|header| header == name).expect("a column")].to_owned()
    };
    assert_eq!(column(3, "status"), "failed");
    assert_eq!(column(3, "reasons"), "it died, \"quietly\"\nand alone");
    assert_eq!(column(3, "response_p50_ns"), "");
    let p50 = campaign.cells[0].latency.as_ref().and_then(|phase| phase.load.response.as_ref()?.p50_ns);
    assert_eq!(column(0, "response_p50_ns"), p50.expect("measured").to_string());
    assert_eq!(column(0, "rate_per_s"), "20000.0");

    campaign.plan.scenario.name = "=cmd|' /C calc'!A0".to_owned();
    campaign.cells[0].reasons = vec!["-1".to_owned()];
    campaign.cells[0].point.sweep = "@sweep".to_owned();
    let table = one(&campaign, Format::Csv);
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    let row = reader.records().next().expect("a row").expect("sound");
    let of = |name: &str| &row[headers.iter().position(|header| header == name).expect("a column")];
    assert_eq!((of("scenario"), of("sweep"), of("reasons")), ("'=cmd|' /C calc'!A0", "'@sweep", "'-1"));
}

#[test]
fn a_distribution_is_of_all_valid_repeats_of_one_contender_at_one_point() {
    let files = several(&testing::realistic(), Format::Hgrm);
    assert_eq!(files.len(), 28);
    assert!(files.iter().any(|(name, _)| name == "epoll-et_10000c_10a.hgrm"));
    assert!(files.iter().all(|(name, _)| !name.contains('/')));
    assert!(files.iter().all(|(_, text)| text.contains("Total count    =       100000]")), "{}", files[0].1);
}

#[test]
fn every_family_of_the_exposition_stands_together_and_no_sample_is_there_twice() {
    let text = one(&testing::with_servers(&["poll"], &["socat"]), Format::OpenMetrics);
    assert!(text.ends_with("# EOF\n"));
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let names: HashSet<&str> =
        samples.iter().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
    assert_eq!(names.len(), samples.len());
    let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(families.len(), families.iter().collect::<HashSet<_>>().len());
    assert!(text.contains(r#"muxbench_cells{scenario="many-idle-few-active",contender="socat",sweep="idle-scaling",connections="10","#));
}
