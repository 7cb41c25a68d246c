use super::super::*;
use crate::testing;
use model::histogram;
use model::schema::{Churn, Interval};

/// An open-loop report of 20,000 requests.
fn report() -> LoadReport {
    testing::load()
}

/// The same with two intervals that have half of the replies each.
fn with_intervals() -> LoadReport {
    let mut report = report();
    let half = Latency::of(&testing::distribution(40_000.0, 3.0, 10_000));
    report.intervals = [0.0, 0.5]
        .map(|start_s| Interval {
            start_s,
            length_s: 0.5,
            completed: half.count,
            errors: 0,
            response: Some(half.clone()),
            service: half.clone(),
        })
        .into();
    report
}

fn text(report: &LoadReport, format: Format) -> String {
    render(report, format, &[]).expect("written")
}

#[test]
fn hgrm_shows_the_response_in_open_loop_and_the_service_in_closed() {
    let mut report = report();
    report.service = Latency::of(&testing::distribution(10.0, 2.0, 500));
    assert!(text(&report, Format::Hgrm(None)).contains("Total count    =        20000]"));
    assert!(text(&report, Format::Hgrm(Some(Measure::Service))).contains("Total count    =          500]"));
    report.response = None;
    assert!(text(&report, Format::Hgrm(None)).contains("Total count    =          500]"));
    let error = render(&report, Format::Hgrm(Some(Measure::Response)), &[]).expect_err("closed loop");
    assert_eq!(error.to_string(), "the result has no response times");
}

#[test]
fn the_log_has_a_line_a_measure_or_a_line_an_interval() {
    let lines = |report: &LoadReport| -> Vec<String> {
        let log = text(report, Format::Hlog);
        assert!(log.contains(
            "#[StartTime: 1767323045.679 (seconds since epoch), 2026-01-02T03:04:05.678901234Z]\n"
        ));
        log.lines()
            .filter_map(|line| Some(line.strip_prefix("Tag=")?.split(",HIST").next()?.to_owned()))
            .collect()
    };
    let window = lines(&report());
    assert!(window[0].starts_with("response,0.000,1.000,") && window[1].starts_with("service,0.000,1.000,"));
    assert_eq!(window.len(), 2);
    let intervals = lines(&with_intervals());
    let begins =
        ["response,0.000,0.500", "service,0.000,0.500", "response,0.500,0.500", "service,0.500,0.500"];
    assert_eq!(intervals.len(), 4);
    assert!(intervals.iter().zip(begins).all(|(line, begin)| line.starts_with(begin)), "{intervals:?}");
}

#[test]
fn the_table_has_a_row_a_figure_and_no_row_for_what_is_absent() {
    let mut report = with_intervals();
    report.service = Latency::of(&histogram::empty());
    report.settings.target = "unix:/a,b".to_owned();
    let table = text(&report, Format::Csv);
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("target,scope,start_s,length_s,measure,statistic,unit,value"));
    assert!(lines.clone().all(|line| line.starts_with("\"unix:/a,b\",")), "{table}");
    assert!(table.contains(",window,0.0,1.0,requests,scheduled,1,20000\n"), "{table}");
    assert!(table.contains(",interval,0.5,0.5,requests,completed,1,10000\n"), "{table}");
    assert!(table.contains(",window,0.0,1.0,service,count,1,0\n"));
    assert!(!table.contains(",window,0.0,1.0,service,max"));
}

#[test]
fn what_was_never_sent_rotated_and_churned_is_counted_in_the_table_and_in_openmetrics_where_it_was_asked_for()
{
    let mut report = report();
    let counted = |report: &LoadReport, of: &str, name: &str| {
        let row = format!(",window,0.0,1.0,{of},{name},1,");
        let table = text(report, Format::Csv);
        let in_table =
            table.lines().find_map(|line| line.split_once(&row)).map(|(_, value)| value.to_owned());
        let sample = format!("load_gen_{of}_{name}_total{{target=\"127.0.0.1:7777\"}} ");
        let exposition = text(report, Format::OpenMetrics);
        let exposed = exposition.lines().find_map(|line| line.strip_prefix(&sample)).map(str::to_owned);
        assert_eq!(in_table, exposed, "{of} {name}");
        in_table
    };
    assert_eq!(counted(&report, "connections", "rotated"), None);
    assert_eq!(counted(&report, "connections", "churn_replaced"), None);
    (report.unsent, report.delayed, report.connections.rotated) = (2, 3, Some(4));
    report.connections.churn = Some(Churn { scheduled: 26, replaced: 7, failed: 8, unfinished: 11 });
    for (of, name, value) in [
        ("requests", "unsent", "2"),
        ("requests", "delayed", "3"),
        ("connections", "rotated", "4"),
        ("connections", "churn_scheduled", "26"),
        ("connections", "churn_replaced", "7"),
        ("connections", "churn_failed", "8"),
        ("connections", "churn_unfinished", "11"),
    ] {
        assert_eq!(counted(&report, of, name).as_deref(), Some(value), "{of} {name}");
    }
}

