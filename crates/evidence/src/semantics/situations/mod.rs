//! The situations: a descriptor, what has happened to it, and what can happen next.
//!
//! A situation without a meaningful action for a phase has none: nothing can arrive from a peer that is gone,
//! and a part of one expiration cannot be read.

mod descriptors;
mod files;
mod kernel_objects;
mod pipes;
mod processes;
mod tcp;
mod tcp_ends;
mod terminals;
mod unix;

use std::any::Any;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

pub use self::tcp::{await_settled, fill, pair as tcp_pair, small_send_buffer};

/// One situation: how it is brought about, and how it goes on.
pub struct Situation {
    /// Its name on the command line, in JSON and in tables.
    pub name: &'static str,
    /// A description of the descriptor, and of what has happened to it.
    pub about: &'static str,
    /// Brings it about, with real objects.
    pub set_up: fn() -> io::Result<Scene>,
    /// The action once the descriptor is watched, before the first wait.
    pub once_watched: Option<Action>,
    /// Reads a part of what is there.
    pub partial: Option<Action>,
    /// Lets more arrive.
    pub more: Option<Action>,
    /// Reads the rest.
    pub drain: Option<Action>,
}

/// A situation in which nothing can happen next: what most of them are made from.
const UNEVENTFUL: Situation = Situation {
    name: "",
    about: "",
    set_up: || Err(io::ErrorKind::Unsupported.into()),
    once_watched: None,
    partial: None,
    more: None,
    drain: None,
};

/// Something done to the objects of a situation.
pub struct Action {
    /// The action in words, for a reader.
    pub what: &'static str,
    /// True if it wakes the watchers of the descriptor, so that the wake-up can be awaited.
    pub wakes: bool,
    /// Does it.
    pub act: fn(&mut Scene) -> io::Result<()>,
}

impl Action {
    /// An action that wakes the descriptor's watchers.
    const fn waking(what: &'static str, act: fn(&mut Scene) -> io::Result<()>) -> Option<Self> {
        Some(Self { what, wakes: true, act })
    }

    /// An action that happens without a wake-up, or may.
    const fn silent(what: &'static str, act: fn(&mut Scene) -> io::Result<()>) -> Option<Self> {
        Some(Self { what, wakes: false, act })
    }
}

/// Reads 1 byte from the watched end: the first action of a reader in most situations.
const READ_ONE: Option<Action> =
    Action::silent("1 byte of it is read", |scene| read_up_to(scene.own()?, 1).map(|_| ()));

/// Empties the watched end.
const READ_ALL: Option<Action> = Action::silent("all is read", |scene| read_all(scene.own()?));

/// Empties the watched end, behind which there is nothing more to come.
const READ_TO_END: Option<Action> =
    Action::silent("all is read, to the end of the stream", |scene| read_all(scene.own()?));

/// The other end reads a little.
const PEER_READS_ONE: Option<Action> =
    Action::silent("the peer reads 1 byte", |scene| read_up_to(scene.other()?, 1).map(|_| ()));

/// The objects of a situation. Dropping it leaves nothing behind.
pub struct Scene {
    /// The number that is watched, which need not be open.
    pub fd: RawFd,
    /// The watched end, while it is open.
    own: Option<OwnedFd>,
    /// The other ends: the peer of a socket, the writer of a pipe.
    others: Vec<OwnedFd>,
    /// Bytes that one end has written and the other has not read.
    pending: usize,
    /// An object that must outlive the descriptors: a folder, a process, a signal mask.
    keep: Option<Box<dyn Any>>,
}

impl Scene {
    /// A scene that watches `own`.
    fn new(own: OwnedFd, others: Vec<OwnedFd>) -> Self {
        Self { fd: own.as_raw_fd(), own: Some(own), others, pending: 0, keep: None }
    }

    fn keeping(mut self, keep: impl Any) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// The watched end; an error where it is closed.
    fn own(&self) -> io::Result<&OwnedFd> {
        self.own.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The first of the other ends; an error where there is none.
    fn other(&self) -> io::Result<&OwnedFd> {
        self.others.first().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Every situation, in the order of tables.
pub fn all() -> impl Iterator<Item = &'static Situation> {
    let sockets = tcp::SITUATIONS.iter().chain(&tcp_ends::SITUATIONS).chain(&unix::SITUATIONS);
    let others = descriptors::SITUATIONS.iter().chain(&files::SITUATIONS).chain(&pipes::SITUATIONS);
    let objects = terminals::SITUATIONS.iter().chain(&kernel_objects::SITUATIONS);
    sockets.chain(others).chain(objects).chain(&processes::SITUATIONS)
}

/// The situation called `name`.
pub fn find(name: &str) -> Option<&'static Situation> {
    all().find(|situation| situation.name == name)
}

/// Returns whether `error` says that this machine does not offer the object, rather than that something went wrong.
pub fn is_not_offered(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, NotFound, PermissionDenied, Unsupported};
    matches!(error.kind(), AddrNotAvailable | NotFound | PermissionDenied | Unsupported)
        || matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO | libc::EAFNOSUPPORT))
}

/// Reads up to `count` bytes, once.
fn read_up_to(fd: &OwnedFd, count: usize) -> io::Result<usize> {
    Ok(rustix::io::read(fd, &mut vec![0; count])?)
}

/// Reads what is there, to the end of the stream or until a read would block.
fn read_all(fd: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Reads exactly `count` bytes, waiting for those under way.
fn read_exactly(fd: &OwnedFd, count: usize) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    let mut left = count;
    while left > 0 {
        super::system::await_events(fd.as_raw_fd(), libc::POLLIN)?;
        let wanted = left.min(buffer.len());
        match rustix::io::read(fd, &mut buffer[..wanted])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => left -= count,
        }
    }
    Ok(())
}

/// Writes a few bytes that fit.
fn write(fd: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    match rustix::io::write(fd, bytes)? {
        count if count == bytes.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_situation_has_a_name_of_its_own() {
        for situation in all() {
            assert!(std::ptr::eq(find(situation.name).expect("listed"), situation), "{}", situation.name);
        }
    }

    #[test]
    fn a_refusal_by_the_machine_is_no_failure() {
        let error = |errno| io::Error::from_raw_os_error(errno);
        assert!(
            [libc::ENOSYS, libc::EPERM, libc::ENOENT].into_iter().all(|errno| is_not_offered(&error(errno)))
        );
        assert!(
            ![libc::EMFILE, libc::EINVAL, libc::EIO].into_iter().any(|errno| is_not_offered(&error(errno)))
        );
    }
}
