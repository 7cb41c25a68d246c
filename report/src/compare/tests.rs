use super::*;
use crate::testing::{self, Shape, point};
use model::schema::{CellStatus, ResultFile};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// "epoll-lt", "epoll-et" and "poll" at two points; each figure varies from repeat to repeat by some percent, another way with
/// each seed, and those of `slow` are `factor` times worse.
fn campaign(seed: u64, repeats: u32, slow: &str, factor: f64) -> Campaign {
    let points = [point("idle-scaling", 100, 10), point("idle-scaling", 10_000, 10)];
    let random = std::cell::RefCell::new(Xoshiro256PlusPlus::seed_from_u64(seed));
    testing::campaign(&["epoll-lt", "epoll-et", "poll"], &points, repeats, |name, _, _| {
        let noise = || 1.0 + 0.1 * random.borrow_mut().random::<f64>();
        let worse = if name == slow { factor } else { 1.0 };
        Shape {
            p50_ns: 30_000.0 * noise() * worse,
            cpu_ns: 7_000.0 * noise() * worse,
            echoes_per_s: 120_000.0 / noise() / worse,
            ..Shape::default()
        }
    })
}

fn compared(base: &Campaign, new: &Campaign, options: &Options) -> Result<Comparison, Refused> {
    compare(Source { name: "base.json", campaign: base }, Source { name: "new.json", campaign: new }, options)
}

fn gate(most: f64) -> Options {
    Options { fail_above: Some(most), ..Options::default() }
}

fn of<'a>(comparison: &'a Comparison, contender: &str, figure: MainFigure) -> Vec<&'a Compared> {
    comparison.comparisons.iter().filter(|one| one.contender == contender && one.figure == figure).collect()
}

#[test]
fn two_campaigns_of_the_same_thing_tie_nearly_everywhere() {
    let (mut different, mut cases) = (0, 0);
    for seed in 0..40 {
        let comparison =
            compared(&campaign(2 * seed, 6, "", 1.0), &campaign(2 * seed + 1, 6, "", 1.0), &gate(0.1))
                .expect("comparable");
        assert_eq!(comparison.failed(), 0, "{comparison:?}");
        let told_apart = told_apart(&comparison).expect("verdicts");
        (different, cases) = (different + told_apart.hits, cases + told_apart.cases);
    }
    // p50, p99 and the rest of 3 contenders at 2 points.
    assert_eq!(cases, 40 * 24);
    let rate = Proportion::of(different, cases).expect("cases");
    println!("told apart: {rate:?}");
    assert!(rate.low <= 0.05, "{rate:?}");
}

#[test]
fn a_contender_slower_by_thirty_percent_is_worse_in_every_figure_and_the_others_are_not() {
    let (base, new) = (campaign(1, 6, "", 1.0), campaign(2, 6, "epoll-et", 1.3));
    let comparison = compared(&base, &new, &gate(0.1)).expect("comparable");
    for figure in MainFigure::ALL {
        for one in of(&comparison, "epoll-et", figure) {
            assert_eq!((one.verdict, one.fails), (ComparedVerdict::Worse, true), "{one:?}");
        }
    }
    assert_eq!(comparison.failed(), 8);
    assert!(comparison.comparisons.iter().filter(|one| one.fails).all(|one| one.contender == "epoll-et"));
    assert_eq!(page::outcome(&comparison), "8 of 24 figures are worse by more than 10%");
    let turned = compared(&new, &base, &gate(0.1)).expect("comparable");
    assert_eq!(turned.failed(), 0);
    assert!(
        of(&turned, "epoll-et", MainFigure::Capacity)
            .iter()
            .all(|one| one.verdict == ComparedVerdict::Better)
    );
}

