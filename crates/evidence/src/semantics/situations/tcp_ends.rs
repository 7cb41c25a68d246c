//! The ways in which a TCP connection ends.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown, shutdown, sockopt};

use super::tcp::{connected, readable};
use super::{Action, READ_ONE, READ_TO_END, Scene, Situation, UNEVENTFUL};
use crate::semantics::system::await_events;

pub static SITUATIONS: [Situation; 4] = [
    Situation {
        name: "peer-closed",
        about: "TCP socket, 4 bytes arrived and then the peer closed",
        set_up: || {
            let mut scene = readable()?;
            scene.others.clear();
            await_events(scene.fd, libc::POLLRDHUP)?;
            Ok(scene)
        },
        partial: READ_ONE,
        drain: READ_TO_END,
        ..UNEVENTFUL
    },
    Situation {
        name: "peer-shut-down",
        about: "TCP socket, 4 bytes arrived and then the peer shut down writing; it still reads",
        set_up: peer_shut_down,
        partial: READ_ONE,
        drain: READ_TO_END,
        ..UNEVENTFUL
    },
    Situation {
        name: "both-shut-down",
        about: "TCP socket, 4 bytes arrived, then the peer shut down writing and so did this end",
        set_up: || {
            let scene = peer_shut_down()?;
            shutdown(scene.own()?, Shutdown::Write)?;
            await_events(scene.fd, 0)?;
            Ok(scene)
        },
        partial: READ_ONE,
        drain: READ_TO_END,
        ..UNEVENTFUL
    },
    Situation {
        name: "reset",
        about: "TCP socket, the peer closed with a reset (SO_LINGER of zero)",
        set_up: || {
            let mut scene = connected()?;
            sockopt::set_socket_linger(scene.other()?, Some(Duration::ZERO))?;
            scene.others.clear();
            await_events(scene.fd, 0)?;
            Ok(scene)
        },
        drain: Action::silent("the error is taken, by a recv(2) that answers ECONNRESET", |scene| {
            match rustix::net::recv(scene.own()?, &mut [0; 1], RecvFlags::empty()) {
                Err(Errno::CONNRESET) => Ok(()),
                other => Err(io::Error::other(format!("recv(2) after a reset: {other:?}"))),
            }
        }),
        ..UNEVENTFUL
    },
];

fn peer_shut_down() -> io::Result<Scene> {
    let scene = readable()?;
    shutdown(scene.other()?, Shutdown::Write)?;
    await_events(scene.fd, libc::POLLRDHUP)?;
    Ok(scene)
}
