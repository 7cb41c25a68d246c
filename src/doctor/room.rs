//! Will the machine hold so many connections? The generator's own questions before a run, with what was found.

use load_gen::plan::preflight::{DESCRIPTORS_RESERVED, Finding, Plan, QUESTIONS};
use load_gen::plan::target::Target;
use model::schema::{Health, Symptom};
use report::format::{bytes, plural, thousands};
use sys::capacity::Capacity;

use super::pass;

/// The answers for `connections` to a server on this machine, all of them active: the most that can be asked of it.
pub fn symptoms(connections: u32, machine: &Capacity) -> Vec<Symptom> {
    let target: Target = "127.0.0.1:7777".parse().expect("an address");
    let plan = Plan {
        target: &target,
        is_local: true,
        conns: connections,
        active: connections,
        servers: 1,
        threads: 1,
        size_bytes: 64,
    };
    let answers = QUESTIONS.into_iter().map(|(name, question)| {
        let answer = symptom(name, question(&plan, machine), machine);
        if name == "descriptors" { one_table(answer, connections, machine) } else { answer }
    });
    answers.collect()
}

/// Returns `answer`, with a warning if one loop, with one descriptor table, cannot hold the connections.
fn one_table(answer: Symptom, connections: u32, machine: &Capacity) -> Symptom {
    let (needed, limit) = (u64::from(connections) + DESCRIPTORS_RESERVED, machine.descriptors_per_table);
    if needed <= limit || answer.state != Health::Pass {
        return answer;
    }
    let tables = u64::from(connections).div_ceil(limit.saturating_sub(DESCRIPTORS_RESERVED).max(1));
    let remedy = format!(
        "muxbench serve --threads {tables}; or ulimit -n {needed}, after the line '* - nofile {needed}' in /etc/security/limits.conf"
    );
    let found =
        format!("{}: one loop holds fewer than {} connections", answer.found, thousands(connections.into()));
    Symptom { found, ..answer }.but(Health::Warn, remedy)
}

fn symptom(name: &str, finding: Option<Finding>, machine: &Capacity) -> Symptom {
    let (found, why) = found(name, machine);
    let sound = pass(name, found, why);
    match finding {
        None => sound,
        Some(Finding { is_fatal, missing, remedy }) => {
            let state = if is_fatal { Health::Fail } else { Health::Warn };
            Symptom { found: missing, ..sound }.but(state, remedy)
        }
    }
}

/// Returns what the machine has, in words, and the reason that it matters.
fn found(name: &str, machine: &Capacity) -> (String, &'static str) {
    let or_unlimited =
        |most: Option<u64>| most.map_or("no limit".to_owned(), |most| format!("at most {}", thousands(most)));
    match name {
        "processor time" => (
            match &machine.quota {
                None => format!("no quota below the {}", plural(machine.processors, "processor")),
                Some(quota) => format!("{} of {} processors", quota.processors, machine.processors),
            },
            "a control group that has used up its quota stands still, server and generator alike",
        ),
        "memory" => (
            machine.memory_bytes.map_or("unknown".to_owned(), |free| format!("{} available", bytes(free))),
            "both ends of a connection cost the kernel 8.3 kB",
        ),
        "open files" => (
            format!("{} open, {} allowed", thousands(machine.files_open), or_unlimited(machine.files_most)),
            "each end of a connection is an open file of the whole machine",
        ),
        "descriptors" => (
            format!("{} per descriptor table", thousands(machine.descriptors_per_table)),
            "beyond this a server or a generator needs further threads, each with a table of its own",
        ),
        "local ports" => (
            format!(
                "{}, {} in TIME_WAIT",
                thousands(machine.local_ports.into()),
                thousands(machine.time_wait)
            ),
            "a connection needs a local port; loopback has many addresses, others have one",
        ),
        "connection tracking" => (
            machine.tracked.map_or("none".to_owned(), |(now, most)| {
                format!("{} of {} entries", thousands(now), thousands(most))
            }),
            "a packet filter that keeps track costs each packet time, and drops what it has no room for",
        ),
        "listen queue" => (
            machine.backlog_most.map_or("unknown".to_owned(), thousands),
            "connections wait here to be accepted; one that finds it full is tried again after a second",
        ),
        _ => (
            machine.tcp_memory_pages.map_or("unknown".to_owned(), |pages| {
                format!("{} before the kernel is sparing", bytes(pages * rustix::param::page_size() as u64))
            }),
            "beyond this the kernel cuts the buffers of all sockets",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_limits_passes() {
        let roomy = Capacity { descriptors_per_table: 1 << 20, local_ports: 28_232, ..Capacity::default() };
        let symptoms = symptoms(10_000, &roomy);
        assert_eq!(symptoms.len(), QUESTIONS.len());
        assert!(symptoms.iter().all(|symptom| symptom.state == Health::Pass), "{symptoms:?}");
        assert!(symptoms.iter().all(|symptom| !symptom.found.is_empty() && symptom.remedy.is_none()));
    }

    #[test]
    fn what_one_loop_cannot_hold_takes_several() {
        let small = Capacity { descriptors_per_table: 20_000, local_ports: 28_232, ..Capacity::default() };
        let symptoms = symptoms(50_000, &small);
        let answer = symptoms.iter().find(|symptom| symptom.name == "descriptors").expect("asked");
        assert_eq!(answer.state, Health::Warn);
        let remedy = answer.remedy.as_deref().expect("something to do");
        assert!(remedy.contains("--threads 3") && remedy.contains("* - nofile 50016"), "{remedy}");
    }

    #[test]
    fn what_is_missing_fails_with_the_command_that_mends_it() {
        let poor = Capacity {
            descriptors_per_table: 1 << 20,
            local_ports: 28_232,
            files_most: Some(5_000),
            backlog_most: Some(128),
            ..Capacity::default()
        };
        let symptoms = symptoms(10_000, &poor);
        let of = |name: &str| symptoms.iter().find(|symptom| symptom.name == name).expect("asked");
        assert_eq!(of("open files").state, Health::Fail);
        assert_eq!(of("open files").remedy.as_deref(), Some("sysctl -w fs.file-max=21000"));
        assert_eq!(of("listen queue").state, Health::Warn);
    }
}
