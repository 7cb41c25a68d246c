//! Better, worse, equal, or not to be told.

use super::*;
use crate::rounds::testing::DEFAULT;
use crate::rounds::{Figure, Shown};

const DECIDING: [&str; 3] = ["response_p50", "throughput", "cpu"];

#[test]
fn the_same_campaign_twice_differs_by_nothing_and_passes_the_strictest_gate() {
    let campaign = campaign(1, "", 1.0);
    let comparison = compared(&campaign, &campaign, Some(0.0)).expect("comparable");
    assert_eq!(gate(&comparison), Gate::Passed);
    assert!(!comparison.comparisons.is_empty() && comparison.missing.is_empty());
    for one in &comparison.comparisons {
        let ratio = one.ratio.expect("two campaigns of six starts");
        assert!((ratio.value - 1.0).abs() < 1e-9 && !is_difference(one), "{one:?}");
    }
    assert_eq!(comparison.twin.expect("twins").hits, 0);
}

#[test]
fn what_is_eight_percent_slower_fails_a_gate_of_five_and_passes_one_of_twenty() {
    let (base, new) = (campaign(1, "", 1.0), campaign(2, "epoll-et", 1.08));
    // Rounds of little noise, so that five percent can be seen.
    let calm = |seed: u64, slow: f64| {
        Shape { starts: 10, rounds: 30, ..shape(seed) }.campaign(|name, _| {
            let of = if name == "epoll-et" {
                Behaviour::times(slow, 1.0 / slow, slow)
            } else {
                Behaviour::default()
            };
            Behaviour { noise: 0.01, ..of }
        })
    };
    let (steady, slower) = (calm(1, 1.0), calm(2, 1.08));
    let strict = compared(&steady, &slower, Some(0.05)).expect("comparable");
    assert_eq!(gate(&strict), Gate::Worse);
    assert!(strict.comparisons.iter().filter(|one| one.fails).all(|one| one.candidate == "epoll-et"));
    for metric in DECIDING {
        assert!(of(&strict, "epoll-et", metric).iter().any(|one| one.fails), "{metric}");
    }
    assert_eq!(gate(&compared(&steady, &slower, Some(0.2)).expect("comparable")), Gate::Passed);
    assert_eq!(gate(&compared(&slower, &steady, Some(0.05)).expect("comparable")), Gate::Passed, "better");
    assert_eq!(
        gate(&compared(&base, &new, None).expect("comparable")),
        Gate::Passed,
        "unless that was asked"
    );
    assert!(page::outcome(&strict).ends_with("surely worse by more than 5%"), "{}", page::outcome(&strict));
}

#[test]
fn what_is_too_wide_is_not_called_worse() {
    let noisy = |seed: u64, slow: f64| {
        Shape { starts: 3, rounds: 4, ..shape(seed) }.campaign(|name, _| {
            let of =
                if name == "poll" { Behaviour::times(slow, 1.0 / slow, slow) } else { Behaviour::default() };
            Behaviour { noise: 0.3, ..of }
        })
    };
    let comparison = compared(&noisy(1, 1.0), &noisy(2, 1.08), Some(0.05)).expect("comparable");
    assert_eq!(gate(&comparison), Gate::Passed);
    for one in DECIDING.iter().flat_map(|metric| of(&comparison, "poll", metric)) {
        assert_eq!(one.verdict, ComparedVerdict::NotDistinguishable, "{one:?}");
    }
}

#[test]
fn the_drift_of_the_host_cancels_and_the_reference_s_own_decides_nothing() {
    let base = campaign(1, "", 1.0);
    // Between the two the host became half as fast.
    let new = shape(2).campaign(|_, _| Behaviour::times(2.0, 0.5, 2.0));
    let comparison = compared(&base, &new, Some(0.1)).expect("comparable");
    assert_eq!(gate(&comparison), Gate::Passed);
    let reference = of(&comparison, "epoll-lt", "throughput");
    assert_eq!(reference.len(), 2, "once at each point");
    for one in reference {
        let ratio = one.ratio.expect("levels").value;
        assert!(
            (0.45..0.55).contains(&ratio) && !one.drift_cancelled && !one.decides && !one.fails,
            "{one:?}"
        );
    }
    assert!(page::text(&comparison).contains("epoll-lt (reference, drift not cancelled)"));
}

