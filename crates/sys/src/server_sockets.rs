//! The counts that the kernel keeps of a server's sockets (/proc/net/tcp), whatever program the server is.

use std::fs;
use std::io;
use std::net::SocketAddrV4;

/// The sockets at a server's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerSockets {
    /// Connections in the listener's queue, which accept(2) has not handed out yet.
    pub queued: u64,
    /// Connections that are established at the server's end, accepted or not.
    pub established: u64,
}

impl ServerSockets {
    /// The sockets of the server at `address`, at this moment. The time it takes grows with the sockets of the
    /// machine: a few microseconds each.
    ///
    /// # Errors
    ///
    /// When /proc is not mounted.
    pub fn at(address: SocketAddrV4) -> io::Result<Self> {
        let mut found = Self::default();
        found.add(&fs::read_to_string("/proc/net/tcp")?, address);
        match fs::read_to_string("/proc/net/tcp6") {
            // A server that listens at [::] has its IPv4 connections there (ipv6(7), IPV6_V6ONLY).
            Ok(text) => found.add(&text, address),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(found)
    }

    /// Adds what a table in the manner of /proc/net/tcp holds (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`).
    fn add(&mut self, table: &str, address: SocketAddrV4) {
        const ESTABLISHED: &str = "01";
        const LISTEN: &str = "0A";
        let port = format!("{:04X}", address.port());
        // The kernel prints the four bytes as a number of this machine's byte order.
        let host = format!("{:08X}", u32::from_ne_bytes(address.ip().octets()));
        for line in table.lines().skip(1) {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (Some(local), _, Some(state), Some(queues)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let Some((local_host, local_port)) = local.split_once(':') else { continue };
            if local_port != port {
                continue;
            }
            match state {
                LISTEN => {
                    // Of a listener, the receive queue is the connections that wait for accept(2).
                    let waiting = queues.split_once(':').and_then(|(_, rx)| u64::from_str_radix(rx, 16).ok());
                    self.queued += waiting.unwrap_or(0);
                }
                // A client's end may have the same port, but not the same address; ::ffff:1.2.3.4 ends alike.
                ESTABLISHED if local_host.ends_with(&host) => self.established += 1,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    #[test]
    fn a_listeners_queue_and_the_servers_ends_are_counted() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when
   0: 0100007F:1E61 00000000:0000 0A 00000000:0000001F 00:00000000 00000000     0        0 504 1 0 100 0 0 10 0
   1: 00000000:1E61 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 504 1 0 100 0 0 10 0
   2: 0100007F:1E61 0200007F:8AC3 01 00000000:00000000 00:00000000 00000000     0        0 0 3 0
   3: 0200007F:8AC3 0100007F:1E61 01 00000000:00000000 00:00000000 00000000     0        0 0 3 0
   4: 0300007F:1E61 0100007F:1E61 01 00000000:00000000 00:00000000 00000000     0        0 0 3 0
   5: 0100007F:1E61 0200007F:8AC4 08 00000000:00000000 00:00000000 00000000     0        0 0 3 0
   6: torn";
        let table6 = "  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1E61 00000000000000000000000000000000:0000 0A 00000000:00000002 00:00000000
   1: 0000000000000000FFFF00000100007F:1E61 0000000000000000FFFF00000100007F:8AC5 01 00000000:00000000 00:00000000";
        if cfg!(target_endian = "little") {
            let mut found = ServerSockets::default();
            found.add(table, "127.0.0.1:7777".parse().expect("an address"));
            assert_eq!(found, ServerSockets { queued: 32, established: 1 });
            found.add(table6, "127.0.0.1:7777".parse().expect("an address"));
            assert_eq!(found, ServerSockets { queued: 34, established: 2 });
        }
    }

    #[test]
    fn this_kernel_says_what_waits_for_accept() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let SocketAddr::V4(address) = listener.local_addr().expect("bound") else {
            panic!("IPv4 was asked for")
        };
        // On a busy machine the last segment of a handshake, or of a close, comes a little later.
        let await_sockets = |expected| {
            let deadline = Instant::now() + Duration::from_secs(30);
            loop {
                let sockets = ServerSockets::at(address).expect("/proc is mounted");
                if sockets == expected || Instant::now() > deadline {
                    return assert_eq!(sockets, expected);
                }
                std::thread::yield_now();
            }
        };
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).expect("a queue")).collect();
        await_sockets(ServerSockets { queued: 3, established: 3 });
        let served: Vec<_> = (0..3).map(|_| listener.accept().expect("it waits")).collect();
        await_sockets(ServerSockets { queued: 0, established: 3 });
        drop((clients, served, listener));
        await_sockets(ServerSockets::default());
    }
}
