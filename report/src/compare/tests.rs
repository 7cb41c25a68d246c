use super::*;
use crate::rounds::testing::{Behaviour, DEFAULT, Shape, decoded};
use crate::rounds::{Figure, Shown};
use model::schema::Exclude;

const CANDIDATES: [&str; 3] = ["epoll-lt", "epoll-et", "poll"];

/// "epoll-lt" as the reference, "epoll-et" and "poll" at two points.
fn shape(seed: u64) -> Shape {
    let points = [100, 10_000].map(|connections| Point::new("idle-scaling", connections, 10));
    Shape { points: points.into(), seed, rounds: 12, ..Shape::of(&CANDIDATES) }
}

/// A campaign in which `slow` is `factor` times worse by every figure than the others.
fn campaign(seed: u64, slow: &str, factor: f64) -> Campaign {
    shape(seed).campaign(|name, _| match name == slow {
        true => Behaviour::times(factor, 1.0 / factor, factor),
        false => Behaviour::default(),
    })
}

fn compared(base: &Campaign, new: &Campaign, fail_above: Option<f64>) -> Result<Comparison, Refused> {
    let [(base, before), (new, after)] = [base, new].map(|campaign| decoded(campaign.clone()));
    let base = Source { name: "base.json", campaign: &base, histograms: &before };
    let new = Source { name: "new.json", campaign: &new, histograms: &after };
    compare(base, new, &Options { across_machines: false, fail_above })
}

fn gate(comparison: &Comparison) -> Gate {
    Gate::of(comparison.fail_above, &comparison.comparisons, &comparison.missing)
}

fn of<'a>(comparison: &'a Comparison, candidate: &str, metric: &str) -> Vec<&'a Compared> {
    comparison.comparisons.iter().filter(|one| one.candidate == candidate && one.metric == metric).collect()
}

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

#[test]
fn a_full_generator_hides_nothing_that_is_surely_worse_and_decides_nothing_else() {
    use ComparedVerdict::{Better, Equal, NotComparable, Worse};
    let figure = Figure { value: 100_000.0, interval: None, is_lower_bound: false, comparison: None };
    let judged = |may_be, low: f64, high: f64| {
        let change = judge::Change {
            metric: &crate::rounds::metrics::THROUGHPUT,
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
    };
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

/// What a gate of 900 % finds missing in `new`: the lines, and the outcome in words.
fn missing(base: &Campaign, new: &Campaign) -> (Vec<String>, String) {
    let comparison = compared(base, new, Some(9.0)).expect("comparable");
    assert_eq!(gate(&comparison), if comparison.missing.is_empty() { Gate::Passed } else { Gate::Undecided });
    let lines = missing::lines(&comparison.missing);
    assert!(lines.iter().all(|line| page::markdown(&comparison).contains(&grid_text(line))));
    (lines, page::outcome(&comparison))
}

fn grid_text(line: &str) -> String {
    format!("- {}\n", crate::grid::markdown(line))
}

/// Takes `name` out of a campaign, for a reason or none.
fn leave_out(campaign: &mut Campaign, name: &str, reason: Option<&str>) {
    campaign.plan.scenario.mechanisms.retain(|mechanism| mechanism != name);
    campaign
        .plan
        .points
        .iter_mut()
        .flat_map(|point| &mut point.groups)
        .for_each(|group| group.retain(|one| one != name));
    campaign.starts.iter_mut().for_each(|start| start.candidates.retain(|one| one.candidate != name));
    campaign.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != name));
    campaign.plan.scenario.excludes.extend(reason.map(|reason| Exclude {
        mechanism: name.to_owned(),
        reason: reason.to_owned(),
        ..Exclude::default()
    }));
}

#[test]
fn whatever_was_left_out_is_missing_with_the_reason_in_one_line_and_known_before_anything_is_measured() {
    let base = campaign(1, "", 1.0);
    for (reason, told) in [
        (Some("this kernel refuses io_uring"), "left out: this kernel refuses io_uring"),
        (None, "NEW was not asked to measure it"),
    ] {
        let mut new = campaign(2, "", 1.0);
        leave_out(&mut new, "poll", reason);
        if reason.is_some() {
            new.plan.scenario.mechanisms.push("poll".to_owned());
        }
        let (lines, outcome) = missing(&base, &new);
        let expected = format!("missing: poll, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): {told}");
        assert_eq!(lines, [expected]);
        assert!(outcome.ends_with("; NEW measured less than BASE: it lacks poll at 2 points"), "{outcome}");
        assert_eq!(foreseen(&base, &new), lines);
        assert!(missing(&new, &base).0.is_empty(), "measuring more is no fault");
    }
    let mut new = campaign(2, "", 1.0);
    new.plan.points.truncate(1);
    new.rounds.retain(|round| round.point == 0);
    new.starts.retain(|start| start.point == 0);
    let (lines, _) = missing(&base, &new);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.ends_with("at 10k × 10 (idle-scaling): NEW does not measure at such a point"))
    );
}

