//! The room in the queues of a server's listeners, as the kernel tells it (sock_diag(7)).
//!
//! A SYN that finds the queue of its listener full is dropped, and tried again a second later (net/ipv4/tcp_input.c,
//! `tcp_conn_request`). Where the server is on this machine, that need not happen: the process that opens connections
//! can see the queue and wait.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// Returns whether `address` belongs to this machine.
pub fn is_of_this_machine(address: IpAddr) -> bool {
    // bind(2) grants a machine's own addresses only; nothing is sent.
    UdpSocket::bind((address, 0)).is_ok()
}

/// A netlink socket (sock_diag(7)) that tells about the queues of TCP listeners.
#[derive(Debug)]
pub struct ListenQueues {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl ListenQueues {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// When this kernel has no sock_diag(7).
    pub fn new() -> Result<Self, Errno> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self { socket, buffer: vec![0; ANSWER_BYTES] })
    }

    /// Returns how many more connections fit into the fullest queue of the listeners at `addresses`; none if nothing listens there. The
    /// fullest counts because of several listeners at one address (SO_REUSEPORT) the kernel picks one by a hash.
    ///
    /// # Errors
    ///
    /// When the kernel rejects the request.
    pub fn room(&mut self, addresses: &[SocketAddr]) -> Result<Option<u32>, Errno> {
        const EVERY_PORT: u16 = 0;
        let port = match addresses {
            [address] => address.port(),
            _ => EVERY_PORT,
        };
        let mut room = None;
        // An IPv4 address is served by listeners at [::] too (ipv6(7), IPV6_V6ONLY).
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            let request = request(family, port);
            rustix::net::send(&self.socket, &request, SendFlags::empty())?;
            while !self.take_answer(addresses, &mut room)? {}
        }
        Ok(room)
    }

    /// Reads one datagram of an answer; true if it was the last.
    fn take_answer(&mut self, addresses: &[SocketAddr], room: &mut Option<u32>) -> Result<bool, Errno> {
        // The kernel makes the answer within send or recv (net/netlink/af_netlink.c, `netlink_dump`), so it need not be awaited.
        let (length, _) = match rustix::net::recv(&self.socket, &mut *self.buffer, RecvFlags::DONTWAIT) {
            Err(Errno::INTR) => return Ok(false),
            received => received?,
        };
        read_answer(&self.buffer[..length], addresses, room)
    }
}

/// Reads the messages of one datagram; true if the last of an answer is among them.
pub(crate) fn read_answer(
    mut rest: &[u8],
    addresses: &[SocketAddr],
    room: &mut Option<u32>,
) -> Result<bool, Errno> {
    while rest.len() >= HEADER_BYTES {
        let message_bytes = (u32_at(rest, 0) as usize).clamp(HEADER_BYTES, rest.len());
        let (message, following) = rest.split_at(message_bytes);
        match u16_at(message, 4) {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = if message.len() >= HEADER_BYTES + 4 { u32_at(message, HEADER_BYTES) } else { 0 };
                let error = std::io::Error::from_raw_os_error((code as i32).wrapping_neg());
                // Zero, or no errno.
                return Err(Errno::from_io_error(&error).unwrap_or(Errno::PROTO));
            }
            _ => {
                if let Some(here) = room_of(&message[HEADER_BYTES..], addresses) {
                    *room = Some(room.map_or(here, |room| room.min(here)));
                }
            }
        }
        let aligned = message_bytes.next_multiple_of(4) - message_bytes;
        rest = &following[aligned.min(following.len())..];
    }
    Ok(false)
}

/// More than the kernel puts into one datagram of an answer (net/netlink/af_netlink.c, `netlink_dump`).
const ANSWER_BYTES: usize = 32 * 1024;
/// A struct nlmsghdr.
const HEADER_BYTES: usize = 16;
/// A struct inet_diag_req_v2.
const REQUEST_BYTES: usize = 56;
/// A struct inet_diag_msg.
const MESSAGE_BYTES: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// NLM_F_REQUEST, and NLM_F_DUMP for all that match.
const NLM_F_REQUEST_DUMP: u16 = 0x1 | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IPPROTO_TCP: u8 = 6;
/// The bit of TCP_LISTEN (include/net/tcp_states.h).
const LISTENING: u32 = 1 << 10;

