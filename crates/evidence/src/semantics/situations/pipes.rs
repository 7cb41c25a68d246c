//! Both ends of pipes, and FIFOs.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, mkfifoat, openat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{
    Action, READ_ALL, READ_ONE, READ_TO_END, Scene, Situation, UNEVENTFUL, read_all, read_up_to, write,
};

const WRITE_FOUR: Option<Action> =
    Action::waking("4 bytes more are written", |scene| write(scene.other()?, b"more"));

pub static SITUATIONS: [Situation; 6] = [
    Situation {
        name: "pipe-readable",
        about: "the read end of a pipe, 4 bytes written",
        set_up: readable,
        partial: READ_ONE,
        more: WRITE_FOUR,
        drain: READ_ALL,
        ..UNEVENTFUL
    },
    Situation {
        name: "pipe-full",
        about: "the write end of a pipe, written until write(2) would block",
        set_up: || {
            let (reader, writer) = pipe()?;
            write_until_full(&writer)?;
            Ok(Scene::new(writer, vec![reader]))
        },
        partial: Action::silent("the reader reads 1 byte", |scene| read_up_to(scene.other()?, 1).map(|_| ())),
        drain: Action::waking("the reader reads all of it", |scene| read_all(scene.other()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "pipe-writer-gone",
        about: "the read end of a pipe, 4 bytes written and then the write end closed",
        set_up: || {
            let mut scene = readable()?;
            scene.others.clear();
            Ok(scene)
        },
        partial: READ_ONE,
        drain: READ_TO_END,
        ..UNEVENTFUL
    },
    Situation {
        name: "pipe-reader-gone",
        about: "the write end of a pipe whose read end is closed",
        set_up: || {
            let (_, writer) = pipe()?;
            Ok(Scene::new(writer, Vec::new()))
        },
        ..UNEVENTFUL
    },
    Situation {
        name: "fifo",
        about: "the read end of a FIFO, 4 bytes written",
        set_up: || {
            let mut scene = fifo()?;
            open_writer(&mut scene)?;
            write(scene.other()?, b"data")?;
            Ok(scene)
        },
        partial: READ_ONE,
        more: WRITE_FOUR,
        drain: READ_ALL,
        ..UNEVENTFUL
    },
    Situation {
        name: "fifo-no-writer",
        about: "the read end of a FIFO that nobody has opened for writing yet",
        set_up: fifo,
        more: Action::waking("somebody opens it and writes 4 bytes", |scene| {
            open_writer(scene)?;
            write(scene.other()?, b"more")
        }),
        drain: Action::waking("all is read, and the writer closes", |scene| {
            read_all(scene.own()?)?;
            scene.others.clear();
            Ok(())
        }),
        ..UNEVENTFUL
    },
];

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?)
}

fn readable() -> io::Result<Scene> {
    let (reader, writer) = pipe()?;
    write(&writer, b"data")?;
    Ok(Scene::new(reader, vec![writer]))
}

/// Writes until it would block.
pub(super) fn write_until_full(fd: &OwnedFd) -> io::Result<()> {
    loop {
        match rustix::io::write(fd, &[0; 4096]) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The read end of a FIFO in a folder of its own.
fn fifo() -> io::Result<Scene> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(Scene::new(openat(CWD, &path, flags, Mode::empty())?, Vec::new()).keeping(folder))
}

fn open_writer(scene: &mut Scene) -> io::Result<()> {
    let folder = scene.keep.as_ref().and_then(|keep| keep.downcast_ref::<tempfile::TempDir>());
    let path = folder.ok_or(io::ErrorKind::NotFound)?.path().join("fifo");
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    scene.others.push(openat(CWD, path, flags, Mode::empty())?);
    Ok(())
}
