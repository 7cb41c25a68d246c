//! The worth of the intervals on a host that is as bad as can be. MUXBENCH_SIMULATE makes ten times as many campaigns.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::location::midmean;
use crate::testing::{Campaign, Noise, rate};
use crate::*;

type Values = Vec<Vec<Vec<Option<f64>>>>;

fn ratios_of(values: &Values) -> LogRatios {
    LogRatios::new(values, 0).expect("candidates")
}

fn family(values: &Values) -> Family {
    Family::new(&ratios_of(values)).expect("starts")
}

/// Returns whether all intervals hold the truth.
fn hold(ratios: &[Option<Ratio>], truth: &[f64]) -> bool {
    let truth = |at: usize| truth.get(at).copied().unwrap_or(1.0);
    ratios
        .iter()
        .enumerate()
        .all(|(at, ratio)| ratio.is_none_or(|ratio| ratio.simultaneous.covers(truth(at))))
}

/// The median of the half-widths of all simultaneous intervals but the last candidate's.
fn half_width(families: &[Vec<Option<Ratio>>]) -> f64 {
    let widths = families.iter().flat_map(|ratios| &ratios[1..ratios.len() - 1]).flatten();
    let widths: Vec<f64> = widths.map(|ratio| ratio.simultaneous.relative_half_width(ratio.ratio)).collect();
    median(&widths).expect("ratios")
}

/// The share of families with an interval that does not hold the truth, and the half-width.
fn wrong(of: Campaign, cases: u64, prior: Option<f64>) -> (Proportion, f64) {
    let mut noise = Noise::new(7);
    let truth = [1.0, 1.0, 1.1, 0.9, 2.0, 1.03, 1.0, 0.5, 1.0];
    let mut families = Vec::new();
    let wrong = rate(cases, || {
        let values = noise.campaign(of, &truth);
        let family = match prior {
            Some(prior) => Family::with_prior(&ratios_of(&values), prior).expect("starts"),
            None => family(&values),
        };
        families.push(family.ratios());
        !hold(families.last().expect("one"), &truth)
    });
    let width = half_width(&families);
    println!("{of:?}, prior {prior:?}: not held {:.3}, half-width {width:.4}", wrong.share());
    (wrong, width)
}

/// In all sizes of campaigns.
fn assert_held(base: Campaign) {
    for (starts, rounds) in [(2, 4), (2, 40), (4, 10), (6, 4), (6, 10), (6, 40), (10, 10)] {
        let (wrong, _) = wrong(Campaign { starts, rounds, ..base }, 250, None);
        assert!(wrong.interval.low <= 0.05, "{starts} starts of {rounds}: {wrong:?}");
        assert!(wrong.interval.high >= 0.02, "too wide, {starts} starts of {rounds}: {wrong:?}");
    }
}

#[test]
fn all_intervals_of_a_family_hold_together_in_95_percent_of_campaigns() {
    assert_held(Campaign::PLAIN);
}

#[test]
fn they_hold_where_candidates_and_starts_are_not_alike() {
    assert_held(Campaign::WORST);
}

/// The figures of the crate's documentation.
#[test]
fn neither_variances_of_their_own_nor_one_for_all_are_as_good_as_both() {
    let few = Campaign { starts: 4, rounds: 40, ..Campaign::WORST };
    let [own, both] = [Some(0.0), None].map(|prior| wrong(few, 300, prior));
    assert!(both.1 < 0.8 * own.1 && both.0.share() < own.0.share(), "{both:?}, {own:?}");
    let many = Campaign { starts: 10, rounds: 40, ..Campaign::WORST };
    let [one, both] = [Some(1e9), None].map(|prior| wrong(many, 300, prior));
    assert!(both.0.interval.low <= 0.05 && both.0.share() < one.0.share(), "{both:?}, {one:?}");
}

#[test]
fn a_candidate_five_times_as_noisy_widens_no_interval_but_its_own() {
    let plain = Campaign { rounds: 20, ..Campaign::PLAIN };
    let [calm, loud] = [1.0, 5.0].map(|loud| wrong(Campaign { loud, ..plain }, 150, None));
    assert!(loud.1 < 1.05 * calm.1 && loud.0.interval.low <= 0.05, "{loud:?}, {calm:?}");
}

