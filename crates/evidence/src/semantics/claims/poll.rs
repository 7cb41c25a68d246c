//! Timeouts and results of a wait, and what poll(2) spares its caller.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use model::schema::{Answer, Event};
use rustix::io::Errno;
use rustix::process::Resource;
use sys::by_number::poll_without_array;

use super::asleep;
use super::{Claim, Seen, essential, scene};
use crate::semantics::system::{self, FdSet, epoll, epoll_add, epoll_wait, errno_name, outcome};
use crate::semantics::watchers::{of_poll, refused};

const TIMEOUT_MS: i32 = 20;

pub static TIMEOUT: Claim = Claim {
    id: "poll-timeout",
    section: "1",
    text: "timeout -1 blocks, 0 returns at once, > 0 waits that many ms; a wait returns 0 on time-out, otherwise the number of \
           descriptors with events, and -1 with errno on error; epoll_wait likewise",
    parts: &[
        essential("poll, timeout 0, nothing ready", "0 without sleeping", || at_once(Call::Poll)),
        essential("epoll_wait, timeout 0, nothing ready", "0 without sleeping", || at_once(Call::Epoll)),
        essential("poll, timeout 20 ms, nothing ready", "0 after 20 ms or more", || in_time(Call::Poll)),
        essential("epoll_wait, timeout 20 ms, nothing ready", "0 after 20 ms or more", || {
            in_time(Call::Epoll)
        }),
        essential("poll, timeout -1, data arriving once it sleeps", "sleeps, then 1", || {
            for_ever(Call::Poll)
        }),
        essential("epoll_wait, timeout -1, data arriving once it sleeps", "sleeps, then 1", || {
            for_ever(Call::Epoll)
        }),
        essential("poll of three descriptors, two of them ready", "2", || two_of_three(Call::Poll)),
        essential("epoll_wait, three descriptors watched, two of them ready", "2", || {
            two_of_three(Call::Epoll)
        }),
        essential("poll of more descriptors than RLIMIT_NOFILE allows", "EINVAL", || {
            // The kernel compares the number before it reads the array (fs/select.c, do_sys_poll).
            let beyond =
                rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::from(u32::MAX)) + 1;
            Ok(outcome(poll_without_array(beyond)).into())
        }),
        essential("epoll_wait on a closed descriptor", "EBADF", || {
            Ok(outcome(epoll_wait(scene("closed-descriptor")?.fd, 0)).into())
        }),
    ],
};

pub static SET_ONCE: Claim = Claim {
    id: "poll-set-once",
    section: "1.2",
    text: "poll's request fields survive the call; select's sets do not",
    parts: &[
        essential(
            "fd and events of both entries after a poll with one of the two ready",
            "as before",
            || {
                let [ready, idle] = [scene("pipe-readable")?, scene("fifo-no-writer")?];
                let mut fds =
                    [ready.fd, idle.fd].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
                system::poll(&mut fds, 0)?;
                let kept = fds
                    .iter()
                    .zip([ready.fd, idle.fd])
                    .all(|(entry, fd)| entry.fd == fd && entry.events == libc::POLLIN);
                Ok(if kept { "as before" } else { "overwritten" }.into())
            },
        ),
        essential("the same array again, the other descriptor ready by now", "2", || {
            let [ready, other] = [scene("pipe-readable")?, scene("pipe-readable")?];
            let mut fds =
                [ready.fd, other.fd].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
            system::poll(&mut fds[..1], 0)?;
            Ok(counted(system::poll(&mut fds, 0)))
        }),
        essential(
            "the readable set after a select with one of the two ready",
            "the other one is gone",
            || {
                let [ready, idle] = [scene("pipe-readable")?, scene("fifo-no-writer")?];
                let highest = ready.fd.max(idle.fd);
                let mut sets = [
                    FdSet::new(highest, &[ready.fd, idle.fd]),
                    FdSet::new(highest, &[]),
                    FdSet::new(highest, &[]),
                ];
                system::select(highest + 1, &mut sets)?;
                Ok(match (sets[0].has(ready.fd), sets[0].has(idle.fd)) {
                    (true, false) => "the other one is gone",
                    (true, true) => "as before",
                    _ => "neither is as expected",
                }
                .into())
            },
        ),
    ],
};

