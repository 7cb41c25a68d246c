//! The capacity of a machine, read from /proc and the control groups.

use std::fs;
use std::path::{Path, PathBuf};

use crate::control_groups::{self, Group, Version};
use crate::descriptor_table::Table;
use crate::quota::Quota;
use crate::{limits, processors};

/// The limits on the number of connections that a machine can hold. What the system does not tell is absent, and limits
/// nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Capacity {
    /// Processors that this process may run on.
    pub processors: usize,
    /// The processor time that its control groups grant, where that is less.
    pub quota: Option<Quota>,
    /// Memory that could be had without swapping, in bytes: the machine's (proc_meminfo(5), MemAvailable) or what the
    /// control group has left, whichever is less.
    pub memory_bytes: Option<u64>,
    /// Open files that the machine allows (fs.file-max); absent for who may exceed it (CAP_SYS_ADMIN).
    pub files_most: Option<u64>,
    /// Files open at this moment, of all processes (fs.file-nr).
    pub files_open: u64,
    /// Descriptors of one descriptor table: RLIMIT_NOFILE, the hard one, to which the soft one can be raised.
    pub descriptors_per_table: u64,
    /// The most that RLIMIT_NOFILE can be raised to (fs.nr_open).
    pub descriptors_per_table_most: Option<u64>,
    /// The kind of table that threads use: one of their own, or a shared one.
    pub table: Table,
    /// The limits on the number of threads.
    pub threads_left: Vec<ThreadLimit>,
    /// Local ports that the kernel gives to connections (net.ipv4.ip_local_port_range).
    pub local_ports: u32,
    /// Connections in TIME_WAIT, each of which keeps a local port.
    pub time_wait: u64,
    /// Pages of socket buffers from which the kernel is sparing (net.ipv4.tcp_mem, the second number).
    pub tcp_memory_pages: Option<u64>,
    /// The longest queue of connections not yet accepted (net.core.somaxconn).
    pub backlog_most: Option<u64>,
    /// Connections that the packet filter keeps track of, and how many it can; absent where it tracks none.
    pub tracked: Option<(u64, u64)>,
}

/// One limit on the number of threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadLimit {
    /// The source of the limit: a sysctl, or a file.
    pub setting: String,
    /// The value that it is set to.
    pub most: u64,
    /// The number of further threads that it allows.
    pub left: u64,
}

impl Capacity {
    /// The capacity of this machine at this moment.
    pub fn of_this_machine() -> Self {
        let processors = processors::allowed().map_or(0, |cpus| cpus.len());
        let sockets = read("/proc/net/sockstat").unwrap_or_default();
        Self {
            processors,
            quota: Quota::below(processors),
            memory_bytes: [meminfo("MemAvailable:"), group_memory_left()].into_iter().flatten().min(),
            files_most: if may_exceed_file_max() { None } else { sysctl("fs/file-max") },
            files_open: numbers("/proc/sys/fs/file-nr").first().copied().unwrap_or(0),
            descriptors_per_table: limits::descriptors().maximum.unwrap_or(u64::MAX),
            descriptors_per_table_most: sysctl("fs/nr_open"),
            table: Table::probe(),
            threads_left: threads_left(),
            local_ports: local_ports(),
            time_wait: after(&sockets, "tw").unwrap_or(0),
            tcp_memory_pages: numbers("/proc/sys/net/ipv4/tcp_mem").get(1).copied(),
            backlog_most: sysctl("net/core/somaxconn"),
            tracked: sysctl("net/netfilter/nf_conntrack_count")
                .filter(|&count| count > 0)
                .zip(sysctl("net/netfilter/nf_conntrack_max")),
        }
    }
}

/// Memory of the machine, in bytes (proc_meminfo(5), MemTotal).
pub fn memory_bytes() -> Option<u64> {
    meminfo("MemTotal:")
}

/// Memory of the kernel's slab allocator, of the whole machine, in bytes (proc_meminfo(5), Slab).
pub fn slab_bytes() -> Option<u64> {
    meminfo("Slab:")
}

/// Local ports that the kernel gives to connections of one pair of addresses and target port
/// (ip(7), ip_local_port_range).
pub fn local_ports() -> u32 {
    const SINCE_LINUX_3_2: u32 = 28_232;
    match numbers("/proc/sys/net/ipv4/ip_local_port_range")[..] {
        [first, last] if first <= last => (last - first).saturating_add(1).min(u64::from(u16::MAX)) as u32,
        _ => SINCE_LINUX_3_2,
    }
}

