//! What is wrong with a scenario, points and room for them aside.

use load_gen::plan::units::LARGEST_SIZE;
use model::schema::{Point, Protocol, Rounds, Scenario};

use super::text::Mistake;
use crate::mechanisms;
use crate::server::AcceptMode;
use clap::ValueEnum;

/// Every mistake; `known` are the names that may be chosen from, and `form` is what stands before `rounds` and
/// `sweep` in a key: nothing, or `quick.`.
pub fn mistakes(scenario: &Scenario, form: &str, known: &[String]) -> Vec<Mistake> {
    let mut wrong = mechanisms_mistakes(scenario, known);
    wrong.extend(load_mistakes(scenario));
    wrong.extend(exclude_mistakes(scenario, known));
    wrong.extend(rounds_mistakes(scenario, form));
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
    if scenario.candidates().next().is_none() {
        note("no mechanism is named, and no [[server]]".into());
    }
    wrong
}

fn load_mistakes(scenario: &Scenario) -> Vec<Mistake> {
    let load = &scenario.load;
    let mut wrong = Vec::new();
    if !matches!(load.protocol, Protocol::Echo | Protocol::Ack) {
        let what = "it is \"echo\" or \"ack\": the mechanisms speak nothing else";
        wrong.push(Mistake::new("load.protocol", what));
    }
    if !(1..=LARGEST_SIZE).contains(&load.size_bytes) {
        let what = format!("a request has from 1 byte to {LARGEST_SIZE}, not {}", load.size_bytes);
        wrong.push(Mistake::new("load.size_bytes", what));
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

fn rounds_mistakes(scenario: &Scenario, form: &str) -> Vec<Mistake> {
    let Rounds { starts, point_s, slice_s, light_per_s, busy_share, half_widths } = scenario.rounds;
    let bounds = [
        (form, "starts", f64::from(starts), 1.0, 1_000.0),
        (form, "point_s", point_s, 0.01, 1e6),
        ("", "slice_s", slice_s, 0.001, 60.0),
        ("", "light_per_s", light_per_s, 1.0, 1e9),
        ("", "busy_share", busy_share, 0.01, 0.95),
        ("", "half_widths.response", half_widths.response, 1e-4, 10.0),
        ("", "half_widths.throughput", half_widths.throughput, 1e-4, 10.0),
        ("", "half_widths.cpu", half_widths.cpu, 1e-4, 10.0),
    ];
    let outside = bounds.into_iter().filter(|(_, _, value, least, most)| !(*least..=*most).contains(value));
    let mistake = |(form, key, value, least, most): (&str, &str, f64, f64, f64)| {
        Mistake::new(format!("{form}rounds.{key}"), format!("{value} makes no sense: from {least} to {most}"))
    };
    outside.map(mistake).collect()
}

/// The reference has to be measured at every point.
pub fn reference_mistake(scenario: &Scenario, points: &[Point]) -> Option<Mistake> {
    let reference = &scenario.reference;
    let candidates: Vec<&str> = scenario.candidates().collect();
    if !candidates.contains(&reference.as_str()) {
        let what = format!("'{reference}' is not among what is measured: {}", candidates.join(", "));
        return Some(Mistake::new("reference", what));
    }
    let left_out = points.iter().find_map(|point| scenario.exclusion(reference, point))?;
    let left_out = report::format::exclusion(reference, left_out);
    Some(Mistake::new("reference", format!("{left_out}; choose a reference that is measured at every point")))
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
