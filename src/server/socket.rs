//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// Opens `count` listening sockets on `address`, one a loop: with SO_REUSEPORT where there are several.
///
/// # Errors
///
/// When the address cannot be listened on.
pub fn listen(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    if count > 1 {
        // Another server of the same user that set SO_REUSEPORT would silently share the address;
        // without the option its presence is an error.
        drop(bind(address, false)?);
    }
    let backlog = backlog();
    let mut sockets = Vec::with_capacity(count);
    let mut bound = address;
    for _ in 0..count {
        let socket = bind(bound, count > 1)?;
        rustix::net::listen(&socket, backlog)?;
        bound = rustix::net::getsockname(&socket)?.try_into().map_err(io::Error::from)?;
        sockets.push(socket);
    }
    Ok((bound, sockets))
}

/// Opens a listening socket for each of `loops`, which take `addresses` in turn, and returns the addresses with their real
/// ports, and the sockets in the order of the loops.
///
/// # Errors
///
/// The first address that cannot be listened on.
pub(super) fn listen_in_turn(
    addresses: &[SocketAddr],
    loops: usize,
) -> Result<(Vec<SocketAddr>, Vec<OwnedFd>), (SocketAddr, io::Error)> {
    let (mut bound, mut queues) = (Vec::new(), Vec::new());
    for (number, &address) in addresses.iter().enumerate() {
        let count = (number..loops).step_by(addresses.len()).count();
        let (address, sockets) = listen(address, count).map_err(|error| (address, error))?;
        bound.push(address);
        queues.push(sockets.into_iter());
    }
    let sockets = (0..loops).filter_map(|index| queues[index % addresses.len()].next()).collect();
    Ok((bound, sockets))
}

/// A socket bound to `address`, non-blocking and close-on-exec.
fn bind(address: SocketAddr, reuse_port: bool) -> rustix::io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Connections of an earlier server that linger in TIME_WAIT do not keep a new one from listening.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if reuse_port {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

/// The longest queue of connections that listen(2) grants; it cuts a longer wish down silently.
fn backlog() -> i32 {
    const SINCE_LINUX_5_4: i32 = 4096;
    std::fs::read_to_string("/proc/sys/net/core/somaxconn")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(SINCE_LINUX_5_4)
}
