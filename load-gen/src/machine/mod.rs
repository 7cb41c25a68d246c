//! What the generator and the servers ask of the machine: a processor, descriptors, their own use of it.

pub mod capacity;
pub mod group;
pub mod listen_queue;
pub mod slab;
pub mod sockets;
pub mod table;
pub mod usage;

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

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
    // The kernel passes over those that it cannot grant as long as one is left.
    let granted = rustix::thread::sched_getaffinity(None)?;
    if granted == set { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// The processors that the calling thread may run on, in ascending order (sched_getaffinity(2)).
///
/// # Errors
///
/// When the kernel has more processors than a `cpu_set_t` holds.
pub fn allowed_cpus() -> io::Result<Vec<u32>> {
    let set = rustix::thread::sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).map(|cpu| cpu as u32).collect())
}

/// Raises the soft limit of descriptors to the hard one and returns it.
///
/// The limit is on descriptor *numbers* in one descriptor table, and a soft limit can always be raised to
/// the hard one (getrlimit(2)); a failure leaves the limit as it was.
pub fn raise_descriptor_limit() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
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
    fn pinning_to_a_processor_that_does_not_exist_is_an_error() {
        assert!(pin_to(&[u32::MAX]).is_err());
    }

    #[test]
    fn this_process_has_resident_memory() {
        assert!(resident_bytes(std::process::id()).expect("read") > 100_000);
    }
}