/// Of one pair, by a bootstrap of starts and of the rounds of each.
#[test]
fn percentiles_of_a_bootstrap_of_four_starts_hold_less_than_they_say() {
    let mut noise = Noise::new(3);
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(4);
    let of =
        Campaign { starts: 4, rounds: 40, candidates: 2, starts_differ: (0.03, 0.03), ..Campaign::PLAIN };
    let wrong = rate(300, || {
        let values = ratios_of(&noise.campaign(of, &[]));
        let starts: Vec<Vec<f64>> =
            values.starts().iter().map(|start| start.iter().filter_map(|round| round[1]).collect()).collect();
        let mut draw = |_| {
            let mut resampled = |_| {
                let start = &starts[random.random_range(0..starts.len())];
                let rounds: Vec<_> =
                    start.iter().map(|_| Some(start[random.random_range(0..start.len())])).collect();
                midmean(&rounds).expect("rounds").location
            };
            (0..starts.len()).map(&mut resampled).sum::<f64>()
        };
        let mut draws: Vec<f64> = (0..400).map(&mut draw).collect();
        draws.sort_by(f64::total_cmp);
        draws[9] > 0.0 || draws[390] < 0.0
    });
    println!("bootstrap: {:.3}", wrong.share());
    assert!(wrong.interval.low > 0.05, "{wrong:?}");
}

/// Median, Hodges and Lehmann's estimator, and midmean.
#[test]
fn the_midmean_is_no_noisier_than_other_locations() {
    let hodges_lehmann = |values: &[f64]| {
        let pairs = values
            .iter()
            .enumerate()
            .flat_map(|(at, a)| values[at..].iter().map(move |b| f64::midpoint(*a, *b)));
        median(&pairs.collect::<Vec<_>>()).expect("values")
    };
    for (one_sided, rounds) in [(false, 6), (false, 20), (true, 6), (true, 20)] {
        let mut noise = Noise::new(5);
        let of = Campaign {
            starts: 1_000,
            rounds,
            candidates: 2,
            starts_differ: (0.0, 0.0),
            one_sided,
            ..Campaign::PLAIN
        };
        let values = ratios_of(&noise.campaign(of, &[]));
        let deviation = |location: &dyn Fn(&[f64]) -> f64| {
            let rounds =
                |start: &Vec<Vec<Option<f64>>>| start.iter().filter_map(|round| round[1]).collect::<Vec<_>>();
            let squares = values.starts().iter().map(|start| location(&rounds(start)).powi(2));
            (squares.sum::<f64>() / 1_000.0).sqrt()
        };
        let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        let ours = deviation(&|values| midmean(&some(values)).expect("values").location);
        let [middle, pairs] =
            [deviation(&|values| median(values).expect("values")), deviation(&hodges_lehmann)];
        let mean = deviation(&|values| values.iter().sum::<f64>() / values.len() as f64);
        println!(
            "{rounds} rounds, one tail {one_sided}: mean {mean:.4}, median {middle:.4}, Hodges-Lehmann {pairs:.4}, midmean {ours:.4}"
        );
        assert!(ours < 1.04 * middle.min(pairs) && ours < 0.8 * mean);
    }
}

#[test]
fn a_difference_of_three_percent_is_found_by_six_starts_of_forty_rounds() {
    let mut noise = Noise::new(11);
    let mut found = |rounds| {
        let of = Campaign { rounds, starts_differ: (0.005, 0.005), ..Campaign::PLAIN };
        let found = rate(200, || {
            let ratio = family(&noise.campaign(of, &[1.0, 1.0, 1.03])).ratios()[2].expect("a ratio");
            Relation::of(ratio.simultaneous, 0.02) == Relation::Above
        });
        println!("{rounds} rounds: found {:.3}", found.share());
        found
    };
    let (ten, forty) = (found(10), found(40));
    assert!(forty.interval.low > 0.7 && ten.interval.high < forty.interval.low, "{ten:?}, {forty:?}");
}

#[test]
fn the_twin_is_equal_within_two_percent_when_enough_is_known_and_else_not_distinguishable() {
    let mut noise = Noise::new(12);
    let mut relation = |rounds| {
        let of = Campaign { starts: 10, rounds, starts_differ: (0.0, 0.0), ..Campaign::PLAIN };
        Relation::of(family(&noise.campaign(of, &[])).ratios()[1].expect("a ratio").simultaneous, 0.02)
    };
    assert_eq!([4, 60].map(&mut relation), [Relation::NotDistinguishable, Relation::Equal]);
}

