//! The conditions that two campaigns were measured under.
//!
//! The rule: figures of another machine (processor, hypervisor, kernel, mitigations, clock, governor, pinning, descriptor tables) are not compared
//! unless that is asked for; those of a debug build and a release build never. What may explain a difference without making it
//! meaningless is a warning.

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use crate::format;
use model::campaign::Campaign;
use model::schema::Environment;

/// The differences that were found.
#[derive(Debug, Default, PartialEq)]
pub struct Conditions {
    /// The reasons for which the campaigns are not compared, a line each; empty where they are.
    pub refusals: Vec<String>,
    /// Facts that may explain differences, a sentence each.
    pub warnings: Vec<String>,
}

/// The way round another machine.
const ADVICE: &str = "--across-machines compares them all the same";

/// Looks at what the figures of `base` and `new` were measured under. Nothing in it needs their rounds, so that a
/// campaign can be looked at before it is measured.
pub fn of(base: &Campaign, new: &Campaign, options: &Options) -> Conditions {
    let mut conditions = Conditions::default();
    let (there, here) = (&base.environment, &new.environment);
    let machines = machine_differences(there, here);
    if options.across_machines {
        conditions.warnings = machines;
    } else {
        conditions.refusals = machines.into_iter().map(|line| format!("{line}; {ADVICE}")).collect();
    }
    conditions.refusals.extend(
        differs("build", &there.profile, &here.profile)
            .map(|line| format!("{line}; measure again with the same build profile")),
    );
    conditions.warnings.extend(setting_differences(base, new));
    conditions
}

/// `other kernel: BASE 6.8.0, NEW 6.18.0`, where they differ.
fn differs(what: &str, base: &str, new: &str) -> Option<String> {
    (base != new).then(|| format!("other {what}: BASE {base}, NEW {new}"))
}

fn machine_differences(base: &Environment, new: &Environment) -> Vec<String> {
    let processors = |machine: &Environment| machine.processors.to_string();
    let quota = |machine: &Environment| match machine.cpu_quota {
        Some(quota) => format!("{quota} processors"),
        None => "none".to_owned(),
    };
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let pinning = |machine: &Environment| match (machine.server_cpu, machine.generator_cpu) {
        (Some(_), Some(_)) => "server and generator on a processor each".to_owned(),
        _ => "server and generator not pinned".to_owned(),
    };
    let tables = |machine: &Environment| match machine.shares_descriptor_table {
        true => "one for all threads, since unshare(2) is refused",
        false => "one for each thread",
    };
    let facts = [
        differs("processor", &base.processor, &new.processor),
        differs("number of processors", &processors(base), &processors(new)),
        differs("CPU quota", &quota(base), &quota(new)),
        differs("hypervisor", &or_none(&base.hypervisor), &or_none(&new.hypervisor)),
        differs("kernel", &base.kernel, &new.kernel),
        differs("clock source", &base.clock_source, &new.clock_source),
        differs("governor", &or_none(&base.governor), &or_none(&new.governor)),
        differs("pinning", &pinning(base), &pinning(new)),
        differs("descriptor tables", tables(base), tables(new)),
    ];
    let mitigations = map_differences("mitigation of", &base.mitigations, &new.mitigations);
    facts.into_iter().flatten().chain(mitigations).collect()
}

