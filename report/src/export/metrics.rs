//! A run of load, or a campaign, as metrics: in Prometheus's text format for promtool, a Pushgateway and the textfile collector of node_exporter, or as
//! OpenMetrics for what asks for that.
//!
//! Each measure is a classic histogram (`load_gen_response_seconds`), which can be added over runs, shards and targets,
//! and beside it a summary (`load_gen_response_percentiles_seconds`): a quantile taken from the histogram's buckets would
//! be as coarse as they are, while that of the whole HdrHistogram is known to three digits. Intervals are left out: an
//! exposition is the state at one time.

use super::Measure;
use super::counts::{self, Count};
use super::exposition::{Dialect, Exposition, Kind, seconds};
use super::series::{self, PHASES, PLACE, Series};
use crate::rounds::metrics::{METRICS, Metric, Unit};
use crate::rounds::{Analysis, Figure};
use model::campaign::Campaign;
use model::histogram::DecodeError;
use model::schema::{Latency, LoadMode, LoadReport};

const BUSY: &str = "Share of the window that the busiest worker spent doing work.";
const STARVED: &str = "Share of the window in which a worker had no processor, the worst one.";
const STEAL: &str = "Share of the machine's time taken by the hypervisor.";

/// Writes the exposition of `report`, with `labels` on every sample beside the target.
pub fn render(report: &LoadReport, dialect: Dialect, labels: &[(&str, &str)]) -> Result<String, DecodeError> {
    let target = [("target", report.settings.target.as_str())];
    let mut exposition = Exposition::new(dialect, target.iter().chain(labels).copied());
    exposition.run(report);
    exposition.counts(report);
    for measure in Measure::ALL {
        if let Some(latency) = measure.of(report) {
            exposition.histogram(measure, latency)?;
            exposition.summary(measure, latency);
        }
    }
    Ok(exposition.end())
}

