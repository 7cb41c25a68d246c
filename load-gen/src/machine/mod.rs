//! What the generator and the servers ask of the machine: a processor, descriptors, their own use of it.

pub mod capacity;
pub mod group;
pub mod listen_queue;
pub mod quota;
pub mod slab;
pub mod sockets;
pub mod table;
pub mod usage;

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

use self::quota::Quota;

/// The most processors that Linux is built for (arch/x86/Kconfig, NR_CPUS).
const PROCESSORS_AT_MOST: u32 = 8192;

/// Binds the calling thread, and every thread that it starts later, to the processors `cpus`.
///
/// # Errors
///
/// When one of them does not exist or is not among those allowed to this process.
pub fn pin_to(cpus: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu as usize >= CpuSet::MAX_CPU {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        set.set(cpu as usize);
    }
    rustix::thread::sched_setaffinity(None, &set)?;
    // The kernel passes over those that it cannot grant as long as one is left. Where it does not tell, it is believed.
    match rustix::thread::sched_getaffinity(None) {
        Ok(granted) if granted != set => Err(io::ErrorKind::InvalidInput.into()),
        _ => Ok(()),
    }
}

/// Whether a thread may be bound to each of `cpus`, tried on one that ends at once.
///
/// # Errors
///
/// What the kernel says: a sandbox may refuse sched_setaffinity(2).
pub fn can_pin_to(cpus: &[u32]) -> io::Result<()> {
    std::thread::scope(|scope| {
        let pin = || cpus.iter().try_for_each(|&cpu| pin_to(&[cpu]));
        let tried = std::thread::Builder::new().spawn_scoped(scope, pin)?;
        tried.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The processors that the calling thread may run on, in ascending order (sched_getaffinity(2), or what /proc says
/// where that is refused).
///
/// # Errors
///
/// When neither tells, or the kernel has more processors than a `cpu_set_t` holds.
pub fn allowed_cpus() -> io::Result<Vec<u32>> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).map(|cpu| cpu as u32).collect()),
        Err(errno) => cpus_of_status().ok_or_else(|| errno.into()),
    }
}

/// The processors that the calling thread may run on, as /proc tells them (proc_pid_status(5), Cpus_allowed_list).
fn cpus_of_status() -> Option<Vec<u32>> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let cpus = cpu_list(list);
    (!cpus.is_empty()).then_some(cpus)
}

/// A list of processors as the kernel writes it: `0-3,8` (cpuset(7)). What is none is passed over.
pub fn cpu_list(text: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        (last < PROCESSORS_AT_MOST).then_some(first..=last)
    };
    let ranges = text.trim().split(',').filter_map(range);
    ranges.flatten().take(PROCESSORS_AT_MOST as usize).collect()
}

/// The soft and the hard limit of descriptors (getrlimit(2)): those that most systems begin with, where they are not told.
pub fn descriptor_limit() -> Rlimit {
    const USUAL: libc::rlimit = libc::rlimit { rlim_cur: 1_024, rlim_max: 4_096 };
    let mut limit = USUAL;
    #[allow(unsafe_code)]
    // SAFETY: the pointer is to room for one limit. (rustix takes this call for one that cannot fail.)
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let libc::rlimit { rlim_cur, rlim_max } = if result == 0 { limit } else { USUAL };
    let finite = |number| (number != libc::RLIM_INFINITY).then_some(number);
    Rlimit { current: finite(rlim_cur), maximum: finite(rlim_max) }
}

/// The processors' worth of time that this process may use at once: as many as it may run on, or what its control groups
/// grant, which may be a part of one.
///
/// # Errors
///
/// As [`allowed_cpus`].
pub fn processors() -> io::Result<f64> {
    let allowed = allowed_cpus()?.len();
    Ok(Quota::below(allowed).map_or(allowed as f64, |quota| quota.processors))
}

/// Raises the soft limit of descriptors to the hard one and returns it.
///
/// The limit is on descriptor *numbers* in one descriptor table, and a soft limit can always be raised to
/// the hard one (getrlimit(2)); a failure leaves the limit as it was.
pub fn raise_descriptor_limit() -> u64 {
    let limit = descriptor_limit();
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let in_force = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    in_force.unwrap_or(u64::MAX)
}

/// Resident memory of process `pid`, in bytes (/proc/PID/statm).
///
/// # Errors
///
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: u64 = statm
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "statm has no second field"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_tells_the_same_processors_and_limits_as_the_kernel() {
        assert_eq!(cpus_of_status(), allowed_cpus().ok());
        let (limit, same) = (descriptor_limit(), rustix::process::getrlimit(Resource::Nofile));
        assert_eq!((limit.current, limit.maximum), (same.current, same.maximum));
    }

    #[test]
    fn a_list_of_processors_has_ranges_and_single_ones() {
        assert_eq!(cpu_list(" 0-2,8\n"), [0, 1, 2, 8]);
        assert_eq!(cpu_list("5,x,7-,9999999"), [5]);
        assert_eq!(cpu_list(""), [0; 0]);
    }

    #[test]
    fn pinning_to_a_processor_that_does_not_exist_is_an_error() {
        assert!(pin_to(&[u32::MAX]).is_err());
    }

    #[test]
    fn this_process_has_resident_memory() {
        assert!(resident_bytes(std::process::id()).expect("read") > 100_000);
    }
}
