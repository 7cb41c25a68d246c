//! epoll_ctl(2): its operations, what each answers when misused, and where EPOLLEXCLUSIVE is taken.

use std::io;
use std::os::fd::AsRawFd;

use libc::{
    EPOLL_CTL_ADD as ADD, EPOLL_CTL_DEL as DEL, EPOLL_CTL_MOD as MOD, EPOLLEXCLUSIVE, EPOLLIN, EPOLLOUT,
};
use rustix::io::Errno;

use super::{Claim, Seen, context, essential, in_turn, limit, look, scene};
use crate::cost::LIMITED;
use crate::semantics::system::{epoll, epoll_add, epoll_ctl, epoll_mod, outcome};

pub static OPERATIONS: Claim = Claim {
    id: "ctl-ops",
    section: "5.2",
    text: "ADD, MOD and DEL add, change and remove, and answer a misuse with EEXIST, ENOENT, EBADF, EPERM, ELOOP, EINVAL or ENOSPC",
    parts: &[
        essential(
            "ADD for EPOLLIN, wait; MOD for EPOLLOUT, wait; DEL, wait",
            "IN → OUT → nothing",
            || {
                let (set, scene) = (epoll()?, scene("readable")?);
                let mut answers = Vec::new();
                for (operation, flags) in [(ADD, EPOLLIN), (MOD, EPOLLOUT), (DEL, 0)] {
                    epoll_ctl(set.as_raw_fd(), operation, scene.fd, flags)?;
                    answers.push(look(&set));
                }
                Ok(in_turn(&answers))
            },
        ),
        essential("ADD of a descriptor that is there", "EEXIST", || twice(ADD)),
        essential("MOD of a descriptor that is not there", "ENOENT", || alone(MOD, "readable")),
        essential("DEL of a descriptor that is not there", "ENOENT", || alone(DEL, "readable")),
        essential("ADD of a closed descriptor", "EBADF", || alone(ADD, "closed-descriptor")),
        essential("ADD to a closed epoll descriptor", "EBADF", || {
            let (closed, scene) = (scene("closed-descriptor")?, scene("readable")?);
            Ok(outcome(epoll_ctl(closed.fd, ADD, scene.fd, EPOLLIN)).into())
        }),
        essential("ADD of a regular file", "EPERM", || alone(ADD, "regular-file")),
        essential("ADD of an epoll that watches this one", "ELOOP", || {
            let [inner, outer] = [epoll()?, epoll()?];
            epoll_add(&outer, inner.as_raw_fd(), EPOLLIN)?;
            Ok(outcome(epoll_add(&inner, outer.as_raw_fd(), EPOLLIN)).into())
        }),
        essential("ADD of an epoll to an epoll, ever deeper", "ELOOP", deeper),
        essential("ADD of an epoll to itself", "EINVAL", || {
            let set = epoll()?;
            Ok(outcome(epoll_add(&set, set.as_raw_fd(), EPOLLIN)).into())
        }),
        essential("ADD to a descriptor that is no epoll", "EINVAL", || {
            let [not_a_set, scene] = [scene("eventfd")?, scene("readable")?];
            Ok(outcome(epoll_ctl(not_a_set.fd, ADD, scene.fd, EPOLLIN)).into())
        }),
        essential("an operation that does not exist", "EINVAL", || alone(99, "readable")),
        essential("ADD beyond /proc/sys/fs/epoll/max_user_watches", "ENOSPC", || {
            let limit = std::fs::read_to_string("/proc/sys/fs/epoll/max_user_watches")?;
            let limit = limit.trim();
            Ok(Seen::Open(format!(
                "not provoked: it would take this user's {limit} watches, from other programs too"
            )))
        }),
        context("a descriptor closed while registered: MOD by its number", || {
            let set = epoll()?;
            let mut scene = scene("closed-while-watched")?;
            epoll_add(&set, scene.fd, EPOLLIN)?;
            close(&mut scene, "closed-while-watched")?;
            Ok(Seen::With(outcome(epoll_mod(&set, scene.fd, EPOLLIN)), format!("and a wait: {}", look(&set))))
        }),
        context("the same while a duplicate is open: DEL by its number", || {
            let set = epoll()?;
            let mut scene = scene("closed-but-duplicated")?;
            epoll_add(&set, scene.fd, EPOLLIN)?;
            close(&mut scene, "closed-but-duplicated")?;
            let deleted = epoll_ctl(set.as_raw_fd(), DEL, scene.fd, 0);
            Ok(Seen::With(outcome(deleted), format!("and a wait still: {}", look(&set))))
        }),
        context(LIMITED, limit::accepted),
    ],
};

