//! What the generator and the servers ask of the machine: a processor, descriptors, their own use of it.

pub mod capacity;
pub mod group;
pub mod listen_queue;
pub mod quota;
pub mod slab;
pub mod sockets;
pub mod usage;

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

use self::quota::Quota;

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
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let in_force = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    in_force.unwrap_or(u64::MAX)
}

/// Gives the calling thread a descriptor table of its own that holds only the standard streams and, if
/// given, `keep`, which is returned as the thread's own descriptor.
///
/// RLIMIT_NOFILE counts per table, so N such threads hold N times the limit; and the kernel skips the
/// reference count of each file on each call when a table has a single user (fs/file.c, `__fget_light`).
/// Descriptors opened before by other threads live on in *their* table: the caller's copy is separate,
/// and the original of `keep` must still be closed by its owner.
///
/// Must be called before the thread owns any descriptor of its own: those would be closed. From then on
/// the thread blocks every signal, since a handler that runs on it would write to other descriptors than it means.
///
/// # Errors
///
/// When the kernel is short of memory for the table.
pub fn own_descriptor_table(keep: Option<BorrowedFd<'_>>) -> io::Result<Option<OwnedFd>> {
    let kept = keep.map(|fd| fd.as_raw_fd());
    block_signals();
    #[allow(unsafe_code)]
    // SAFETY: the caller owns no descriptor yet, so nothing that it holds changes meaning; the table of
    // every other thread is untouched (unshare(2), CLONE_FILES).
    unsafe {
        rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FILES)?;
    }
    const AFTER_STANDARD_STREAMS: u32 = 3;
    match kept {
        None => close_range(AFTER_STANDARD_STREAMS, u32::MAX)?,
        Some(fd) => {
            let fd = fd as u32;
            if fd > AFTER_STANDARD_STREAMS {
                close_range(AFTER_STANDARD_STREAMS, fd - 1)?;
            }
            close_range(fd + 1, u32::MAX)?;
        }
    }
    #[allow(unsafe_code)]
    // SAFETY: `fd` is open in this thread's new table and nobody else owns it there.
    let owned = kept.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(owned)
}

/// Keeps signal handlers off the calling thread.
///
/// The kernel runs the handler of a process's signal on any thread that does not block it (signal(7)). On
/// a thread with a descriptor table of its own, a handler that writes to a descriptor, as those that wake
/// another thread do, would write to whatever has that number *there*: a connection, say.
fn block_signals() {
    let mut all = std::mem::MaybeUninit::uninit();
    #[allow(unsafe_code)]
    // SAFETY: the pointer is to room for one set, which sigfillset(3) makes whole.
    let all = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    };
    #[allow(unsafe_code)]
    // SAFETY: the set is whole, and the old mask is not asked for.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// Closes the descriptors from `first` to `last`, both included (close_range(2), Linux 5.9).
fn close_range(first: u32, last: u32) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: only called on a table that was made for the calling thread alone, before it owns any.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
    use std::os::fd::AsFd;

    #[test]
    fn a_thread_with_its_own_table_keeps_what_it_was_told_to_and_no_more() {
        let kept = fs::File::open("/dev/null").expect("open");
        let other = fs::File::open("/dev/null").expect("open");
        let (kept_raw, other_raw) = (kept.as_raw_fd(), other.as_raw_fd());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mine = own_descriptor_table(Some(kept.as_fd())).expect("a table").expect("kept");
                assert_eq!(mine.as_raw_fd(), kept_raw);
                let names: Vec<_> = fs::read_dir("/proc/thread-self/fd")
                    .expect("listed")
                    .map(|entry| entry.expect("entry").file_name().into_string().expect("a number"))
                    .collect();
                assert!(names.contains(&kept_raw.to_string()), "{names:?}");
                // The listing itself may take the number of `other`, so only the count is certain.
                assert!(names.iter().filter(|name| name.parse::<i32>().is_ok_and(|fd| fd > 2)).count() <= 2);
            });
        });
        // The originals are untouched.
        assert!(kept.metadata().is_ok());
        assert!(other.metadata().is_ok(), "descriptor {other_raw} lives on in its own table");
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
