//! Differences that the twin cannot tell from none.

use model::campaign::Campaign;
use stats::Relation;

use super::*;
use crate::rounds::metrics::{CPU, METRICS, RESPONSE, THROUGHPUT};
use crate::rounds::resolution;
use crate::rounds::testing::{REFERENCE, TWIN};

/// The reference, `poll` whose CPU time is a little less, and a twin that the machine makes differ by chance.
fn with_a_noisy_twin() -> Campaign {
    let mut campaign = with_poll(&Behaviour { noise: 0.01, ..Behaviour::times(1.0, 1.0, 0.97) });
    for round in &mut campaign.rounds {
        let factor = if round.start % 2 == 0 { 1.06 } else { 0.95 };
        let twin = round.slices.iter_mut().find(|slice| slice.candidate == TWIN).expect("in every round");
        twin.server.cpu_s *= factor;
    }
    campaign
}

#[test]
fn what_the_twin_cannot_tell_from_none_is_told_as_no_difference() {
    analysed(with_a_noisy_twin(), |analysis| {
        let group = &analysis.points[0].groups[0];
        let bound = resolution::of_group(group, &CPU).expect("the twin has a ratio");
        assert!(bound > 0.04, "{bound}");
        let poll = candidate(analysis, "poll").comparison(&CPU).expect("a ratio");
        assert!((1.0 / poll.ratio - 1.0) < bound && !poll.is_difference(), "{poll:?}");
        assert_eq!(poll.relation, Relation::NotDistinguishable);
        let text = answer::render(analysis, "");
        let line = text.lines().find(|line| line.starts_with("Resolution: ")).expect("it is told");
        let of_cpu = format!("CPU time per request {}", crate::format::percent(bound));
        assert!(line.contains(&of_cpu) && line.ends_with("less is told as no difference."), "{line}");
    });
}

#[test]
fn what_exceeds_the_resolution_is_told_and_the_twin_is_judged_by_its_interval_alone() {
    let campaign = with_poll(&Behaviour::times(1.5, 0.6, 2.0));
    analysed(campaign, |analysis| {
        for metric in [&RESPONSE, &THROUGHPUT, &CPU] {
            assert!(candidate(analysis, "poll").comparison(metric).expect("a ratio").is_difference());
        }
        assert!(candidate(analysis, REFERENCE).comparison(&CPU).is_none());
    });
    let mut campaign = with_poll(&Behaviour::default());
    let slices = campaign.rounds.iter_mut().flat_map(|round| &mut round.slices);
    slices.filter(|slice| slice.candidate == TWIN).for_each(|slice| slice.server.cpu_s *= 1.5);
    analysed(campaign, |analysis| {
        assert!(candidate(analysis, TWIN).comparison(&CPU).expect("a ratio").is_difference());
        let all = METRICS.iter().filter_map(|metric| candidate(analysis, TWIN).comparison(metric));
        assert!(all.count() > 3);
        assert!(analysis.false_differences.expect("compared").hits > 0, "the false alarm is counted");
    });
}
