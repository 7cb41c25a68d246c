//! The machine as it is recorded with a result, and the processors that are chosen on it.

use std::collections::BTreeMap;
use std::fs;

use model::schema::{Environment, Limits};
use sys::descriptor_table::Table;
use sys::quota::Quota;
use sys::{capacity, usage};
use sys::{limits, processors};

/// Kernel settings that bear on the figures.
const SYSCTLS: [&str; 12] = [
    "fs.file-max",
    "fs.nr_open",
    "kernel.io_uring_disabled",
    "kernel.sched_autogroup_enabled",
    "net.core.netdev_max_backlog",
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "vm.overcommit_memory",
];

/// The processors that server and generator are pinned to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pinning {
    /// The server's: all of one with one thread.
    pub server: Option<u32>,
    /// Those that the threads of a server with several have besides.
    pub further: Vec<u32>,
    /// The generator's.
    pub generator: Option<u32>,
    /// True if a CPU quota leaves the generator too little processor time to spin beside the server.
    pub must_sleep: bool,
}

impl Pinning {
    /// Two processors on different cores, and what is left beside the generator's core for servers with several threads;
    /// none where there is only one processor, or nobody may be bound to one.
    pub fn choose() -> Self {
        let Ok(cpus) = processors::allowed() else { return Self::default() };
        let [server, ref others @ ..] = cpus[..] else { return Self::default() };
        let server_core = siblings(server);
        // Two threads of one core share its execution units: each would slow the other down.
        let Some(&generator) = others.iter().find(|cpu| !server_core.contains(cpu)).or(others.first()) else {
            return Self::default();
        };
        if processors::can_pin_to(&cpus).is_err() {
            return Self::default();
        }
        let generator_core = siblings(generator);
        let granted = processors::granted().map_or(cpus.len(), |processors| processors as usize);
        let is_free = |cpu: &u32| *cpu != generator && !generator_core.contains(cpu);
        Self {
            server: Some(server),
            further: others.iter().copied().filter(is_free).take(granted.saturating_sub(2)).collect(),
            generator: Some(generator),
            must_sleep: granted < 2,
        }
    }

    /// The processors of a server with so many threads: as many of them, as far as there are.
    pub fn of_server(&self, threads: u32) -> Vec<u32> {
        self.server.iter().chain(&self.further).copied().take(threads as usize).collect()
    }

    /// Returns the choice that was made on the machine that `environment` describes.
    pub fn of(environment: &Environment) -> Self {
        Self {
            server: environment.server_cpu,
            further: environment.further_server_cpus.clone(),
            generator: environment.generator_cpu,
            must_sleep: environment.cpu_quota.is_some_and(|quota| quota < 2.0),
        }
    }
}

impl Pinning {
    /// Returns whether the processors of server and generator are threads of one core.
    pub fn shares_a_core(&self) -> bool {
        self.server
            .zip(self.generator)
            .is_some_and(|(server, generator)| siblings(server).contains(&generator))
    }
}

/// The hardware threads of the core that `cpu` belongs to.
fn siblings(cpu: u32) -> Vec<u32> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    processors::parse_list(&fs::read_to_string(path).unwrap_or_default())
}

/// Writes down this machine, now.
pub fn capture(pinning: &Pinning) -> Environment {
    let limit = limits::descriptors();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Environment {
        host: read("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".to_owned()),
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
        processor: labelled(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
        processors: processors::allowed().map_or(0, |cpus| cpus.len() as u32),
        cpu_quota: processors::allowed().ok().and_then(|cpus| Some(Quota::below(cpus.len())?.processors)),
        memory_bytes: capacity::memory_bytes().unwrap_or(0),
        hypervisor: labelled(&cpuinfo, "flags")
            .filter(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
            .map(|_| read("/sys/class/dmi/id/sys_vendor").unwrap_or_else(|| "a virtual machine".to_owned())),
        mitigations: mitigations(),
        limits: Limits {
            nofile_soft: limit.current.unwrap_or(u64::MAX),
            nofile_hard: limit.maximum.unwrap_or(u64::MAX),
        },
        shares_descriptor_table: !Table::probe().is_own(),
        sysctls: SYSCTLS
            .into_iter()
            .filter_map(|name| {
                Some((name.to_owned(), read(&format!("/proc/sys/{}", name.replace('.', "/")))?))
            })
            .collect(),
        clock_source: read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .unwrap_or_else(|| "unknown".to_owned()),
        governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        steal_since_boot: steal_since_boot(),
        load_average: read("/proc/loadavg")
            .and_then(|text| text.split(' ').next()?.parse().ok())
            .unwrap_or_default(),
        server_cpu: pinning.server,
        further_server_cpus: pinning.further.clone(),
        generator_cpu: pinning.generator,
        muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
        rustc_version: env!("MUXBENCH_RUSTC").to_owned(),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
    }
}

/// The first value of `label` in the manner of /proc/cpuinfo.
pub(crate) fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == label).then(|| value.trim())
    })
}

fn mitigations() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir("/sys/devices/system/cpu/vulnerabilities") else { return BTreeMap::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let state = fs::read_to_string(entry.path()).ok()?;
            Some((entry.file_name().into_string().ok()?, state.trim().to_owned()))
        })
        .collect()
}

fn steal_since_boot() -> f64 {
    let uptime_s = read("/proc/uptime")
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .unwrap_or(f64::INFINITY);
    usage::system().map_or(0.0, |system| system.steal_s / (uptime_s * f64::from(system.processors.max(1))))
}

/// A small file of the kernel's, with its white space folded.
fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let folded = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    (!folded.is_empty()).then_some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_described() {
        let environment = capture(&Pinning::choose());
        assert!(!environment.host.is_empty() && !environment.kernel.is_empty());
        assert!(environment.memory_bytes > 0 && environment.processors > 0);
        assert!(environment.limits.nofile_hard >= environment.limits.nofile_soft);
        assert!(environment.sysctls.contains_key("net.core.somaxconn"));
        assert!(environment.rustc_version.starts_with("rustc"));
    }

    #[test]
    fn server_and_generator_never_share_a_processor() {
        let pinning = Pinning::choose();
        assert!(pinning.server.is_none() || pinning.server != pinning.generator);
        assert_eq!(pinning.server.is_none(), pinning.generator.is_none());
        assert!(pinning.further.iter().all(|cpu| Some(*cpu) != pinning.generator));
    }

    #[test]
    fn a_server_has_a_processor_a_thread_as_far_as_there_are() {
        let pinning = Pinning { server: Some(0), further: vec![2, 3], generator: Some(1), must_sleep: false };
        assert_eq!(pinning.of_server(1), [0]);
        assert_eq!(pinning.of_server(2), [0, 2]);
        assert_eq!(pinning.of_server(9), [0, 2, 3]);
        assert!(Pinning::default().of_server(2).is_empty());
    }
}
