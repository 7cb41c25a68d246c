//! The gate of a measured campaign: its comparison with another build measured in the same rounds, or a baseline.

use std::path::Path;

use model::campaign::{Campaign, Histograms};
use model::note;
use report::compare::{Gate, against};
use report::format;
use report::rounds::Analysis;

use super::Run;
use crate::commands::{compare, print};

/// Holds a campaign that was measured into `file` to all that was asked for, and keeps it as a baseline, if that was asked and it is valid: complete and
/// without gaps. Returns the status that the gate makes the process end with; 0 where it passes.
pub fn conclude(
    run: &Run,
    campaign: &Campaign,
    histograms: &Histograms,
    file: &Path,
    is_valid: bool,
) -> anyhow::Result<u8> {
    let scenario = &campaign.plan.scenario.name;
    let of_build = match (run.baselines.fail_above, &campaign.plan.against) {
        (Some(most), Some(base)) => beside(campaign, histograms, base, most),
        _ => Gate::Passed,
    };
    let (text, of_baseline) = run.baselines.compare(scenario, file)?;
    // With --json standard output is the campaign's.
    match run.json {
        true if !text.is_empty() => note!("{}", text.trim_end()),
        true => {}
        false => print(text)?,
    }
    let gate = if of_build == Gate::Passed { of_baseline } else { of_build };
    match (is_valid, gate) {
        (true, Gate::Passed) => run.baselines.keep(scenario, file)?,
        (true, _) => run.baselines.tell_not_kept("it does not pass"),
        (false, _) => run.baselines.tell_not_kept("it has gaps"),
    }
    Ok(compare::status(gate))
}

/// The gate beside another build, with a line about each figure that is worse or cannot be told.
fn beside(campaign: &Campaign, histograms: &Histograms, base: &str, most: f64) -> Gate {
    let (gate, lines) = against(&Analysis::of(campaign, histograms), most);
    let most = format::share(most);
    let verdict = match gate {
        Gate::Passed => format!("nothing is surely worse than {base} by more than {most}"),
        Gate::Worse => format!("surely worse than {base} by more than {most}"),
        Gate::Undecided => format!("whether it is worse than {base} by more than {most} cannot be told"),
    };
    note!("muxbench: gate: {verdict}{}", if lines.is_empty() { "" } else { ":" });
    lines.iter().for_each(|line| note!("muxbench: gate: {line}"));
    gate
}
