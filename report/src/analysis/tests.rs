use super::*;
use crate::testing::{self, Shape, point};

/// Two mechanisms at one point; `slow` takes `factor` times as long, by repeat.
fn pair(repeats: u32, factor: impl Fn(u32) -> f64) -> Campaign {
    testing::campaign(
        &["fast", "slow"],
        &[point("idle-scaling", 100, 10)],
        repeats,
        |mechanism, _, repeat| {
            // The machine drifts; both drift with it.
            let drift = 1.0 + f64::from(repeat);
            let factor = if mechanism == "slow" { factor(repeat) } else { 1.0 };
            Shape { p50_ns: 30_000.0 * drift * factor, ..Shape::default() }
        },
    )
}

fn standings_of(campaign: &Campaign) -> Vec<Standing> {
    let analysis = Analysis::of(campaign).expect("sound histograms");
    analysis.points[0].rows.iter().map(|row| row.p50.standing.clone()).collect()
}

#[test]
fn a_clear_winner_wins_although_the_machine_drifts() {
    let standings = standings_of(&pair(5, |repeat| 1.5 + 0.01 * f64::from(repeat)));
    assert_eq!(standings[0], Standing::Winner);
    let Standing::Behind(ratio) = &standings[1] else { panic!("{standings:?}") };
    assert!((ratio.summary.median - 1.52).abs() < 0.01, "{ratio:?}");
}

#[test]
fn an_interval_that_covers_one_is_a_tie_on_both_sides() {
    let standings = standings_of(&pair(5, |repeat| if repeat % 2 == 0 { 1.1 } else { 0.9 }));
    assert!(standings.iter().all(|standing| matches!(standing, Standing::Tie(_))), "{standings:?}");
    assert_eq!(standings.iter().filter(|standing| **standing == Standing::Tie(None)).count(), 1);
}

#[test]
fn two_repeats_lead_and_trail_but_do_not_win() {
    let standings = standings_of(&pair(2, |_| 2.0));
    assert_eq!(standings[0], Standing::Leading);
    assert!(matches!(standings[1], Standing::Trailing(_)));
}

#[test]
fn the_repeats_decide_where_the_medians_mislead() {
    // "a" wins every repeat that both have, but it also ran when the machine was slow.
    let mut campaign =
        testing::campaign(&["a", "b"], &[point("idle-scaling", 100, 10)], 7, |mechanism, _, repeat| {
            let drift = if repeat >= 3 { 10.0 } else { 1.0 };
            Shape { p50_ns: drift * if mechanism == "a" { 30_000.0 } else { 33_000.0 }, ..Shape::default() }
        });
    campaign.cells.retain(|cell| cell.mechanism == "a" || cell.repeat < 3);
    let standings = standings_of(&campaign);
    assert_eq!(standings[0], Standing::Winner);
    assert!(matches!(standings[1], Standing::Behind(_)), "{standings:?}");
}

#[test]
fn invalid_and_failed_cells_never_count() {
    let mut campaign = pair(4, |_| 2.0);
    testing::spoil(&mut campaign, 0, CellStatus::Invalid, "the generator was late");
    testing::spoil(&mut campaign, 3, CellStatus::Failed, "the server died");
    let analysis = Analysis::of(&campaign).expect("sound histograms");
    let [fast, slow] = &analysis.points[0].rows[..] else { panic!("two rows") };
    assert_eq!(fast.attempts, Attempts { valid: 3, invalid: 1, failed: 0, lost_repeats: 1 });
    assert_eq!(slow.attempts, Attempts { valid: 3, invalid: 0, failed: 1, lost_repeats: 1 });
    assert_eq!(fast.response.len(), 3 * Shape::default().samples);
    // Only repeats 2 and 3 have both sides: too few for an interval.
    assert_eq!(fast.p50.standing, Standing::Leading);
}

#[test]
fn of_several_attempts_the_valid_one_counts() {
    let mut campaign = pair(3, |_| 2.0);
    let mut again = campaign.cells[0].clone();
    again.attempt = 1;
    campaign.cells.push(again);
    testing::spoil(&mut campaign, 0, CellStatus::Invalid, "the generator was late");
    let analysis = Analysis::of(&campaign).expect("sound histograms");
    let fast = &analysis.points[0].rows[0];
    assert_eq!(fast.attempts, Attempts { valid: 3, invalid: 1, failed: 0, lost_repeats: 0 });
    assert_eq!(fast.p50.standing, Standing::Winner);
}

#[test]
fn the_shown_percentile_is_that_of_the_merged_histogram() {
    let campaign = testing::campaign(&["one"], &[point("idle-scaling", 10, 10)], 3, |_, _, repeat| Shape {
        p50_ns: if repeat == 0 { 1_000_000.0 } else { 10_000.0 },
        tail: 1.01,
        ..Shape::default()
    });
    let analysis = Analysis::of(&campaign).expect("sound histograms");
    let p99 = &analysis.points[0].rows[0].p99;
    // A third of all samples are near 1 ms, so p99 is; the mean and the median of the p99s are not.
    assert!((p99.value_ns.expect("present") - 1e6).abs() < 2e4, "{p99:?}");
    assert!(p99.summary.expect("present").median < 11_000.0);
    assert_eq!(p99.standing, Standing::Alone);
}

#[test]
fn a_percentile_without_samples_enough_stays_absent_but_merging_may_supply_it() {
    let at = |samples, repeats| {
        let campaign = testing::campaign(&["one"], &[point("idle-scaling", 10, 10)], repeats, |_, _, _| {
            Shape { samples, ..Shape::default() }
        });
        let row = Analysis::of(&campaign).expect("sound histograms").points[0].rows[0].clone();
        (row.p99.value_ns.is_some(), row.p99.summary.is_some())
    };
    assert_eq!(at(1_000, 3), (false, false));
    assert_eq!(at(5_000, 3), (true, false));
    assert_eq!(at(20_000, 3), (true, true));
}

#[test]
fn capacity_is_a_lower_bound_unless_every_repeat_filled_the_server() {
    let bound = |short: u32| {
        let campaign = testing::campaign(&["one"], &[point("idle-scaling", 10, 10)], 3, |_, _, repeat| {
            Shape { is_capacity: repeat != short, ..Shape::default() }
        });
        let analysis = Analysis::of(&campaign).expect("sound histograms");
        analysis.points[0].rows[0].capacity.expect("measured").lower_bound
    };
    assert!(bound(1));
    assert!(!bound(9));
}

#[test]
fn the_cost_of_an_echo_is_the_one_that_went_in() {
    let campaign = pair(3, |_| 2.0);
    let analysis = Analysis::of(&campaign).expect("sound histograms");
    let row = &analysis.points[0].rows[0];
    assert!((row.cpu.value_ns.expect("present") - 7_000.0).abs() < 1.0);
    assert!((row.syscalls.expect("present").median - 2.1).abs() < 0.01);
    assert!((row.system_cpu_ns.expect("present").median - 15_400.0).abs() < 1.0);
}

#[test]
fn points_of_different_sweeps_stay_apart() {
    let analysis = testing::analysis();
    let at = |sweep: &str| analysis.sweep(sweep).iter().map(|at| at.point.connections).collect::<Vec<_>>();
    assert_eq!(at("idle-scaling"), [10, 100, 1_000, 10_000]);
    assert_eq!(at("active-scaling"), [10, 100, 1_000]);
}