/// The limits on threads: of the kernel's memory, of thread numbers, and of the control group.
fn threads_left() -> Vec<ThreadLimit> {
    let limit = |setting: &str, most: Option<u64>, now: Option<u64>| {
        let (most, now) = most.zip(now)?;
        Some(ThreadLimit { setting: setting.to_owned(), most, left: most.saturating_sub(now) })
    };
    // The fourth field is "running/all" (proc_loadavg(5)).
    let all = read("/proc/loadavg")
        .and_then(|text| text.split_ascii_whitespace().nth(3)?.split_once('/')?.1.parse().ok());
    let pids = ["pids.max", "pids.current"];
    let group = group_limits("pids", pids, pids).into_iter().next();
    [
        limit("kernel.threads-max", sysctl("kernel/threads-max"), all),
        limit("kernel.pid_max", sysctl("kernel/pid_max"), all),
        group.and_then(|(path, most, now)| limit(&path.display().to_string(), Some(most), Some(now))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The memory that the limits of this process's control groups leave, in bytes: the least over the innermost group and
/// those around it.
fn group_memory_left() -> Option<u64> {
    let second = ["memory.max", "memory.current"];
    let first = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
    group_limits("memory", second, first).into_iter().map(|(_, most, now)| most.saturating_sub(now)).min()
}

/// The limit of each control group that has one, the innermost first: the file that sets it, what it allows, and what is
/// in use. The two files are called `second` or `first` by the version of the group.
fn group_limits(controller: &str, second: [&str; 2], first: [&str; 2]) -> Vec<(PathBuf, u64, u64)> {
    let limit = |group: Group| {
        let [most, now] = if group.version == Version::Second { second } else { first };
        Some((group.folder.join(most), group.number(most)?, group.number(now)?))
    };
    control_groups::of_this_process(controller).into_iter().filter_map(limit).collect()
}

/// Returns whether this process may open more files than fs.file-max (fs/file_table.c, `alloc_empty_file`).
fn may_exceed_file_max() -> bool {
    const CAP_SYS_ADMIN: u32 = 21;
    let status = read("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> CAP_SYS_ADMIN & 1 == 1)
}

fn meminfo(name: &str) -> Option<u64> {
    bytes_of(&read("/proc/meminfo")?, name)
}

/// The value of `name` in the manner of /proc/meminfo, which has it in KiB.
pub(crate) fn bytes_of(meminfo: &str, name: &str) -> Option<u64> {
    let kibibytes: u64 = meminfo
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok())?;
    kibibytes.checked_mul(1024)
}

/// The number behind a word.
pub(crate) fn after(text: &str, word: &str) -> Option<u64> {
    let mut words = text.split_ascii_whitespace().skip_while(|&found| found != word).skip(1);
    words.next()?.parse().ok()
}

fn sysctl(name: &str) -> Option<u64> {
    numbers(Path::new("/proc/sys").join(name)).first().copied()
}

fn numbers(path: impl AsRef<Path>) -> Vec<u64> {
    let text = read(path).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_what_it_has_room_for() {
        let here = Capacity::of_this_machine();
        assert!(here.memory_bytes > Some(1 << 20), "{here:?}");
        assert!(here.files_open > 0 && here.descriptors_per_table > 0 && here.local_ports > 0, "{here:?}");
        // The first network namespace alone tells the memory of TCP, which is the machine's.
        let tells = Path::new("/proc/sys/net/ipv4/tcp_mem").exists();
        assert!(here.backlog_most.is_some() && here.tcp_memory_pages.is_some() == tells, "{here:?}");
        assert!(here.threads_left.iter().any(|limit| limit.setting == "kernel.threads-max"), "{here:?}");
        assert!(here.threads_left.iter().all(|limit| limit.left <= limit.most), "{here:?}");
        assert!(slab_bytes().is_some() && memory_bytes() > slab_bytes());
    }

    #[test]
    fn a_number_is_found_by_the_word_before_it() {
        let sockets = "sockets: used 205\nTCP: inuse 6 orphan 0 tw 12 alloc 8 mem 1\n";
        assert_eq!(after(sockets, "tw"), Some(12));
        assert_eq!(after(sockets, "mem"), Some(1));
        assert_eq!(after(sockets, "nothing"), None);
    }
}
