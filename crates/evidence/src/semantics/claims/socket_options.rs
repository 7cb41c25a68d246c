//! The two socket options that the tutorial sets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;
use sys::socket_options::{get, set};

use super::asleep;
use super::{Claim, Seen, bounding, context, essential};
use crate::semantics::situations::{fill, small_send_buffer, tcp_pair};
use crate::semantics::system::{await_events, outcome};

const LOW_WATER_MARK: libc::c_int = 2048;

pub static SNDLOWAT: Claim = Claim {
    id: "sndlowat",
    section: "2.1",
    text: "the send low-water mark, SO_SNDLOWAT, is set to 2048 bytes",
    parts: &[
        essential("setsockopt(SO_SNDLOWAT, 2048)", "success", || {
            let (own, _peer) = tcp_pair()?;
            Ok(outcome(set(&own, libc::SOL_SOCKET, libc::SO_SNDLOWAT, LOW_WATER_MARK)).into())
        }),
        essential("getsockopt(SO_SNDLOWAT) afterwards", "2048", || {
            let (own, _peer) = tcp_pair()?;
            // Its refusal is the part before this one.
            let _ = set(&own, libc::SOL_SOCKET, libc::SO_SNDLOWAT, LOW_WATER_MARK);
            Ok(get(&own, libc::SOL_SOCKET, libc::SO_SNDLOWAT)?.to_string().into())
        }),
        context("setsockopt(TCP_NOTSENT_LOWAT, 2048), what Linux has instead", || {
            let (own, _peer) = tcp_pair()?;
            Ok(outcome(set(&own, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, LOW_WATER_MARK)).into())
        }),
    ],
};

const ALL: &str = "all of it, then the end";
const LINGER_TIME: Duration = Duration::from_secs(5);

pub static LINGER: Claim = Claim {
    id: "linger",
    section: "2.1",
    text: "SO_LINGER {1, 5 s} sends what is left before closing",
    parts: &[
        essential(
            "close(2) with bytes unsent, the peer reading once it sleeps",
            "sleeps, then returns",
            || {
                let (full, peer, pending) = full_connection()?;
                sockopt::set_socket_linger(&full, Some(LINGER_TIME))?;
                let mut left = Some(pending);
                let read = |_| left.take().map_or(Ok(()), |pending| read_to_end(&peer, pending).map(|_| ()));
                let ((), slept) = asleep::until(move || drop(full), read)?;
                Ok(if slept { "sleeps, then returns" } else { "returns at once" }.into())
            },
        ),
        essential("what the peer reads then", ALL, || {
            let (full, peer, pending) = full_connection()?;
            sockopt::set_socket_linger(&full, Some(LINGER_TIME))?;
            std::thread::scope(|scope| {
                scope.spawn(move || drop(full));
                read_to_end(&peer, pending)
            })
        }),
        bounding(
            "what the peer reads without SO_LINGER, close(2) having returned",
            "less",
            "the rest is sent without the option as well, in the background: what the option adds is that close(2) waits",
            || {
                let (full, peer, pending) = full_connection()?;
                drop(full);
                read_to_end(&peer, pending)
            },
        ),
        bounding(
            "what the peer reads with SO_LINGER, a byte of its own being unread at the other end",
            ALL,
            "a socket that is closed with unread input resets the connection, and the rest is lost",
            || {
                let (full, peer, pending) = full_connection()?;
                sockopt::set_socket_linger(&full, Some(LINGER_TIME))?;
                rustix::io::write(&peer, b"?")?;
                await_events(full.as_raw_fd(), libc::POLLIN)?;
                drop(full);
                read_to_end(&peer, pending)
            },
        ),
        context("SO_LINGER of a connection accepted from a listener that has it", || {
            let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
            sockopt::set_socket_linger(&listener, Some(LINGER_TIME))?;
            let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
            let (accepted, _) = listener.accept()?;
            let linger = sockopt::socket_linger(&accepted)?;
            // The connection is empty, so that its end waits for nothing.
            Ok(linger.map_or_else(|| "off".to_owned(), |time| format!("on, {} s", time.as_secs())).into())
        }),
    ],
};

/// A connection that takes no more bytes: this end, the peer, and how many bytes lie between them.
fn full_connection() -> io::Result<(OwnedFd, OwnedFd, usize)> {
    let (own, peer) = tcp_pair()?;
    small_send_buffer(&own)?;
    let pending = fill(&own, &peer)?;
    Ok((own, peer, pending))
}

/// Reads until the end of the stream or an error: whether that was all of `pending` bytes.
fn read_to_end(peer: &OwnedFd, pending: usize) -> io::Result<Seen> {
    let mut read = 0;
    loop {
        await_events(peer.as_raw_fd(), libc::POLLIN)?;
        match rustix::io::read(peer, &mut [0; 4096]) {
            Ok(0) if read == pending => return Ok(Seen::With(ALL.to_owned(), format!("{read} bytes"))),
            Ok(0) => return Ok(format!("{read} of {pending} bytes, then the end").into()),
            Ok(count) => read += count,
            Err(Errno::AGAIN) => {}
            Err(errno) => {
                return Ok(format!("{read} of {pending} bytes, then {}", outcome(Err::<(), _>(errno))).into());
            }
        }
    }
}
