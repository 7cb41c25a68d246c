//! Rates that rise, and the search for one: `--rate A..B:STEPS` and `--slo`.

use crate::support::servers::{echo, echo_some, hold, server};
use crate::support::{assert_books_balance, count, load_gen, run, stderr};
use serde_json::Value;

/// The curve that a run printed: its verdict and its reasons say the same, and the books of every step balance.
fn curve(output: &std::process::Output) -> Value {
    let curve: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", stderr(output));
    });
    assert_eq!(curve["kind"], "load-curve");
    let valid = curve["valid"].as_bool().expect("a verdict");
    assert_eq!(valid, curve["invalid_reasons"].as_array().expect("sentences").is_empty(), "{curve}");
    assert_eq!(output.status.code(), Some(if valid { 0 } else { 4 }), "{curve}");
    steps(&curve).for_each(assert_books_balance);
    curve
}

fn steps(curve: &Value) -> impl Iterator<Item = &Value> {
    curve["steps"].as_array().expect("a step a rate").iter()
}

fn rates(curve: &Value) -> Vec<f64> {
    steps(curve).map(|step| step["settings"]["mode"]["rate_per_s"].as_f64().expect("a rate")).collect()
}

#[test]
fn a_curve_has_a_step_for_each_rate_on_the_same_connections() {
    let curve = curve(&run(echo(), &["--conns", "4", "--rate", "500..1.5k:3"]));
    assert_eq!(rates(&curve), [500.0, 1_000.0, 1_500.0]);
    for (step, rate) in steps(&curve).zip([500.0, 1_000.0, 1_500.0]) {
        assert_eq!(step["connections"]["opened"], 4);
        let expected = rate * 0.3;
        let scheduled = step["scheduled"].as_f64().expect("a count");
        assert!((scheduled - expected).abs() < 6.0 * f64::sqrt(expected), "{scheduled} of {expected}");
    }
    assert!(curve.get("search").is_none());
}

#[test]
fn a_bound_that_nobody_can_keep_is_missed_at_the_lowest_rate() {
    let curve = curve(&run(echo(), &["--conns", "4", "--rate", "2k..4k", "--slo", "p50=1ns"]));
    // What is missed although the generator was late is missed by the service time alone.
    assert_eq!(curve["search"]["ended"], "floor", "{curve}");
    assert_eq!((&curve["search"]["missed_per_s"], &curve["valid"]), (&2_000.0.into(), &false.into()));
    assert!(curve["search"].get("met_per_s").is_none_or(Value::is_null), "{curve}");
}

#[test]
fn a_rate_that_is_found_was_met_twice_in_windows_that_are_valid() {
    let curve = curve(&run(echo(), &["--conns", "4", "--rate", "1k..2k", "--slo", "p50=10s"]));
    let search = &curve["search"];
    // A busy machine may keep the generator from being sound; what is said to be met is met all the same.
    if let Some(met) = search["met_per_s"].as_f64() {
        let valid =
            steps(&curve).zip(rates(&curve)).filter(|(step, rate)| *rate == met && step["valid"] == true);
        assert!(valid.count() >= 2, "{curve}");
    } else {
        assert_eq!(curve["valid"], false, "{curve}");
    }
}

#[test]
fn a_try_that_leaves_requests_or_loses_connections_spoils_no_later_one() {
    // Of the first connections nobody is served any more in the second try, of the later ones everybody always.
    for falls_silent in [true, false] {
        let target = server(move |stream, index| {
            echo_some(&stream, if index < 4 { 225 } else { usize::MAX }, 64);
            if falls_silent {
                hold(&stream);
            }
        });
        let arguments = ["--conns", "4", "--rate", "2k..8k", "--slo", "p50=10s", "--timeout", "300ms"];
        let curve = curve(&run(target, &arguments));
        let is_spoilt =
            |step: &&Value| count(&step["outstanding"]) > 0 || count(&step["connections"]["lost"]) > 0;
        assert!(steps(&curve).filter(is_spoilt).count() <= 1, "{curve}");
        assert!(steps(&curve).all(|step| step["connections"]["opened"] == 4), "{curve}");
    }
}

#[test]
fn rates_that_do_not_go_together_are_usage_errors_that_say_what_to_write() {
    for (arguments, advice) in [
        (&["--rate", "1k..2k"][..], "10k..200k:10"),
        (&["--rate", "2k..1k:3"], "lower rate first"),
        (&["--rate", "1k", "--slo", "p99=1ms"], "range"),
        (&["--slo", "99=1ms"], "p99=1ms"),
        (&["--slo", "p99.99=1ms", "--rate", "1k..2k", "-d", "1s"], "--duration"),
        (&["--rate", "1k..2k:2", "--shard", "1/2"], "one window"),
        (&["--rate", "1k..2k:2", "--export", "csv=-"], "one window"),
    ] {
        let output = load_gen(arguments).output().expect("load-gen starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(advice), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_curve_for_people_has_response_service_and_lateness_of_each_rate() {
    let target = echo().to_string();
    let mut command =
        load_gen(&["--target", &target, "-d", "200ms", "--warmup", "0s", "--rate", "500..1k:2", "-q"]);
    let output = command.output().expect("load-gen starts");
    let table = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with('│'))
        .map(|line| line.split(['│', '┆']).map(str::trim).collect())
        .collect();
    assert_eq!(rows[0][4..8], ["p50", "p99", "p99.9", "max"], "{table}");
    let measures = rows[1..].iter().map(|row| (row[1], row[3]));
    let expected = [
        ("500", "response"),
        ("", "service"),
        ("", "lateness"),
        ("1k", "response"),
        ("", "service"),
        ("", "lateness"),
    ];
    assert_eq!(measures.collect::<Vec<_>>(), expected, "{table}");
    // Too few requests for a percentile, but there is a largest time of each.
    assert!(rows[1..].iter().all(|row| row[6] == "–" && row[7].ends_with('s')), "{table}");
}
