//! The place and the conditions of a campaign's measurement, as facts with names.

use crate::{diagnosis, format};
use model::campaign::Campaign;
use model::schema::{Diagnosis, Environment};

/// The facts that could explain a figure, each with its name: the machine, the kernel, its settings, the seed.
pub(crate) fn facts(campaign: &Campaign) -> Vec<(&'static str, String)> {
    let machine = &campaign.environment;
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none reported".to_owned());
    let cpu =
        |cpu: Option<u32>| cpu.map_or_else(|| "not pinned".to_owned(), |cpu| format!("processor {cpu}"));
    let mitigations: Vec<String> =
        machine.mitigations.iter().map(|(name, state)| format!("{name}: {state}")).collect();
    let sysctls: Vec<String> =
        machine.sysctls.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let build = format!("{} build, {}", machine.profile, machine.rustc_version);
    let quota = machine.cpu_quota.map(|quota| format!("a CPU quota of {quota} of ")).unwrap_or_default();
    let memory = format::bytes(machine.memory_bytes);
    let [steal, load] =
        [format::percent(machine.steal_since_boot), format::three_digits(machine.load_average)];
    let [server, generator] = [machine.server_cpu, machine.generator_cpu].map(cpu);
    let limits = &machine.limits;
    let table = if machine.shares_descriptor_table { ", one table for all threads" } else { "" };
    vec![
        ("host", machine.host.clone()),
        ("program", format!("muxbench {} ({build})", campaign.muxbench_version)),
        ("measured", campaign.started.clone()),
        ("processors", format!("{quota}{} of {}, {memory}", machine.processors, machine.processor)),
        ("hypervisor", or_none(&machine.hypervisor)),
        ("kernel", format!("Linux {}, clock source {}", machine.kernel, machine.clock_source)),
        ("governor", or_none(&machine.governor)),
        ("placement", format!("server on {server}, generator on {generator}")),
        ("load", format!("steal since boot {steal}, load average {load}")),
        ("descriptor limit", format!("{} (hard {}){table}", limits.nofile_soft, limits.nofile_hard)),
        ("mitigations", mitigations.join("; ")),
        ("settings", sysctls.join("; ")),
        ("seed", campaign.plan.seed.to_string()),
    ]
}

/// The complaints of `muxbench doctor` before the first start, and the noise of the machine, in a sentence.
pub(crate) fn doctor(diagnosis: &Diagnosis) -> String {
    let complaints = diagnosis::complaints(diagnosis);
    let told =
        if complaints.is_empty() { "nothing to complain of".to_owned() } else { complaints.join("; ") };
    let noise = noise(diagnosis).map(|noise| format!("; {noise}")).unwrap_or_default();
    format!("{told}{noise}")
}

/// The machine's own noise, within which no difference is seen, in words; `None` where it was not measured.
pub(crate) fn noise(diagnosis: &Diagnosis) -> Option<String> {
    let noise = diagnosis.noise.as_ref()?;
    Some(format!("±{:.1} % was the machine's own noise over six repeats", noise.visible_difference * 100.0))
}

/// The machine in a line: `bench-01: 2 processors of AMD EPYC 7R13 Processor (KVM), Linux 6.8.0`.
pub(crate) fn in_short(machine: &Environment) -> String {
    format!(
        "{}: {} of {}{}, Linux {}",
        machine.host,
        format::plural(machine.processors as usize, "processor"),
        machine.processor,
        machine.hypervisor.as_ref().map(|name| format!(" ({name})")).unwrap_or_default(),
        machine.kernel,
    )
}
