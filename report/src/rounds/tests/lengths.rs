//! Slices of several lengths.

use model::campaign::Campaign;

use super::*;
use crate::rounds::Trouble;
use crate::rounds::metrics::THROUGHPUT;

/// `poll` answers half as much in the first two starts, after which slices are twice as long.
fn doubled_after_two_starts() -> Campaign {
    let quiet = Behaviour { noise: 0.01, ..Behaviour::default() };
    let mut campaign = Shape::of(&["poll"]).campaign(|_, _| quiet.clone());
    for round in campaign.rounds.iter_mut().filter(|round| round.start < 2) {
        let poll = round.slices.iter_mut().find(|slice| slice.candidate == "poll").expect("in every round");
        poll.answered /= 2;
        poll.errors.insert("reset".to_owned(), 1);
    }
    campaign.starts.iter_mut().filter(|start| start.start >= 2).for_each(|start| start.doublings = 1);
    campaign
}

#[test]
fn only_slices_of_the_final_length_are_in_the_figures() {
    let mixed = {
        let mut campaign = doubled_after_two_starts();
        campaign.starts.iter_mut().for_each(|start| start.doublings = 0);
        analysed(campaign, |analysis| candidate(analysis, "poll").comparison(&THROUGHPUT).copied())
    };
    assert!(mixed.expect("a ratio").ratio < 0.9, "were they mixed: {mixed:?}");
    analysed(doubled_after_two_starts(), |analysis| {
        let poll = candidate(analysis, "poll");
        let ratio = poll.comparison(&THROUGHPUT).expect("a ratio");
        assert!((0.95..1.05).contains(&ratio.ratio) && !ratio.is_difference(), "{ratio:?}");
        assert_eq!(analysis.points[0].groups[0].starts, 4);
        let text = answer::render(analysis, "").replace("\n  ", " ");
        let told = "Slices were doubled at 1k × 10: 2 starts with shorter ones do not count.";
        assert!(text.contains(told), "{text}");
    });
}

#[test]
fn what_a_server_did_wrong_in_shorter_slices_is_a_result_all_the_same() {
    analysed(doubled_after_two_starts(), |analysis| {
        let errors = &candidate(analysis, "poll").troubles;
        assert!(
            matches!(&errors[..], [Trouble::Errors { name, count: 48, .. }] if name == "reset"),
            "{errors:?}"
        );
    });
}

#[test]
fn until_a_start_with_longer_slices_has_ended_the_others_count() {
    let mut campaign = doubled_after_two_starts();
    campaign.starts.retain(|start| start.start < 3);
    campaign.starts[2].complete = false;
    assert_eq!((campaign.doublings(0, 0), campaign.doublings_that_count(0, 0)), (1, 0));
    assert_eq!(campaign.starts_beside(0, 0).into_iter().collect::<Vec<_>>(), [2]);
    campaign.starts[2].complete = true;
    assert_eq!(campaign.starts_that_count(0, 0).map(|start| start.start).collect::<Vec<_>>(), [2]);
    let (point, group) = (0, 7);
    assert!(campaign.starts_beside(point, group).is_empty(), "of nobody nothing is known");
}
