//! What a campaign of rounds with known ratios says.

use model::campaign::{Campaign, Histograms, Slice};
use model::histogram;
use model::schema::{Diagnosis, Health, Point, ResultFile, SCHEMA_VERSION, Symptom};
use proptest::prelude::*;
use stats::Relation;

use super::metrics::{CPU, RESPONSE, THROUGHPUT, UTILISATION};
use super::testing::{Behaviour, DEFAULT, LIGHT_PER_S, REFERENCE, Shape, TWIN, decoded, realistic};
use super::*;

/// A campaign of the reference, its twin and `poll`, which behaves as given, at one point.
fn with_poll(behaviour: &Behaviour) -> Campaign {
    Shape::of(&["poll"]).campaign(|candidate, _| match candidate {
        "poll" => behaviour.clone(),
        _ => Behaviour::default(),
    })
}

/// What `check` sees of the analysis of a campaign.
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
        assert!(text.contains("nothing is told apart from epoll-lt"), "{text}");
        assert!(text.contains("epoll-lt and poll are unbeaten at every point"), "{text}");
    });
}

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
    let growing = |grows| with_poll(&Behaviour { grows, ..Behaviour::default() });
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
fn a_server_that_stalls_is_named_and_stays_in_the_comparison() {
    analysed(with_poll(&Behaviour { stall_ns: 40_000_000, ..Behaviour::default() }), |analysis| {
        let poll = candidate(analysis, "poll");
        let stalled = Trouble::Stalled { slices: 18, of: 144, longest_ns: 40_000_000 };
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
        let stalled = Trouble::Stalled { slices: 144, of: 144, longest_ns: 50_000_000 };
        assert_eq!(candidate(analysis, "poll").troubles, [stalled]);
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
            let is_stalled =
                matches!(troubles[..], [Trouble::Stalled { slices, of: 144, .. }] if slices == stalls);
            assert!(is_stalled, "{name}: {troubles:?}");
        }
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
fn the_default_campaign_has_a_row_for_each_candidate_of_each_point() {
    let campaign = Shape::default_scenario().campaign(realistic);
    let text = printed(campaign);
    assert!(text.lines().count() <= answer::LINES, "{text}");
    for name in DEFAULT {
        let rows = text.lines().filter(|line| line.split_whitespace().next() == Some(name)).count();
        assert_eq!(rows, 3, "{name}, at two points a row\n{text}");
    }
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest.expect("lines") <= 120, "{widest:?}\n{text}");
    for expected in ["10k × 10", "at 1k/s", "The rest is in results/made-up.", "A second epoll-lt differed"]
    {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn the_headline_names_the_greatest_loss_with_its_interval_and_use() {
    let text = printed(Shape::default_scenario().campaign(realistic));
    let words = text.replace("\n  ", " ");
    let first = words.lines().next().expect("a line");
    assert!(first.starts_with("Response: epoll-et and epoll-lt are unbeaten at"), "{text}");
    assert!(first.contains("is slower by 17× (") && first.contains("at 10k × 10 (9"), "{text}");
}

#[test]
fn after_the_first_start_the_table_says_that_it_is_provisional() {
    let mut campaign = with_poll(&Behaviour::times(1.5, 1.0, 1.0));
    campaign.starts.truncate(1);
    campaign.rounds.retain(|round| round.start == 0);
    let text = analysed(campaign, answer::provisional);
    assert!(text.starts_with("Provisional, after 1 of 6 starts"), "{text}");
    let poll = text.lines().find(|line| line.contains(" poll ")).expect("a row");
    assert!(poll.contains(" (1."), "it has ratios of rounds alone\n{text}");
}

#[test]
fn an_unfit_machine_and_an_interruption_stand_beside_the_answer() {
    let mut campaign = with_poll(&Behaviour::default());
    let symptom = Symptom {
        name: "load".to_owned(),
        state: Health::Fail,
        found: "12 of 2 processors are in use".to_owned(),
        why: String::new(),
        remedy: None,
    };
    campaign.diagnosis = Some(Diagnosis {
        schema_version: SCHEMA_VERSION,
        started: String::new(),
        connections: 10,
        symptoms: vec![symptom.clone()],
        noise: None,
    });
    campaign.complete = false;
    let text = printed(campaign.clone());
    assert!(text.starts_with("Interrupted: 6 of 6 starts"), "{text}");
    assert!(
        text.contains("The machine is not fit (muxbench doctor): load: 12 of 2 processors are in use."),
        "{text}"
    );
    campaign.diagnosis.as_mut().expect("set above").symptoms =
        vec![Symptom { state: Health::Warn, ..symptom }];
    assert!(!printed(campaign).contains("not fit"));
}

#[test]
fn a_campaign_is_read_back_with_its_histograms() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.json");
    let (campaign, histograms) = decoded(with_poll(&Behaviour::default()));
    let write = |campaign: Campaign| {
        let text = serde_json::to_vec(&ResultFile::Campaign(campaign)).expect("serialises");
        std::fs::write(&path, text).expect("written");
    };
    write(campaign.clone());
    assert_eq!(model::read::campaign(&path).expect("sound"), (campaign.clone(), histograms));
    let mut damaged = campaign;
    damaged.rounds[0].slices[0].response.truncate(10);
    write(damaged);
    let error = model::read::campaign(&path).expect_err("damaged").to_string();
    assert!(error.contains("campaign.json: damaged: the histogram"), "{error}");
}

#[test]
fn a_campaign_without_rounds_or_with_strange_ones_still_has_an_answer() {
    let mut campaign = with_poll(&Behaviour::default());
    campaign.rounds.truncate(2);
    campaign.rounds[0].point = 7;
    campaign.rounds[1].slices.clear();
    campaign.starts.clear();
    let none = Histograms::default();
    assert!(answer::render(&Analysis::of(&campaign, &none), "rest").ends_with("rest\n"));
    campaign.plan.reference = "absent".to_owned();
    assert!(answer::render(&Analysis::of(&campaign, &none), "rest").ends_with("rest\n"));
    campaign.plan.points.clear();
    assert!(answer::render(&Analysis::of(&campaign, &none), "rest").ends_with("rest\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn an_answer_never_has_more_than_forty_lines(
        candidates in 1usize..12, points in 1usize..30, seed in 0u64..1000, reason in ".{0,300}", is_stalling in any::<bool>(),
    ) {
        let names: Vec<String> = (0..candidates).map(|at| format!("candidate-{at}")).collect();
        let shape = Shape {
            points: (0..points).map(|at| Point::new("sweep", 100 + at as u32, 10)).collect(),
            groups: vec![names],
            starts: 2,
            rounds: 2,
            seed,
        };
        let stall_ns = if is_stalling { 90_000_000 } else { 0 };
        let mut campaign = shape.campaign(|name, _| match name {
            "candidate-0" => Behaviour { keeps_up: 0.5, errors: 3, ..Behaviour::default() },
            "candidate-1" => Behaviour { stall_ns, generator_busy: 1.0, ..Behaviour::times(1.5, 1.5, 1.5) },
            _ => Behaviour::times(1.1, 0.9, 0.9),
        });
        campaign.rounds[0].dropped = Some(reason.clone());
        campaign.starts[0].candidates[0].failed = Some(reason.clone());
        let histograms = Histograms::default();
        let analysis = Analysis::of(&campaign, &histograms);
        let (text, provisional) = (answer::render(&analysis, "The rest."), answer::provisional(&analysis));
        prop_assert!(text.lines().count() <= 40 && provisional.lines().count() <= 40, "{text}");
        prop_assert!(text.ends_with("The rest.\n"), "{text}");
    }
}
