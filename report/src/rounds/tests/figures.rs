//! Figures, and ratios in their intervals.

use model::histogram;
use model::schema::Point;
use stats::Relation;

use super::*;
use crate::rounds::metrics::{CPU, Metric, RESPONSE, THROUGHPUT};
use crate::rounds::testing::{REFERENCE, TWIN};

#[test]
fn true_ratios_lie_in_the_intervals_and_differences_are_seen() {
    analysed(with_poll(&Behaviour::times(1.2, 0.9, 1.1)), |analysis| {
        let poll = candidate(analysis, "poll");
        for (metric, truth, relation) in [
            (&RESPONSE, 1.2, Relation::Above),
            (&THROUGHPUT, 0.9, Relation::Below),
            (&CPU, 1.1, Relation::Above),
        ] {
            let compared = poll.comparison(metric).expect("a ratio");
            assert!(compared.interval.covers(truth), "{}: {compared:?}", metric.key);
            assert_eq!(compared.relation, relation, "{}", metric.key);
            assert!(!compared.is_better(metric));
        }
        let value = poll.figure(&THROUGHPUT).expect("a figure");
        // The host drifts and is disturbed, which moves values and no ratios.
        assert!((value.value / 108_000.0 - 1.0).abs() < 0.1 && value.interval.is_some(), "{value:?}");
    });
}

#[test]
fn the_reference_has_values_and_no_ratios_and_its_twin_is_no_different() {
    analysed(with_poll(&Behaviour::default()), |analysis| {
        let reference = candidate(analysis, REFERENCE);
        assert!(reference.figure(&RESPONSE).is_some() && reference.comparison(&RESPONSE).is_none());
        assert!(!candidate(analysis, TWIN).comparison(&RESPONSE).expect("a ratio").is_difference());
        let names: Vec<&str> =
            analysis.points[0].rows().iter().map(|(_, candidate)| candidate.name).collect();
        assert_eq!(names, [REFERENCE, "poll"]);
        let shares = analysis.false_differences.expect("families");
        assert!(shares.cases > 10 && shares.interval.low < 0.05, "{shares:?}");
    });
}

#[test]
fn what_is_equal_on_a_quiet_machine_is_said_to_be_equal() {
    let mut shape = Shape::of(&["poll"]);
    (shape.starts, shape.rounds) = (12, 20);
    let quiet = Behaviour { noise: 0.002, ..Behaviour::default() };
    let campaign = shape.campaign(|_, _| quiet.clone());
    analysed(campaign, |analysis| {
        let compared = *candidate(analysis, "poll").comparison(&RESPONSE).expect("a ratio");
        assert_eq!(compared.relation, Relation::Equal, "{compared:?}");
        assert_eq!(answer::relation(&RESPONSE, &compared), "equal within 2%");
        let text = answer::render(analysis, "");
        assert!(text.contains("none is distinguishable from epoll-lt"), "{text}");
        assert!(text.contains("epoll-lt and poll are unbeaten at every point"), "{text}");
    });
}

#[test]
fn where_the_generator_was_full_throughput_is_a_lower_bound_and_no_verdict_rests_on_it() {
    let campaign = with_poll(&Behaviour { generator_busy: 0.99, ..Behaviour::times(1.0, 1.4, 1.0) });
    analysed(campaign, |analysis| {
        let figure = candidate(analysis, "poll").figure(&THROUGHPUT).expect("a figure");
        assert!(figure.is_lower_bound && figure.comparison.expect("a ratio").generator_full);
        assert!(analysis.leads[1].gain.is_none() && analysis.leads[1].leaders.is_empty());
        let text = answer::render(analysis, "");
        assert!(text.contains("≥ 1") && text.contains(", generator full"), "{text}");
        assert!(text.contains("Throughput: the generator was full too"), "{text}");
    });
}

#[test]
fn a_dropped_round_counts_for_nobody_and_is_told_in_one_line() {
    let clean = with_poll(&Behaviour::times(1.2, 1.0, 1.0));
    let mut disturbed = clean.clone();
    for (at, share) in [(0, 17), (5, 23)] {
        let mut round = clean.rounds[at].clone();
        round.dropped = Some(format!("{share} % of the processor's time was stolen"));
        round.slices.iter_mut().for_each(|slice| slice.longest_silence_ns = 900_000_000);
        round.slices.iter_mut().for_each(|slice| slice.p50_ns = slice.p50_ns.map(|p50| p50 * 100));
        disturbed.rounds.insert(at, round);
    }
    let compared = |campaign| {
        analysed(campaign, |analysis| *candidate(analysis, "poll").comparison(&RESPONSE).expect("a ratio"))
    };
    assert_eq!(compared(clean), compared(disturbed.clone()));
    let text = printed(disturbed);
    let line = "2 of 146 rounds dropped for all candidates: 2 (17 % of the processor's time was stolen).";
    assert!(text.contains(line), "{text}");
}