#[test]
fn equal_candidates_are_one_group_and_others_stand_apart() {
    let mut noise = Noise::new(13);
    let truth = [1.0, 1.0, 1.3, 1.3, 1.3, 0.7, 0.7, 1.0, 1.0];
    let of = Campaign { starts: 6, rounds: 30, ..Campaign::WORST };
    let wrong = rate(200, || {
        let groups = family(&noise.campaign(of, &truth)).groups();
        let told_apart = groups.pairs.iter().filter(|(.., ratio)| !ratio.simultaneous.covers(1.0));
        let level = |at: &usize| truth[*at];
        assert!(groups.order.iter().map(level).is_sorted(), "{groups:?}");
        told_apart.clone().any(|(first, second, _)| truth[*first] == truth[*second])
            || groups.groups.len() != 3
    });
    assert!(wrong.interval.low <= 0.05, "{wrong:?}");
}

#[test]
fn rounds_starts_and_candidates_may_be_missing() {
    let mut noise = Noise::new(14);
    let wrong = rate(200, || {
        let mut values = noise.campaign(Campaign { rounds: 12, ..Campaign::PLAIN }, &[]);
        values[2].iter_mut().for_each(|round| round[3] = None);
        values[4].iter_mut().for_each(|round| round.fill(None));
        values.iter_mut().flatten().for_each(|round| round[8] = None);
        values.iter_mut().flat_map(|start| &mut start[..5]).for_each(|round| round[6] = None);
        values.iter_mut().for_each(|start| start[7][0] = None);
        values[1].truncate(6);
        let ratios = family(&values).ratios();
        assert_eq!(
            ratios.iter().map(Option::is_some).collect::<Vec<_>>(),
            (0..9).map(|at| at != 8).collect::<Vec<_>>()
        );
        !hold(&ratios, &[])
    });
    assert!(wrong.interval.low <= 0.05, "{wrong:?}");
}

#[test]
fn one_start_holds_what_differs_between_rounds() {
    let mut noise = Noise::new(15);
    for rounds in [6, 30] {
        let of = Campaign { starts: 1, rounds, starts_differ: (0.0, 0.0), ..Campaign::PLAIN };
        let wrong = rate(200, || {
            let family = family(&noise.campaign(of, &[]));
            assert!(!family.holds_starts());
            !hold(&family.ratios(), &[])
        });
        println!("one start of {rounds}: {:.3}", wrong.share());
        assert!(wrong.interval.low <= 0.05, "{rounds} rounds: {wrong:?}");
    }
    let short = noise.campaign(Campaign { starts: 1, rounds: 3, ..Campaign::PLAIN }, &[]);
    assert_eq!(Family::new(&ratios_of(&short)).err(), Some(Error::TooFew));
    let alone = vec![vec![vec![Some(1.0), None]; 9]; 3];
    // Each in another start: nothing tells how starts differ.
    let apart = vec![vec![vec![Some(1.0), Some(2.0), None]; 9], vec![vec![Some(1.0), None, Some(2.0)]; 9]];
    for values in [alone, apart] {
        assert_eq!(Family::new(&ratios_of(&values)).err(), Some(Error::TooFew));
    }
}

#[test]
fn of_two_campaigns_a_new_reference_and_a_new_host_cancel_and_a_change_remains() {
    let mut noise = Noise::new(16);
    let of = Campaign { rounds: 20, ..Campaign::PLAIN };
    let (mut found, truth) = (0, [1.0, 1.0, 1.5, 0.8]);
    // The host is 40 % slower, and one candidate 15 % on top of it.
    let later = [1.4, 1.4, 2.1, 0.8 * 1.4 * 1.15].into_iter().chain([1.4; 5]).collect::<Vec<f64>>();
    let cases = 150;
    let wrong = rate(cases, || {
        let [base, new] = [&truth[..], &later].map(|truth| family(&noise.campaign(of, truth)));
        let changes = new.against(&base).expect("the same candidates");
        found += u64::from(changes[3].expect("a ratio").simultaneous.low > 1.0);
        !hold(&changes, &[1.0, 1.0, 1.0, 1.15])
    });
    assert!(wrong.interval.low <= 0.05, "{wrong:?}");
    assert!(
        Proportion::of(found, wrong.cases).expect("cases").interval.low > 0.9,
        "{found} of {}",
        wrong.cases
    );
    let fewer = family(&noise.campaign(Campaign { candidates: 4, ..of }, &[]));
    assert_eq!(family(&noise.campaign(of, &[])).against(&fewer), Err(Error::Ragged));
}