/// The entries that differ, absent ones included.
fn map_differences(
    what: &str,
    base: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Vec<String> {
    let names: BTreeSet<&String> = base.keys().chain(new.keys()).collect();
    let value =
        |map: &BTreeMap<String, String>, name| map.get(name).map_or("absent", String::as_str).to_owned();
    names
        .into_iter()
        .filter_map(|name| differs(&format!("{what} {name}"), &value(base, name), &value(new, name)))
        .collect()
}

/// Everything that was asked for in another way, or by another program.
fn setting_differences(base: &Campaign, new: &Campaign) -> Vec<String> {
    let (there, here) = (&base.environment, &new.environment);
    let (planned, plans) = (&base.plan.scenario, &new.plan.scenario);
    let length = |campaign: &Campaign| format!("{:?}", campaign.length).to_lowercase();
    let rounds = |campaign: &Campaign| {
        let rounds = campaign.plan.scenario.rounds;
        let starts = format::plural(rounds.starts as usize, "start");
        format!("{starts}, {} s per point, slices of {} s", rounds.point_s, rounds.slice_s)
    };
    let facts = [
        differs("host", &there.host, &here.host),
        differs("memory", &format::bytes(there.memory_bytes), &format::bytes(here.memory_bytes)),
        differs("muxbench", &base.muxbench_version, &new.muxbench_version),
        differs("compiler", &there.rustc_version, &here.rustc_version),
        differs("scenario", &planned.name, &plans.name),
        differs("length", &length(base), &length(new)),
        differs("rounds", &rounds(base), &rounds(new)),
    ];
    let commands = plans.servers.iter().filter_map(|server| {
        let before = planned.servers.iter().find(|known| known.name == server.name)?;
        differs(&format!("command of {}", server.name), &before.command.join(" "), &server.command.join(" "))
    });
    let interrupted = [("BASE", base), ("NEW", new)].into_iter().filter(|(_, campaign)| !campaign.complete);
    facts
        .into_iter()
        .flatten()
        .chain(map_differences("setting", &there.sysctls, &here.sysctls))
        .chain(commands)
        .chain(interrupted.map(|(side, _)| format!("{side} was interrupted: it lacks planned starts")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::testing::{Behaviour, Shape};
    use model::campaign::Length;

    fn conditions(change: impl Fn(&mut Campaign), across_machines: bool) -> Conditions {
        let base =
            Shape { starts: 2, rounds: 1, ..Shape::of(&["poll"]) }.campaign(|_, _| Behaviour::default());
        let mut new = base.clone();
        change(&mut new);
        of(&base, &new, &Options { across_machines, ..Options::default() })
    }

    #[test]
    fn the_same_machine_and_scenario_leave_nothing_to_say() {
        assert_eq!(conditions(|_| {}, false), Conditions::default());
    }

    #[test]
    fn another_machine_is_refused_with_a_line_each_and_warned_of_when_that_is_asked_for() {
        let change = |new: &mut Campaign| {
            new.environment.kernel = "6.18.0".to_owned();
            new.environment.mitigations.insert("retbleed".to_owned(), "Vulnerable".to_owned());
            new.environment.hypervisor = None;
            new.environment.shares_descriptor_table = true;
        };
        let refused = conditions(change, false);
        assert_eq!(
            refused.refusals,
            [
                "other hypervisor: BASE KVM, NEW none; --across-machines compares them all the same",
                "other kernel: BASE 6.8.0-45-generic, NEW 6.18.0; --across-machines compares them all the same",
                "other descriptor tables: BASE one for each thread, NEW one for all threads, since unshare(2) is refused; \
                 --across-machines compares them all the same",
                "other mitigation of retbleed: BASE absent, NEW Vulnerable; --across-machines compares them all the same",
            ]
        );
        let warned = conditions(change, true);
        assert!(warned.refusals.is_empty());
        assert_eq!(warned.warnings.len(), 4);
    }

    #[test]
    fn a_debug_build_is_never_compared_with_a_release_build() {
        for across_machines in [false, true] {
            let refused =
                conditions(|new| new.environment.profile = "debug".to_owned(), across_machines).refusals;
            assert_eq!(refused.len(), 1);
            assert!(refused[0].starts_with("other build: BASE release, NEW debug; "), "{refused:?}");
        }
    }

    #[test]
    fn what_may_explain_a_difference_is_a_warning() {
        let warned = conditions(
            |new| {
                new.environment.host = "bench-02".to_owned();
                new.muxbench_version = "0.2.0".to_owned();
                (new.length, new.complete) = (Length::Quick, false);
                new.plan.scenario.rounds.point_s = 12.5;
                new.environment.sysctls.clear();
            },
            false,
        );
        assert!(warned.refusals.is_empty());
        assert_eq!(
            warned.warnings,
            [
                "other host: BASE bench-01, NEW bench-02",
                "other muxbench: BASE 0.1.0, NEW 0.2.0",
                "other length: BASE default, NEW quick",
                "other rounds: BASE 2 starts, 30 s per point, slices of 0.05 s, NEW 2 starts, 12.5 s per point, slices of 0.05 s",
                "other setting net.core.somaxconn: BASE 4096, NEW absent",
                "NEW was interrupted: it lacks planned starts",
            ]
        );
    }
}
