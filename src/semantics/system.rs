//! The calls under observation, as they are: on descriptor *numbers*, which may be closed, and with
//! arguments that a safe interface rules out.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;

/// How long to wait for what must happen, before it is called a failure. Nothing is measured against it.
pub const PATIENCE_MS: i32 = 20_000;

/// What -1 and errno, or another value, mean.
pub fn result(returned: libc::c_int) -> Result<usize, Errno> {
    usize::try_from(returned)
        .map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
}

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

/// poll(2) of an array as it is; returns how many descriptors have events.
pub fn poll(fds: &mut [libc::pollfd], timeout_ms: i32) -> Result<usize, Errno> {
    #[allow(unsafe_code)]
    // SAFETY: the array is as long as is said, and poll(2) writes to nothing else.
    result(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) })
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
pub struct FdSet(Vec<libc::c_ulong>);

impl FdSet {
    const BITS: usize = libc::c_ulong::BITS as usize;

    /// A set with room for descriptors up to `highest`, holding `members`.
    pub fn new(highest: RawFd, members: &[RawFd]) -> Self {
        let mut words = vec![0; highest as usize / Self::BITS + 1];
        for member in members {
            words[*member as usize / Self::BITS] |= 1 << (*member as usize % Self::BITS);
        }
        Self(words)
    }

    /// Whether `fd` is in it.
    pub fn has(&self, fd: RawFd) -> bool {
        self.0[fd as usize / Self::BITS] & 1 << (fd as usize % Self::BITS) != 0
    }
}

/// select(2) without waiting, on descriptors below `nfds`; returns how many bits are left in the sets.
///
/// The sets must have room for `nfds` descriptors, which is asserted.
pub fn select(nfds: RawFd, sets: &mut [FdSet; 3]) -> Result<usize, Errno> {
    assert!(sets.iter().all(|set| set.0.len() * FdSet::BITS >= nfds as usize), "sets too short");
    let mut now = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let [readable, writable, exceptional] = sets;
    let set = |set: &mut FdSet| set.0.as_mut_ptr().cast::<libc::fd_set>();
    #[allow(unsafe_code)]
    // SAFETY: select(2) reads and writes whole words that hold the first `nfds` bits, which each set has.
    let returned = unsafe {
        libc::select(nfds, set(readable), set(writable), set(exceptional), ptr::from_mut(&mut now))
    };
    result(returned)
}

/// A new epoll instance.
///
/// # Errors
///
/// When no descriptor is left.
pub fn epoll() -> Result<OwnedFd, Errno> {
    rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)
}

/// epoll_ctl(2) with any operation, any descriptor number and any flags; an event carries the number.
pub fn epoll_ctl(set: RawFd, operation: libc::c_int, fd: RawFd, flags: libc::c_int) -> Result<(), Errno> {
    let mut event = libc::epoll_event { events: flags as u32, u64: fd as u64 };
    #[allow(unsafe_code)]
    // SAFETY: the event outlives the call; numbers that name no descriptor are answered by an error.
    result(unsafe { libc::epoll_ctl(set, operation, fd, ptr::from_mut(&mut event)) }).map(|_| ())
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
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
    #[allow(unsafe_code)]
    // SAFETY: the array is as long as is said.
    let returned =
        unsafe { libc::epoll_wait(set, events.as_mut_ptr(), events.len() as libc::c_int, timeout_ms) };
    let count = result(returned)?;
    Ok(events[..count].iter().map(|event| (event.u64, event.events as libc::c_int)).collect())
}

/// What the set reports of all its members without waiting, as one mask.
pub fn epoll_look(set: &OwnedFd) -> Result<libc::c_int, Errno> {
    let events = epoll_wait(set.as_raw_fd(), 0)?;
    Ok(events.iter().fold(0, |mask, (_, flags)| mask | flags))
}

/// signalfd(2), non-blocking.
///
/// # Errors
///
/// When the kernel has none to give.
pub fn signalfd(mask: &libc::sigset_t) -> Result<OwnedFd, Errno> {
    #[allow(unsafe_code)]
    // SAFETY: the mask outlives the call.
    let fd =
        result(unsafe { libc::signalfd(-1, ptr::from_ref(mask), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) })?;
    #[allow(unsafe_code)]
    // SAFETY: the kernel just made it, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Sends `signal` to the thread `thread` of this process.
pub fn interrupt(thread: libc::pid_t, signal: libc::c_int) -> Result<(), Errno> {
    #[allow(unsafe_code)]
    // SAFETY: tgkill(2) touches no memory.
    let returned = unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) };
    result(returned as libc::c_int).map(|_| ())
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

/// Bytes that can be read from `fd`.
///
/// Of a TCP socket this takes its lock (net/ipv4/tcp.c, `tcp_ioctl`), so that no segment is still being
/// worked on when it returns.
pub fn readable_bytes(fd: RawFd) -> Result<usize, Errno> {
    integer_of(fd, libc::FIONREAD)
}

/// Bytes that a TCP socket has sent, and that were not acknowledged: those of SIOCOUTQ without those of
/// SIOCOUTQNSD, which wait to be sent (tcp(7); net/ipv4/tcp.c, `tcp_ioctl`).
pub fn under_way_bytes(fd: RawFd) -> Result<usize, Errno> {
    const SIOCOUTQNSD: libc::Ioctl = 0x894B;
    // Read in this order, a byte sent in between counts as under way, and not the other way round.
    let unsent = integer_of(fd, SIOCOUTQNSD)?;
    Ok(integer_of(fd, libc::TIOCOUTQ)?.saturating_sub(unsent))
}

fn integer_of(fd: RawFd, request: libc::Ioctl) -> Result<usize, Errno> {
    let mut answer: libc::c_int = 0;
    #[allow(unsafe_code)]
    // SAFETY: both requests write one int.
    let returned = unsafe { libc::ioctl(fd, request, ptr::from_mut(&mut answer)) };
    result(returned).map(|_| answer.max(0) as usize)
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