#[test]
fn the_gate_looks_at_the_end_of_the_interval_and_not_at_its_middle() {
    let (base, new) = (campaign(1, 6, "", 1.0), campaign(2, 6, "poll", 1.3));
    let comparison = compared(&base, &new, &gate(0.29)).expect("comparable");
    let p50 = of(&comparison, "poll", MainFigure::ResponseP50)[0];
    let ratio = p50.ratio.expect("a ratio");
    assert!(ratio.value > 1.25 && ratio.low < 1.29, "{ratio:?}");
    assert_eq!((p50.verdict, p50.fails), (ComparedVerdict::Worse, false));
    let without = compared(&base, &new, &Options::default()).expect("comparable");
    assert_eq!(without.failed(), 0, "nothing fails unless that was asked for");
}

#[test]
fn what_a_machine_does_to_all_is_told_and_cancels_out_beside_a_yardstick() {
    let base = campaign(1, 6, "", 1.0);
    let mut new = campaign(2, 6, "poll", 1.3);
    // Between the two the machine became half as fast; within NEW the contenders are as before, but for one.
    for cell in &mut new.cells {
        let slower = 2.0;
        if let Some(response) = cell.latency.as_mut().and_then(|phase| phase.load.response.as_mut()) {
            response.p50_ns = response.p50_ns.map(|ns| (ns as f64 * slower) as u64);
            response.p99_ns = response.p99_ns.map(|ns| (ns as f64 * slower) as u64);
        }
        if let Some(phase) = &mut cell.capacity {
            phase.usage.server.cpu_s *= slower;
        }
    }
    let plain = compared(&base, &new, &gate(0.1)).expect("comparable");
    assert!(plain.failed() > 12);
    assert!(!page::text(&plain).contains("rather the machine"), "six ratios a figure are too few to say so");
    let options = Options { relative_to: Some("epoll-lt".to_owned()), ..gate(0.1) };
    let relative = compared(&base, &new, &options).expect("comparable");
    assert!(of(&relative, "epoll-lt", MainFigure::ResponseP50).is_empty());
    assert!(relative.comparisons.iter().filter(|one| one.fails).all(|one| one.contender == "poll"));
    assert_eq!(of(&relative, "poll", MainFigure::ServerCpu).iter().filter(|one| one.fails).count(), 2);
    let unknown = Options { relative_to: Some("select".to_owned()), ..Options::default() };
    let refused = compared(&base, &new, &unknown).expect_err("no such contender");
    assert_eq!(
        refused.to_string(),
        "--relative-to select: not a contender of both campaigns, which have epoll-et, epoll-lt and poll"
    );
}

#[test]
fn a_lower_bound_is_compared_only_in_the_direction_in_which_it_proves_something() {
    let figure = |base_is_bound: bool, new_is_bound: bool, factor: f64| {
        let (mut base, mut new) = (campaign(1, 6, "", 1.0), campaign(2, 6, "poll", factor));
        for (campaign, is_bound) in [(&mut base, base_is_bound), (&mut new, new_is_bound)] {
            campaign.cells.iter_mut().filter_map(|cell| cell.capacity.as_mut()).for_each(|phase| {
                phase.is_capacity = !is_bound;
            });
        }
        let comparison = compared(&base, &new, &gate(0.1)).expect("comparable");
        let poll = of(&comparison, "poll", MainFigure::Capacity)[0].clone();
        (poll.verdict, poll.fails)
    };
    assert_eq!(figure(true, false, 1.5), (ComparedVerdict::Worse, true));
    assert_eq!(figure(true, false, 0.5), (ComparedVerdict::NotComparable, false));
    assert_eq!(figure(false, true, 0.5), (ComparedVerdict::Better, false));
    assert_eq!(figure(false, true, 1.5), (ComparedVerdict::NotComparable, false));
    assert_eq!(figure(true, true, 1.5), (ComparedVerdict::NotComparable, false));
}

