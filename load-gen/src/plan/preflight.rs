//! Will this machine hold so many connections? Asked before the first is opened, from facts alone, so that what is missing
//! is said at once and with what mends it, and not found out by a run that dies of it.

use std::fmt;

use report::format::{bytes, plural};
use sys::capacity::Capacity;
use sys::descriptor_table::{self, DESCRIPTORS_PER_THREAD};
use sys::listen_queue::is_of_this_machine;

use crate::plan::placement::Placement;
use crate::plan::source;
use crate::plan::target::{Endpoint, Target};

pub use crate::plan::placement::DESCRIPTORS_RESERVED;

/// Kernel memory of one end of an idle TCP connection: socket, file, inode, directory entry, two hash entries, a watch.
/// Linux 6.18, x86-64: 8.3 kB for both ends.
const TCP_END_BYTES: u64 = 4_200;
/// Kernel memory of one end of an idle connection of a Unix socket.
const UNIX_END_BYTES: u64 = 2_700;
/// The memory that the generator itself may take for a connection, and for a thread.
const OWN_BYTES: u64 = 100;
const THREAD_BYTES: u64 = 1 << 20;
/// Files that others may open meanwhile.
const SPARE_FILES: u64 = 1_000;
/// Threads besides those that hold connections.
const SPARE_THREADS: u64 = 8;
/// A queue at least as long as this takes a burst of connections.
const BACKLOG_ENOUGH: u64 = 1_024;

/// The connections to hold, and the server that they go to.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The server.
    pub target: &'a Target,
    /// True if it is on this machine, so that both ends of each connection are.
    pub is_local: bool,
    /// Connections to hold.
    pub conns: u32,
    /// Servers among which they are divided evenly.
    pub servers: u32,
    /// Of those, the ones that carry requests.
    pub active: u32,
    /// Threads that carry load.
    pub threads: u32,
    /// Bytes of a request.
    pub size_bytes: u32,
}

/// Something that is missing, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// True if the run cannot succeed without it; if false, success is only doubtful.
    pub is_fatal: bool,
    /// The words for what is missing: a sentence without a full stop.
    pub missing: String,
    /// The command or option that mends it, verbatim.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.missing, self.remedy)
    }
}

/// Returns whether a server at `target` is on this machine, in part at least.
pub fn is_local(target: &Target) -> bool {
    target.endpoints().iter().any(|endpoint| match endpoint {
        Endpoint::Tcp(address) => is_of_this_machine(address.ip()),
        Endpoint::Unix(_) => true,
    })
}

