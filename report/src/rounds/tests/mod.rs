//! Tests of the analysis of campaigns of rounds with known ratios.

mod answers;
mod figures;
mod lengths;
mod resolution;
mod saturations;
mod troubled;

use model::campaign::{Campaign, Slice};

use super::testing::{Behaviour, Shape, decoded};
use super::{Analysis, CandidateAnalysis, answer};

/// A campaign of the reference, its twin and `poll`, which behaves as given, at one point.
fn with_poll(behaviour: &Behaviour) -> Campaign {
    Shape::of(&["poll"]).campaign(|candidate, _| match candidate {
        "poll" => behaviour.clone(),
        _ => Behaviour::default(),
    })
}

/// The result of `check` on the analysis of a campaign.
fn analysed<T>(campaign: Campaign, check: impl FnOnce(&Analysis<'_>) -> T) -> T {
    let (campaign, histograms) = decoded(campaign);
    check(&Analysis::of(&campaign, &histograms))
}

fn candidate<'a, 'b>(analysis: &'b Analysis<'a>, name: &str) -> &'b CandidateAnalysis<'a> {
    let mut all = analysis.points[0].groups.iter().flat_map(|group| &group.candidates);
    all.find(|candidate| candidate.name == name).expect("a candidate")
}

fn of_poll(campaign: &mut Campaign) -> impl Iterator<Item = &mut Slice> {
    let slices = campaign.rounds.iter_mut().flat_map(|round| &mut round.slices);
    slices.filter(|slice| slice.candidate == "poll")
}

fn printed(campaign: Campaign) -> String {
    analysed(campaign, |analysis| answer::render(analysis, "The rest is in results/made-up."))
}
