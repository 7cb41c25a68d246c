//! The calls under observation, as they are: on descriptor *numbers*, which may be closed.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::io::Errno;
use sys::by_number::{self, Word};

pub use sys::by_number::{epoll_ctl, poll};

/// The time to wait for what must happen, before it is called a failure. Nothing is measured against it.
pub const PATIENCE_MS: i32 = 20_000;

/// The name of an error, as man pages give it.
pub fn errno_name(errno: Errno) -> String {
    const NAMES: [(Errno, &str); 27] = [
        (Errno::ACCESS, "EACCES"),
        (Errno::ADDRNOTAVAIL, "EADDRNOTAVAIL"),
        (Errno::AGAIN, "EAGAIN"),
        (Errno::BADF, "EBADF"),
        (Errno::CANCELED, "ECANCELED"),
        (Errno::CONNREFUSED, "ECONNREFUSED"),
        (Errno::CONNRESET, "ECONNRESET"),
        (Errno::EXIST, "EEXIST"),
        (Errno::FAULT, "EFAULT"),
        (Errno::INTR, "EINTR"),
        (Errno::INVAL, "EINVAL"),
        (Errno::IO, "EIO"),
        (Errno::LOOP, "ELOOP"),
        (Errno::MFILE, "EMFILE"),
        (Errno::NFILE, "ENFILE"),
        (Errno::NOENT, "ENOENT"),
        (Errno::NOMEM, "ENOMEM"),
        (Errno::NOPROTOOPT, "ENOPROTOOPT"),
        (Errno::NOSPC, "ENOSPC"),
        (Errno::NOSYS, "ENOSYS"),
        (Errno::NOTCONN, "ENOTCONN"),
        (Errno::OPNOTSUPP, "EOPNOTSUPP"),
        (Errno::PERM, "EPERM"),
        (Errno::PIPE, "EPIPE"),
        (Errno::SRCH, "ESRCH"),
        (Errno::TIMEDOUT, "ETIMEDOUT"),
        (Errno::NODEV, "ENODEV"),
    ];
    NAMES
        .iter()
        .find(|(known, _)| *known == errno)
        .map_or_else(|| format!("errno {}", errno.raw_os_error()), |(_, name)| (*name).to_owned())
}

/// `success`, or the error's name.
pub fn outcome<T>(result: Result<T, Errno>) -> String {
    result.map_or_else(errno_name, |_| "success".to_owned())
}

/// poll(2) of one descriptor, without waiting: what it reports.
pub fn poll_one(fd: RawFd, events: libc::c_short) -> Result<libc::c_short, Errno> {
    let mut fds = [libc::pollfd { fd, events, revents: 0 }];
    poll(&mut fds, 0).map(|_| fds[0].revents)
}

/// Waits with poll(2) until one of `events`, or an error, is there.
///
/// # Errors
///
/// When it does not come about.
pub fn await_events(fd: RawFd, events: libc::c_short) -> io::Result<()> {
    let mut fds = [libc::pollfd { fd, events, revents: 0 }];
    loop {
        match poll(&mut fds, PATIENCE_MS) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "what was expected never came")),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A set of select(2): words on the heap, since glibc's `fd_set` ends at descriptor 1023.
pub struct FdSet(Vec<Word>);

impl FdSet {
    const BITS: usize = Word::BITS as usize;

    /// A set with room for descriptors up to `highest`, holding `members`.
    pub fn new(highest: RawFd, members: &[RawFd]) -> Self {
        let mut words = vec![0; highest as usize / Self::BITS + 1];
        for member in members {
            words[*member as usize / Self::BITS] |= 1 << (*member as usize % Self::BITS);
        }
        Self(words)
    }

    /// Returns whether `fd` is in it.
    pub fn has(&self, fd: RawFd) -> bool {
        self.0[fd as usize / Self::BITS] & 1 << (fd as usize % Self::BITS) != 0
    }
}

/// select(2) without waiting, on descriptors below `nfds`; returns how many bits are left in the sets.
///
/// The sets must have room for `nfds` descriptors, which is asserted.
pub fn select(nfds: RawFd, sets: &mut [FdSet; 3]) -> Result<usize, Errno> {
    by_number::select(nfds, sets.each_mut().map(|set| Some(&mut set.0[..])), Some(Duration::ZERO))
}

/// A new epoll instance.
///
/// # Errors
///
/// When no descriptor is left.
pub fn epoll() -> Result<OwnedFd, Errno> {
    rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)
}

/// Adds `fd` to the set.
pub fn epoll_add(set: &OwnedFd, fd: RawFd, flags: libc::c_int) -> Result<(), Errno> {
    epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, flags)
}

/// Changes what `fd` is watched for; for a oneshot, arms it again.
pub fn epoll_mod(set: &OwnedFd, fd: RawFd, flags: libc::c_int) -> Result<(), Errno> {
    epoll_ctl(set.as_raw_fd(), libc::EPOLL_CTL_MOD, fd, flags)
}

/// epoll_wait(2) for up to eight events: of each the number it carries, and its flags.
pub fn epoll_wait(set: RawFd, timeout_ms: i32) -> Result<Vec<(u64, libc::c_int)>, Errno> {
    by_number::epoll_wait(set, 8, timeout_ms)
}

/// Returns the events that the set reports for all its members without waiting, as one mask.
pub fn epoll_look(set: &OwnedFd) -> Result<libc::c_int, Errno> {
    let events = epoll_wait(set.as_raw_fd(), 0)?;
    Ok(events.iter().fold(0, |mask, (_, flags)| mask | flags))
}

/// A descriptor number that nothing else takes while few are open, since the kernel gives out the lowest that
/// is free: close to the limit, or to `highest` where that is lower.
///
/// # Errors
///
/// When the limit leaves no such number.
pub fn remote_number(highest: u64) -> io::Result<RawFd> {
    const ROOM: u64 = 64;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(highest);
    if limit < ROOM {
        return Err(io::Error::other(format!("a descriptor limit of {ROOM} or more is needed (ulimit -n)")));
    }
    Ok((limit.min(highest) - 16) as RawFd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_of_the_man_pages() {
        assert_eq!(errno_name(Errno::PERM), "EPERM");
        assert_eq!(errno_name(Errno::XFULL), format!("errno {}", libc::EXFULL));
        assert_eq!(outcome(Ok::<(), Errno>(())), "success");
        assert_eq!(outcome(poll_one(-1, 0)), "success", "poll(2) passes over negative numbers");
    }

    #[test]
    fn a_set_holds_descriptors_beyond_1023() {
        let set = FdSet::new(5000, &[0, 63, 64, 5000]);
        assert!([0, 63, 64, 5000].iter().all(|fd| set.has(*fd)));
        assert!([1, 62, 65, 4999].iter().all(|fd| !set.has(*fd)));
    }
}