#[test]
fn halves_of_slices_agree_unless_a_candidate_starts_cold() {
    let mut noise = Noise::new(17);
    // Both halves have the rounds' drift and the starts' differences; the first has noise of its own.
    let mut halves = |cold: f64| {
        let whole = noise.campaign(Campaign::PLAIN, &[]);
        let mut first = whole.clone();
        for round in first.iter_mut().flatten() {
            for (at, value) in round.iter_mut().flatten().enumerate() {
                *value *= noise.tail().exp() * if at == 4 { cold } else { 1.0 };
            }
        }
        ratios_of(&whole)
            .over(&ratios_of(&first))
            .map(|ratios| Family::new(&ratios).expect("starts").ratios())
    };
    let wrong = rate(200, || !hold(&halves(1.0).expect("the same rounds"), &[]));
    assert!(wrong.interval.low <= 0.05, "{wrong:?}");
    let found =
        rate(100, || halves(1.2).expect("the same rounds")[4].expect("a ratio").simultaneous.high < 1.0);
    assert!(found.interval.low > 0.9, "{found:?}");
}

#[test]
fn levels_hold_starts_that_differ_and_rounds_with_tails() {
    let mut noise = Noise::new(20);
    for (starts, rounds) in [(2, 10), (6, 6), (6, 40)] {
        let wrong = rate(1_000, || {
            let start = |_| {
                let level = 0.03 * noise.normal();
                (0..rounds).map(|_| Some((level + noise.tail()).exp())).collect()
            };
            !level(&(0..starts).map(start).collect::<Vec<_>>()).expect("starts").interval.covers(1.0)
        });
        println!("level of {starts} starts of {rounds}: {:.3}", wrong.share());
        assert!(wrong.interval.low <= 0.05 && wrong.interval.high >= 0.03, "{starts}, {rounds}: {wrong:?}");
    }
}

#[test]
fn a_response_that_grows_over_its_slices_is_found_and_drift_within_them_is_not_called_growth() {
    let mut noise = Noise::new(21);
    // The thirds of a slice have the host's drift in common, which is a walk.
    let mut growth = |rise: f64| {
        let mut ratio = |_| {
            let steps: f64 = (0..20).map(|_| 0.02 * noise.normal()).sum();
            Some((rise + steps + noise.tail()).exp())
        };
        let starts: Vec<Vec<_>> = (0..6).map(|_| (0..10).map(&mut ratio).collect()).collect();
        level(&starts).expect("starts").interval.low > 1.0
    };
    let [false_ones, found] = [0.0, 0.15].map(|rise| rate(500, || growth(rise)));
    assert!(false_ones.interval.low <= 0.025 && found.interval.low > 0.9, "{false_ones:?}, {found:?}");
}

/// A round's histogram: exponential response times about 100 us, in steps of 1 us.
fn histogram(noise: &mut Noise, scale: f64) -> Vec<(u64, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let response = -100.0 * scale * noise.uniform(0.0, 1.0).ln();
        *counts.entry(response as u64).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn quantiles_of_merged_histograms_hold_starts_that_differ_and_disturbed_rounds() {
    let mut noise = Noise::new(22);
    let start = |noise: &mut Noise| {
        let level = 0.03 * noise.normal();
        let round = |_| {
            let disturbance = if noise.uniform(0.0, 1.0) < 0.1 { noise.uniform(1.5, 3.0) } else { 1.0 };
            let scale = (level + 0.1 * noise.normal()).exp() * disturbance;
            histogram(noise, scale)
        };
        (0..10).map(round).collect::<Vec<_>>()
    };
    let truth = Merged::new(&(0..2_000).map(|_| start(&mut noise)).collect::<Vec<_>>());
    let quantiles = [0.5, 0.9, 0.99];
    let truth = quantiles.map(|quantile| truth.quantile(quantile).expect("samples").value);
    for starts in [6, 10] {
        let mut wrong = [0; 3];
        let cases = rate(300, || {
            let merged = Merged::new(&(0..starts).map(|_| start(&mut noise)).collect::<Vec<_>>());
            for (at, wrong) in wrong.iter_mut().enumerate() {
                let level = merged.quantile(quantiles[at]).expect("samples");
                *wrong += u64::from(!level.interval.covers(truth[at]));
            }
            false
        });
        for (wrong, quantile) in wrong.into_iter().zip(quantiles) {
            let wrong = Proportion::of(wrong, cases.cases).expect("cases");
            println!("{starts} starts, quantile {quantile}: {:.3}", wrong.share());
            // A tail that one round in ten makes is missed a little more often.
            assert!(wrong.interval.low <= 0.06, "{starts} starts, {quantile}: {wrong:?}");
        }
    }
}
