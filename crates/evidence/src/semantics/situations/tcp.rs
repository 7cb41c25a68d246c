//! A TCP connection over loopback with both ends alive, and sockets that are not connected yet.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use sys::by_number::{readable_bytes, under_way_bytes};

use super::{
    Action, PEER_READS_ONE, READ_ALL, READ_ONE, Scene, Situation, UNEVENTFUL, read_all, read_exactly,
    read_up_to, write,
};
use crate::semantics::system::{PATIENCE_MS, await_events, poll_one};

pub static SITUATIONS: [Situation; 8] = [
    Situation {
        name: "readable",
        about: "TCP socket, 4 bytes arrived",
        set_up: readable,
        partial: READ_ONE,
        more: Action::waking("the peer sends 4 bytes more", send_four),
        drain: READ_ALL,
        ..UNEVENTFUL
    },
    Situation {
        name: "drained",
        about: "TCP socket, 4 bytes arrived and were read before it was watched",
        set_up: || {
            let scene = readable()?;
            read_all(scene.own()?)?;
            Ok(scene)
        },
        more: Action::waking("the peer sends 4 bytes", send_four),
        drain: READ_ALL,
        ..UNEVENTFUL
    },
    Situation {
        name: "sent",
        about: "TCP socket, 4 bytes sent that the peer has not read; there is room for much more",
        set_up: || {
            let scene = connected()?;
            write(scene.own()?, b"sent")?;
            await_arrival(scene.other()?, 4)?;
            await_settled(scene.own()?, scene.other()?)?;
            Ok(scene)
        },
        partial: PEER_READS_ONE,
        drain: Action::silent("the peer reads the rest", |scene| read_all(scene.other()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "full",
        about: "TCP socket, written until send(2) would block; the peer has not read",
        set_up: || {
            let mut scene = connected()?;
            small_send_buffer(scene.own()?)?;
            scene.pending = fill(scene.own()?, scene.other()?)?;
            Ok(scene)
        },
        partial: Action::silent("the peer reads 1 byte", |scene| {
            scene.pending -= read_up_to(scene.other()?, 1)?;
            Ok(())
        }),
        drain: Action::waking("the peer reads all of it", |scene| {
            read_exactly(scene.other()?, scene.pending)
        }),
        ..UNEVENTFUL
    },
    Situation {
        name: "urgent",
        about: "TCP socket, 4 bytes arrived and a byte of urgent (out-of-band) data behind them",
        set_up: || {
            let scene = readable()?;
            rustix::net::send(scene.other()?, b"!", SendFlags::OOB)?;
            await_events(scene.fd, libc::POLLPRI)?;
            Ok(scene)
        },
        partial: Action::silent("1 ordinary byte is read", read_one),
        more: Action::waking("the peer sends 4 ordinary bytes more", send_four),
        drain: Action::silent("the urgent byte is read, with MSG_OOB, then all others", |scene| {
            rustix::net::recv(scene.own()?, &mut [0; 1], RecvFlags::OOB)?;
            read_all(scene.own()?)
        }),
        ..UNEVENTFUL
    },
    Situation {
        name: "listening",
        about: "TCP listener, two connections waiting to be accepted",
        set_up: || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            let mut scene = Scene::new(listener.into(), Vec::new()).keeping(address);
            connect_another(&mut scene)?;
            connect_another(&mut scene)?;
            await_events(scene.fd, libc::POLLIN)?;
            Ok(scene)
        },
        partial: Action::silent("one is accepted", |scene| {
            rustix::net::accept(scene.own()?)?;
            Ok(())
        }),
        more: Action::waking("a third one connects", connect_another),
        drain: Action::silent("all are accepted", |scene| {
            while rustix::net::accept(scene.own()?).is_ok() {}
            Ok(())
        }),
        ..UNEVENTFUL
    },
    Situation {
        name: "fresh",
        about: "TCP socket as socket(2) makes it, neither connected nor listening",
        set_up: || Ok(Scene::new(socket()?, Vec::new())),
        ..UNEVENTFUL
    },
    Situation {
        name: "refused",
        about: "TCP socket, a non-blocking connect(2) to a port where nobody listens was refused",
        set_up: || {
            // Bound and not listening, the port is nobody else's meanwhile.
            let deaf = socket()?;
            rustix::net::bind(&deaf, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
            let address: SocketAddr = rustix::net::getsockname(&deaf)?.try_into().map_err(io::Error::from)?;
            let own = socket()?;
            match rustix::net::connect(&own, &address) {
                Err(Errno::INPROGRESS) => {}
                Err(errno) => return Err(errno.into()),
                Ok(()) => return Err(io::Error::other("a connection to a port where nobody listens")),
            }
            await_events(own.as_raw_fd(), 0)?;
            Ok(Scene::new(own, vec![deaf]))
        },
        drain: Action::silent("the error is taken, with SO_ERROR", |scene| {
            let _: Result<(), Errno> = sockopt::socket_error(scene.own()?)?;
            Ok(())
        }),
        ..UNEVENTFUL
    },
];

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

/// Both ends of a connection over loopback, non-blocking, without delays.
///
/// # Errors
///
/// When there is no loopback interface, or no descriptor left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let peer = TcpStream::connect(listener.local_addr()?)?;
    let own = loop {
        let (own, address) = listener.accept()?;
        // Anybody may connect to a loopback port.
        if address == peer.local_addr()? {
            break own;
        }
    };
    for end in [&own, &peer] {
        end.set_nonblocking(true)?;
        end.set_nodelay(true)?;
    }
    Ok((own.into(), peer.into()))
}

/// A connection: the watched end, and its peer.
pub(super) fn connected() -> io::Result<Scene> {
    let (own, peer) = pair()?;
    Ok(Scene::new(own, vec![peer]))
}

/// A connection on which 4 bytes have arrived.
pub(super) fn readable() -> io::Result<Scene> {
    let scene = connected()?;
    write(scene.other()?, b"data")?;
    await_arrival(scene.own()?, 4)?;
    Ok(scene)
}

fn read_one(scene: &mut Scene) -> io::Result<()> {
    read_up_to(scene.own()?, 1).map(|_| ())
}

fn send_four(scene: &mut Scene) -> io::Result<()> {
    write(scene.other()?, b"more")
}

fn connect_another(scene: &mut Scene) -> io::Result<()> {
    let address = scene.keep.as_ref().and_then(|keep| keep.downcast_ref::<SocketAddr>());
    let address = address.ok_or(io::ErrorKind::NotConnected)?;
    let another = TcpStream::connect(address)?;
    scene.others.push(another.into());
    Ok(())
}

/// Waits until `count` bytes can be read.
fn await_arrival(fd: &OwnedFd, count: usize) -> io::Result<()> {
    await_condition(|| Ok(readable_bytes(fd.as_raw_fd())? >= count))
}

/// Waits until nothing is under way from `from` to `to`: what was sent is acknowledged, and what else there
/// is has to stay where it is, since the peer's window is full.
///
/// # Errors
///
/// When the connection does not come to rest.
pub fn await_settled(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    await_condition(|| Ok(is_settled(from, to)?))
}

fn is_settled(from: &OwnedFd, to: &OwnedFd) -> Result<bool, Errno> {
    // Sends an acknowledgement that the receiver holds back (tcp(7)); it soon holds them back again.
    sockopt::set_tcp_quickack(to, true)?;
    let under_way = under_way_bytes(from.as_raw_fd())?;
    // Taking the locks waits for the segment that either end may be working on.
    readable_bytes(to.as_raw_fd())?;
    readable_bytes(from.as_raw_fd())?;
    Ok(under_way == 0)
}

/// Waits for what no event announces.
fn await_condition(mut holds: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS as u64);
    while !holds()? {
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "what was expected never came"));
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// Gives a socket a send buffer of a few pages, so that it is soon full.
///
/// The receive buffer of the peer stays as it is: made smaller than the window it has announced, it would
/// drop what comes, and the sender would send that again for ever.
///
/// # Errors
///
/// When the socket is none.
pub fn small_send_buffer(own: &OwnedFd) -> io::Result<()> {
    Ok(sockopt::set_socket_send_buffer_size(own, 16 * 1024)?)
}

/// Writes to `own` until nothing goes in any more, and returns how many bytes that took.
///
/// Bytes move on to the peer while its window is open, and each acknowledgement makes room again: full is
/// full when nothing is under way, and still nothing goes in.
///
/// # Errors
///
/// When the connection fails.
pub fn fill(own: &OwnedFd, peer: &OwnedFd) -> io::Result<usize> {
    let block = [0; 4096];
    let mut written = 0;
    await_condition(|| {
        loop {
            match rustix::io::write(own, &block) {
                Ok(count) => written += count,
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(is_settled(own, peer)? && poll_one(own.as_raw_fd(), libc::POLLOUT)? & libc::POLLOUT == 0)
    })?;
    Ok(written)
}
