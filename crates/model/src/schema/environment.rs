//! The machine that a result was measured on.

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything about the machine that could explain a figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Environment {
    /// Host name.
    pub host: String,
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// Processor model.
    pub processor: String,
    /// Processors that this process may run on.
    pub processors: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Hypervisor, where the processor reports one.
    pub hypervisor: Option<String>,
    /// Mitigations by vulnerability (/sys/devices/system/cpu/vulnerabilities).
    pub mitigations: BTreeMap<String, String>,
    /// Processors' worth of time that the control groups grant, where that is less (cgroups(7)).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_quota: Option<f64>,
    /// Descriptor limits of the process.
    pub limits: Limits,
    /// True where all threads of a server, and all of the generator, share one descriptor table because unshare(2) is refused; absent
    /// where each has its own.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub shares_descriptor_table: bool,
    /// Kernel settings that matter here, by sysctl name.
    pub sysctls: BTreeMap<String, String>,
    /// Clock source of the kernel.
    pub clock_source: String,
    /// Frequency governor, where there is one.
    pub governor: Option<String>,
    /// Share of processor time that the hypervisor gave to others since boot, 0 to 1.
    pub steal_since_boot: f64,
    /// Load average over one minute when the run began.
    pub load_average: f64,
    /// Processor that the server was pinned to.
    pub server_cpu: Option<u32>,
    /// Processors that the servers with several threads had besides.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub further_server_cpus: Vec<u32>,
    /// Processor that the generator was pinned to.
    pub generator_cpu: Option<u32>,
    /// Version of muxbench.
    pub muxbench_version: String,
    /// Version of the compiler that built it.
    pub rustc_version: String,
    /// The profile that it was built with: `release` or `debug`.
    pub profile: String,
}

impl Environment {
    /// The whole processors that could be kept busy at once: as many as there are, or as the quota grants.
    pub fn usable_processors(&self) -> u32 {
        self.cpu_quota.map_or(self.processors, |quota| self.processors.min(quota as u32))
    }
}

/// Descriptor limits of the process (getrlimit(2), RLIMIT_NOFILE).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Limits {
    /// Soft limit: the highest descriptor number plus one, in each descriptor table.
    pub nofile_soft: u64,
    /// Hard limit: what the soft one may be raised to.
    pub nofile_hard: u64,
}