#[test]
fn two_campaigns_of_the_same_thing_are_seldom_told_apart() {
    let (mut hits, mut cases, mut failed) = (0, 0, 0);
    for seed in 0..8 {
        let comparison = compared(&campaign(2 * seed, "", 1.0), &campaign(2 * seed + 1, "", 1.0), Some(0.1))
            .expect("comparable");
        failed += usize::from(gate(&comparison) != Gate::Passed);
        for metric in DECIDING {
            for at in [100, 10_000] {
                let family = ["epoll-et", "poll"].map(|name| of(&comparison, name, metric));
                let here = family.iter().flatten().filter(|one| one.point.connections == at);
                hits += u64::from(here.into_iter().any(|one| is_difference(one)));
                cases += 1;
            }
        }
    }
    let rate = Proportion::of(hits, cases).expect("cases");
    println!("families told apart: {rate:?}");
    assert_eq!((cases, failed), (48, 0));
    assert!(rate.interval.low <= 0.05, "{rate:?}");
}

#[test]
fn a_saturation_that_is_new_is_worse_and_one_that_is_gone_better() {
    let base = campaign(1, "", 1.0);
    let saturated = shape(2).campaign(|name, point| Behaviour {
        keeps_up: if name == "poll" && point.connections == 10_000 { 0.6 } else { 1.0 },
        ..Behaviour::default()
    });
    let comparison = compared(&base, &saturated, Some(5.0)).expect("comparable");
    assert_eq!(gate(&comparison), Gate::Worse);
    let failing: Vec<&Compared> = comparison.comparisons.iter().filter(|one| one.fails).collect();
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert_eq!((failing[0].candidate.as_str(), failing[0].metric.as_str()), ("poll", "response_p50"));
    assert_eq!(
        page::line(failing[0]),
        "poll at 10k × 10 (idle-scaling): response p50 saturated: 600 of 1k requests/s"
    );
    let turned = compared(&saturated, &base, Some(5.0)).expect("comparable");
    assert_eq!(gate(&turned), Gate::Passed, "{:?}", turned.missing);
    assert!(of(&turned, "poll", "response_p50").iter().any(|one| one.verdict == ComparedVerdict::Better));
    let both = compared(&saturated, &saturated, Some(5.0)).expect("comparable");
    assert_eq!(gate(&both), Gate::Passed, "it is a result of both: {:?}", both.missing);
}

#[test]
fn where_the_generator_was_full_a_ratio_proves_something_in_one_direction_alone() {
    let full = |seed: u64, name: &'static str, factor: f64| {
        shape(seed).campaign(|candidate, _| Behaviour {
            generator_busy: if candidate == name { 0.99 } else { 0.7 },
            throughput_per_s: if candidate == "poll" { 120_000.0 * factor } else { 120_000.0 },
            ..Behaviour::default()
        })
    };
    let of_poll = |base: &Campaign, new: &Campaign| {
        let comparison = compared(base, new, Some(0.1)).expect("comparable");
        let first = of(&comparison, "poll", "throughput")[0];
        (first.verdict, gate(&comparison))
    };
    let plain = campaign(1, "", 1.0);
    use ComparedVerdict::{Better, NotComparable, Worse};
    // What was at least so much, and is less now, is worse by at least that; what is at least so much now may be more.
    assert_eq!(of_poll(&full(1, "poll", 1.0), &full(2, "", 0.7)), (Worse, Gate::Worse));
    assert_eq!(of_poll(&plain, &full(2, "poll", 0.7)), (NotComparable, Gate::Undecided));
    assert_eq!(of_poll(&plain, &full(2, "poll", 1.4)), (Better, Gate::Passed));
    assert_eq!(of_poll(&full(1, "poll", 1.0), &full(2, "", 1.4)), (NotComparable, Gate::Passed));
    // The same of the reference, the other way round.
    assert_eq!(of_poll(&plain, &full(2, "epoll-lt", 0.7)), (Worse, Gate::Worse));
    assert_eq!(of_poll(&full(1, "epoll-lt", 1.0), &full(2, "", 0.7)), (NotComparable, Gate::Undecided));
}

