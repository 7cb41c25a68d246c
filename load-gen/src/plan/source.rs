//! The address that each connection comes from, so that local ports neither run out nor run short.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::plan::target::{Endpoint, Target};

/// Connections from one loopback source address to one port: beyond a few thousand, connect(2) spends
/// its time searching the ephemeral range for a free port (net/ipv4/inet_hashtables.c,
/// `__inet_hash_connect`) and falls from tens of thousands a second to about one thousand.
const CONNECTIONS_PER_SOURCE: u32 = 4_000;

/// Addresses of 127.0.0.0/8 that connections may come from; 127.0.0.1 is left to everybody else on the machine.
const LOOPBACK_SOURCES: u32 = (1 << 24) - 3;

/// The source addresses of a run.
///
/// All of 127.0.0.0/8 belongs to this machine without any configuration, so towards such a target each connection may be
/// given a source. Of IPv6, loopback is one address alone, ::1. IPV6_FREEBIND would grant any other, but the server's
/// answer to it would not come back, unless a route says that it is local. So there, as towards other machines, the
/// kernel chooses, and one target port can have as many connections as there are local ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    endpoints: u32,
    addresses: u32,
}

impl Sources {
    /// The sources of `connections` connections to `target`, on a machine that has `ports` local ports for each.
    pub fn new(target: &Target, connections: u32, ports: u32) -> Self {
        let endpoints = target.endpoints().len() as u32;
        // A search among ports half of which are free is short.
        let a_source = (ports / 2).clamp(1, CONNECTIONS_PER_SOURCE);
        let addresses = connections.div_ceil(endpoints).div_ceil(a_source).min(LOOPBACK_SOURCES);
        Self { endpoints, addresses }
    }

    /// The address that connection `index` is to be bound to, where that is for us to choose.
    pub fn of(&self, target: &Target, index: u32) -> Option<SocketAddr> {
        if self.addresses <= 1 || !can_choose(target.endpoint(index)) {
            return None;
        }
        let number = index / self.endpoints % self.addresses;
        let address = u32::from(Ipv4Addr::LOCALHOST) + 1 + number;
        Some(SocketAddr::from((Ipv4Addr::from(address), 0)))
    }
}

/// Returns whether connections to `endpoint` may come from many addresses of this machine.
pub fn can_choose(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Tcp(address) if matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const PORTS: u32 = 28_232;

    fn sources(target: &str, connections: u32, ports: u32) -> HashSet<Option<SocketAddr>> {
        let target: Target = target.parse().expect("a target");
        let sources = Sources::new(&target, connections, ports);
        (0..connections).map(|index| sources.of(&target, index)).collect()
    }

    #[test]
    fn many_connections_to_loopback_come_from_many_addresses_and_few_from_the_usual_one() {
        assert_eq!(sources("127.0.0.1:7777", 4_000, PORTS), HashSet::from([None]));
        let few = sources("127.0.0.1:7777", 10_000, PORTS);
        assert_eq!(few.len(), 3);
        assert!(few.contains(&Some("127.0.0.2:0".parse().expect("an address"))));
        assert_eq!(sources("127.0.0.1:7777", 1_000_000, PORTS).len(), 250);
    }

    #[test]
    fn every_port_of_the_target_and_every_source_make_a_pair_of_their_own() {
        let target: Target = "127.0.0.1:7777-7780".parse().expect("a target");
        let sources = Sources::new(&target, 48_000, PORTS);
        let pairs: HashSet<_> = (0..48_000)
            .map(|index| (sources.of(&target, index), target.endpoint(index).to_string()))
            .collect();
        assert_eq!(pairs.len(), 12, "three sources to each of four ports");
    }

    #[test]
    fn a_short_range_of_local_ports_takes_more_addresses() {
        assert_eq!(sources("127.0.0.1:7777", 10_000, 100).len(), 200);
        assert_eq!(sources("127.0.0.1:7777", 10, 1).len(), 10);
    }

    #[test]
    fn a_target_elsewhere_is_left_to_the_kernel() {
        for elsewhere in ["192.0.2.1:80", "[::1]:80", "unix:/run/echo.sock"] {
            assert_eq!(sources(elsewhere, 100_000, PORTS), HashSet::from([None]), "{elsewhere}");
        }
    }
}
