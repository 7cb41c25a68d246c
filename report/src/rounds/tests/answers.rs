//! The answer as it is printed.

use model::campaign::Histograms;
use model::schema::{Diagnosis, Exclude, Health, Point, ResultFile, SCHEMA_VERSION, Symptom};
use proptest::prelude::*;

use super::*;
use crate::rounds::testing::{DEFAULT, realistic};

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
fn a_point_that_was_left_out_stands_first_with_its_remedy_and_further_reasons_are_counted() {
    let mut campaign = with_poll(&Behaviour::default());
    let scenario = &mut campaign.plan.scenario;
    let candidates: Vec<String> = scenario.candidates().map(str::to_owned).collect();
    let left_out = |name: &str, reason: &str, above_connections| Exclude {
        mechanism: name.to_owned(),
        reason: reason.to_owned(),
        above_connections,
        ..Exclude::default()
    };
    let libraries = ["mio", "polling", "tokio", "compio"];
    scenario.excludes =
        libraries.map(|name| left_out(name, &format!("this build does not have {name}"), None)).into();
    // As a container with one table says it.
    let reason = "3 servers with 10,000 connections each do not fit at the same time: all threads share one descriptor table, since \
                  unshare(CLONE_FILES) is refused (Operation not permitted (os error 1)): it holds 19966 connections, and 30000 are \
                  asked for: docker run --security-opt seccomp=unconfined (or a profile that allows unshare), or raise the limit of \
                  the one table: docker run --ulimit nofile=30034, ulimit -n 30034";
    scenario.excludes.extend(candidates.iter().map(|name| left_out(name, reason, Some(9_999))));
    let text = printed(campaign);
    let words = text.replace("\n  ", " ");
    let lines: Vec<&str> = words.lines().filter(|line| line.starts_with("Left out: ")).collect();
    assert_eq!(lines[0], format!("Left out: all above 9,999 connections: {reason}."), "{text}");
    assert_eq!(lines.len(), 3, "{text}");
    assert!(words.contains("2 more reasons for leaving something out."), "{text}");
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
