//! The processors that a thread may run on, and how to bind it to some of them.

use std::fs;
use std::io;

use rustix::thread::CpuSet;

use crate::quota::Quota;

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

/// Checks that a thread may be bound to each of `cpus`, on a thread that ends at once.
///
/// # Errors
///
/// The kernel's error: a sandbox may refuse sched_setaffinity(2).
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
pub fn allowed() -> io::Result<Vec<u32>> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).map(|cpu| cpu as u32).collect()),
        Err(errno) => cpus_of_status().ok_or_else(|| errno.into()),
    }
}

/// The processors that the calling thread may run on, as /proc tells them (proc_pid_status(5), Cpus_allowed_list).
fn cpus_of_status() -> Option<Vec<u32>> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let cpus = parse_list(list);
    (!cpus.is_empty()).then_some(cpus)
}

/// A list of processors as the kernel writes it: `0-3,8` (cpuset(7)). What is none is passed over.
pub fn parse_list(text: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        (last < PROCESSORS_AT_MOST).then_some(first..=last)
    };
    let ranges = text.trim().split(',').filter_map(range);
    ranges.flatten().take(PROCESSORS_AT_MOST as usize).collect()
}

/// The processors' worth of time that this process may use at once: as many as it may run on, or what its control groups
/// grant, which may be a part of one.
///
/// # Errors
///
/// As [`allowed`].
pub fn granted() -> io::Result<f64> {
    let allowed = allowed()?.len();
    Ok(Quota::below(allowed).map_or(allowed as f64, |quota| quota.processors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_tells_the_same_processors_as_the_kernel() {
        assert_eq!(cpus_of_status(), allowed().ok());
    }

    #[test]
    fn a_list_of_processors_has_ranges_and_single_ones() {
        assert_eq!(parse_list(" 0-2,8\n"), [0, 1, 2, 8]);
        assert_eq!(parse_list("5,x,7-,9999999"), [5]);
        assert_eq!(parse_list(""), [0; 0]);
    }

    #[test]
    fn pinning_to_a_processor_that_does_not_exist_is_an_error() {
        assert!(pin_to(&[u32::MAX]).is_err());
    }
}
