//! A run of load as metrics: in Prometheus's text format for promtool, a Pushgateway and the textfile collector of node_exporter, or as
//! OpenMetrics for what asks for that.
//!
//! Each measure is a classic histogram (`load_gen_response_seconds`), which can be added over runs, shards and targets,
//! and beside it a summary (`load_gen_response_percentiles_seconds`): a quantile taken from the histogram's buckets would
//! be as coarse as they are, while that of the whole HdrHistogram is known to three digits. Intervals are left out: an
//! exposition is the state at one time.

use super::Measure;
use super::counts::{self, Count};
use super::exposition::{Dialect, Exposition, Kind, seconds};
use model::histogram::DecodeError;
use model::schema::{Latency, LoadMode, LoadReport};

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

impl Exposition {
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
        self.gauge("load_gen_valid", "", "Whether the figures may be used: 1 or 0.", u8::from(report.valid));
        self.gauge("load_gen_window_seconds", "seconds", "Length of the measured window.", report.window_s);
        if let Some(rate) = rate {
            self.gauge("load_gen_offered_per_second", "", "Requests that fell due a second.", rate);
        }
        self.gauge(
            "load_gen_replies_per_second",
            "",
            "Replies received inside the window, per second.",
            report.throughput_per_s,
        );
        for (name, help, share) in [
            ("busy", "Share of the window that the busiest worker spent doing work.", report.generator_busy),
            (
                "starved",
                "Share of the window in which a worker had no processor, the worst one.",
                report.generator_starved,
            ),
            ("steal", "Share of the machine's time taken by the hypervisor.", report.steal),
        ] {
            self.gauge(&format!("load_gen_{name}_ratio"), "ratio", help, share);
        }
    }

    fn counts(&mut self, report: &LoadReport) {
        for Count { of, name, help, value } in counts::all(report) {
            self.family(&format!("load_gen_{of}_{name}"), Kind::Counter, "", help);
            self.sample(&format!("load_gen_{of}_{name}_total"), &[], value);
        }
        for (name, help, errors) in [
            ("request_errors", "Failed requests by the name of the failure.", &report.errors),
            (
                "connection_errors",
                "Failed connections by the name of the failure.",
                &report.connections.errors,
            ),
        ] {
            if !errors.is_empty() {
                self.family(&format!("load_gen_{name}"), Kind::Counter, "", help);
            }
            for (error, count) in errors {
                self.sample(&format!("load_gen_{name}_total"), &[("error", error)], count);
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