#[test]
fn points_under_another_load_are_not_comparable_and_others_are_named() {
    let base = campaign(1, 6, "", 1.0);
    let mut new = campaign(2, 6, "", 1.0);
    new.plan.scenario.load.rate_per_s = 4_000.0;
    new.plan.points[0].connections = 200;
    let comparison = compared(&base, &new, &Options::default()).expect("one point is the same");
    let reason = of(&comparison, "poll", MainFigure::ResponseP99)[0].reason.clone();
    assert_eq!(reason.as_deref(), Some("other rate: BASE 20k requests/s, NEW 4k requests/s"));
    let capacity = of(&comparison, "poll", MainFigure::Capacity)[0];
    assert_ne!(capacity.verdict, ComparedVerdict::NotComparable, "it does not depend on the rate");
    assert_eq!(comparison.not_paired[0], "epoll-lt at 200 × 10 (idle-scaling): only in NEW");
    assert_eq!(comparison.not_paired.len(), 3);
    // Of each contender the point, and at the other point p50 and p99.
    assert_eq!(comparison.missing.len(), 3 + 3 * 2);
    assert_eq!(comparison.missing[0].reason, "NEW does not measure at such a point");
    assert_eq!(comparison.missing[3].reason, "other rate: BASE 20k requests/s, NEW 4k requests/s");
    new.plan.points.truncate(1);
    let refused = compared(&base, &new, &Options::default()).expect_err("nothing is the same");
    assert_eq!(refused.0, ["nothing to compare: no contender at a point that both campaigns have"]);
}

/// The contender, the figure and the reason of something that is missing.
type Told = (String, Option<MainFigure>, String);

/// Everything that a gate of 10 % finds missing in `new`: contender, figure and reason of each, and the lines about it.
fn missing(base: &Campaign, new: &Campaign) -> (Vec<Told>, Vec<String>) {
    let comparison = compared(base, new, &gate(0.1)).expect("comparable");
    let text = page::text(&comparison);
    let lines = text.lines().filter(|line| line.starts_with("missing in NEW: ")).map(str::to_owned).collect();
    let missing = comparison.missing.into_iter();
    (missing.map(|one| (one.contender, one.figure, one.reason)).collect(), lines)
}

/// Takes `contender` out of a campaign, for a reason or none.
fn leave_out(campaign: &mut Campaign, contender: &str, reason: Option<&str>) {
    campaign.plan.scenario.mechanisms.retain(|name| name != contender);
    campaign.cells.retain(|cell| cell.mechanism != contender);
    campaign.plan.scenario.excludes.extend(reason.map(|reason| model::schema::Exclude {
        mechanism: contender.to_owned(),
        reason: reason.to_owned(),
        ..model::schema::Exclude::default()
    }));
}

#[test]
fn whatever_was_left_out_of_the_new_campaign_is_missing_with_the_reason_in_one_line() {
    let base = campaign(1, 6, "", 1.0);
    let places = "at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling)";
    for (reason, told) in [
        (Some("this kernel refuses io_uring"), "left out: this kernel refuses io_uring"),
        (None, "NEW was not asked to measure it"),
    ] {
        let mut new = campaign(2, 6, "", 1.0);
        leave_out(&mut new, "poll", reason);
        let (missing, lines) = missing(&base, &new);
        assert_eq!(missing, vec![("poll".to_owned(), None, told.to_owned()); 2]);
        assert_eq!(lines, [format!("missing in NEW: poll, {places}: {told}")]);
        assert_eq!(not_planned(&base, &Campaign { cells: Vec::new(), ..new.clone() }), lines, "known before");
        let (turned, _) = self::missing(&new, &base);
        assert!(turned.is_empty(), "measuring more is no fault: {turned:?}");
    }
    let mut new = campaign(2, 6, "", 1.0);
    new.plan.scenario.excludes.push(model::schema::Exclude {
        mechanism: "poll".to_owned(),
        reason: "takes too long".to_owned(),
        above_connections: Some(1_000),
        ..model::schema::Exclude::default()
    });
    let (_, lines) = missing(&base, &new);
    assert_eq!(lines, ["missing in NEW: poll, at 10k × 10 (idle-scaling): left out: takes too long"]);
}