/// One question about a machine: what is missing for a plan.
pub type Question = fn(&Plan<'_>, &Capacity) -> Option<Finding>;

/// Every question, and what it is about.
pub const QUESTIONS: [(&str, Question); 8] = [
    ("processor time", quota),
    ("memory", memory),
    ("open files", files),
    ("descriptors", threads),
    ("local ports", local_ports),
    ("connection tracking", tracking),
    ("listen queue", backlog),
    ("socket buffers", buffers),
];

/// The findings about what `machine` is missing for `plan`, the fatal ones first.
pub fn findings(plan: &Plan<'_>, machine: &Capacity) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        QUESTIONS.into_iter().filter_map(|(_, question)| question(plan, machine)).collect();
    findings.sort_by_key(|finding| !finding.is_fatal);
    findings
}

fn quota(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    let quota = machine.quota.as_ref()?;
    // Each worker could keep one busy, and so could a server beside them.
    let busy = plan.threads as usize + usize::from(plan.is_local);
    (quota.processors < busy as f64).then(|| Finding {
        is_fatal: false,
        missing: format!(
            "the control group grants {} of {} processors ({}), less than {}{} can keep busy, so that workers sleep where they \
             would spin, and what is held back is no server's fault",
            quota.processors,
            machine.processors,
            quota.setting.display(),
            if plan.is_local { "the server and " } else { "" },
            plural(plan.threads as usize, "thread"),
        ),
        remedy: quota.remedy(busy.min(machine.processors)),
    })
}

fn memory(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    let available = machine.memory_bytes?;
    let a_connection = OWN_BYTES + plan.ends() * plan.end_bytes();
    let needed = u64::from(plan.conns) * a_connection + plan.tables(machine).unwrap_or(1) * THREAD_BYTES;
    // The estimate is not good to a tenth, and others want memory too.
    let prudent = available / 10 * 9;
    (needed > prudent).then(|| Finding {
        is_fatal: needed > available,
        missing: format!(
            "{} connections take about {} of memory{}, and {} is available",
            plan.conns,
            bytes(needed),
            if plan.is_local { " for both ends" } else { "" },
            bytes(available)
        ),
        remedy: format!(
            "free some, or lower --conns to {}",
            prudent / a_connection / u64::from(plan.servers) / 100 * 100
        ),
    })
}

fn files(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    let most = machine.files_most?;
    let needed = u64::from(plan.conns) * plan.ends() + SPARE_FILES;
    let wanted = machine.files_open.saturating_add(needed);
    (wanted > most).then(|| Finding {
        is_fatal: true,
        missing: format!(
            "{needed} more files are to be open, and fs.file-max leaves {}",
            most.saturating_sub(machine.files_open)
        ),
        remedy: format!("sysctl -w fs.file-max={wanted}"),
    })
}

fn threads(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    if !machine.table.is_own() {
        return Some(one_table(plan, machine));
    }
    let limit = machine.descriptors_per_table;
    let all_in_one = u64::from(plan.conns) + DESCRIPTORS_RESERVED;
    // Nobody can set a limit beyond fs.nr_open.
    let too_much = machine.descriptors_per_table_most.is_some_and(|most| all_in_one > most);
    let raise = match too_much {
        true => format!("sysctl -w fs.nr_open={all_in_one} && ulimit -n {all_in_one}"),
        false => format!("ulimit -n {all_in_one}"),
    };
    let Some(tables) = plan.tables(machine) else {
        return Some(Finding {
            is_fatal: true,
            missing: format!("a descriptor table holds {limit} descriptors, too few for even one connection"),
            remedy: raise,
        });
    };
    let tightest = machine.threads_left.iter().min_by_key(|limit| limit.left)?;
    let needed = tables + SPARE_THREADS;
    (needed > tightest.left).then(|| {
        let most = tightest.most + (needed - tightest.left);
        let more = match tightest.setting.starts_with('/') {
            true => format!("echo {most} > {}", tightest.setting),
            false => format!("sysctl -w {}={most}", tightest.setting),
        };
        Finding {
            is_fatal: true,
            missing: format!(
                "a descriptor table holds {limit} descriptors, so {tables} threads are needed, and {} leaves {}",
                tightest.setting, tightest.left
            ),
            remedy: format!("{raise}, or {more}"),
        }
    })
}

/// The finding that all threads share one descriptor table, and what that costs.
fn one_table(plan: &Plan<'_>, machine: &Capacity) -> Finding {
    let (table, room) = (machine.table, room_in_one_table(machine, plan.threads));
    let conns = u64::from(plan.conns);
    let needed = (machine.descriptors_per_table + conns.saturating_sub(room)).to_string();
    Finding {
        is_fatal: conns > room,
        missing: match conns > room {
            true => format!("{table}: it holds {room} connections, and {conns} are asked for"),
            false => {
                format!("{table}: it holds {room} connections, and every call on one takes a little longer")
            }
        },
        remedy: descriptor_table::REMEDY.replace('N', if conns > room { &needed } else { "N" }),
    }
}

/// Connections that `threads` threads have room for together, where all have one descriptor table.
pub fn room_in_one_table(machine: &Capacity, threads: u32) -> u64 {
    let besides = DESCRIPTORS_RESERVED + u64::from(threads) * DESCRIPTORS_PER_THREAD;
    machine.descriptors_per_table.saturating_sub(besides)
}

fn local_ports(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    let endpoints = plan.target.endpoints();
    let one_source =
        |endpoint: &&Endpoint| matches!(endpoint, Endpoint::Tcp(_)) && !source::can_choose(endpoint);
    let endpoint = endpoints.iter().find(one_source)?;
    let (ports, each) =
        (u64::from(machine.local_ports), u64::from(plan.conns).div_ceil(endpoints.len() as u64));
    // Beyond this connect(2) tries port after port, a thousand connections per second.
    let comfortable = ports * 7 / 10;
    // Whose they are is not known: towards a few connections they say nothing.
    let tight = each > ports / 4 && each + machine.time_wait.min(ports) > ports;
    (each > comfortable || tight).then(|| Finding {
        is_fatal: each > ports,
        missing: match machine.time_wait {
            waiting if tight && each <= ports => format!(
                "of {ports} local ports towards {endpoint}, up to {waiting} are kept by connections in TIME_WAIT, and {each} are needed"
            ),
            _ => format!("one address has {ports} local ports towards {endpoint}, and {each} are needed"),
        },
        remedy: format!(
            "let the server listen on {} ports and name all, --target HOST:PORT-PORT, or sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
            u64::from(plan.conns).div_ceil(comfortable.max(1)).max(2)
        ),
    })
}

fn tracking(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    let (tracked, most) = machine.tracked.filter(|_| plan.is_tcp())?;
    let wanted = tracked + u64::from(plan.conns);
    // Whether a rule spares these very connections, nothing tells.
    (wanted > most).then(|| Finding {
        is_fatal: false,
        missing: format!(
            "the packet filter keeps track of at most {most} connections, {tracked} of them taken, and drops what is beyond"
        ),
        remedy: format!("sysctl -w net.netfilter.nf_conntrack_max={}", wanted + wanted / 10),
    })
}

fn backlog(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    let most = machine.backlog_most.filter(|_| plan.is_local)?;
    (most < BACKLOG_ENOUGH && u64::from(plan.conns) > most).then(|| Finding {
        is_fatal: false,
        missing: format!(
            "at most {most} connections can wait to be accepted (net.core.somaxconn), so that opening waits for the server often"
        ),
        remedy: "sysctl -w net.core.somaxconn=4096, then start the server again".to_owned(),
    })
}

fn buffers(plan: &Plan<'_>, machine: &Capacity) -> Option<Finding> {
    let pages = machine.tcp_memory_pages.filter(|_| plan.is_tcp())?;
    let page_bytes = rustix::param::page_size() as u64;
    // A socket with anything in its buffers is charged whole pages, one more than the bytes fill.
    let a_connection = plan.ends() * (u64::from(plan.size_bytes).div_ceil(page_bytes) + 1);
    let needed = u64::from(plan.active) * a_connection;
    (needed > pages).then(|| Finding {
        is_fatal: false,
        missing: format!(
            "{} active connections may have {} in socket buffers, and the kernel is sparing from {} on (net.ipv4.tcp_mem)",
            plan.active,
            bytes(needed * page_bytes),
            bytes(pages * page_bytes)
        ),
        remedy: format!("sysctl -w net.ipv4.tcp_mem='{needed} {needed} {}', or lower --active", needed * 3 / 2),
    })
}

impl Plan<'_> {
    /// Ends of each connection that are on this machine.
    fn ends(&self) -> u64 {
        if self.is_local { 2 } else { 1 }
    }

    fn is_tcp(&self) -> bool {
        self.target.endpoints().iter().any(|endpoint| matches!(endpoint, Endpoint::Tcp(_)))
    }

    fn end_bytes(&self) -> u64 {
        if self.is_tcp() { TCP_END_BYTES } else { UNIX_END_BYTES }
    }

    /// Descriptor tables, each on a thread of its own, that hold the connections; none where a table holds none.
    fn tables(&self, machine: &Capacity) -> Option<u64> {
        let placement = Placement::new(
            self.conns,
            self.active,
            self.threads,
            machine.descriptors_per_table,
            machine.table,
        )
        .ok()?;
        Some(placement.tables.into())
    }
}

#[cfg(test)]
mod tests;
