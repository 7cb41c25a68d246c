//! What each figure shows.

mod bench;
mod course;
mod finding;
mod load;
mod map;
mod measure;
mod panels;
mod reproduction;
mod spectrum;
mod sweeps;

pub use self::bench::bench;
pub use self::load::of_load;
pub use self::map::crossover_map;
pub use self::reproduction::reproductions;
pub use self::spectrum::percentile_spectrum;
pub use self::sweeps::{active_scaling, cost, further, idle_scaling, setup_memory};

use super::chart::{Body, Figure, Row};
use super::lines::{Lines, Mark, Series};
use super::style::Styles;
use crate::analysis::Analysis;
use crate::format;
use crate::statistics::REPEATS_FOR_INTERVAL;
use crate::warnings;
use model::schema::Environment;

/// A figure of a campaign, unless there is nothing in it. `notes` are told after how to read it.
fn figure(
    analysis: &Analysis<'_>,
    name: &str,
    (title, subtitle): (String, String),
    rows: Vec<Row>,
    notes: Vec<String>,
) -> Option<Figure> {
    let campaign = analysis.campaign;
    let mut warnings = Vec::new();
    if campaign.quick {
        warnings.push("quick run: wide intervals".to_owned());
    }
    if !campaign.complete {
        warnings.push("interrupted: not every planned cell was measured".to_owned());
    }
    let mut caption: Vec<String> = reading(analysis, &rows).into_iter().collect();
    caption.extend(notes);
    caption.extend(noise(analysis));
    caption.extend(provenance(analysis));
    // Every point has a row for each contender that is not excluded there, in the order of the plan.
    let contenders = analysis.points.iter().flat_map(|at| &at.rows);
    let styles = Styles::of(contenders.map(|row| row.mechanism.as_str()));
    (!rows.is_empty()).then(|| Figure {
        name: name.to_owned(),
        title,
        subtitle,
        rows,
        styles,
        warnings,
        caption,
    })
}

/// How to read lines and dots; nothing where there are none.
fn reading(analysis: &Analysis<'_>, rows: &[Row]) -> Option<String> {
    let series = all_series(rows);
    // Bands are of repeats; a spectrum has none.
    let marks = || series.iter().flat_map(|series| &series.points).map(|point| point.mark);
    if !marks().any(|mark| mark != Mark::None) || marks().any(|mark| mark == Mark::None) {
        return None;
    }
    let bodies = || rows.iter().flat_map(|row| &row.panels).map(|panel| &panel.body);
    let has_lines = bodies().any(|body| matches!(body, Body::Lines(_)));
    let (what, interval) = if has_lines { ("Line", "Band") } else { ("Dot", "Bar") };
    let repeats = analysis.campaign.repeats() as usize;
    let mut text = format!("{what}: percentiles of all repeats together, otherwise the repeats' median. ");
    if repeats < REPEATS_FOR_INTERVAL {
        text += &format!("{}: too few for an interval.", format::plural(repeats, "repeat"));
    } else {
        let caveat = format::interval_caveat(repeats).map(|text| format!(" ({text})")).unwrap_or_default();
        text += &format!("{interval}: 95% interval of that median{caveat}.");
    }
    if marks().any(|mark| mark == Mark::Hollow) {
        text.push_str(" Hollow: not every repeat was valid there.");
    }
    if marks().any(|mark| mark == Mark::Invalid) {
        let mark = if has_lines { "×" } else { "Hollow without a bar" };
        text.push_str(&format!(
            " {mark}: no repeat was valid there; shown as measured, and used for nothing."
        ));
    }
    Some(text)
}

fn all_series(rows: &[Row]) -> Vec<&Series> {
    rows.iter()
        .flat_map(|row| &row.panels)
        .flat_map(|panel| match &panel.body {
            Body::Lines(Lines { series, .. }) => series.iter(),
            Body::Dots(dots) => dots.series.iter(),
            Body::Fields(_) | Body::Heat(_) => std::slice::Iter::default(),
        })
        .collect()
}

/// What is odd about the campaign's figures, without the advice that goes with it.
fn noise(analysis: &Analysis<'_>) -> Option<String> {
    let warnings = warnings::of(analysis.campaign);
    let told: Vec<&str> = warnings
        .iter()
        .filter(|warning| warning.starts_with("drift") || warning.starts_with("outliers"))
        .filter_map(|warning| warning.split(';').next())
        .collect();
    (!told.is_empty()).then(|| format!("Noise: {}.", told.join("; ")))
}

/// Where and when a campaign was measured, and with what.
fn provenance(analysis: &Analysis<'_>) -> Vec<String> {
    let campaign = analysis.campaign;
    let run = format!(
        "{}; seed {}, {}, {}",
        machine(&campaign.environment),
        campaign.plan.seed,
        format::plural(campaign.repeats() as usize, "repeat"),
        campaign.started
    );
    vec![run, mitigations(&campaign.environment)]
}

fn machine(environment: &Environment) -> String {
    format!(
        "{}: {}, {} processors{}, Linux {}; muxbench {}",
        environment.host,
        environment.processor,
        environment.processors,
        environment.hypervisor.as_ref().map(|name| format!(" ({name})")).unwrap_or_default(),
        environment.kernel,
        environment.muxbench_version
    )
}

/// Against what the kernel protects itself, at the cost of every system call, and against what it does not.
fn mitigations(environment: &Environment) -> String {
    let those = |wanted: &str| {
        let names = environment.mitigations.iter().filter(|(_, state)| state.starts_with(wanted));
        let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    format!("mitigations: {}; vulnerable: {}", those("Mitigation"), those("Vulnerable"))
}

/// What becomes part of a file's name.
fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