#[test]
fn a_campaign_that_has_nothing_of_what_was_measured_is_refused_and_does_not_pass_a_gate() {
    let (mut base, mut new) = (campaign(1, 6, "", 1.0), campaign(2, 6, "", 1.0));
    leave_out(&mut base, "epoll-lt", None);
    leave_out(&mut base, "epoll-et", None);
    leave_out(&mut new, "poll", Some("this build does not have it"));
    let refused = compared(&base, &new, &Options::default()).expect_err("nothing is the same");
    assert!(refused.0[0].starts_with("nothing to compare: "), "{refused:?}");
    let (missing, lines) = missing(&base, &new);
    assert_eq!((missing.len(), lines.len()), (2, 1), "{lines:?}");
    let comparison = compared(&base, &new, &gate(0.1)).expect("the gate has an answer");
    assert_eq!(
        page::outcome(&comparison),
        "no figure could be compared; NEW measured less than BASE: it lacks poll at 2 points"
    );
}

#[test]
fn a_server_that_no_longer_works_is_missing_with_what_became_of_it() {
    let base = campaign(1, 6, "", 1.0);
    let mut new = base.clone();
    let broken: Vec<usize> = (0..new.cells.len()).filter(|at| new.cells[*at].mechanism == "poll").collect();
    broken.into_iter().for_each(|at| testing::spoil(&mut new, at, CellStatus::Failed, "the server died"));
    let (missing_now, lines) = missing(&base, &new);
    assert!(missing_now.iter().all(|(name, figure, _)| name == "poll" && figure.is_none()));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with(": none of its 6 cells is valid: the server died"), "{lines:?}");
    assert!(missing(&new, &base).0.is_empty(), "a server that works again is no fault");
    let markdown = page::markdown(&compared(&base, &new, &gate(0.1)).expect("comparable"));
    assert!(markdown.contains("\n- missing in NEW: poll, at "), "{markdown}");

    let mut interrupted = base.clone();
    interrupted.complete = false;
    interrupted.cells.retain(|cell| cell.point.connections == 100);
    let (missing, lines) = missing(&base, &interrupted);
    assert_eq!((missing.len(), lines.len()), (3, 3));
    assert!(lines.iter().all(|line| line.ends_with(": NEW was interrupted before it")), "{lines:?}");
}

#[test]
fn a_figure_that_is_gone_is_missing_and_so_is_one_with_too_few_repeats() {
    let base = campaign(1, 6, "", 1.0);
    let mut new = campaign(2, 6, "", 1.0);
    for cell in new.cells.iter_mut().filter(|cell| cell.mechanism == "poll") {
        match cell.point.connections {
            100 => cell.capacity = None,
            _ if cell.repeat >= 2 => {
                let response = cell.latency.as_mut().and_then(|phase| phase.load.response.as_mut());
                response.expect("open loop").p99_ns = None;
            }
            _ => {}
        }
    }
    let (missing, lines) = missing(&base, &new);
    let gone = "no valid repeat has it".to_owned();
    let few = "too few valid repeats have it: 2, and BASE 6".to_owned();
    assert_eq!(
        missing,
        [
            ("poll".to_owned(), Some(MainFigure::Capacity), gone.clone()),
            ("poll".to_owned(), Some(MainFigure::ServerCpu), gone),
            ("poll".to_owned(), Some(MainFigure::ResponseP99), few),
        ]
    );
    assert_eq!(
        lines[2],
        "missing in NEW: poll, response p99, at 10k × 10 (idle-scaling): too few valid repeats have it: 2, and BASE 6"
    );
}

#[test]
fn a_yardstick_that_is_gone_leaves_every_figure_without_a_verdict_and_the_gate_shut() {
    let (base, mut new) = (campaign(1, 6, "", 1.0), campaign(2, 6, "", 1.0));
    leave_out(&mut new, "epoll-lt", Some("this build does not have it"));
    let options = Options { relative_to: Some("epoll-lt".to_owned()), ..gate(0.1) };
    let comparison = compared(&base, &new, &options).expect("the gate has an answer");
    assert_eq!(comparison.compared(), 0);
    // The yardstick at two points, and four figures of the two others at both.
    assert_eq!(comparison.missing.len(), 2 + 4 * 2 * 2);
    assert_eq!(comparison.missing[2].reason, "no valid repeat has it that epoll-lt has too");
}

