//! Descriptors that are closed, before or while they are watched.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::tcp::readable;
use super::{Action, Scene, Situation, UNEVENTFUL};
use crate::semantics::system::remote_number;

pub static SITUATIONS: [Situation; 3] = [
    Situation {
        name: "closed-descriptor",
        about: "a descriptor that was closed before it was watched",
        set_up: || {
            let mut scene = out_of_the_way(readable()?)?;
            close(&mut scene)?;
            Ok(scene)
        },
        ..UNEVENTFUL
    },
    Situation {
        name: "closed-while-watched",
        about: "a readable TCP socket that is closed while it is watched",
        set_up: || out_of_the_way(readable()?),
        once_watched: Action::silent("the only descriptor of it is closed", close),
        ..UNEVENTFUL
    },
    Situation {
        name: "closed-but-duplicated",
        about: "a readable TCP socket whose watched descriptor is closed while a duplicate stays open",
        set_up: || {
            let mut scene = out_of_the_way(readable()?)?;
            let duplicate = scene.own()?.try_clone()?;
            scene.others.push(duplicate);
            Ok(scene)
        },
        once_watched: Action::silent("the watched descriptor is closed, its duplicate is not", close),
        ..UNEVENTFUL
    },
];

/// Moves the watched end to a number that nothing else takes after it is closed.
fn out_of_the_way(mut scene: Scene) -> io::Result<Scene> {
    let moved: OwnedFd = rustix::io::fcntl_dupfd_cloexec(scene.own()?, remote_number(256)?)?;
    scene.fd = moved.as_raw_fd();
    scene.own = Some(moved);
    Ok(scene)
}

fn close(scene: &mut Scene) -> io::Result<()> {
    scene.own = None;
    Ok(())
}