/// Writes the exposition of a campaign: each metric of each candidate at each point, its ratio to the reference, and the responses as histograms.
pub fn of_campaign(analysis: &Analysis<'_>, dialect: Dialect) -> String {
    let campaign = analysis.campaign;
    let scenario = [("scenario", campaign.plan.scenario.name.as_str())];
    let mut exposition = Exposition::new(dialect, scenario.into_iter());
    exposition.campaign(campaign, analysis);
    let all: Vec<(Labels, Series<'_>)> =
        series::all(analysis).into_iter().map(|series| (Labels::of(&series), series)).collect();
    METRICS.iter().for_each(|metric| exposition.metric(metric, &all));
    exposition.ratios(&all);
    exposition.saturated(&all);
    let name = "muxbench_response_seconds";
    exposition.family(name, Kind::Histogram, "seconds", "Response times of all rounds that count.");
    for ((labels, series), (phase, load)) in all.iter().flat_map(|one| PHASES.map(|phase| (one, phase))) {
        let responses = series.merged(phase);
        if !responses.is_empty() {
            exposition.buckets(name, &labels.with(&[("phase", load)]), &responses);
        }
    }
    exposition.end()
}

/// The labels that distinguish a series from others. A label without a value is left out.
struct Labels(Vec<(&'static str, String)>);

impl Labels {
    fn of(series: &Series<'_>) -> Self {
        let place = PLACE.iter().map(|key| (*key, series.place(key)));
        let all = [("candidate", series.candidate.name.to_owned())].into_iter().chain(place);
        Self(all.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn with<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect()
    }
}

/// The name of a metric's family, its unit where it has one there, and what a value is multiplied by.
pub(super) fn family(metric: &Metric) -> (String, &'static str, f64) {
    let key = metric.key;
    match metric.unit {
        Unit::Nanoseconds => (format!("muxbench_{key}_seconds"), "seconds", 1e-9),
        Unit::PerSecond => (format!("muxbench_{key}_per_second"), "", 1.0),
        Unit::Share => (format!("muxbench_{key}_ratio"), "ratio", 1.0),
        Unit::Count => {
            let of = metric.denominator.split(' ').next().unwrap_or_default();
            (format!("muxbench_{key}_per_{of}"), "", 1.0)
        }
        Unit::Bytes => (format!("muxbench_{key}"), "", 1.0),
    }
}

impl Exposition {
    fn campaign(&mut self, campaign: &Campaign, analysis: &Analysis<'_>) {
        let machine = &campaign.environment;
        let seed = campaign.plan.seed.to_string();
        let length = format!("{:?}", campaign.length).to_lowercase();
        self.family("muxbench_campaign", Kind::Info, "", "What was measured, and where.");
        let labels = [
            ("started", campaign.started.as_str()),
            ("version", &campaign.muxbench_version),
            ("profile", &machine.profile),
            ("host", &machine.host),
            ("kernel", &machine.kernel),
            ("processor", &machine.processor),
            ("reference", &campaign.plan.reference),
            ("length", &length),
            ("seed", &seed),
        ];
        self.sample("muxbench_campaign_info", &labels, 1);
        self.family("muxbench_rounds", Kind::Gauge, "", "Rounds by whether they count.");
        let dropped = analysis.dropped.rounds;
        for (state, rounds) in [("counted", analysis.dropped.of - dropped), ("dropped", dropped)] {
            self.sample("muxbench_rounds", &[("state", state)], rounds);
        }
    }

    /// One metric of all series: its value, and the ends of its 95 % interval.
    fn metric(&mut self, metric: &Metric, all: &[(Labels, Series<'_>)]) {
        let figures: Vec<(&Labels, Figure)> =
            all.iter().filter_map(|(labels, series)| Some((labels, *series.figure(metric)?))).collect();
        if figures.is_empty() {
            return;
        }
        let (name, unit, scale) = family(metric);
        let denominator = Some(metric.denominator).filter(|denominator| !denominator.is_empty());
        let per = denominator.map(|denominator| format!(" per {denominator}")).unwrap_or_default();
        let help = format!("{}: {}{per}, with its 95% interval.", metric.name, metric.numerator);
        self.family(&name, Kind::Gauge, unit, &help);
        for (labels, figure) in &figures {
            self.ends(&name, labels, &[], (figure.value, figure.interval), scale);
        }
        if figures.iter().any(|(_, figure)| figure.is_lower_bound) {
            let name = format!("muxbench_{}_is_lower_bound", metric.key);
            self.family(&name, Kind::Gauge, "", "Whether the generator was full too: 1 or 0.");
            for (labels, figure) in &figures {
                self.sample(&name, &labels.with(&[]), u8::from(figure.is_lower_bound));
            }
        }
    }

    fn ratios(&mut self, all: &[(Labels, Series<'_>)]) {
        let name = "muxbench_ratio_to_reference";
        let help = "Ratio to the reference by a metric, with its simultaneous 95% interval.";
        self.family(name, Kind::Gauge, "", help);
        for (labels, series) in all {
            for (metric, figure) in series.figures() {
                if let Some(compared) = figure.comparison {
                    let of = (compared.ratio, Some(compared.interval));
                    self.ends(name, labels, &[("metric", metric.key)], of, 1.0);
                }
            }
        }
    }

    /// Three samples, of which the last two are of a value with an interval.
    fn ends(
        &mut self,
        name: &str,
        labels: &Labels,
        more: &[(&str, &str)],
        (value, interval): (f64, Option<stats::Interval>),
        scale: f64,
    ) {
        let ends = interval.map(|interval| [("low", interval.low), ("high", interval.high)]);
        for (of, value) in [("value", value)].into_iter().chain(ends.into_iter().flatten()) {
            self.sample(name, &labels.with(&[more, &[("of", of)]].concat()), value * scale);
        }
    }

    fn saturated(&mut self, all: &[(Labels, Series<'_>)]) {
        let name = "muxbench_saturated";
        self.family(name, Kind::Gauge, "", "Whether the candidate is saturated at the rate: 1 or 0.");
        for (labels, series) in all {
            for (phase, load) in &PHASES[1..] {
                let is_saturated = series.candidate.saturation(Some(*phase)).is_some();
                self.sample(name, &labels.with(&[("phase", load)]), u8::from(is_saturated));
            }
        }
    }

    fn run(&mut self, report: &LoadReport) {
        let settings = &report.settings;
        self.family("load_gen_run", Kind::Info, "", "What was asked for.");
        let (mode, rate) = match settings.mode {
            LoadMode::Closed { .. } => ("closed", None),
            LoadMode::Open { rate_per_s, .. } => ("open", Some(rate_per_s)),
        };
        let (active, size) = (settings.active.to_string(), settings.size_bytes.to_string());
        let (conns, seed) = (settings.conns.to_string(), settings.seed.to_string());
        let labels = [
            ("loop", mode),
            ("conns", &conns),
            ("active", &active),
            ("size_bytes", &size),
            ("seed", &seed),
            ("started_at", &report.started_at),
        ];
        self.sample("load_gen_run_info", &labels, 1);
        let gauges = [
            ("valid", "", "Whether the figures may be used: 1 or 0.", Some(report.valid.into())),
            ("window_seconds", "seconds", "Length of the measured window.", Some(report.window_s)),
            ("offered_per_second", "", "Requests that fell due a second.", rate),
            (
                "replies_per_second",
                "",
                "Replies received inside the window, per second.",
                Some(report.throughput_per_s),
            ),
            ("busy_ratio", "ratio", BUSY, Some(report.generator_busy)),
            ("starved_ratio", "ratio", STARVED, Some(report.generator_starved)),
            ("steal_ratio", "ratio", STEAL, Some(report.steal)),
        ];
        for (name, unit, help, value) in gauges {
            let name = format!("load_gen_{name}");
            if let Some(value) = value {
                self.family(&name, Kind::Gauge, unit, help);
                self.sample(&name, &[], value);
            }
        }
    }

    fn counts(&mut self, report: &LoadReport) {
        for Count { of, name, help, value } in counts::all(report) {
            self.family(&format!("load_gen_{of}_{name}"), Kind::Counter, "", help);
            self.sample(&format!("load_gen_{of}_{name}_total"), &[], value);
        }
        for (of, errors) in [("request", &report.errors), ("connection", &report.connections.errors)] {
            if !errors.is_empty() {
                let help = format!("Failed {of}s by the name of the failure.");
                self.family(&format!("load_gen_{of}_errors"), Kind::Counter, "", &help);
            }
            for (error, count) in errors {
                self.sample(&format!("load_gen_{of}_errors_total"), &[("error", error)], count);
            }
        }
    }

    fn histogram(&mut self, measure: Measure, latency: &Latency) -> Result<(), DecodeError> {
        let name = format!("load_gen_{}_seconds", measure.name());
        self.family(&name, Kind::Histogram, "seconds", help(measure));
        self.buckets(&name, &[], &latency.histogram()?);
        Ok(())
    }

    /// A percentile that has too few samples beyond it is left out; the quantile 1 is the largest sample.
    fn summary(&mut self, measure: Measure, latency: &Latency) {
        let name = format!("load_gen_{}_percentiles_seconds", measure.name());
        self.family(&name, Kind::Summary, "seconds", help(measure));
        for (quantile, ns) in [
            ("0.5", latency.p50_ns),
            ("0.9", latency.p90_ns),
            ("0.99", latency.p99_ns),
            ("0.999", latency.p999_ns),
            ("1.0", latency.max_ns),
        ] {
            if let Some(ns) = ns {
                self.sample(&name, &[("quantile", quantile)], seconds(ns as f64));
            }
        }
        self.sample(&format!("{name}_count"), &[], latency.count);
        let sum_ns = latency.mean_ns.unwrap_or(0.0) * latency.count as f64;
        self.sample(&format!("{name}_sum"), &[], seconds(sum_ns));
    }
}

fn help(measure: Measure) -> &'static str {
    match measure {
        Measure::Response => "From the instant the schedule intended to the last byte of the reply.",
        Measure::Service => "From the actual send to the last byte of the reply.",
        Measure::Lateness => "From the instant the schedule intended to the actual send.",
        Measure::Connect => "From the call of connect to the established connection.",
        Measure::ChurnConnect => "The same of connections that replaced others under load.",
    }
}
