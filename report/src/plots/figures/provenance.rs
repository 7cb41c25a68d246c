//! The provenance that every figure states: where it was measured.

use model::campaign::Length;
use model::schema::Environment;

use crate::format;
use crate::plots::chart::Figure;
use crate::plots::style::Styles;
use crate::rounds::{Analysis, distinct};
/// A figure of a campaign, of which the caption says so far how to read it, with styles, warnings and provenance; none where nothing is in it.
pub(super) fn of_measured(figure: Figure, analysis: &Analysis<'_>) -> Option<Figure> {
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

/// The provenance of a campaign in two lines: the machine, the run and its time; the mitigations.
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

pub(super) fn machine(environment: &Environment) -> String {
    format!("{}; muxbench {}", crate::machine::in_short(environment), environment.muxbench_version)
}

/// Against what the kernel protects itself, at the cost of every system call, and against what it does not.
pub(super) fn mitigations(environment: &Environment) -> String {
    let those = |wanted: &str| {
        let names = environment.mitigations.iter().filter(|(_, state)| state.starts_with(wanted));
        let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    format!("mitigations: {}; vulnerable: {}", those("Mitigation"), those("Vulnerable"))
}

/// `text` as part of a file's name: each character but ASCII letters and digits becomes `-`.
pub(super) fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