pub static EXCLUSIVE_ADD_ONLY: Claim = Claim {
    id: "exclusive-add-only",
    section: "5.2",
    text: "EPOLLEXCLUSIVE only with ADD; with MOD an error",
    parts: &[
        essential("ADD with EPOLLEXCLUSIVE", "success", || exclusive(EPOLLIN)),
        essential("MOD with EPOLLEXCLUSIVE of a descriptor added without", "EINVAL", || {
            let (set, scene) = (epoll()?, scene("readable")?);
            epoll_add(&set, scene.fd, EPOLLIN)?;
            Ok(outcome(epoll_mod(&set, scene.fd, EPOLLIN | EPOLLEXCLUSIVE)).into())
        }),
        context("MOD without it of a descriptor added with it", || {
            let (set, scene) = (epoll()?, scene("readable")?);
            epoll_add(&set, scene.fd, EPOLLIN | EPOLLEXCLUSIVE)?;
            Ok(outcome(epoll_mod(&set, scene.fd, EPOLLIN)).into())
        }),
        context("ADD with EPOLLEXCLUSIVE and EPOLLET", || exclusive(EPOLLIN | libc::EPOLLET)),
        context("ADD with EPOLLEXCLUSIVE and EPOLLRDHUP", || exclusive(EPOLLIN | libc::EPOLLRDHUP)),
        context("ADD with EPOLLEXCLUSIVE and EPOLLONESHOT", || exclusive(EPOLLIN | libc::EPOLLONESHOT)),
        context("ADD with EPOLLEXCLUSIVE of an epoll descriptor", || {
            let [inner, outer] = [epoll()?, epoll()?];
            Ok(outcome(epoll_add(&outer, inner.as_raw_fd(), EPOLLIN | EPOLLEXCLUSIVE)).into())
        }),
    ],
};

/// Does what happens to the situation once its descriptor is watched.
fn close(scene: &mut crate::semantics::situations::Scene, name: &str) -> io::Result<()> {
    let situation = crate::semantics::situations::find(name);
    match situation.and_then(|situation| situation.once_watched.as_ref()) {
        Some(action) => (action.act)(scene),
        None => Ok(()),
    }
}

/// One operation on the situation's descriptor, in an empty set.
fn alone(operation: libc::c_int, situation: &str) -> io::Result<Seen> {
    let scene = scene(situation)?;
    Ok(outcome(epoll_ctl(epoll()?.as_raw_fd(), operation, scene.fd, EPOLLIN)).into())
}

fn twice(operation: libc::c_int) -> io::Result<Seen> {
    let (set, scene) = (epoll()?, scene("readable")?);
    epoll_add(&set, scene.fd, EPOLLIN)?;
    Ok(outcome(epoll_ctl(set.as_raw_fd(), operation, scene.fd, EPOLLIN)).into())
}

fn exclusive(flags: libc::c_int) -> io::Result<Seen> {
    let (set, scene) = (epoll()?, scene("readable")?);
    Ok(outcome(epoll_add(&set, scene.fd, flags | EPOLLEXCLUSIVE)).into())
}

/// Puts each new set around the last one until that is refused (fs/eventpoll.c, EP_MAX_NESTS).
fn deeper() -> io::Result<Seen> {
    const FAR_TOO_DEEP: usize = 64;
    let mut sets = vec![epoll()?];
    while sets.len() < FAR_TOO_DEEP {
        let outer = epoll()?;
        match epoll_add(&outer, sets[sets.len() - 1].as_raw_fd(), EPOLLIN) {
            Ok(()) => sets.push(outer),
            Err(errno @ Errno::LOOP) => {
                return Ok(Seen::With(
                    outcome(Err::<(), _>(errno)),
                    format!("{} deep is allowed", sets.len()),
                ));
            }
            Err(errno) => return Ok(outcome(Err::<(), _>(errno)).into()),
        }
    }
    Ok(format!("{FAR_TOO_DEEP} deep is allowed").into())
}
