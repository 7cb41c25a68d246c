//! Descriptor tables: one for each thread that serves or loads, where the system grants it.
//!
//! RLIMIT_NOFILE counts per table, so N such threads hold N times the limit; and the kernel skips the reference count of
//! each file on each call when a table has a single user (fs/file.c, `__fget_light`). unshare(2) is what gives a thread its
//! table, and the seccomp filters of containers refuse it, whatever it is asked for. There all threads use the
//! process's one table, and everything works up to the limit of that.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::thread::UnshareFlags;

use crate::limits;

/// The remedy where tables are refused.
pub const REMEDY: &str = "docker run --security-opt seccomp=unconfined (or a profile that allows unshare), or raise the limit \
                          of the one table: docker run --ulimit nofile=N, ulimit -n N";

/// Descriptors for each thread that shares a table with others, besides its connections: a listener, a reserve, an
/// epoll instance or a ring, one that wakes it, and a connection that is being refused.
pub const DESCRIPTORS_PER_THREAD: u64 = 6;

const AFTER_STANDARD_STREAMS: RawFd = 3;

/// Whose descriptor table a thread uses.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Its own.
    #[default]
    Own,
    /// The one that it was started in, with whoever else uses that: this is how unshare(2) was refused.
    Shared(Errno),
}

impl Table {
    /// The table that threads are given here, found out by trying on a thread that ends at once.
    pub fn probe() -> Self {
        let (sender, told) = mpsc::channel();
        #[allow(unsafe_code)]
        // SAFETY: the thread gives away a word about its table, and holds nothing else.
        let tried =
            unsafe { spawn(Builder::new(), None, move |table, _| sender.send(table).unwrap_or_default()) };
        let because = |error: io::Error| Self::Shared(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN));
        tried.map_or_else(because, |_| told.recv().unwrap_or(Self::Shared(Errno::AGAIN)))
    }

    /// Returns whether threads have tables of their own.
    pub fn is_own(self) -> bool {
        self == Self::Own
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("each thread has a descriptor table of its own"),
            Self::Shared(errno) => {
                write!(
                    f,
                    "all threads share one descriptor table, since unshare(CLONE_FILES) is refused ({errno})"
                )
            }
        }
    }
}

/// Starts a thread that is made for a descriptor table of its own, and runs `run` on it once it has it, or once that
/// was refused.
///
/// Of the descriptors of the thread that calls, the new one has the standard streams and `keep`, which it is given as
/// its own; whatever else is open stays with those who have it, and in a shared table nothing is closed. The new thread
/// blocks every signal: a handler that runs on it and writes to a descriptor would write to another file there.
///
/// # Safety
///
/// A descriptor is a number in a table. `run` must not capture one, and must not be given one later by another thread, nor give
/// one away: `keep` is how it comes by its own.
///
/// # Errors
///
/// When the system grants no thread, or has no memory for the table.
#[allow(unsafe_code)]
pub unsafe fn spawn(
    builder: Builder,
    keep: Option<OwnedFd>,
    run: impl FnOnce(Table, Option<OwnedFd>) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let kept = keep.as_ref().map(AsRawFd::as_raw_fd);
    let (sender, told) = mpsc::sync_channel(1);
    let thread = builder.spawn(move || {
        block_signals();
        let table = match leave_others(kept) {
            Ok(()) => Ok(Table::Own),
            Err(errno @ (Errno::PERM | Errno::NOSYS | Errno::ACCESS | Errno::INVAL)) => {
                Ok(Table::Shared(errno))
            }
            Err(errno) => Err(errno),
        };
        // Whoever started this thread waits for the word.
        let _ = sender.send(table);
        drop(sender);
        if let Ok(table) = table {
            run(table, keep);
        }
    })?;
    match told.recv().unwrap_or(Err(Errno::AGAIN)) {
        Ok(Table::Own) => {
            // SAFETY: `keep` has moved into the other table. What it was in this one is open still, and nobody's.
            drop(kept.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            Ok(thread)
        }
        Ok(Table::Shared(_)) => Ok(thread),
        Err(errno) => Err(errno.into()),
    }
}

/// Gives the calling thread a table of its own with nothing but the standard streams and the descriptor `kept`.
fn leave_others(kept: Option<RawFd>) -> Result<(), Errno> {
    #[allow(unsafe_code)]
    // SAFETY: only `spawn` calls this, on its new thread, which holds no descriptor but `kept`. The number of that means the
    // same file after the call, and the table of every other thread is untouched (unshare(2), CLONE_FILES).
    unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::FILES)?;
    }
    match kept {
        None => close_range(AFTER_STANDARD_STREAMS, RawFd::MAX),
        Some(fd) => {
            close_range(AFTER_STANDARD_STREAMS, fd - 1);
            close_range(fd + 1, RawFd::MAX);
        }
    }
    Ok(())
}

/// Closes the descriptors from `first` to `last`, both included: by close_range(2), or one by one where that is missing
/// (before Linux 5.9) or refused. A copy that stayed open would keep another's connection from ending.
fn close_range(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    #[allow(unsafe_code)]
    // SAFETY: only `leave_others` calls this, on a table that was made for the calling thread alone, before it owns any of them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result != 0 {
        let descriptors = open_descriptors().unwrap_or_else(possible_descriptors);
        for fd in descriptors.into_iter().filter(|fd| (first..=last).contains(fd)) {
            #[allow(unsafe_code)]
            // SAFETY: as above. The one that the list was read from is closed already, and EBADF is no harm.
            unsafe {
                libc::close(fd);
            }
        }
    }
}

