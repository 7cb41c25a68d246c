//! The ways to watch one descriptor, each small enough to read at a glance: what it takes to be told of
//! everything that can be told, and a wait that does not wait.

mod epoll;
#[cfg(feature = "io-uring")]
mod io_uring;
mod poll;
mod select;

use std::os::fd::RawFd;

use model::schema::{Answer, Event};
use rustix::io::Errno;

use super::system::errno_name;

/// One descriptor, being watched.
pub trait Watcher {
    /// Reports what there is, without waiting.
    fn wait(&mut self) -> Answer;

    /// Arms the watch again, where the mechanism keeps one.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    fn arm_again(&mut self) -> Result<(), Errno> {
        Ok(())
    }
}

/// A mechanism as this module uses it.
pub struct Mechanism {
    /// Its name, as everywhere in muxbench; `io-uring-once` is the single-shot form of `io-uring-poll`.
    pub name: &'static str,
    /// The calls that it makes, and their flags.
    pub about: &'static str,
    /// Begins to watch a descriptor. Its refusal is what the first wait answers; an error is a lack of
    /// descriptors or memory.
    pub watch: fn(RawFd) -> Result<Box<dyn Watcher>, Errno>,
    /// Returns the reason that it is not available; `None` if it is.
    pub unavailable: fn() -> Option<String>,
}

/// All of them, in the order of columns.
pub static MECHANISMS: [Mechanism; 7] = [
    Mechanism {
        name: "select",
        about: "select(2), the descriptor in all three sets",
        watch: |fd| Ok(Box::new(select::Select(fd))),
        unavailable: || None,
    },
    Mechanism {
        name: "poll",
        about: "poll(2) for POLLIN, POLLPRI, POLLOUT and POLLRDHUP",
        watch: |fd| Ok(Box::new(poll::Poll(fd))),
        unavailable: || None,
    },
    Mechanism {
        name: "epoll-lt",
        about: "epoll for EPOLLIN, EPOLLPRI, EPOLLOUT and EPOLLRDHUP; armed again: EPOLL_CTL_MOD",
        watch: |fd| Ok(Box::new(epoll::Epoll::new(fd, 0)?)),
        unavailable: || None,
    },
    Mechanism {
        name: "epoll-et",
        about: "the same with EPOLLET",
        watch: |fd| Ok(Box::new(epoll::Epoll::new(fd, libc::EPOLLET)?)),
        unavailable: || None,
    },
    Mechanism {
        name: "epoll-oneshot",
        about: "the same with EPOLLONESHOT, armed again in that phase only",
        watch: |fd| Ok(Box::new(epoll::Epoll::new(fd, libc::EPOLLONESHOT)?)),
        unavailable: || None,
    },
    Mechanism {
        name: "io-uring-poll",
        about: "io_uring IORING_OP_POLL_ADD, multishot, for the events of poll; armed again: removed and added",
        watch: multishot,
        unavailable: no_ring,
    },
    Mechanism {
        name: "io-uring-once",
        about: "io_uring IORING_OP_POLL_ADD, single-shot; armed again: submitted anew, in that phase only",
        watch: single_shot,
        unavailable: no_ring,
    },
];

#[cfg(feature = "io-uring")]
fn multishot(fd: RawFd) -> Result<Box<dyn Watcher>, Errno> {
    Ok(Box::new(io_uring::Ring::new(fd, true)?))
}

#[cfg(feature = "io-uring")]
fn single_shot(fd: RawFd) -> Result<Box<dyn Watcher>, Errno> {
    Ok(Box::new(io_uring::Ring::new(fd, false)?))
}

#[cfg(feature = "io-uring")]
fn no_ring() -> Option<String> {
    io_uring::refusal()
}

#[cfg(not(feature = "io-uring"))]
fn multishot(_: RawFd) -> Result<Box<dyn Watcher>, Errno> {
    Ok(Box::new(Absent))
}

#[cfg(not(feature = "io-uring"))]
fn single_shot(_: RawFd) -> Result<Box<dyn Watcher>, Errno> {
    Ok(Box::new(Absent))
}

#[cfg(not(feature = "io-uring"))]
fn no_ring() -> Option<String> {
    Some("this build has no io_uring: build it with --features io-uring-poll".to_owned())
}

/// A mechanism that cannot be had.
#[cfg(not(feature = "io-uring"))]
struct Absent;

#[cfg(not(feature = "io-uring"))]
impl Watcher for Absent {
    fn wait(&mut self) -> Answer {
        Answer::Unavailable
    }
}

/// Everything that can be asked for. POLLHUP, POLLERR and POLLNVAL come unasked.
const EVERYTHING: libc::c_short = libc::POLLIN | libc::POLLPRI | libc::POLLOUT | libc::POLLRDHUP;

/// Each event with its bit in poll(2) and in epoll(7).
const BITS: [(Event, libc::c_short, libc::c_int); 11] = [
    (Event::In, libc::POLLIN, libc::EPOLLIN),
    (Event::Pri, libc::POLLPRI, libc::EPOLLPRI),
    (Event::Out, libc::POLLOUT, libc::EPOLLOUT),
    (Event::RdNorm, libc::POLLRDNORM, libc::EPOLLRDNORM),
    (Event::RdBand, libc::POLLRDBAND, libc::EPOLLRDBAND),
    (Event::WrNorm, libc::POLLWRNORM, libc::EPOLLWRNORM),
    (Event::WrBand, libc::POLLWRBAND, libc::EPOLLWRBAND),
    (Event::RdHup, libc::POLLRDHUP, libc::EPOLLRDHUP),
    (Event::Hup, libc::POLLHUP, libc::EPOLLHUP),
    (Event::Err, libc::POLLERR, libc::EPOLLERR),
    (Event::Nval, libc::POLLNVAL, 0),
];

/// The events in a mask of poll(2).
pub fn of_poll(mask: libc::c_short) -> Answer {
    let events = BITS.into_iter().filter(|(_, bit, _)| mask & bit != 0).map(|(event, ..)| event);
    Answer::Events { events: events.collect() }
}

/// The events in a mask of epoll(7).
pub fn of_epoll(mask: libc::c_int) -> Answer {
    let events = BITS.into_iter().filter(|(.., bit)| mask & bit != 0).map(|(event, ..)| event);
    Answer::Events { events: events.collect() }
}

/// A refusal as an answer.
pub fn refused(errno: Errno) -> Answer {
    Answer::Error { errno: errno_name(errno) }
}
