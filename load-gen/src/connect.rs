//! Opening connections, many and fast.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use report::histogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::clock::now_ns;
use crate::fault::{Fault, Faults};

/// Connections from one loopback source address to one target: beyond a few thousand, connect(2) spends
/// its time searching the ephemeral range for a free port (net/ipv4/inet_hashtables.c,
/// `__inet_hash_connect`) and falls from tens of thousands a second to about one thousand.
const CONNECTIONS_A_SOURCE: u32 = 4_000;

/// The address that connection `index` comes from, where the target lets us choose: all of 127.0.0.0/8
/// belongs to this machine without any configuration.
fn source(target: &SocketAddr, index: u32, connections: u32) -> Option<SocketAddr> {
    let on_loopback = matches!(target.ip(), IpAddr::V4(address) if address.is_loopback());
    if !on_loopback || connections <= CONNECTIONS_A_SOURCE {
        return None;
    }
    let sources = connections.div_ceil(CONNECTIONS_A_SOURCE);
    // 127.0.0.1 is left to everybody else on the machine.
    let address = u32::from(Ipv4Addr::LOCALHOST) + 1 + index % sources;
    Some(SocketAddr::from((Ipv4Addr::from(address), 0)))
}

/// Starts and completes connections to one target.
pub struct Connector {
    target: SocketAddr,
    connections: u32,
    timeout: Duration,
    pending: Vec<Pending>,
    /// Connections that could not be opened, by fault.
    pub failed: Faults,
    /// From connect(2) to the established connection.
    pub durations: Histogram,
}

/// A connection on its way.
struct Pending {
    socket: OwnedFd,
    index: u32,
    began_ns: u64,
}

impl Connector {
    /// A connector for a run of `connections` connections to `target`, each of which may take `timeout`.
    pub fn new(target: SocketAddr, connections: u32, timeout: Duration) -> Self {
        Self {
            target,
            connections,
            timeout,
            pending: Vec::new(),
            failed: Faults::default(),
            durations: report::histogram::empty(),
        }
    }

    /// Starts connection `index`; returns it if it is established at once, as it is on loopback.
    /// Otherwise [`Connector::finish`] returns it later.
    pub fn start(&mut self, index: u32) -> Option<OwnedFd> {
        let began_ns = now_ns();
        match self.try_start(index) {
            Ok((socket, true)) => {
                self.durations.saturating_record(now_ns() - began_ns);
                Some(socket)
            }
            Ok((socket, false)) => {
                self.pending.push(Pending { socket, index, began_ns });
                None
            }
            Err(errno) => {
                self.failed.add(errno.into());
                None
            }
        }
    }

    /// Number of connections on their way.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Waits until every connection on its way is established or has failed, and hands the established
    /// ones to `open`.
    pub fn finish(&mut self, mut open: impl FnMut(u32, OwnedFd)) {
        let deadline_ns = now_ns() + self.timeout.as_nanos() as u64;
        while !self.pending.is_empty() {
            let left_ns = deadline_ns.saturating_sub(now_ns());
            let ready = self.wait(left_ns);
            let mut still = Vec::with_capacity(self.pending.len());
            for (pending, ready) in std::mem::take(&mut self.pending).into_iter().zip(ready) {
                if !ready {
                    if left_ns == 0 {
                        self.failed.add(Fault::TimedOut);
                    } else {
                        still.push(pending);
                    }
                    continue;
                }
                match sockopt::socket_error(&pending.socket) {
                    Ok(Ok(())) => {
                        self.durations.saturating_record(now_ns() - pending.began_ns);
                        open(pending.index, pending.socket);
                    }
                    Ok(Err(errno)) | Err(errno) => self.failed.add(errno.into()),
                }
            }
            self.pending = still;
        }
    }

    /// Whether each connection on its way is established or has failed, after waiting for the first.
    fn wait(&self, timeout_ns: u64) -> Vec<bool> {
        let mut watched: Vec<_> =
            self.pending.iter().map(|pending| PollFd::new(&pending.socket, PollFlags::OUT)).collect();
        let timeout = Timespec {
            tv_sec: (timeout_ns / 1_000_000_000) as i64,
            tv_nsec: (timeout_ns % 1_000_000_000) as i64,
        };
        // An interrupted wait reports nothing; the caller's loop waits again for what is left.
        let _ = poll(&mut watched, Some(&timeout));
        watched.iter().map(|watched| !watched.revents().is_empty()).collect()
    }

    fn try_start(&self, index: u32) -> Result<(OwnedFd, bool), Errno> {
        let family = if self.target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        if let Some(source) = source(&self.target, index, self.connections) {
            bind_address_no_port(&socket)?;
            rustix::net::bind(&socket, &source)?;
        }
        // Before connecting, so that it holds from the first byte on.
        sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &self.target) {
            Ok(()) => Ok((socket, true)),
            // On loopback the whole handshake runs inside connect(2); a second call says so, which costs
            // less than waiting for the same news.
            Err(Errno::INPROGRESS | Errno::INTR) => match rustix::net::connect(&socket, &self.target) {
                Ok(()) | Err(Errno::ISCONN) => Ok((socket, true)),
                Err(Errno::ALREADY | Errno::INPROGRESS | Errno::INTR) => Ok((socket, false)),
                Err(errno) => Err(errno),
            },
            // A local port shortage is reported as EAGAIN by some kernels and as EADDRNOTAVAIL by others.
            Err(Errno::AGAIN) => Err(Errno::ADDRNOTAVAIL),
            Err(errno) => Err(errno),
        }
    }
}

/// Lets connect(2) choose the port, when it knows the whole four-tuple, rather than bind(2), which would
/// need one that is free towards every target (ip(7), IP_BIND_ADDRESS_NO_PORT).
fn bind_address_no_port(socket: &OwnedFd) -> Result<(), Errno> {
    let yes: libc::c_int = 1;
    #[allow(unsafe_code)]
    // SAFETY: the option value is a live c_int and the length is its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const yes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    }
}

/// Closes a connection with a reset, so that it leaves nothing behind: tens of thousands of sockets in
/// TIME_WAIT would slow down the connections of the next run.
pub fn close_with_reset(socket: OwnedFd) {
    // A failure means that the connection is gone already.
    let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn many_connections_to_loopback_come_from_many_addresses_and_few_from_the_usual_one() {
        let target: SocketAddr = "127.0.0.1:7777".parse().expect("an address");
        assert_eq!(source(&target, 3, 4_000), None);
        let sources: HashSet<_> = (0..10_000).map(|index| source(&target, index, 10_000)).collect();
        assert_eq!(sources.len(), 3);
        assert!(sources.contains(&Some("127.0.0.2:0".parse().expect("an address"))));
        let million: HashSet<_> = (0..1_000_000).map(|index| source(&target, index, 1_000_000)).collect();
        assert_eq!(million.len(), 250);
    }

    #[test]
    fn a_target_elsewhere_is_left_to_the_kernel() {
        let target: SocketAddr = "192.0.2.1:80".parse().expect("an address");
        assert_eq!(source(&target, 0, 1_000_000), None);
        let six: SocketAddr = "[::1]:80".parse().expect("an address");
        assert_eq!(source(&six, 0, 1_000_000), None);
    }
}