#[test]
fn labels_are_escaped_and_buckets_end_with_all_samples() {
    let exposition = render(&report(), Format::OpenMetrics, &[("mechanism", "a\"b\\c\nd")]).expect("written");
    let labels = r#"target="127.0.0.1:7777",mechanism="a\"b\\c\nd""#;
    assert!(
        exposition.contains(&format!("load_gen_requests_completed_total{{{labels}}} 20000\n")),
        "{exposition}"
    );
    assert!(
        exposition.contains(&format!("load_gen_response_seconds_bucket{{{labels},le=\"+Inf\"}} 20000\n"))
    );
    for edge in ["1e-06", "5e-05", "0.0001", "0.2", "1.0", "50.0"] {
        assert!(exposition.contains(&format!(",le=\"{edge}\"}}")), "{edge}");
    }
    assert!(exposition.ends_with("\n# EOF\n"));
}

#[test]
fn each_format_of_metrics_has_the_types_that_its_readers_know() {
    let heads = |format| -> Vec<String> {
        let exposition = text(&report(), format);
        exposition.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect()
    };
    let (prometheus, openmetrics) = (heads(Format::Prometheus), heads(Format::OpenMetrics));
    for (head, of_prometheus, of_openmetrics) in [
        ("# TYPE load_gen_run_info gauge", true, false),
        ("# TYPE load_gen_run info", false, true),
        ("# TYPE load_gen_requests_completed_total counter", true, false),
        ("# TYPE load_gen_requests_completed counter", false, true),
        ("# TYPE load_gen_response_seconds histogram", true, true),
        ("# TYPE load_gen_response_percentiles_seconds summary", true, true),
        ("# UNIT load_gen_response_seconds seconds", false, true),
        ("# EOF", false, true),
    ] {
        let has = |heads: &[String]| heads.iter().any(|line| line == head);
        assert_eq!((has(&prometheus), has(&openmetrics)), (of_prometheus, of_openmetrics), "{head}");
    }
    let samples = |format| -> Vec<String> {
        let exposition = text(&report(), format);
        exposition.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(samples(Format::Prometheus), samples(Format::OpenMetrics));
}

#[test]
fn what_a_spreadsheet_would_take_for_a_formula_is_text_in_the_table_and_numbers_are_numbers() {
    let mut report = report();
    report.settings.target = "=HYPERLINK(\"http://example.org\")".to_owned();
    report.errors.insert("@SUM(A1)".to_owned(), 3);
    let table = text(&report, Format::Csv);
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<::csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows");
    assert!(rows.iter().all(|row| row[0].starts_with("'=HYPERLINK")), "{table}");
    assert!(rows.iter().any(|row| &row[5] == "'@SUM(A1)" && &row[7] == "3"), "{table}");
    assert!(rows.iter().all(|row| row[7].parse::<f64>().is_ok()), "{table}");
}

#[test]
fn json_reads_back_as_the_report() {
    let report = with_intervals();
    match serde_json::from_str(&text(&report, Format::Json)).expect("a result") {
        ResultFile::Load(read) => assert_eq!(read, report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_histogram_is_an_error_in_every_format_that_holds_it() {
    let mut report = report();
    report.service.histogram = "HISTFAAA".to_owned();
    for format in
        [Format::Hgrm(Some(Measure::Service)), Format::Hlog, Format::Prometheus, Format::OpenMetrics]
    {
        assert!(matches!(render(&report, format, &[]), Err(ExportError::Histogram(_))), "{format:?}");
    }
}