/// The descriptors of the calling thread's table; nothing where /proc is not there to tell.
pub fn open_descriptors() -> Option<Vec<RawFd>> {
    let entries = std::fs::read_dir("/proc/thread-self/fd").ok()?;
    Some(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// All descriptors that there may be, where nobody tells which there are.
fn possible_descriptors() -> Vec<RawFd> {
    /// The most descriptors that are assumed: no process has opened more, and a higher limit, such as the 2^30 of some
    /// container engines, says nothing.
    const MOST: u64 = 1 << 20;
    let limit = limits::descriptors().current.unwrap_or(MOST).min(MOST);
    (0..limit as RawFd).collect()
}

/// Takes over the file that whoever started this process has left to it as descriptor `fd`, once.
///
/// # Errors
///
/// When that is a standard stream, is not open, or was opened or taken over by this process.
pub fn inherited(fd: RawFd) -> io::Result<File> {
    if fd < AFTER_STANDARD_STREAMS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    #[allow(unsafe_code)]
    // SAFETY: it is used for two calls, to which one that is not open is no harm.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    // What is left across execve(2) has no such mark, and whatever Rust opens has it.
    if fcntl_getfd(borrowed)?.contains(FdFlags::CLOEXEC) {
        return Err(Errno::BADF.into());
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    #[allow(unsafe_code)]
    // SAFETY: it is open, this process has not opened it, and the mark keeps it from being taken over again.
    let file = unsafe { File::from_raw_fd(fd) };
    Ok(file)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::fd::IntoRawFd;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    use super::*;

    /// Starts a thread for a table of its own, and returns what it finds: its table, the descriptor that it kept, and
    /// all that is open beyond the standard streams.
    fn found(keep: File) -> (Table, Option<RawFd>, Vec<RawFd>) {
        let (sender, told) = mpsc::channel();
        #[allow(unsafe_code)]
        // SAFETY: numbers are told, and nothing is done with them.
        let thread = unsafe {
            spawn(Builder::new(), Some(keep.into()), move |table, kept| {
                let open = open_descriptors().expect("/proc").into_iter().filter(|&fd| fd > 2).collect();
                let _ = sender.send((table, kept.as_ref().map(AsRawFd::as_raw_fd), open));
            })
        };
        thread.expect("a thread").join().expect("no panic");
        told.recv().expect("told")
    }

    /// Runs `test` on a thread for which, as for those that it starts, `call` fails with `errno`.
    fn where_it_fails(call: libc::c_long, errno: Errno, test: impl FnOnce() + Send) {
        let fail = SeccompAction::Errno(errno.raw_os_error() as u32);
        let architecture = std::env::consts::ARCH.try_into().expect("an architecture with seccomp");
        let rules = BTreeMap::from([(call, Vec::new())]);
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, fail, architecture).expect("a filter");
        let program = BpfProgram::try_from(filter).expect("a program");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                seccompiler::apply_filter(&program).expect("filters are for everybody");
                test();
            });
        });
    }

    #[test]
    fn an_inherited_file_is_taken_over_once_and_nothing_else_is() {
        let own = File::open("/dev/null").expect("open");
        let refused = |fd| inherited(fd).expect_err("it is not left to this process");
        assert_eq!(refused(2).kind(), io::ErrorKind::InvalidInput);
        for fd in [own.as_raw_fd(), RawFd::MAX] {
            assert_eq!(refused(fd).raw_os_error(), Some(Errno::BADF.raw_os_error()));
        }
        // As a process finds it that has been started with it.
        let left = own.try_clone().expect("a descriptor").into_raw_fd();
        #[allow(unsafe_code)]
        // SAFETY: it is open, and nobody's.
        fcntl_setfd(unsafe { BorrowedFd::borrow_raw(left) }, FdFlags::empty()).expect("it is open");
        let taken = inherited(left).expect("it was left");
        assert_eq!(refused(left).raw_os_error(), Some(Errno::BADF.raw_os_error()));
        assert!(taken.metadata().is_ok());
    }

    fn a_table_of_its_own_holds_one_file() {
        let other = File::open("/dev/null").expect("open");
        let keep = File::open("/dev/null").expect("open");
        let number = keep.as_raw_fd();
        let (table, kept, open) = found(keep);
        assert_eq!((table, kept), (Table::Own, Some(number)));
        // The list itself is read from a descriptor, which is on it.
        assert!(open.contains(&number) && open.len() <= 2, "{open:?}");
        assert!(other.metadata().is_ok(), "it lives on in its own table");
        assert_eq!(Table::probe(), Table::Own);
    }

    #[test]
    fn a_thread_with_its_own_table_keeps_what_it_was_told_to_and_no_more() {
        a_table_of_its_own_holds_one_file();
    }

    #[test]
    fn so_it_does_where_close_range_is_refused() {
        for errno in [Errno::PERM, Errno::NOSYS] {
            where_it_fails(libc::SYS_close_range, errno, a_table_of_its_own_holds_one_file);
        }
    }

    #[test]
    fn where_tables_are_refused_nothing_is_closed_but_what_was_given_away() {
        for errno in [Errno::PERM, Errno::NOSYS] {
            where_it_fails(libc::SYS_unshare, errno, || {
                let other = File::open("/dev/null").expect("open");
                let keep = File::open("/dev/null").expect("open");
                let number = keep.as_raw_fd();
                let (table, kept, open) = found(keep);
                assert_eq!((table, kept), (Table::Shared(errno), Some(number)));
                assert!(open.contains(&number) && open.contains(&other.as_raw_fd()), "{open:?}");
                assert!(other.metadata().is_ok());
                assert_eq!(Table::probe(), Table::Shared(errno));
                assert!(Table::probe().to_string().contains("unshare(CLONE_FILES) is refused"));
            });
        }
    }
}
