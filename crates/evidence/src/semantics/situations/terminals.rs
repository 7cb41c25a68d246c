//! A terminal: the slave of a pseudo-terminal, its master being the keyboard and the screen.

use std::io;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Action, Scene, Situation, UNEVENTFUL, read_all, read_up_to, write};
use crate::semantics::system::await_events;

pub static SITUATIONS: [Situation; 2] = [
    Situation {
        name: "tty",
        about: "a terminal, a line of 4 characters typed",
        set_up: || {
            let scene = terminal()?;
            write(scene.other()?, b"abc\n")?;
            // A kernel worker carries what is typed to the line discipline.
            await_events(scene.fd, libc::POLLIN)?;
            Ok(scene)
        },
        partial: Action::silent("1 character of it is read", |scene| read_up_to(scene.own()?, 1).map(|_| ())),
        more: Action::waking("another line is typed", |scene| write(scene.other()?, b"def\n")),
        drain: Action::silent("both are read", |scene| read_all(scene.own()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "tty-hung-up",
        about: "a terminal whose other side, the master of the pseudo-terminal, was closed",
        set_up: || {
            let mut scene = terminal()?;
            scene.others.clear();
            await_events(scene.fd, 0)?;
            Ok(scene)
        },
        drain: Action::silent("it is read, to the end of the stream", |scene| read_all(scene.own()?)),
        ..UNEVENTFUL
    },
];

/// A terminal in its default mode, a line at a time; it becomes nobody's controlling terminal.
fn terminal() -> io::Result<Scene> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let slave = openat(CWD, ptsname(&master, Vec::new())?, flags, Mode::empty())?;
    Ok(Scene::new(slave, vec![master]))
}
