//! A build beside what it is to replace, in the same rounds.

use super::*;

/// A campaign against another build, in which `slow` is `factor` times worse than its base.
fn against_base(slow: &str, factor: f64, noise: f64) -> Campaign {
    let shape = Shape { starts: 10, rounds: 30, ..shape(3) };
    let mut campaign = shape.campaign(|name, _| {
        let of =
            if name == slow { Behaviour::times(factor, 1.0 / factor, factor) } else { Behaviour::default() };
        Behaviour { noise, ..of }
    });
    // Each candidate beside its own base: the made-up reference is that of all.
    campaign.plan.reference = "base".to_owned();
    campaign.plan.against = Some("/old/muxbench".to_owned());
    campaign
}

fn held_to_base(campaign: Campaign, most: f64) -> (Gate, Vec<String>) {
    let (campaign, histograms) = decoded(campaign);
    against(&Analysis::of(&campaign, &histograms), most)
}

#[test]
fn a_build_is_worse_than_its_base_where_the_whole_interval_says_so_and_each_figure_is_a_line() {
    let (outcome, lines) = held_to_base(against_base("poll", 1.08, 0.01), 0.05);
    assert_eq!(outcome, Gate::Worse);
    assert!(!lines.is_empty() && lines.iter().all(|line| line.starts_with("poll at ")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains(": throughput 0.9")), "{lines:?}");
    assert_eq!(held_to_base(against_base("poll", 1.08, 0.01), 0.2), (Gate::Passed, Vec::new()));
    assert_eq!(held_to_base(against_base("", 1.0, 0.05), 0.05).0, Gate::Passed);
}

#[test]
fn a_build_that_is_surely_worse_than_a_base_with_which_the_generator_was_full_fails() {
    let held = |full: &[&str]| {
        let shape = Shape { starts: 10, rounds: 30, ..shape(3) };
        let mut campaign = shape.campaign(|name, _| Behaviour {
            noise: 0.01,
            generator_busy: if full.contains(&name) { 0.99 } else { 0.7 },
            throughput_per_s: if name == "poll" { 84_000.0 } else { 120_000.0 },
            ..Behaviour::default()
        });
        campaign.plan.reference = "base".to_owned();
        campaign.plan.against = Some("/old/muxbench".to_owned());
        held_to_base(campaign, 0.1)
    };
    // The made-up base is "epoll-lt": what it might do more makes "poll" worse still.
    let (outcome, lines) = held(&["epoll-lt"]);
    assert_eq!(outcome, Gate::Worse);
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(": throughput 0.7")), "{lines:?}");
    for full in [&["poll"][..], &["epoll-lt", "poll"]] {
        let (outcome, lines) = held(full);
        assert_eq!(outcome, Gate::Undecided, "{lines:?}");
        assert!(
            lines.iter().all(|line| line.starts_with("missing: poll, throughput, at ")
                && line.ends_with(": the generator was full too")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_build_of_which_no_round_counts_cannot_be_told_from_its_base() {
    let mut campaign = against_base("", 1.0, 0.05);
    let of_poll = |slice: &model::campaign::Slice| slice.candidate == "poll";
    campaign.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| !of_poll(slice)));
    let (outcome, lines) = held_to_base(campaign.clone(), 0.05);
    assert_eq!(outcome, Gate::Undecided);
    let told = "missing: poll, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): there is no round of it";
    assert_eq!(lines, [told]);
    campaign.rounds.clear();
    let (outcome, lines) = held_to_base(campaign, 0.05);
    assert_eq!((outcome, lines.len()), (Gate::Undecided, 1), "the base has none: {lines:?}");
}
