//! The flags of epoll's events: which are always reported, what raises each, and EPOLLWAKEUP's privilege.

use std::io;
use std::os::fd::AsRawFd;

use libc::{EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, EPOLLWAKEUP};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::{Claim, Seen, bounding, context, essential, scene, watched};
use crate::semantics::system::{epoll, epoll_add, outcome};

pub static EVENT_FLAGS: Claim = Claim {
    id: "event-flags",
    section: "5.2",
    text: "EPOLLIN, OUT, PRI and RDHUP are reported when asked for, ERR and HUP always; ET, ONESHOT, EXCLUSIVE and WAKEUP change how",
    parts: &[
        essential("EPOLLIN, data to be read", "IN", || one("readable", EPOLLIN)),
        essential("EPOLLOUT, room to write", "OUT", || one("readable", EPOLLOUT)),
        essential("EPOLLPRI, urgent data", "PRI", || one("urgent", EPOLLPRI)),
        essential("EPOLLRDHUP, the peer closed", "RDHUP", || one("peer-closed", EPOLLRDHUP)),
        essential("EPOLLRDHUP, the peer shut down writing", "RDHUP", || one("peer-shut-down", EPOLLRDHUP)),
        essential("nothing asked for, all of these there", "nothing", || one("peer-closed", 0)),
        essential("nothing asked for, reset", "HUP ERR", || one("reset", 0)),
        essential("nothing asked for, a pipe's writer gone", "HUP", || one("pipe-writer-gone", 0)),
        essential("nothing asked for, a pipe's reader gone", "ERR", || one("pipe-reader-gone", 0)),
        essential("EPOLLIN with EPOLLET, two waits", "IN → nothing", || two("readable", EPOLLIN | EPOLLET)),
        essential("EPOLLIN with EPOLLONESHOT, two waits", "IN → nothing", || {
            two("readable", EPOLLIN | EPOLLONESHOT)
        }),
        bounding(
            "EPOLLONESHOT spent, then reset",
            "HUP ERR",
            "a oneshot that is spent reports nothing, not even ERR and HUP",
            || {
                let scene = scene("reset")?;
                let set = epoll()?;
                epoll_add(&set, scene.fd, EPOLLONESHOT)?;
                let _spent = super::look(&set);
                Ok(super::look(&set).into())
            },
        ),
        essential("EPOLLIN with EPOLLEXCLUSIVE, two waits", "IN → IN", || {
            two("readable", EPOLLIN | EPOLLEXCLUSIVE)
        }),
        essential("EPOLLIN with EPOLLWAKEUP, two waits", "IN → IN", || {
            two("readable", EPOLLIN | EPOLLWAKEUP)
        }),
    ],
};

fn one(situation: &str, flags: libc::c_int) -> io::Result<Seen> {
    watched(scene(situation)?.fd, flags, 1)
}

fn two(situation: &str, flags: libc::c_int) -> io::Result<Seen> {
    watched(scene(situation)?.fd, flags, 2)
}

pub static WAKEUP_CAPABILITY: Claim = Claim {
    id: "wakeup-capability",
    section: "5.2",
    text: "EPOLLWAKEUP is dropped silently without the capability, CAP_BLOCK_SUSPEND",
    parts: &[
        essential("epoll_ctl(ADD) with EPOLLWAKEUP, without the capability", "success", || {
            without_capability(|| with_wakeup().map(|(added, _)| added))
        }),
        essential("the flag in the set afterwards, without the capability", "dropped", || {
            without_capability(|| with_wakeup().map(|(_, kept)| kept))
        }),
        bounding(
            "the flag in the set, with the capability",
            "kept",
            "this kernel drops it from everybody, as one built without suspend does (fs/eventpoll.c, CONFIG_PM_SLEEP)",
            || match capabilities(None)?.effective.contains(CapabilitySet::BLOCK_SUSPEND) {
                true => with_wakeup().map(|(_, kept)| kept),
                false => Ok(Seen::Open("this process has not got the capability".to_owned())),
            },
        ),
        context("the capability of this process", || {
            let has = capabilities(None)?.effective.contains(CapabilitySet::BLOCK_SUSPEND);
            Ok(if has { "there" } else { "not there" }.into())
        }),
    ],
};

/// Adds a descriptor with EPOLLWAKEUP: what epoll_ctl(2) answered, and whether the flag was kept, which the
/// set's file in /proc tells (proc_pid_fdinfo(5)).
fn with_wakeup() -> io::Result<(Seen, Seen)> {
    let (set, scene) = (epoll()?, scene("readable")?);
    let added = epoll_add(&set, scene.fd, EPOLLIN | EPOLLWAKEUP);
    // The thread's own entry: a thread that changed its capabilities may not read the leader's.
    let info = std::fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", set.as_raw_fd()))?;
    let mask = info.lines().find_map(|line| {
        let hex =
            line.strip_prefix("tfd:")?.split_whitespace().skip_while(|word| *word != "events:").nth(1)?;
        u32::from_str_radix(hex, 16).ok()
    });
    let kept = match mask {
        Some(mask) if mask & EPOLLWAKEUP as u32 != 0 => "kept".into(),
        Some(mask) => Seen::With("dropped".to_owned(), format!("fdinfo: events {mask:x}")),
        None => Seen::Open("the kernel does not tell (/proc/self/fdinfo)".to_owned()),
    };
    Ok((outcome(added).into(), kept))
}

/// Looks from a thread that gave the capability up, as far as it had it. Capabilities are a thread's own.
fn without_capability(look: impl FnOnce() -> io::Result<Seen> + Send) -> io::Result<Seen> {
    let look = || {
        let mut mine = capabilities(None)?;
        mine.effective.remove(CapabilitySet::BLOCK_SUSPEND);
        set_capabilities(None, mine)?;
        look()
    };
    std::thread::scope(|scope| {
        scope.spawn(look).join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}