/// Asks for all listeners of one family at a port (linux/inet_diag.h, `struct inet_diag_req_v2`).
fn request(family: AddressFamily, port: u16) -> [u8; HEADER_BYTES + REQUEST_BYTES] {
    let mut request = [0; HEADER_BYTES + REQUEST_BYTES];
    request[0..4].copy_from_slice(&((HEADER_BYTES + REQUEST_BYTES) as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    let question = &mut request[HEADER_BYTES..];
    question[0] = family.as_raw() as u8; // sdiag_family
    question[1] = IPPROTO_TCP; // sdiag_protocol
    question[4..8].copy_from_slice(&LISTENING.to_ne_bytes()); // idiag_states
    question[8..10].copy_from_slice(&port.to_be_bytes()); // id.idiag_sport
    request
}

/// The room in the queue of the listener that `message` is of, if it serves one of `addresses` (`struct inet_diag_msg`).
fn room_of(message: &[u8], addresses: &[SocketAddr]) -> Option<u32> {
    if message.len() < MESSAGE_BYTES {
        return None;
    }
    let is_ipv4 = message[0] == AddressFamily::INET.as_raw() as u8; // idiag_family
    let port = u16::from_be_bytes([message[4], message[5]]); // id.idiag_sport
    let local = &message[8..24]; // id.idiag_src
    let serves = |address: &SocketAddr| match address.ip() {
        _ if address.port() != port => false,
        IpAddr::V4(ip) if is_ipv4 => local[..4] == [0; 4] || local[..4] == ip.octets(),
        // One with IPV6_V6ONLY does not, but is taken to: that errs to the safe side.
        IpAddr::V4(ip) => local == [0; 16] || local == ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => !is_ipv4 && (local == [0; 16] || local == ip.octets()),
    };
    // Of a listener, the receive queue is the connections that wait for accept(2), the send queue the backlog; the kernel
    // takes one more than that (include/net/sock.h, `sk_acceptq_is_full`).
    let (waiting, backlog) = (u32_at(message, 56), u32_at(message, 60)); // idiag_rqueue, idiag_wqueue
    addresses.iter().any(serves).then(|| backlog.saturating_add(1).saturating_sub(waiting))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn what_waits_for_accept_takes_room_in_the_queue_and_accepting_gives_it_back() {
        let mut queues = ListenQueues::new().expect("this kernel has sock_diag");
        for local in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let listener = TcpListener::bind(local).expect("loopback");
            let mut address = listener.local_addr().expect("bound");
            if address.ip().is_unspecified() {
                address = SocketAddr::from(([127, 0, 0, 1], address.port()));
            }
            let mut room = || queues.room(&[address]).expect("an answer").expect("a listener");
            let empty = room();
            let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).expect("a queue")).collect();
            assert_eq!(room(), empty - 3, "{local}");
            let served: Vec<_> = (0..3).map(|_| listener.accept().expect("it waits")).collect();
            assert_eq!(room(), empty, "{local}");
            drop((clients, served, listener));
            assert_eq!(queues.room(&[address]).expect("an answer"), None, "{local}: nobody listens");
        }
    }

    #[test]
    fn a_listener_of_ipv4_serves_no_ipv6_address_at_its_port() {
        let mut queues = ListenQueues::new().expect("this kernel has sock_diag");
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let mut room = |address: &str| queues.room(&[SocketAddr::new(address.parse().expect(address), port)]);
        assert!(room("127.0.0.1").expect("an answer").is_some());
        assert_eq!(room("::1").expect("an answer"), None);
    }

    #[test]
    fn loopback_is_of_this_machine_and_an_address_for_documentation_is_not() {
        assert!(is_of_this_machine([127, 0, 0, 9].into()));
        assert!(!is_of_this_machine([192, 0, 2, 1].into()));
    }
}