#[test]
fn many_things_that_are_missing_of_one_contender_are_one_line() {
    let base = campaign(1, 6, "", 1.0);
    let points: Vec<Point> = (1..=8).map(|number| point("idle-scaling", 100 * number, 10)).collect();
    let lost = |contender: &str, at: usize, reason: String| Missing {
        contender: contender.to_owned(),
        point: points[at].clone(),
        figure: None,
        reason,
    };
    let mut comparison = compared(&base, &base, &gate(0.1)).expect("comparable");
    comparison.missing = (0..8).map(|at| lost("poll", at, format!("late by {at} ms"))).collect();
    comparison.missing.extend((0..8).map(|at| lost("select", at, "the server died".to_owned())));
    let text = page::text(&comparison);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("missing")).collect();
    assert_eq!(
        lines,
        [
            "missing in NEW: poll, at 100 × 10 (idle-scaling): late by 0 ms, and 7 more of poll",
            "missing in NEW: select, at 100 × 10 (idle-scaling), 200 × 10 (idle-scaling), 300 × 10 (idle-scaling) and 5 more: the server died",
        ]
    );
    assert!(page::outcome(&comparison).ends_with("it lacks poll at 8 points, select at 8 points"));
}

#[test]
fn a_contender_of_which_nothing_can_be_said_is_named() {
    let (base, mut new) = (campaign(1, 6, "", 1.0), campaign(2, 6, "", 1.0));
    let mut base = base;
    for campaign in [&mut base, &mut new] {
        campaign.cells.retain(|cell| cell.mechanism != "poll" || cell.repeat < 2);
    }
    let comparison = compared(&base, &new, &gate(0.1)).expect("comparable");
    assert!(comparison.missing.is_empty());
    assert_eq!(comparison.undecided(), ["poll"]);
    assert_eq!(page::outcome(&comparison), "no figure could be compared of poll");
}

#[test]
fn two_repeats_are_too_few_for_any_verdict() {
    let comparison =
        compared(&campaign(1, 2, "", 1.0), &campaign(2, 2, "", 1.5), &gate(0.1)).expect("comparable");
    assert!(comparison.comparisons.iter().all(|one| one.verdict == ComparedVerdict::NotComparable));
    assert_eq!(page::outcome(&comparison), "no figure could be compared");
    assert!(page::text(&comparison).contains("too few repeats for an interval"));
}

#[test]
fn the_words_say_how_many_differences_chance_gives_and_what_is_worse() {
    let (mut base, new) = (campaign(1, 6, "", 1.0), campaign(2, 6, "epoll-et", 1.5));
    base.environment.host = "another|host".to_owned();
    let comparison = compared(&base, &new, &gate(0.1)).expect("comparable");
    let text = page::text(&comparison);
    assert!(
        text.contains("of two campaigns of the same thing chance alone gives up to 5%, here about 2"),
        "{text}"
    );
    assert!(text.contains("warning: other host: BASE another|host, NEW bench-01"), "{text}");
    assert!(text.ends_with("8 of 24 figures are worse by more than 10%\n"), "{text}");
    let markdown = page::markdown(&comparison);
    assert!(markdown.starts_with("**8 of 24 figures are worse by more than 10%**\n"), "{markdown}");
    assert!(markdown.contains("| **worse than allowed** |"), "{markdown}");
    assert!(markdown.contains("another\\|host"), "{markdown}");
    for line in markdown.lines().filter(|line| line.starts_with('|')) {
        let columns = line.replace("\\|", "").matches('|').count();
        assert!(columns == 8 || columns == 7, "{line}");
    }
}

#[test]
fn a_comparison_is_a_result_that_the_schema_knows() {
    let comparison =
        compared(&campaign(1, 6, "", 1.0), &campaign(2, 3, "", 1.0), &gate(0.1)).expect("comparable");
    let schema = serde_json::to_value(model::schema::json_schema()).expect("a schema is JSON");
    let instance =
        serde_json::to_value(ResultFile::Comparison(comparison.clone())).expect("a result is JSON");
    assert!(jsonschema::is_valid(&schema, &instance));
    let read: Comparison = serde_json::from_value(instance).expect("reads back");
    assert_eq!(read, comparison);
}
