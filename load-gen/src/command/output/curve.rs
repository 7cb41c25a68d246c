//! A curve of rising rates, or a search among rates, for a person.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, Table};
use model::schema::{LoadCurve, LoadMode, LoadReport, RateSearch, SearchEnd};
use report::export::Measure;
use report::format::{ABSENT, duration_ns, nominal_rate, rate};

use super::{number, value};
use crate::command::search::percentile;

/// The rates, then what was found.
pub fn human_curve(curve: &LoadCurve) -> String {
    let mut text = String::new();
    if let Some(first) = curve.steps.first() {
        let settings = &first.settings;
        text += &format!(
            "{} connections to {}, {} active, open loop; each rate measured for {:.2} s\n",
            first.connections.opened, settings.target, settings.active, settings.duration_s
        );
    }
    text += &table(&curve.steps).to_string();
    text.push('\n');
    if let Some(search) = &curve.search {
        text += &found(search, &curve.steps);
        text.push('\n');
    }
    if !curve.valid {
        text += "NOT VALID:\n";
        curve.invalid_reasons.iter().for_each(|reason| text += &format!("  - {reason}\n"));
    }
    text
}

/// A row for each rate and measure; what is about the rate as a whole is in the first of its rows.
fn table(steps: &[LoadReport]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["offered/s", "answered/s", "", "p50", "p99", "p99.9", "max", "failed", "valid"]);
    for step in steps {
        let offered = match step.settings.mode {
            LoadMode::Open { rate_per_s, .. } => nominal_rate(rate_per_s),
            LoadMode::Closed { .. } => ABSENT.to_owned(),
        };
        let failed = step.errors.values().sum::<u64>() + step.outstanding;
        let valid = if step.valid { "yes" } else { "no" };
        let about = [offered, rate(step.throughput_per_s), failed.to_string(), valid.to_owned()];
        let measures = [Measure::Response, Measure::Service, Measure::Lateness];
        let measured = measures.into_iter().filter_map(|measure| Some((measure, measure.of(step)?)));
        for (row, (measure, latency)) in measured.enumerate() {
            let [offered, answered, failed, valid] =
                if row == 0 { about.clone() } else { Default::default() };
            let times = [latency.p50_ns, latency.p99_ns, latency.p999_ns, latency.max_ns].map(value);
            let rate = [number(offered), number(answered), Cell::new(measure.name())];
            table.add_row(rate.into_iter().chain(times).chain([number(failed), Cell::new(valid)]));
        }
    }
    table
}

/// One sentence on what the search found.
fn found(search: &RateSearch, steps: &[LoadReport]) -> String {
    let limit = duration_ns(search.objective.limit_ns as f64);
    let objective = format!("p{} within {limit}", percentile(search.objective.quantile));
    let met = search.met_per_s.map(rate).unwrap_or_default();
    let missed = search.missed_per_s.map(rate).unwrap_or_default();
    match search.ended {
        SearchEnd::Found => {
            format!("{met}/s is the highest rate found that meets {objective}; {missed}/s does not")
        }
        SearchEnd::Ceiling => format!("{met}/s, the highest rate of the range, meets {objective}"),
        SearchEnd::Floor => format!("{missed}/s, the lowest rate of the range, does not meet {objective}"),
        SearchEnd::Generator => format!(
            "{met}/s meets {objective}; at {missed}/s the generator was the limit: {}",
            match steps.iter().find_map(|step| step.cpu_quota.as_ref()) {
                // More threads would use it up sooner.
                Some(quota) =>
                    format!("raise the CPU quota of {} processors ({})", quota.processors, quota.setting),
                None => "give it --threads or processors".to_owned(),
            }
        ),
        SearchEnd::GaveUp => format!("no rate met {objective} twice: the machine is too noisy for it"),
        SearchEnd::Interrupted => format!("interrupted; {objective} is not decided"),
    }
}
