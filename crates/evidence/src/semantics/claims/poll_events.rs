//! The eleven macros of poll(2): which may be asked for, which are returned, and what raises each.

use std::io;

use rustix::net::SendFlags;

use super::{Claim, Seen, bounding, essential, scene};
use crate::semantics::situations::tcp_pair;
use crate::semantics::system::{await_events, poll_one};

const ASKED: &str = "returned if asked for, otherwise not";
const UNASKED: &str = "returned unasked";
const RETURNED: &str = "returned";

pub static TABLE: Claim = Claim {
    id: "poll-events-table",
    section: "1.1",
    text: "POLLIN, OUT, RDNORM, RDBAND, PRI, WRNORM, WRBAND and RDHUP may be asked for and are returned; POLLHUP, ERR and NVAL are \
           returned and not asked for; each is raised by what its name says",
    parts: &[
        essential("POLLIN", ASKED, || role(libc::POLLIN)),
        essential("POLLIN, data to be read", RETURNED, || raised(libc::POLLIN, "readable")),
        bounding(
            "POLLIN, nothing there but a byte of urgent data of TCP",
            RETURNED,
            "urgent data of TCP raise POLLPRI and not POLLIN",
            || {
                let (own, peer) = tcp_pair()?;
                let fd = std::os::fd::AsRawFd::as_raw_fd(&own);
                rustix::net::send(&peer, b"!", SendFlags::OOB)?;
                await_events(fd, libc::POLLPRI)?;
                Ok(is_returned(poll_one(fd, libc::POLLIN)? & libc::POLLIN != 0))
            },
        ),
        essential("POLLOUT", ASKED, || role(libc::POLLOUT)),
        essential("POLLOUT, room to write", RETURNED, || raised(libc::POLLOUT, "drained")),
        essential("POLLRDNORM", ASKED, || role(libc::POLLRDNORM)),
        essential("POLLRDNORM, data to be read", RETURNED, || raised(libc::POLLRDNORM, "readable")),
        essential("POLLRDBAND", ASKED, || role(libc::POLLRDBAND)),
        bounding(
            "POLLRDBAND, urgent data of TCP",
            RETURNED,
            "urgent data of TCP raise POLLPRI and not POLLRDBAND",
            || raised(libc::POLLRDBAND, "urgent"),
        ),
        essential("POLLPRI", ASKED, || role(libc::POLLPRI)),
        essential("POLLPRI, urgent (out-of-band) data of TCP", RETURNED, || raised(libc::POLLPRI, "urgent")),
        essential("POLLWRNORM", ASKED, || role(libc::POLLWRNORM)),
        essential("POLLWRNORM, room to write", RETURNED, || raised(libc::POLLWRNORM, "drained")),
        essential("POLLWRBAND", ASKED, || role(libc::POLLWRBAND)),
        bounding(
            "POLLWRBAND, room to write on TCP",
            RETURNED,
            "TCP never raises POLLWRBAND; Unix sockets do, with POLLOUT",
            || raised(libc::POLLWRBAND, "drained"),
        ),
        essential("POLLRDHUP", ASKED, || role(libc::POLLRDHUP)),
        essential("POLLRDHUP, the peer closed", RETURNED, || raised(libc::POLLRDHUP, "peer-closed")),
        essential("POLLRDHUP, the peer shut down writing", RETURNED, || {
            raised(libc::POLLRDHUP, "peer-shut-down")
        }),
        essential("POLLHUP", UNASKED, || role(libc::POLLHUP)),
        bounding(
            "POLLHUP, the peer of a TCP connection closed",
            "not returned",
            "a TCP peer that closes raises POLLHUP",
            || raised(libc::POLLHUP, "peer-closed"),
        ),
        essential("POLLERR", UNASKED, || role(libc::POLLERR)),
        essential("POLLERR, reset", RETURNED, || raised(libc::POLLERR, "reset")),
        essential("POLLNVAL", UNASKED, || role(libc::POLLNVAL)),
        essential("POLLNVAL, a closed descriptor", RETURNED, || raised(libc::POLLNVAL, "closed-descriptor")),
    ],
};

/// The situations that are tried for each macro.
const TRIED: [&str; 13] = [
    "readable",
    "drained",
    "full",
    "urgent",
    "peer-closed",
    "peer-shut-down",
    "both-shut-down",
    "reset",
    "refused",
    "closed-descriptor",
    "unix-sent",
    "pipe-writer-gone",
    "pipe-reader-gone",
];

/// Finds the role of `bit`: whether it is returned in the situations of [`TRIED`] if asked for, and if not.
fn role(bit: libc::c_short) -> io::Result<Seen> {
    let [mut asked, mut unasked] = [Vec::new(), Vec::new()];
    for name in TRIED {
        let scene = scene(name)?;
        if poll_one(scene.fd, bit)? & bit != 0 {
            asked.push(name);
        }
        if poll_one(scene.fd, 0)? & bit != 0 {
            unasked.push(name);
        }
    }
    Ok(match (asked.is_empty(), unasked.is_empty()) {
        (true, true) => Seen::Open(format!("raised in none of: {}", TRIED.join(", "))),
        (false, true) => Seen::With(ASKED.to_owned(), format!("raised in: {}", asked.join(", "))),
        (_, false) => Seen::With(UNASKED.to_owned(), format!("raised in: {}", unasked.join(", "))),
    })
}

/// Observes whether `bit` is returned in the situation if it is asked for.
fn raised(bit: libc::c_short, situation: &str) -> io::Result<Seen> {
    let scene = scene(situation)?;
    Ok(is_returned(poll_one(scene.fd, bit)? & bit != 0))
}

fn is_returned(returned: bool) -> Seen {
    if returned { RETURNED } else { "not returned" }.into()
}
