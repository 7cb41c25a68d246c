//! What each figure shows.

mod bench;
mod course;
mod distribution;
mod finding;
mod herd;
mod load;
mod map;
mod memory;
mod panels;
mod ratios;
mod reproduction;
mod scaling;
mod spectrum;

pub use self::bench::bench;
pub use self::load::of_load;
pub use self::reproduction::reproductions;

use super::chart::Figure;
use super::style::Styles;
use crate::format;
use crate::rounds::{Analysis, distinct};
use model::campaign::Length;
use model::schema::Environment;

/// The figures that a campaign has data for, the main one first.
pub fn of_campaign(analysis: &Analysis<'_>) -> Vec<Figure> {
    let twin = ratios::twin(analysis);
    let mut all = if twin.is_empty() { ratios::ratios(analysis) } else { twin };
    // What is left of the ratios comes last.
    let further = all.split_off(all.len().min(1));
    all.extend(map::map(analysis));
    all.extend(scaling::scaling(analysis));
    all.extend(herd::herd(analysis));
    all.extend(distribution::distributions(analysis));
    all.extend([memory::memory(analysis), memory::setup(analysis)].into_iter().flatten());
    all.extend(further);
    all
}

/// A figure of a campaign, of which the caption says so far how to read it, with styles, warnings and provenance; none where nothing is in it.
fn of_measured(figure: Figure, analysis: &Analysis<'_>) -> Option<Figure> {
    let campaign = analysis.campaign;
    let warnings = [
        (campaign.length == Length::Quick).then_some("quick run: wide intervals"),
        (!campaign.complete).then_some("interrupted: not every planned start was measured"),
    ];
    let groups = analysis.points.iter().flat_map(|at| &at.groups);
    let names = groups.flat_map(|group| &group.candidates).map(|candidate| candidate.name);
    let mut caption = figure.caption;
    caption.extend(provenance(analysis));
    (!figure.rows.is_empty()).then(|| Figure {
        styles: Styles::of(distinct(names)),
        warnings: warnings.into_iter().flatten().map(str::to_owned).collect(),
        caption,
        ..figure
    })
}

/// Where and when a campaign was measured, and with what.
fn provenance(analysis: &Analysis<'_>) -> [String; 2] {
    let campaign = analysis.campaign;
    let starts = analysis.points.iter().flat_map(|at| &at.groups).map(|group| group.starts).sum();
    let run = format!(
        "{}; seed {}, {}, {}, {}",
        machine(&campaign.environment),
        campaign.plan.seed,
        format::plural(starts, "start"),
        format::plural(campaign.rounds.len(), "round"),
        campaign.started
    );
    [run, mitigations(&campaign.environment)]
}

fn machine(environment: &Environment) -> String {
    format!("{}; muxbench {}", crate::machine::in_short(environment), environment.muxbench_version)
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
