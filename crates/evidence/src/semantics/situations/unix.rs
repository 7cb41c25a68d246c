//! Unix stream sockets, where they differ from TCP.

use std::io;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{Action, PEER_READS_ONE, READ_ONE, READ_TO_END, Scene, Situation, UNEVENTFUL, read_all, write};

pub static SITUATIONS: [Situation; 3] = [
    Situation {
        name: "unix-sent",
        about: "Unix stream socket, 4 bytes sent that the peer has not read; there is room for much more",
        set_up: || {
            let scene = connected()?;
            write(scene.own()?, b"sent")?;
            Ok(scene)
        },
        partial: PEER_READS_ONE,
        drain: Action::waking("the peer reads the rest", |scene| read_all(scene.other()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "unix-full",
        about: "Unix stream socket, written until send(2) would block; the peer has not read",
        set_up: || {
            let scene = connected()?;
            super::pipes::write_until_full(scene.own()?)?;
            Ok(scene)
        },
        partial: PEER_READS_ONE,
        drain: Action::waking("the peer reads all of it", |scene| read_all(scene.other()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "unix-peer-closed",
        about: "Unix stream socket, 4 bytes arrived and then the peer closed",
        set_up: || {
            let mut scene = connected()?;
            write(scene.other()?, b"data")?;
            scene.others.clear();
            Ok(scene)
        },
        partial: READ_ONE,
        drain: READ_TO_END,
        ..UNEVENTFUL
    },
];

fn connected() -> io::Result<Scene> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (own, peer) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(Scene::new(own, vec![peer]))
}
