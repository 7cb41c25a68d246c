//! Claims about the kinds of descriptor that epoll can watch, its size, and the systems that have it.

use std::io;

use model::schema::Answer;
use sys::by_number::epoll_create;

use super::{Claim, Part, Seen, bounding, context, essential, scene};
use crate::semantics::system::{epoll, epoll_add, outcome};
use crate::semantics::watchers::MECHANISMS;

pub static POLLABLE: Claim = Claim {
    id: "pollable-kinds",
    section: "3.3",
    text: "regular files (ext4, xfs) cannot be watched by epoll; sockets, eventfd and timerfd can",
    parts: &[
        essential("epoll_ctl(ADD) of a regular file", "EPERM", || add("regular-file")),
        bounding(
            "that file is on ext2, ext3, ext4 or xfs",
            "yes",
            "the folder for temporary files is on another filesystem (TMPDIR chooses it)",
            filesystem,
        ),
        essential("epoll_ctl(ADD) of a TCP socket", "success", || add("readable")),
        essential("epoll_ctl(ADD) of an eventfd", "success", || add("eventfd")),
        essential("epoll_ctl(ADD) of a timerfd", "success", || add("timerfd")),
        context("select, poll and io_uring of a regular file", || {
            let others = MECHANISMS.iter().filter(|mechanism| !mechanism.name.starts_with("epoll"));
            let answers = others.map(|mechanism| {
                let scene = scene("regular-file")?;
                let answer = match (mechanism.unavailable)() {
                    Some(_) => Answer::Unavailable,
                    None => (mechanism.watch)(scene.fd)?.wait(),
                };
                Ok(format!("{} {answer}", mechanism.name))
            });
            Ok(answers.collect::<io::Result<Vec<_>>>()?.join(", ").into())
        }),
        kind("epoll_ctl(ADD) of a directory", || add("directory")),
        kind("epoll_ctl(ADD) of /dev/null", || add("dev-null")),
        kind("epoll_ctl(ADD) of /proc/self/mounts, a regular file with a poll operation", || {
            let file = std::fs::File::open("/proc/self/mounts")?;
            Ok(outcome(epoll_add(&epoll()?, std::os::fd::AsRawFd::as_raw_fd(&file), libc::EPOLLPRI)).into())
        }),
        kind("epoll_ctl(ADD) of a Unix socket", || add("unix-sent")),
        kind("epoll_ctl(ADD) of a pipe", || add("pipe-readable")),
        kind("epoll_ctl(ADD) of a FIFO", || add("fifo")),
        kind("epoll_ctl(ADD) of a terminal", || add("tty")),
        kind("epoll_ctl(ADD) of a signalfd", || add("signalfd")),
        kind("epoll_ctl(ADD) of an inotify descriptor", || add("inotify")),
        kind("epoll_ctl(ADD) of a pidfd", || add("pidfd")),
        kind("epoll_ctl(ADD) of an epoll descriptor", || add("epoll-in-epoll")),
        kind("epoll_ctl(ADD) of a userfaultfd", || add("userfaultfd")),
    ],
};

/// A kind that the tutorial does not name.
const fn kind(what: &'static str, look: fn() -> io::Result<Seen>) -> Part {
    context(what, look)
}

pub static SIZE_IGNORED: Claim = Claim {
    id: "size-ignored",
    section: "5.1",
    text: "epoll_create's size is ignored but must be positive; -1 and errno on failure",
    parts: &[
        essential("epoll_create(1)", "success", || create(1)),
        essential("three descriptors in a set of epoll_create(1)", "success", || {
            let set = epoll_create(1)?;
            let scenes = [scene("readable")?, scene("eventfd")?, scene("timerfd")?];
            let added = scenes.iter().try_for_each(|scene| epoll_add(&set, scene.fd, libc::EPOLLIN));
            Ok(outcome(added).into())
        }),
        essential("epoll_create(2147483647)", "success", || create(i32::MAX)),
        essential("epoll_create(0)", "EINVAL", || create(0)),
        essential("epoll_create(-1)", "EINVAL", || create(-1)),
    ],
};

/// The crate's own source, for what it says to other systems.
const CRATE_ROOT: &str = include_str!("../../lib.rs");

pub static LINUX_ONLY: Claim = Claim {
    id: "linux-only",
    section: "6.1",
    text: "epoll exists only on Linux; other systems get a clear compile-time message, not a broken build",
    parts: &[
        essential("uname(2), and epoll_create1(2) there", "Linux, success", || {
            let system = rustix::system::uname().sysname().to_string_lossy().into_owned();
            Ok(format!("{system}, {}", outcome(epoll())).into())
        }),
        essential("a build of this program for another system", "ended by compile_error!", || {
            let guard = CRATE_ROOT.split("#[cfg(not(target_os = \"linux\"))]\ncompile_error!(").nth(1);
            let message = guard.and_then(|rest| rest.split('"').nth(1));
            Ok(match message {
                Some(message) => {
                    Seen::With("ended by compile_error!".to_owned(), format!("src/lib.rs: {message}"))
                }
                None => "not guarded".into(),
            })
        }),
        essential("epoll on any other system", "does not exist", || {
            Ok(Seen::Open("this program runs on Linux alone, and cannot look elsewhere".to_owned()))
        }),
    ],
};

fn add(situation: &str) -> io::Result<Seen> {
    let scene = scene(situation)?;
    Ok(outcome(epoll_add(&epoll()?, scene.fd, libc::EPOLLIN)).into())
}

/// The filesystem that temporary files are on, by the magic number of statfs(2).
fn filesystem() -> io::Result<Seen> {
    let magic = rustix::fs::fstatfs(tempfile::tempfile()?)?.f_type as u64;
    let known = [
        (0xEF53, "yes", "ext2, ext3 or ext4"),
        (0x5846_5342, "yes", "xfs"),
        (0x0102_1994, "no", "tmpfs"),
        (0x9123_683E, "no", "btrfs"),
        (0x794C_7630, "no", "overlayfs"),
    ];
    let found = known.iter().find(|(number, ..)| *number == magic);
    Ok(found.map_or_else(
        || Seen::With("no".to_owned(), format!("magic number {magic:#x}")),
        |(_, answer, name)| Seen::With((*answer).to_owned(), (*name).to_owned()),
    ))
}

fn create(size: i32) -> io::Result<Seen> {
    Ok(outcome(epoll_create(size)).into())
}
