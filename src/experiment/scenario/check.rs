//! What is wrong with a scenario, points and room for them aside.

use load_gen::units::LARGEST_SIZE;
use model::schema::{Point, Protocol, Scenario};

use super::text::Mistake;
use crate::mechanisms;
use crate::server::AcceptMode;
use clap::ValueEnum;

/// The narrowest interval that may be asked for, and the widest that means anything.
const HALF_WIDTH: std::ops::RangeInclusive<f64> = 0.001..=10.0;

/// Every mistake; `known` are the names that may be chosen from, and `form` is what stands before `timing` and
/// `repeats` in a key: nothing, or `quick.`.
pub fn mistakes(scenario: &Scenario, form: &str, known: &[String]) -> Vec<Mistake> {
    let mut wrong = mechanisms_mistakes(scenario, known);
    wrong.extend(load_mistakes(scenario, form));
    wrong.extend(stop_mistakes(scenario, form));
    wrong.extend(exclude_mistakes(scenario, known));
    wrong.extend(control_mistake(scenario));
    wrong.extend(rounds_mistakes(scenario));
    wrong.extend(mode_mistakes(scenario, form));
    wrong
}

fn mechanisms_mistakes(scenario: &Scenario, known: &[String]) -> Vec<Mistake> {
    let mut wrong = Vec::new();
    let mut note = |what: String| wrong.push(Mistake::new("mechanisms", what));
    for (at, name) in scenario.mechanisms.iter().enumerate() {
        match mechanisms::find(name) {
            None => note(format!("there is no mechanism '{name}'; choose from {}", known.join(", "))),
            Some(_) if scenario.mechanisms[..at].contains(name) => {
                note(format!("mechanism '{name}' is named twice"));
            }
            Some(mechanism) => mechanism.obstacle().into_iter().for_each(&mut note),
        }
    }
    if scenario.contenders().next().is_none() {
        note("no mechanism is named, and no [[server]]".into());
    }
    wrong
}

fn load_mistakes(scenario: &Scenario, form: &str) -> Vec<Mistake> {
    let (load, timing) = (&scenario.load, &scenario.timing);
    let mut wrong = Vec::new();
    if scenario.repeats == 0 {
        wrong.push(Mistake::new(format!("{form}repeats"), "must be at least 1"));
    }
    if !matches!(load.protocol, Protocol::Echo | Protocol::Ack) {
        let what = "it is \"echo\" or \"ack\": the mechanisms speak nothing else";
        wrong.push(Mistake::new("load.protocol", what));
    }
    if !(1..=LARGEST_SIZE).contains(&load.size_bytes) {
        let what = format!("a request has from 1 byte to {LARGEST_SIZE}, not {}", load.size_bytes);
        wrong.push(Mistake::new("load.size_bytes", what));
    }
    for (key, value, least) in [
        ("load.rate_per_s".to_owned(), load.rate_per_s, f64::MIN_POSITIVE),
        (format!("{form}timing.warmup_s"), timing.warmup_s, 0.0),
        (format!("{form}timing.capacity_s"), timing.capacity_s, 0.01),
        (format!("{form}timing.latency_s"), timing.latency_s, 0.01),
    ] {
        if !(least..=1e9).contains(&value) {
            wrong.push(Mistake::new(key, format!("{value} makes no sense: at least {least:.2}")));
        }
    }
    wrong
}

fn stop_mistakes(scenario: &Scenario, form: &str) -> Vec<Mistake> {
    let Some(stop) = scenario.stop else { return Vec::new() };
    let mut wrong = Vec::new();
    if !HALF_WIDTH.contains(&stop.ratio_half_width) {
        let what = format!(
            "{} makes no sense: a share of the ratio from {} to {}, 0.1 is 10 %",
            stop.ratio_half_width,
            HALF_WIDTH.start(),
            HALF_WIDTH.end()
        );
        wrong.push(Mistake::new("stop.ratio_half_width", what));
    }
    if stop.repeats_at_most < scenario.repeats {
        let what = format!("{} is fewer than {form}repeats = {}", stop.repeats_at_most, scenario.repeats);
        wrong.push(Mistake::new("stop.repeats_at_most", what));
    }
    wrong
}

