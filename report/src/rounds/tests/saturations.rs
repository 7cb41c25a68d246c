//! Tests of saturation: which candidates are saturated, and which are not.

use super::*;
use crate::rounds::metrics::{CPU, RESPONSE, UTILISATION};
use crate::rounds::testing::{LIGHT_PER_S, REFERENCE};
use crate::rounds::{Overload, Shown, Trouble, table};

#[test]
fn a_candidate_that_misses_its_rate_is_saturated_and_has_no_latency_but_a_cost() {
    let campaign = with_poll(&Behaviour { keeps_up: 0.8, ..Behaviour::times(50.0, 0.9, 3.0) });
    analysed(campaign.clone(), |analysis| {
        let poll = candidate(analysis, "poll");
        let saturated = poll.light.expect("saturated");
        assert_eq!(saturated.why, Overload::MissesRate);
        assert!((saturated.answered_per_s - 800.0).abs() < 1.0 && saturated.rate_per_s == LIGHT_PER_S);
        assert_eq!(poll.shown(&RESPONSE), Shown::Saturated(&saturated));
        assert!(poll.figure(&RESPONSE).is_none() && poll.figure(&UTILISATION).is_some());
        assert!(poll.comparison(&CPU).expect("a ratio").is_difference());
        assert!(candidate(analysis, REFERENCE).light.is_none());
        let loss = &analysis.leads[0].loss;
        assert!(loss.is_none(), "no headline comes from a saturated candidate: {loss:?}");
        assert_eq!(analysis.leads[0].leaders, [(REFERENCE, 1)]);
        assert!(table::full(analysis).markdown().contains("saturated: 800 of 1k requests/s"));
    });
    let text = printed(campaign);
    assert!(
        text.contains("Response: epoll-lt is unbeaten at every point; poll is saturated at 1k × 10."),
        "{text}"
    );
    assert!(
        text.lines().any(|line| line.contains("poll") && line.contains("saturated:  800 of 1k requests/s")),
        "{text}"
    );
}

#[test]
fn a_request_under_way_at_the_edge_of_a_short_slice_is_no_queue() {
    let mut campaign = with_poll(&Behaviour::default());
    // Twelve a slice; every other reply comes in the next.
    of_poll(&mut campaign).enumerate().for_each(|(at, slice)| {
        (slice.scheduled, slice.completed) = (12, 12);
        slice.answered = if at % 2 == 0 { 11 } else { 13 };
    });
    analysed(campaign, |analysis| {
        // So few are little in closed loop, too, where all slices are the same.
        let why = candidate(analysis, "poll").light.map(|saturated| saturated.why);
        assert!(why != Some(Overload::MissesRate), "{why:?}");
    });
}

#[test]
fn requests_that_failed_or_were_never_sent_are_no_saturation() {
    let mut campaign = with_poll(&Behaviour { keeps_up: 0.9, ..Behaviour::default() });
    of_poll(&mut campaign).for_each(|slice| {
        let unanswered = slice.scheduled - slice.completed;
        slice.missed = unanswered / 2;
        slice.errors = [("reset".to_owned(), unanswered - slice.missed)].into();
    });
    analysed(campaign, |analysis| {
        let poll = candidate(analysis, "poll");
        assert_eq!(poll.light, None);
        assert!(
            matches!(&poll.troubles[..], [Trouble::Errors { name, .. }] if name == "reset"),
            "{:?}",
            poll.troubles
        );
    });
}

#[test]
fn slices_in_which_a_candidate_stood_still_are_no_saturation_unless_they_are_many() {
    let halved = |every| {
        let mut campaign = with_poll(&Behaviour::default());
        of_poll(&mut campaign).step_by(every).for_each(|slice| {
            slice.completed /= 2;
            slice.answered /= 2;
        });
        campaign
    };
    analysed(halved(8), |analysis| assert_eq!(candidate(analysis, "poll").light, None));
    analysed(halved(2), |analysis| {
        let why = candidate(analysis, "poll").light.expect("saturated").why;
        assert_eq!(why, Overload::MissesRate);
    });
}

#[test]
fn a_response_that_grows_over_the_slice_is_saturation() {
    let growing = |grows| with_poll(&Behaviour { grows, throughput_per_s: 9_000.0, ..Behaviour::default() });
    analysed(growing(1.6), |analysis| {
        let why = candidate(analysis, "poll").light.expect("saturated").why;
        assert!(matches!(why, Overload::ResponseGrows(factor) if (factor - 1.6).abs() < 0.05), "{why:?}");
    });
    analysed(growing(1.05), |analysis| {
        assert_eq!(candidate(analysis, "poll").light, None);
        let of_response = &analysis.points[0].groups[0].halves[1];
        assert_eq!(of_response.metric.key, "response_p50");
        let poll = of_response.differ().find(|(name, _)| *name == "poll").expect("but its halves differ");
        assert!((poll.1.ratio - 1.05).abs() < 0.02, "{poll:?}");
        assert!(answer::render(analysis, "").contains("Halves of slices differ"));
    });
}

#[test]
fn a_response_that_grows_at_a_rate_that_is_answered_one_by_one_is_no_saturation() {
    // With ten outstanding it answers more than ten times the light rate.
    let growing = Behaviour { grows: 1.6, throughput_per_s: 11_000.0, ..Behaviour::default() };
    analysed(with_poll(&growing), |analysis| assert_eq!(candidate(analysis, "poll").light, None));
}

#[test]
fn a_rate_near_its_own_throughput_saturates_a_candidate_unless_the_generator_was_the_limit() {
    let slow = Behaviour { throughput_per_s: 1_050.0, ..Behaviour::default() };
    analysed(with_poll(&slow), |analysis| {
        let why = candidate(analysis, "poll").light.expect("saturated").why;
        assert!(matches!(why, Overload::NearThroughput(share) if (0.9..1.0).contains(&share)), "{why:?}");
    });
    analysed(with_poll(&Behaviour { generator_busy: 0.99, ..slow }), |analysis| {
        assert_eq!(candidate(analysis, "poll").light, None);
    });
}
