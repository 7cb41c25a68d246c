//! Signals and processes as descriptors.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use super::{Action, Scene, Situation, UNEVENTFUL, read_all, read_up_to};
use crate::semantics::system::{interrupt, signalfd};

pub static SITUATIONS: [Situation; 2] = [
    Situation {
        name: "signalfd",
        about: "a signalfd, two signals waiting",
        set_up: || {
            let blocked = Blocked::new()?;
            let mut scene = Scene::new(signalfd(&blocked.signals)?, Vec::new()).keeping(blocked);
            raise(&mut scene)?;
            raise(&mut scene)?;
            Ok(scene)
        },
        partial: Action::silent("the first of the two is read", |scene| {
            read_up_to(scene.own()?, size_of::<libc::signalfd_siginfo>()).map(|_| ())
        }),
        more: Action::waking("a third one is sent", raise),
        drain: Action::silent("all are read", |scene| read_all(scene.own()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "pidfd",
        about: "a pidfd of a child process that runs",
        set_up: || {
            let child = Child::new()?;
            let pidfd = pidfd_open(child.id, PidfdFlags::empty())?;
            Ok(Scene::new(pidfd, Vec::new()).keeping(child))
        },
        more: Action::waking("the child ends", |scene| {
            child_of(scene)?.reins = None;
            Ok(())
        }),
        drain: Action::silent("the child is waited for", |scene| child_of(scene)?.reap()),
        ..UNEVENTFUL
    },
];

/// A real-time signal, of which several wait in line (signal(7)).
fn signal() -> libc::c_int {
    libc::SIGRTMIN() + 7
}

/// The signal, blocked in this thread. Dropping it takes what still waits and restores the mask.
struct Blocked {
    signals: libc::sigset_t,
    before: libc::sigset_t,
}

impl Blocked {
    fn new() -> io::Result<Self> {
        let mut signals = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        #[allow(unsafe_code)]
        // SAFETY: sigemptyset(3) initialises the first set, pthread_sigmask(3) the second.
        unsafe {
            libc::sigemptyset(signals.as_mut_ptr());
            libc::sigaddset(signals.as_mut_ptr(), signal());
            match libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), before.as_mut_ptr()) {
                0 => Ok(Self { signals: signals.assume_init(), before: before.assume_init() }),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
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

/// Sends the signal to this thread, which has it blocked.
fn raise(_: &mut Scene) -> io::Result<()> {
    Ok(interrupt(rustix::thread::gettid().as_raw_nonzero().get(), signal())?)
}

/// A child process that does nothing but wait until its reins are let go. Dropping it ends and reaps it.
struct Child {
    id: Pid,
    /// The only write end of the pipe that the child reads; it ends with this process too.
    reins: Option<OwnedFd>,
    reaped: bool,
}

impl Child {
    fn new() -> io::Result<Self> {
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

    fn reap(&mut self) -> io::Result<()> {
        self.reins = None;
        while !self.reaped {
            match waitpid(Some(self.id), WaitOptions::empty()) {
                Ok(_) => self.reaped = true,
                Err(rustix::io::Errno::INTR) => {}
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

fn child_of(scene: &mut Scene) -> io::Result<&mut Child> {
    let keep = scene.keep.as_mut().and_then(|keep| keep.downcast_mut::<Child>());
    keep.ok_or_else(|| io::ErrorKind::NotFound.into())
}
