//! Objects that are there to be watched: a signal that is blocked, a child process that waits, a userfaultfd.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::by_number::result;

/// A signal, blocked in the thread that made this. Dropping it there takes what still waits and restores the mask.
pub struct Blocked {
    signals: libc::sigset_t,
    before: libc::sigset_t,
}

impl Blocked {
    /// Blocks `signal`.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn new(signal: libc::c_int) -> io::Result<Self> {
        let mut signals = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        #[allow(unsafe_code)]
        // SAFETY: sigemptyset(3) initialises the first set, pthread_sigmask(3) the second.
        unsafe {
            libc::sigemptyset(signals.as_mut_ptr());
            libc::sigaddset(signals.as_mut_ptr(), signal);
            match libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), before.as_mut_ptr()) {
                0 => Ok(Self { signals: signals.assume_init(), before: before.assume_init() }),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    /// A descriptor of what waits: signalfd(2), non-blocking.
    ///
    /// # Errors
    ///
    /// When the kernel has none to give.
    pub fn signalfd(&self) -> Result<OwnedFd, Errno> {
        #[allow(unsafe_code)]
        // SAFETY: the mask outlives the call; what that returns is new, and nobody else's.
        unsafe {
            let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
            let fd = result(libc::signalfd(-1, &raw const self.signals, flags))?;
            Ok(OwnedFd::from_raw_fd(fd as RawFd))
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        #[allow(unsafe_code)]
        // SAFETY: both sets are initialised, and a null siginfo is not written to.
        unsafe {
            while libc::sigtimedwait(&raw const self.signals, ptr::null_mut(), &raw const now) > 0 {}
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
        }
    }
}

/// Sends `signal` to the thread `thread` of this process.
///
/// # Errors
///
/// When it has none of that number.
pub fn interrupt(thread: libc::pid_t, signal: libc::c_int) -> Result<(), Errno> {
    #[allow(unsafe_code)]
    // SAFETY: tgkill(2) touches no memory.
    let returned = unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) };
    result(returned as libc::c_int).map(drop)
}

/// A child process that does nothing but wait until it is let go. Dropping it ends and reaps it.
pub struct Child {
    id: Pid,
    /// The only write end of the pipe that the child reads; it ends with this process too.
    reins: Option<OwnedFd>,
    reaped: bool,
}

impl Child {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When the system grants no process, or no pipe.
    pub fn new() -> io::Result<Self> {
        let (reader, reins) = pipe_with(PipeFlags::CLOEXEC)?;
        let [read_end, write_end] = [reader.as_raw_fd(), reins.as_raw_fd()];
        #[allow(unsafe_code)]
        // SAFETY: until it ends, the child calls only functions that are safe after fork(2) in a process with
        // threads (signal-safety(7)), on memory of its own.
        let id = unsafe {
            let id = libc::fork();
            if id == 0 {
                libc::close(write_end);
                let mut byte = 0_u8;
                libc::read(read_end, ptr::from_mut(&mut byte).cast(), 1);
                libc::_exit(0);
            }
            id
        };
        let id = Pid::from_raw(id).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { id, reins: Some(reins), reaped: false })
    }

    /// The number of its process.
    pub fn id(&self) -> Pid {
        self.id
    }

    /// Lets it end.
    pub fn let_go(&mut self) {
        self.reins = None;
    }

    /// Lets it end, and waits for it.
    ///
    /// # Errors
    ///
    /// When somebody else has waited for it.
    pub fn reap(&mut self) -> io::Result<()> {
        self.let_go();
        while !self.reaped {
            match waitpid(Some(self.id), WaitOptions::empty()) {
                Ok(_) => self.reaped = true,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // There is nobody to tell, and the child has nothing left to wait for.
        let _ = self.reap();
    }
}

/// A userfaultfd for faults in user mode after its handshake; it needs no privilege since Linux 5.11.
///
/// # Errors
///
/// When the kernel has none to give.
pub fn userfaultfd() -> io::Result<OwnedFd> {
    use rustix::mm::UserfaultfdFlags as Flags;
    /// UFFDIO_API: the version of the interface (linux/userfaultfd.h).
    const UFFD_API: u64 = 0xAA;
    const USER_MODE_ONLY: Flags = Flags::from_bits_retain(1);
    let flags = Flags::CLOEXEC | Flags::NONBLOCK | USER_MODE_ONLY;
    #[allow(unsafe_code)]
    // SAFETY: no memory is registered with it, which takes another call, so it changes no page fault of this process.
    let fd = unsafe { rustix::mm::userfaultfd(flags)? };
    let mut handshake = [UFFD_API, 0, 0];
    let request = rustix::ioctl::opcode::read_write::<[u64; 3]>(0xAA, 0x3F);
    #[allow(unsafe_code)]
    // SAFETY: UFFDIO_API reads and writes a `struct uffdio_api`, three 64-bit numbers.
    let returned = unsafe { libc::ioctl(fd.as_raw_fd(), request as _, handshake.as_mut_ptr()) };
    result(returned)?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_number::poll;

    fn is_readable(fd: &OwnedFd) -> bool {
        let mut fds = [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        poll(&mut fds, 0) == Ok(1)
    }

    #[test]
    fn a_blocked_signal_waits_and_is_gone_with_what_blocks_it() {
        // One that ends the process where it is neither blocked nor handled.
        let signal = libc::SIGRTMIN() + 7;
        let blocked = Blocked::new(signal).expect("blocked");
        let waiting = blocked.signalfd().expect("a descriptor");
        assert!(!is_readable(&waiting));
        interrupt(rustix::thread::gettid().as_raw_nonzero().get(), signal).expect("sent");
        assert!(is_readable(&waiting));
        drop(blocked);
        assert!(!is_readable(&waiting));
    }

    #[test]
    fn a_child_waits_until_it_is_let_go_and_leaves_nothing() {
        let child = Child::new().expect("a child");
        let id = child.id();
        assert!(waitpid(Some(id), WaitOptions::NOHANG).expect("a child").is_none());
        drop(child);
        assert_eq!(waitpid(Some(id), WaitOptions::NOHANG).err(), Some(Errno::CHILD));
    }
}