#[test]
fn each_candidate_is_compared_with_the_reference_of_its_own_group() {
    let mut shape = Shape::of(&[]);
    shape.groups = vec![vec!["poll".to_owned()], vec!["threads".to_owned()]];
    let mut campaign = shape.campaign(|candidate, _| match candidate {
        "poll" => Behaviour::times(1.2, 1.0, 1.0),
        "threads" => Behaviour::times(1.3, 1.0, 1.0),
        _ => Behaviour::default(),
    });
    // While the second group is measured the host is half as fast.
    for slice in
        campaign.rounds.iter_mut().filter(|round| round.group == 1).flat_map(|round| &mut round.slices)
    {
        slice.p50_ns = slice.p50_ns.map(|p50| p50 * 2);
    }
    analysed(campaign, |analysis| {
        for (name, truth) in [("poll", 1.2), ("threads", 1.3)] {
            let compared = candidate(analysis, name).comparison(&RESPONSE).expect("a ratio");
            assert!(compared.interval.covers(truth), "{name}: {compared:?}");
        }
        let names: Vec<&str> =
            analysis.points[0].rows().iter().map(|(_, candidate)| candidate.name).collect();
        assert_eq!(names, [REFERENCE, "poll", "threads"]);
        assert_eq!(analysis.leads[0].leaders, [(REFERENCE, 1)]);
    });
}

#[test]
fn a_percentile_of_all_samples_needs_a_hundred_beyond_it() {
    let tail = |samples| Behaviour { samples, ..Behaviour::default() };
    analysed(with_poll(&tail(200)), |analysis| {
        // 48 slices of 100 samples, and 48 of 200.
        let p99 = |name| candidate(analysis, name).figure(Metric::of_key("response_p99").expect("a metric"));
        assert!(p99(REFERENCE).is_none() && p99("poll").is_none());
        let p90 = |name| candidate(analysis, name).figure(Metric::of_key("response_p90").expect("a metric"));
        let figure = p90("poll").expect("960 samples beyond");
        assert!(figure.interval.expect("six starts").covers(figure.value) && figure.comparison.is_none());
    });
    analysed(with_poll(&tail(300)), |analysis| {
        let p99 = candidate(analysis, "poll").figure(Metric::of_key("response_p99").expect("a metric"));
        assert!(p99.is_some(), "144 samples beyond");
    });
}

#[test]
fn memory_per_connection_is_that_of_server_and_kernel_from_a_thousand_connections_on() {
    let memory = Metric::of_key("bytes_per_connection").expect("a metric");
    let mut shape = Shape::of(&["poll"]);
    analysed(shape.campaign(|_, _| Behaviour::default()), |analysis| {
        let figure = candidate(analysis, REFERENCE).figure(memory).expect("a figure");
        assert!((8_016.0..8_040.0).contains(&figure.value), "{figure:?}");
    });
    shape.points = vec![Point::new("idle-scaling", 999, 10)];
    analysed(shape.campaign(|_, _| Behaviour::default()), |analysis| {
        assert_eq!(candidate(analysis, REFERENCE).figure(memory), None);
    });
}

#[test]
fn what_met_a_gap_of_the_generator_is_in_one_percentile_and_not_in_the_other() {
    let many = Behaviour { samples: 1_000, ..Behaviour::default() };
    let mut campaign = Shape::of(&["poll"]).campaign(|_, _| many.clone());
    of_poll(&mut campaign).for_each(|slice| {
        let all = histogram::decode_counts(&slice.response).expect("a histogram");
        slice.disturbed = Some(histogram::encode(&histogram::of_counts(&all[all.len() / 2..])));
    });
    analysed(campaign, |analysis| {
        let value = |name, key| {
            let figure = candidate(analysis, name).figure(Metric::of_key(key).expect("a metric"));
            figure.expect("samples enough").value
        };
        let [all, undisturbed] = ["response_p99", "response_p99_undisturbed"].map(|key| value("poll", key));
        assert!((0.55..0.70).contains(&(undisturbed / all)), "{undisturbed} of {all}");
        assert_eq!(value(REFERENCE, "response_p99"), value(REFERENCE, "response_p99_undisturbed"));
    });
}

#[test]
fn a_point_without_a_round_is_none_at_which_anybody_is_unbeaten() {
    let mut shape = Shape::of(&["poll"]);
    shape.points = [10, 100, 1_000].map(|connections| Point::new("idle-scaling", connections, 10)).to_vec();
    shape.groups = vec![vec!["poll".to_owned()]; 3];
    let mut campaign = shape.campaign(|_, _| Behaviour::default());
    for (lost, told) in [
        (0, "at every point that can be compared (1 cannot)"),
        (1, "at every point that can be compared (2 cannot)"),
    ] {
        campaign.rounds.retain(|round| round.point != lost);
        analysed(campaign.clone(), |analysis| {
            let text = answer::render(analysis, "");
            assert!(text.contains(told), "{text}");
        });
    }
}