/// The verdict on a figure that both sides have, with a gate at 10 %, whether the gate fails, and whether something is
/// missing.
fn judged(metric: &Metric, may_be: [bool; 2], low: f64, high: f64) -> (ComparedVerdict, bool, bool) {
    let figure = Figure { value: 100_000.0, interval: None, is_lower_bound: false, comparison: None };
    let change = judge::Change {
        metric,
        shown: [Shown::Figure(&figure); 2],
        is_saturated: [false; 2],
        ratio: Some(((low * high).sqrt(), stats::Interval { low, high })),
        may_be,
        is_expected: true,
        obstacle: None,
    };
    let (compared, missing) = change.judge("poll", &Point::new("idle-scaling", 100, 10), Some(0.1));
    let compared = compared.expect("both sides have it");
    (compared.verdict, compared.fails, missing.is_some())
}

#[test]
fn a_metric_that_no_gate_looks_at_leaves_none_undecided() {
    let metric = |key| crate::rounds::metrics::METRICS.iter().find(|metric| metric.key == key).expect(key);
    for (key, is_undecided) in [("cpu", true), ("saturation_cpu", false)] {
        let expected = (ComparedVerdict::NotComparable, false, is_undecided);
        assert_eq!(judged(metric(key), [false, true], 1.3, 1.5), expected, "{key}");
    }
}

#[test]
fn a_full_generator_hides_nothing_that_is_surely_worse_and_decides_nothing_else() {
    use ComparedVerdict::{Better, Equal, NotComparable, Worse};
    let judged = |may_be, low, high| judged(&crate::rounds::metrics::THROUGHPUT, may_be, low, high);
    // [may be higher, may be lower], the interval, and what is to be said: the verdict, whether the gate fails, whether something is missing.
    for (may_be, (low, high), expected) in [
        ([false, false], (0.6, 0.8), (Worse, true, false)),
        // The truth is below the whole interval, or in it.
        ([false, true], (0.6, 0.8), (Worse, true, false)),
        ([false, true], (0.92, 0.97), (Worse, false, false)),
        ([false, true], (0.8, 1.1), (NotComparable, false, false)),
        ([false, true], (0.99, 1.01), (NotComparable, false, false)),
        ([false, true], (1.2, 1.4), (NotComparable, false, false)),
        // The truth may be above it: what looks worse than allowed cannot be told.
        ([true, false], (0.6, 0.8), (NotComparable, false, true)),
        ([true, false], (0.92, 0.97), (NotComparable, false, false)),
        ([true, false], (1.2, 1.4), (Better, false, false)),
        ([true, true], (0.6, 0.8), (NotComparable, false, true)),
        ([true, true], (1.2, 1.4), (NotComparable, false, false)),
        ([false, false], (0.99, 1.01), (Equal, false, false)),
    ] {
        assert_eq!(judged(may_be, low, high), expected, "{may_be:?}, {low} to {high}");
    }
}

#[test]
fn another_load_is_no_comparison() {
    let base = campaign(1, "", 1.0);
    let mut new = campaign(2, "", 1.0);
    for round in new.rounds.iter_mut().filter(|round| round.phase == model::campaign::Phase::Light) {
        round.rate_per_s = Some(4_000.0);
    }
    let comparison = compared(&base, &new, Some(0.1)).expect("throughput is the same");
    assert_eq!(gate(&comparison), Gate::Undecided);
    let response = of(&comparison, "poll", "response_p50")[0];
    assert_eq!(response.reason.as_deref(), Some("other rate: BASE 1k requests/s, NEW 4k requests/s"));
    assert!(
        of(&comparison, "poll", "throughput").iter().all(|one| one.verdict != ComparedVerdict::NotComparable)
    );
}

#[test]
fn candidates_that_were_alive_in_other_groups_are_compared_all_the_same() {
    let base = Shape::of(&DEFAULT).campaign(|_, _| Behaviour::default());
    let others: Vec<String> = base.plan.points[0].groups[0][1..8].to_vec();
    let split =
        Shape { groups: others.chunks(4).map(<[String]>::to_vec).collect(), seed: 2, ..Shape::of(&DEFAULT) };
    let new = split.campaign(|_, _| Behaviour::default());
    let comparison = compared(&base, &new, Some(0.5)).expect("comparable");
    assert_eq!(gate(&comparison), Gate::Passed, "{:?}", comparison.missing);
    for name in DEFAULT {
        assert_eq!(of(&comparison, name, "cpu").len(), 1, "{name}");
    }
}
