//! One tidy table: a row for each figure, so that a table of many runs is their rows one after another, and a filter finds
//! anything.

use super::Measure;
use super::counts::{self, Count};
use super::series::{self, PLACE};
use super::spreadsheet;
use crate::rounds::metrics::{METRICS, Unit};
use crate::rounds::{Analysis, Figure, Shown};
use model::schema::{Interval, Latency, LoadReport};
use stats::{Interval as Bounds, Relation};

/// The columns of a run, which docs/LOAD-GEN.md describes: the server's address; `window` or `interval`, with its begin in seconds since the
/// window's and its length; what was measured, and what of it (`count`, `p99`, `scheduled`, the name of an error …); `1` (a count), `ns`, `s`, `1/s` or
/// `ratio`; the figure, a count without a decimal point.
const OF_RUNS: &str = "target,scope,start_s,length_s,measure,statistic,unit,value";
/// The columns of a figure of a campaign, behind those that say whose it is.
const OF_FIGURES: &str = "metric,unit,value,low,high,is_lower_bound,ratio,ratio_low,ratio_high,relation,generator_full,\
     saturated_answered_per_s,saturated_rate_per_s";

struct Table<'a> {
    writer: ::csv::Writer<Vec<u8>>,
    target: &'a str,
    scope: &'static str,
    start_s: f64,
    length_s: f64,
}

/// Writes the table of a campaign: a row for each metric of each candidate at each point. Of what is saturated in place of a latency the value is
/// empty, and the last columns tell.
pub fn of_campaign(analysis: &Analysis<'_>) -> String {
    let campaign = analysis.campaign;
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let head = ["scenario", "started", "reference", "candidate"].into_iter().chain(PLACE);
    writer.write_record(head.chain(OF_FIGURES.split(','))).expect("written to memory");
    for series in series::all(analysis) {
        let candidate = series.candidate;
        let names =
            [&campaign.plan.scenario.name, &campaign.started, &campaign.plan.reference, candidate.name];
        let place: Vec<String> = PLACE.iter().map(|key| series.place(key)).collect();
        let texts = names.into_iter().chain(place.iter().map(String::as_str)).map(spreadsheet::text);
        let texts: Vec<String> = texts.map(std::borrow::Cow::into_owned).collect();
        for metric in &METRICS {
            let figure = match candidate.shown(metric) {
                Shown::Figure(figure) => figure_columns(figure),
                Shown::Saturated(saturated) => {
                    let rates = [saturated.answered_per_s, saturated.rate_per_s].map(|rate| rate.to_string());
                    std::iter::repeat_n(String::new(), 9).chain(rates).collect()
                }
                Shown::Absent => continue,
            };
            let metric = [metric.key, unit(metric.unit)].map(str::to_owned);
            writer.write_record(texts.iter().chain(&metric).chain(&figure)).expect("written to memory");
        }
    }
    text(writer)
}

/// The columns of a figure, from its value on.
fn figure_columns(figure: &Figure) -> Vec<String> {
    let ends = |interval: Option<Bounds>| {
        interval.map_or_else(<[String; 2]>::default, |at| [at.low, at.high].map(|end| end.to_string()))
    };
    let compared = figure.comparison.map(|one| {
        let [ratio, low, high] = one.ends().map(|number| number.to_string());
        [ratio, low, high, word(one.relation).to_owned(), one.generator_full.to_string()]
    });
    let [low, high] = ends(figure.interval);
    let own = [figure.value.to_string(), low, high, figure.is_lower_bound.to_string()];
    own.into_iter().chain(compared.unwrap_or_default()).chain(<[String; 2]>::default()).collect()
}

fn word(relation: Relation) -> &'static str {
    match relation {
        Relation::Below => "below",
        Relation::Above => "above",
        Relation::Equal => "equal",
        Relation::NotDistinguishable => "not-distinguishable",
    }
}

/// The unit as the table has it, of what is measured in a campaign.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Nanoseconds => "ns",
        Unit::PerSecond => "1/s",
        Unit::Share => "ratio",
        Unit::Count => "1",
        Unit::Bytes => "B",
    }
}

fn text(writer: ::csv::Writer<Vec<u8>>) -> String {
    let bytes = writer.into_inner().expect("written to memory");
    String::from_utf8(bytes).expect("made of strings")
}

/// Writes the table of `report`.
pub fn render(report: &LoadReport) -> String {
    let target = spreadsheet::text(&report.settings.target);
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(OF_RUNS.split(',')).expect("written to memory");
    let mut table =
        Table { writer, target: &target, scope: "window", start_s: 0.0, length_s: report.window_s };
    table.window(report);
    report.intervals.iter().for_each(|interval| table.interval(interval));
    text(table.writer)
}

impl Table<'_> {
    fn window(&mut self, report: &LoadReport) {
        for measure in Measure::ALL {
            if let Some(latency) = measure.of(report) {
                self.latency(measure, latency);
            }
        }
        for Count { of, name, value, .. } in counts::all(report) {
            self.row(of, name, "1", value as f64);
        }
        self.row("requests", "throughput", "1/s", report.throughput_per_s);
        for (name, count) in &report.errors {
            self.row("errors", name, "1", *count as f64);
        }
        self.row("connections", "ramp", "s", report.connections.ramp_s);
        self.row("generator", "valid", "1", f64::from(u8::from(report.valid)));
        self.row("generator", "busy", "ratio", report.generator_busy);
        self.row("generator", "starved", "ratio", report.generator_starved);
        self.row("generator", "steal", "ratio", report.steal);
    }

    fn interval(&mut self, interval: &Interval) {
        (self.scope, self.start_s, self.length_s) = ("interval", interval.start_s, interval.length_s);
        if let Some(response) = &interval.response {
            self.latency(Measure::Response, response);
        }
        self.latency(Measure::Service, &interval.service);
        self.row("requests", "completed", "1", interval.completed as f64);
        self.row("requests", "failed", "1", interval.errors as f64);
    }

    /// A percentile that has too few samples beyond it has no row.
    fn latency(&mut self, measure: Measure, latency: &Latency) {
        self.row(measure.name(), "count", "1", latency.count as f64);
        let ns = |ns: Option<u64>| ns.map(|ns| ns as f64);
        for (statistic, value) in [
            ("mean", latency.mean_ns),
            ("p50", ns(latency.p50_ns)),
            ("p90", ns(latency.p90_ns)),
            ("p99", ns(latency.p99_ns)),
            ("p999", ns(latency.p999_ns)),
            ("max", ns(latency.max_ns)),
        ] {
            if let Some(value) = value {
                self.row(measure.name(), statistic, "ns", value);
            }
        }
    }

    fn row(&mut self, measure: &'static str, statistic: &str, unit: &'static str, value: f64) {
        let &mut Self { target, scope, start_s, length_s, .. } = self;
        let place = (target, scope, start_s, length_s);
        let figure = (measure, spreadsheet::text(statistic), unit, value.to_string());
        self.writer.serialize((place, figure)).expect("written to memory");
    }
}
