//! Signals and processes as descriptors.

use std::io;

use rustix::process::{PidfdFlags, pidfd_open};
use sys::objects::{Blocked, Child, interrupt};

use super::{Action, Scene, Situation, UNEVENTFUL, read_all, read_up_to};

pub static SITUATIONS: [Situation; 2] = [
    Situation {
        name: "signalfd",
        about: "a signalfd, two signals waiting",
        set_up: || {
            let blocked = Blocked::new(signal())?;
            let mut scene = Scene::new(blocked.signalfd()?, Vec::new()).keeping(blocked);
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
            let pidfd = pidfd_open(child.id(), PidfdFlags::empty())?;
            Ok(Scene::new(pidfd, Vec::new()).keeping(child))
        },
        more: Action::waking("the child ends", |scene| {
            child_of(scene)?.let_go();
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

/// Sends the signal to this thread, which has it blocked.
fn raise(_: &mut Scene) -> io::Result<()> {
    Ok(interrupt(rustix::thread::gettid().as_raw_nonzero().get(), signal())?)
}

fn child_of(scene: &mut Scene) -> io::Result<&mut Child> {
    let keep = scene.keep.as_mut().and_then(|keep| keep.downcast_mut::<Child>());
    keep.ok_or_else(|| io::ErrorKind::NotFound.into())
}
