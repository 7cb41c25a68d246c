//! The checks of a scenario, except for those of its points and of the room for them.

use load_gen::plan::units::LARGEST_SIZE;
use model::schema::{Point, Protocol, Rounds, Scenario};

use super::text::Mistakes;
use crate::mechanisms;
use crate::server::AcceptMode;
use clap::ValueEnum;

/// Notes every mistake; `known` are the names that may be chosen from, and `form` is what stands before `rounds` and
/// `sweep` in a key: nothing, or `quick.`.
pub fn check(scenario: &Scenario, form: &str, known: &[String], wrong: &mut Mistakes) {
    check_mechanisms(scenario, known, wrong);
    check_load(scenario, wrong);
    check_excludes(scenario, known, wrong);
    check_rounds(scenario, form, wrong);
    check_modes(scenario, form, wrong);
}

fn check_mechanisms(scenario: &Scenario, known: &[String], wrong: &mut Mistakes) {
    let mut note = |what: String| wrong.note("mechanisms", what);
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
}

fn check_load(scenario: &Scenario, wrong: &mut Mistakes) {
    let load = &scenario.load;
    if !matches!(load.protocol, Protocol::Echo | Protocol::Ack) {
        wrong.note("load.protocol", "it is \"echo\" or \"ack\": the mechanisms speak nothing else");
    }
    if !(1..=LARGEST_SIZE).contains(&load.size_bytes) {
        let what = format!("a request has from 1 byte to {LARGEST_SIZE}, not {}", load.size_bytes);
        wrong.note("load.size_bytes", what);
    }
}

fn check_excludes(scenario: &Scenario, known: &[String], wrong: &mut Mistakes) {
    for (number, exclude) in scenario.excludes.iter().enumerate() {
        let mut note = |key: &str, what: String| wrong.note(format!("exclude[{number}].{key}"), what);
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
}

fn check_rounds(scenario: &Scenario, form: &str, wrong: &mut Mistakes) {
    let Rounds { starts, point_s, slice_s, light_per_s, busy_share, half_widths } = scenario.rounds;
    for (form, key, value, least, most) in [
        (form, "starts", f64::from(starts), 1.0, 1_000.0),
        (form, "point_s", point_s, 0.01, 1e6),
        ("", "slice_s", slice_s, 0.001, 60.0),
        ("", "light_per_s", light_per_s, 1.0, 1e9),
        ("", "busy_share", busy_share, 0.01, 0.95),
        ("", "half_widths.response", half_widths.response, 1e-4, 10.0),
        ("", "half_widths.throughput", half_widths.throughput, 1e-4, 10.0),
        ("", "half_widths.cpu", half_widths.cpu, 1e-4, 10.0),
    ] {
        if !(least..=most).contains(&value) {
            let what = format!("{value} makes no sense: from {least} to {most}");
            wrong.note(format!("{form}rounds.{key}"), what);
        }
    }
}

/// The reference has to be measured at every point.
pub fn check_reference(scenario: &Scenario, points: &[Point], wrong: &mut Mistakes) {
    let reference = &scenario.reference;
    let candidates: Vec<&str> = scenario.candidates().collect();
    if !candidates.contains(&reference.as_str()) {
        let what = format!("'{reference}' is not among what is measured: {}", candidates.join(", "));
        wrong.note("reference", what);
    } else if let Some(left_out) = points.iter().find_map(|point| scenario.exclusion(reference, point)) {
        let left_out = report::format::exclusion(reference, left_out);
        let what = format!("{left_out}; choose a reference that is measured at every point");
        wrong.note("reference", what);
    }
}

/// A server of other making cannot be told how many threads to have, nor how to accept.
fn check_modes(scenario: &Scenario, form: &str, wrong: &mut Mistakes) {
    if scenario.servers.is_empty() {
        return;
    }
    for (number, sweep) in scenario.sweeps.iter().enumerate() {
        for (key, asked) in [("threads", !sweep.threads.is_empty()), ("accept", !sweep.accept.is_empty())] {
            if asked {
                let what = format!("muxbench's own servers have {key}; leave it out with a [[server]]");
                wrong.note(format!("{form}sweep[{number}].{key}"), what);
            }
        }
    }
}