pub static NO_MAX_PLUS_ONE: Claim = Claim {
    id: "no-max-plus-one",
    section: "1.2",
    text: "poll needs no highest descriptor plus one",
    parts: &[
        essential("poll of an array of one, the descriptor's number far above 1", "IN", || {
            let high = high_number()?;
            let answer = system::poll_one(high.as_raw_fd(), libc::POLLIN).map_or_else(refused, of_poll);
            Ok(Seen::With(answer.to_string(), format!("descriptor {}", high.as_raw_fd())))
        }),
        essential("select of the same descriptor with nfds one too low", "nothing", || select_below(0)),
        essential("select of the same descriptor with nfds its number plus one", "READ", || select_below(1)),
    ],
};

/// The two calls of the claim.
#[derive(Clone, Copy)]
enum Call {
    Poll,
    Epoll,
}

impl Call {
    /// Waits for one of `fds` to be readable.
    fn wait(self, fds: &[RawFd], timeout_ms: i32) -> Result<usize, Errno> {
        match self {
            Self::Poll => {
                let entry = |fd: &RawFd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 };
                system::poll(&mut fds.iter().map(entry).collect::<Vec<_>>(), timeout_ms)
            }
            Self::Epoll => {
                let set = epoll()?;
                fds.iter().try_for_each(|fd| epoll_add(&set, *fd, libc::EPOLLIN))?;
                epoll_wait(set.as_raw_fd(), timeout_ms).map(|events| events.len())
            }
        }
    }
}

fn counted(result: Result<usize, Errno>) -> Seen {
    result.map_or_else(errno_name, |count| count.to_string()).into()
}

fn at_once(call: Call) -> io::Result<Seen> {
    let idle = scene("fifo-no-writer")?;
    let (result, sleeps) = asleep::counted(|| call.wait(&[idle.fd], 0));
    let result = result.map_or_else(errno_name, |count| count.to_string());
    Ok(format!("{result} {}", if sleeps == 0 { "without sleeping" } else { "after a sleep" }).into())
}

fn in_time(call: Call) -> io::Result<Seen> {
    let idle = scene("fifo-no-writer")?;
    // A process that is stopped and continued is interrupted without a handler (signal(7)): that is no
    // answer.
    let (result, elapsed) = loop {
        let begun = Instant::now();
        match call.wait(&[idle.fd], TIMEOUT_MS) {
            Err(Errno::INTR) => {}
            result => break (result, begun.elapsed()),
        }
    };
    let result = result.map_or_else(errno_name, |count| count.to_string());
    // How much more it takes is the machine's affair; that it takes no less is the kernel's promise.
    let in_time = elapsed >= Duration::from_millis(TIMEOUT_MS as u64);
    let text = format!("{result} after {}", if in_time { "20 ms or more" } else { "less than 20 ms" });
    Ok(Seen::With(text, format!("{:.1} ms", elapsed.as_secs_f64() * 1e3)))
}

fn for_ever(call: Call) -> io::Result<Seen> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let wait = || call.wait(&[reader.as_raw_fd()], -1);
    let (result, slept) = asleep::until(wait, |_| Ok(rustix::io::write(&writer, b"!").map(|_| ())?))?;
    let result = result.map_or_else(errno_name, |count| count.to_string());
    Ok(format!("{} {result}", if slept { "sleeps, then" } else { "at once" }).into())
}

fn two_of_three(call: Call) -> io::Result<Seen> {
    let scenes = [scene("pipe-readable")?, scene("fifo-no-writer")?, scene("eventfd")?];
    Ok(counted(call.wait(&scenes.each_ref().map(|scene| scene.fd), 0)))
}

/// A readable descriptor whose number leaves many below it unused.
fn high_number() -> io::Result<std::os::fd::OwnedFd> {
    let readable = rustix::event::eventfd(1, rustix::event::EventfdFlags::CLOEXEC)?;
    Ok(rustix::io::fcntl_dupfd_cloexec(&readable, system::remote_number(1024)?)?)
}

fn select_below(beyond: RawFd) -> io::Result<Seen> {
    let high = high_number()?;
    let fd = high.as_raw_fd();
    let mut sets = [FdSet::new(fd, &[fd]), FdSet::new(fd, &[]), FdSet::new(fd, &[])];
    let answer = match system::select(fd + beyond, &mut sets) {
        Ok(0) => Answer::nothing(),
        Ok(_) if sets[0].has(fd) => Answer::Events { events: vec![Event::Read] },
        Ok(_) => Answer::Unavailable,
        Err(errno) => refused(errno),
    };
    Ok(answer.to_string().into())
}
