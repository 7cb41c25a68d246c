//! `muxbench doctor`: will this machine hold so many connections, and is it quiet enough to measure on?
//!
//! Looking and judging are apart: `facts` reads what the system tells, `room` and `quiet` are pure functions from
//! that to an answer, so that tests can show them any machine. `sandbox` tries what a container may refuse. `noise` listens
//! for some seconds.

mod facts;
pub(crate) mod noise;
mod quiet;
mod room;
mod sandbox;

use std::time::{Duration, SystemTime};

use model::schema::{Diagnosis, Health, SCHEMA_VERSION, Symptom};
use sys::capacity::Capacity;

use crate::experiment::environment::Pinning;
use facts::Facts;

/// The time for which the machine is listened to.
pub const PROBE: Duration = Duration::from_secs(5);

/// Asks every question about a load of `connections`; listens to the machine for `probe`, or not at all.
pub fn examine(connections: u32, probe: Option<Duration>) -> Diagnosis {
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let facts = Facts::of_this_machine();
    let mut symptoms = room::symptoms(connections, &Capacity::of_this_machine());
    symptoms.extend(sandbox::symptoms(&sandbox::Tried::here()));
    let noise = probe.and_then(|length| noise::listen(length, &Pinning::choose()));
    symptoms.extend(quiet::symptoms(&facts, noise.as_ref()));
    symptoms.extend(noise.iter().flat_map(|noise| quiet::symptoms_of_noise(noise, &facts)));
    Diagnosis { schema_version: SCHEMA_VERSION, started, connections, symptoms, noise }
}

/// An answer that is as it should be.
fn pass(name: &str, found: impl Into<String>, why: &str) -> Symptom {
    Symptom {
        name: name.to_owned(),
        state: Health::Pass,
        found: found.into(),
        why: why.to_owned(),
        remedy: None,
    }
}