fn exclude_mistakes(scenario: &Scenario, known: &[String]) -> Vec<Mistake> {
    let mut wrong = Vec::new();
    for (number, exclude) in scenario.excludes.iter().enumerate() {
        let mut note = |key: &str, what: String| {
            wrong.push(Mistake::new(format!("exclude[{number}].{key}"), what));
        };
        if !known.contains(&exclude.mechanism) {
            note(
                "mechanism",
                format!("there is no mechanism '{}'; choose from {}", exclude.mechanism, known.join(", ")),
            );
        }
        if exclude.reason.trim().is_empty() {
            note("reason", "say why".into());
        }
        if let Some(mode) = &exclude.accept
            && <AcceptMode as ValueEnum>::from_str(mode, false).is_err()
        {
            note("accept", format!("there is no '{mode}'; choose from shared, exclusive, reuseport"));
        }
        let known_sweep = |name: &String| {
            let quick = scenario.quick.iter().flat_map(|quick| &quick.sweeps);
            scenario.sweeps.iter().chain(quick).any(|sweep| sweep.name == *name)
        };
        if let Some(name) = exclude.sweep.as_ref().filter(|name| !known_sweep(name)) {
            note("sweep", format!("there is no sweep '{name}'"));
        }
    }
    wrong
}

fn control_mistake(scenario: &Scenario) -> Option<Mistake> {
    let control = scenario.control.as_ref()?;
    let is_measured = scenario.contenders().any(|contender| contender == control);
    (!is_measured).then(|| {
        let contenders: Vec<&str> = scenario.contenders().collect();
        let what = format!("'{control}' is not among what is measured: {}", contenders.join(", "));
        Mistake::new("control", what)
    })
}

fn rounds_mistakes(scenario: &Scenario) -> Vec<Mistake> {
    let Some(rounds) = &scenario.rounds else { return Vec::new() };
    let bounds = [
        ("starts", f64::from(rounds.starts), 1.0, 1_000.0),
        ("point_s", rounds.point_s, 0.01, 1e6),
        ("slice_s", rounds.slice_s, 0.001, 60.0),
        ("light_per_s", rounds.light_per_s, 1.0, 1e9),
        ("busy_share", rounds.busy_share, 0.01, 0.95),
    ];
    let outside = bounds.into_iter().filter(|(_, value, least, most)| !(*least..=*most).contains(value));
    let mistake = |(key, value, least, most): (&str, f64, f64, f64)| {
        Mistake::new(format!("rounds.{key}"), format!("{value} makes no sense: from {least} to {most}"))
    };
    outside.map(mistake).collect()
}

/// The reference has to be measured at every point.
pub fn reference_mistake(scenario: &Scenario, points: &[Point]) -> Option<Mistake> {
    let reference = &scenario.rounds.as_ref()?.reference;
    let contenders: Vec<&str> = scenario.contenders().collect();
    if !contenders.contains(&reference.as_str()) {
        let what = format!("'{reference}' is not among what is measured: {}", contenders.join(", "));
        return Some(Mistake::new("rounds.reference", what));
    }
    let left_out = points.iter().find_map(|point| scenario.exclusion(reference, point))?;
    let what =
        format!("{}; choose a reference that is measured at every point", report::format::exclude(left_out));
    Some(Mistake::new("rounds.reference", what))
}

/// A server of other making cannot be told how many threads to have, nor how to accept.
fn mode_mistakes(scenario: &Scenario, form: &str) -> Vec<Mistake> {
    if scenario.servers.is_empty() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (number, sweep) in scenario.sweeps.iter().enumerate() {
        for (key, asked) in [("threads", !sweep.threads.is_empty()), ("accept", !sweep.accept.is_empty())] {
            if asked {
                let what = format!("muxbench's own servers have {key}; leave it out with a [[server]]");
                wrong.push(Mistake::new(format!("{form}sweep[{number}].{key}"), what));
            }
        }
    }
    wrong
}
