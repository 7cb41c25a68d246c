//! The facts that the system reports about how it runs programs.

use std::fs;

use sys::processors;
use sys::quota::Quota;

use crate::experiment::environment::{self, Pinning};
use crate::mechanisms;

/// The facts about how this machine runs programs. A setting that the system does not report is `None`, or `unknown`
/// for the clock source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Processors that this process may run on.
    pub processors: usize,
    /// The processor time that control groups grant, where that is less.
    pub quota: Option<Quota>,
    /// True if the two chosen processors are threads of one core.
    pub shares_a_core: bool,
    /// The frequency governor of the first processor.
    pub governor: Option<String>,
    /// True if a processor may exceed its nominal frequency, and the file that says so.
    pub turbo: Option<(bool, &'static str)>,
    /// Load average over one minute.
    pub load_average: f64,
    /// The kernel's clock source.
    pub clock_source: String,
    /// Nanoseconds by which the kernel may delay a timer of this process (PR_GET_TIMERSLACK in prctl(2)).
    pub timer_slack_ns: Option<u64>,
    /// The hypervisor, if the processor reports one.
    pub hypervisor: Option<String>,
    /// True if the kernel was told to leave mitigations out (`mitigations=off`).
    pub mitigations_off: bool,
    /// Vulnerabilities that a mitigation is in force against.
    pub mitigated: Vec<String>,
    /// The reason that the mechanism `io-uring` cannot run; `None` if it can, or is not in this build.
    pub io_uring_obstacle: Option<String>,
    /// The value of kernel.io_uring_disabled.
    pub io_uring_disabled: Option<String>,
}

impl Facts {
    /// Reads them.
    pub fn of_this_machine() -> Self {
        let pinning = Pinning::choose();
        let environment = environment::capture(&pinning);
        let command_line = read("/proc/cmdline").unwrap_or_default();
        let mitigated = environment.mitigations.iter();
        let mitigated = mitigated.filter(|(_, state)| state.starts_with("Mitigation"));
        Self {
            processors: processors::allowed().map_or(0, |cpus| cpus.len()),
            quota: processors::allowed().ok().and_then(|cpus| Quota::below(cpus.len())),
            shares_a_core: pinning.shares_a_core(),
            governor: environment.governor,
            turbo: turbo(),
            load_average: environment.load_average,
            clock_source: environment.clock_source,
            timer_slack_ns: read("/proc/self/timerslack_ns").and_then(|text| text.parse().ok()),
            hypervisor: environment.hypervisor,
            mitigations_off: command_line.split(' ').any(|word| word == "mitigations=off"),
            mitigated: mitigated.map(|(name, _)| name.clone()).collect(),
            io_uring_obstacle: mechanisms::find("io-uring")
                .and_then(|mechanism| (mechanism.probe)().err().filter(|_| mechanism.is_compiled())),
            io_uring_disabled: read("/proc/sys/kernel/io_uring_disabled"),
        }
    }
}

/// Drivers tell of it in different ways.
fn turbo() -> Option<(bool, &'static str)> {
    const INTEL: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
    const OTHERS: &str = "/sys/devices/system/cpu/cpufreq/boost";
    let intel = read(INTEL).map(|text| (text == "0", INTEL));
    intel.or_else(|| read(OTHERS).map(|text| (text == "1", OTHERS)))
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_how_it_runs_programs() {
        let facts = Facts::of_this_machine();
        assert!(facts.processors > 0 && !facts.clock_source.is_empty(), "{facts:?}");
        assert!(facts.timer_slack_ns.is_some(), "{facts:?}");
    }
}
