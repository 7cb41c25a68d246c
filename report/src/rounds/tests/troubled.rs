//! Tests of what candidates do wrong.

use super::*;
use crate::rounds::metrics::RESPONSE;
use crate::rounds::testing::{DEFAULT, REFERENCE};
use crate::rounds::{Silences, Trouble};

#[test]
fn a_server_that_stalls_is_named_and_stays_in_the_comparison() {
    analysed(with_poll(&Behaviour { stall_ns: 40_000_000, ..Behaviour::default() }), |analysis| {
        let poll = candidate(analysis, "poll");
        let stalled =
            Trouble::Stalled(Silences { slices: 18, in_warmup: 0, of: 144, longest_ns: 40_000_000 });
        assert_eq!(poll.troubles, [stalled]);
        assert!(poll.comparison(&RESPONSE).is_some());
        assert!(candidate(analysis, REFERENCE).troubles.is_empty());
        let text = answer::render(analysis, "");
        assert!(text.contains("poll at 1k × 10: stalled in 18 of 144 slices, up to 40.0 ms."), "{text}");
    });
}

#[test]
fn stalls_that_hit_all_alike_are_the_machines() {
    let stalling = Behaviour { stall_ns: 40_000_000, ..Behaviour::default() };
    let campaign = Shape::of(&["poll", "select"]).campaign(|_, _| stalling.clone());
    analysed(campaign, |analysis| {
        let troubles: Vec<_> =
            analysis.points[0].groups[0].candidates.iter().map(|one| &one.troubles).collect();
        assert!(troubles.iter().all(|troubles| troubles.is_empty()), "{troubles:?}");
    });
}

#[test]
fn a_server_that_stalls_in_every_slice_is_not_excused_by_its_own_habit() {
    let mut campaign = with_poll(&Behaviour::default());
    of_poll(&mut campaign).for_each(|slice| slice.longest_silence_ns = 50_000_000);
    analysed(campaign, |analysis| {
        let stalled =
            Trouble::Stalled(Silences { slices: 144, in_warmup: 0, of: 144, longest_ns: 50_000_000 });
        assert_eq!(candidate(analysis, "poll").troubles, [stalled]);
    });
}

#[test]
fn a_stall_before_the_window_is_one_too_and_is_told_apart() {
    let mut campaign = with_poll(&Behaviour::default());
    of_poll(&mut campaign).step_by(4).for_each(|slice| slice.warmup_silence_ns = 50_000_000);
    of_poll(&mut campaign).step_by(8).for_each(|slice| slice.longest_silence_ns = 20_000_000);
    analysed(campaign, |analysis| {
        let stalled =
            Trouble::Stalled(Silences { slices: 36, in_warmup: 36, of: 144, longest_ns: 50_000_000 });
        assert_eq!(candidate(analysis, "poll").troubles, [stalled]);
        let text = answer::render(analysis, "").replace("\n  ", " ");
        let told =
            "stalled in 36 of 144 slices, up to 50.0 ms, 36 times on the first requests after a pause.";
        assert!(text.contains(told), "{text}");
    });
}

#[test]
fn silences_that_slow_responses_explain_are_no_stalls() {
    let campaign = with_poll(&Behaviour { stall_ns: 40_000_000, p50_ns: 8e6, ..Behaviour::default() });
    analysed(campaign, |analysis| assert_eq!(candidate(analysis, "poll").troubles, []));
}

#[test]
fn two_servers_that_stall_do_not_hide_each_other() {
    let mut campaign = Shape::of(&DEFAULT).campaign(|_, _| Behaviour::default());
    for (name, every) in [("select", 3), ("poll", 48)] {
        let slices = campaign.rounds.iter_mut().flat_map(|round| &mut round.slices);
        let own = slices.filter(|slice| slice.candidate == name);
        own.step_by(every).for_each(|slice| slice.longest_silence_ns = 50_000_000);
    }
    analysed(campaign, |analysis| {
        for (name, stalls) in [("select", 48), ("poll", 3)] {
            let troubles = &candidate(analysis, name).troubles;
            let is_stalled = matches!(troubles[..], [Trouble::Stalled(Silences { slices, of: 144, .. })] if slices == stalls);
            assert!(is_stalled, "{name}: {troubles:?}");
        }
    });
}

#[test]
fn a_start_that_failed_is_a_result() {
    let mut campaign = with_poll(&Behaviour::default());
    campaign.starts[2].candidates[1].failed = Some("killed by signal 9".to_owned());
    campaign.rounds.iter_mut().filter(|round| round.start == 2).for_each(|round| {
        round.slices.retain(|slice| slice.candidate != "poll");
    });
    analysed(campaign, |analysis| {
        let poll = candidate(analysis, "poll");
        let failed = Trouble::Failed { starts: 1, of: 6, why: "killed by signal 9".to_owned() };
        assert_eq!(poll.troubles, [failed]);
        assert!(poll.comparison(&RESPONSE).is_some(), "the other starts count");
        let text = answer::render(analysis, "");
        assert!(text.contains("poll at 1k × 10: failed in 1 of 6 starts: killed by signal 9."), "{text}");
    });
}

#[test]
fn a_server_that_works_while_others_are_measured_is_named() {
    let mut campaign = with_poll(&Behaviour::default());
    for start in &mut campaign.starts {
        start.candidates.iter_mut().for_each(|one| one.cpu_beside_others = Some(0.0004));
        start.candidates[1].cpu_beside_others = Some(0.25);
    }
    analysed(campaign, |analysis| {
        assert_eq!(candidate(analysis, "poll").troubles, [Trouble::Busy { per_mille: 250 }]);
        assert_eq!(candidate(analysis, REFERENCE).troubles, []);
        let text = answer::render(analysis, "");
        assert!(text.contains("used 25% of a processor while others were measured"), "{text}");
    });
}