#[test]
fn what_became_of_a_server_is_the_reason_why_it_is_missing() {
    let base = campaign(1, "", 1.0);
    let mut new = campaign(2, "", 1.0);
    new.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != "poll"));
    let mut interrupted = new.clone();
    for one in
        new.starts.iter_mut().flat_map(|start| &mut start.candidates).filter(|one| one.candidate == "poll")
    {
        one.failed = Some("the server died".to_owned());
    }
    let (lines, _) = missing(&base, &new);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with(": it failed in 6 of 6 starts: the server died"), "{lines:?}");
    interrupted.complete = false;
    assert!(missing(&base, &interrupted).0[0].ends_with(": the run was interrupted before it"));
    let mut dropped = campaign(2, "", 1.0);
    dropped.rounds.iter_mut().filter(|round| round.point == 1).for_each(|round| {
        round.dropped = Some("the generator stood still".to_owned());
    });
    let (lines, _) = missing(&base, &dropped);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.ends_with(": no round of it counts: the generator stood still")),
        "{lines:?}"
    );
}

#[test]
fn a_metric_that_is_gone_is_missing() {
    let base = campaign(1, "", 1.0);
    let mut new = campaign(2, "", 1.0);
    let slices = new.rounds.iter_mut().flat_map(|round| &mut round.slices);
    slices.filter(|slice| slice.candidate == "poll").for_each(|slice| slice.server.wakeups = None);
    let (lines, _) = missing(&base, &new);
    assert_eq!(lines.len(), 3, "under each load: {lines:?}");
    let told = "missing: poll, wake-ups per request, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): NEW has no value of it";
    assert!(lines.iter().any(|line| line == told), "{lines:?}");
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

/// A campaign with "poll" as the reference.
fn beside_poll(seed: u64) -> Campaign {
    let mut campaign = campaign(seed, "", 1.0);
    campaign.plan.reference = "poll".to_owned();
    for group in campaign.plan.points.iter_mut().flat_map(|point| &mut point.groups) {
        *group = ["poll", "epoll-lt", "epoll-et"].map(str::to_owned).into();
    }
    campaign
}

/// The lines about what `base` has and `new` does not set out to measure.
fn foreseen(base: &Campaign, new: &Campaign) -> Vec<String> {
    let planned = Campaign { starts: Vec::new(), rounds: Vec::new(), ..new.clone() };
    let (base, before) = decoded(base.clone());
    let after = Histograms::default();
    let base = Source { name: "base", campaign: &base, histograms: &before };
    let new = Source { name: "-", campaign: &planned, histograms: &after };
    prospect(base, new, &Options::default()).expect("comparable")
}

#[test]
fn another_reference_is_no_comparison_and_known_before_anything_is_measured_but_nothing_is_left_out() {
    let (base, new) = (campaign(1, "", 1.0), beside_poll(2));
    let refused = compared(&base, &new, None).expect_err("nothing is the same");
    assert!(refused.0[0].starts_with("nothing to compare: "), "{refused:?}");
    let (lines, outcome) = missing(&base, &new);
    let told = |name: &str| {
        format!(
            "not comparable: {name}, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): \
             the reference is poll in NEW, and epoll-lt in BASE"
        )
    };
    assert_eq!(lines, CANDIDATES.map(told));
    assert_eq!(foreseen(&base, &new), lines);
    assert_eq!(
        outcome,
        "no figure could be compared; NEW has another reference for epoll-lt at 2 points, epoll-et at 2 points, poll at 2 points"
    );
    let comparison = compared(&base, &new, Some(0.1)).expect("a gate has an answer");
    assert!(comparison.only_in_new.is_empty(), "{:?}", comparison.only_in_new);
    assert!(comparison.missing.iter().all(|one| one.other_reference.as_deref() == Some("poll")));
    assert!(foreseen(&base, &campaign(2, "", 1.0)).is_empty());

    // What is left out besides is missing all the same, and so is what failed.
    let mut less = beside_poll(2);
    leave_out(&mut less, "epoll-et", Some("this kernel refuses it"));
    let (lines, outcome) = missing(&base, &less);
    let left_out = "missing: epoll-et, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): left out: this kernel refuses it";
    assert_eq!(lines, [told("epoll-lt"), left_out.to_owned(), told("poll")]);
    assert_eq!(foreseen(&base, &less), lines);
    assert!(
        outcome.ends_with(
            "; NEW measured less than BASE: it lacks epoll-et at 2 points; NEW has another reference for epoll-lt at 2 points, poll at 2 points"
        ),
        "{outcome}"
    );
    let mut failed = beside_poll(2);
    failed.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != "epoll-et"));
    let started = failed.starts.iter_mut().flat_map(|start| &mut start.candidates);
    started
        .filter(|one| one.candidate == "epoll-et")
        .for_each(|one| one.failed = Some("the server died".to_owned()));
    let (lines, _) = missing(&base, &failed);
    assert!(
        lines[1].starts_with("missing: epoll-et, ") && lines[1].ends_with(": the server died"),
        "{lines:?}"
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
