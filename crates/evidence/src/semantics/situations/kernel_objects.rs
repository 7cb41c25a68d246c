//! Descriptors that stand for an object of the kernel: counters, timers, notifications, sets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use sys::objects::userfaultfd;

use super::{Action, READ_ALL, Scene, Situation, UNEVENTFUL, read_all, read_up_to, write};
use crate::semantics::system::{await_events, epoll, epoll_add};

/// An inotify event with a name of up to 15 characters (inotify(7): the name is padded).
const INOTIFY_EVENT_BYTES: usize = 32;

pub static SITUATIONS: [Situation; 6] = [
    Situation {
        name: "eventfd",
        about: "an eventfd in semaphore mode, its counter at 2",
        set_up: || counter(2, EventfdFlags::SEMAPHORE),
        partial: Action::waking("it is read once, which takes 1 from the counter", |scene| {
            read_up_to(scene.own()?, 8).map(|_| ())
        }),
        more: Action::waking("1 is added", |scene| add(scene.own()?, 1)),
        drain: Action::waking("it is read until the counter is at 0", |scene| read_eventfd(scene.own()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "eventfd-full",
        about: "an eventfd, its counter at the highest value, so that a write would block",
        set_up: || {
            let scene = counter(0, EventfdFlags::empty())?;
            add(scene.own()?, u64::MAX - 1)?;
            Ok(scene)
        },
        drain: Action::waking("it is read, which takes all", |scene| read_up_to(scene.own()?, 8).map(|_| ())),
        ..UNEVENTFUL
    },
    Situation {
        name: "timerfd",
        about: "a timerfd that has expired once",
        set_up: || {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let mut scene = Scene::new(timerfd_create(TimerfdClockId::Monotonic, flags)?, Vec::new());
            expire(&mut scene)?;
            await_events(scene.fd, libc::POLLIN)?;
            Ok(scene)
        },
        more: Action::waking("it is set again, unread, and expires again", expire),
        drain: Action::silent("its expirations are read", |scene| read_up_to(scene.own()?, 8).map(|_| ())),
        ..UNEVENTFUL
    },
    Situation {
        name: "inotify",
        about: "an inotify descriptor, two files made in the folder that it watches",
        set_up: || {
            let folder = tempfile::tempdir()?;
            let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
            let own = inotify::init(flags)?;
            inotify::add_watch(&own, folder.path(), inotify::WatchFlags::CREATE)?;
            let mut scene = Scene::new(own, Vec::new()).keeping(folder);
            make_file(&mut scene)?;
            make_file(&mut scene)?;
            Ok(scene)
        },
        partial: Action::silent("the first of the two events is read", |scene| {
            read_up_to(scene.own()?, INOTIFY_EVENT_BYTES).map(|_| ())
        }),
        more: Action::waking("a third file is made", make_file),
        drain: READ_ALL,
        ..UNEVENTFUL
    },
    Situation {
        name: "epoll-in-epoll",
        about: "an epoll descriptor, the read end of a pipe with 4 bytes in its set, level-triggered",
        set_up: || {
            let (reader, writer) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
            write(&writer, b"data")?;
            let inner = epoll()?;
            epoll_add(&inner, reader.as_raw_fd(), libc::EPOLLIN)?;
            Ok(Scene::new(inner, vec![writer, reader]))
        },
        partial: Action::silent("1 byte of the pipe is read", |scene| {
            read_up_to(&scene.others[1], 1).map(|_| ())
        }),
        more: Action::waking("4 bytes more are written into the pipe", |scene| {
            write(scene.other()?, b"more")
        }),
        drain: Action::silent("the pipe is read empty", |scene| read_all(&scene.others[1])),
        ..UNEVENTFUL
    },
    Situation {
        name: "userfaultfd",
        about: "a userfaultfd after its handshake, no page fault waiting",
        set_up: || Ok(Scene::new(userfaultfd()?, Vec::new())),
        ..UNEVENTFUL
    },
];

fn counter(initial: u32, flags: EventfdFlags) -> io::Result<Scene> {
    let flags = flags | EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
    Ok(Scene::new(eventfd(initial, flags)?, Vec::new()))
}

fn add(fd: &OwnedFd, value: u64) -> io::Result<()> {
    write(fd, &value.to_ne_bytes())
}

/// Reads a semaphore down to 0: each read takes 1.
fn read_eventfd(fd: &OwnedFd) -> io::Result<()> {
    loop {
        match rustix::io::read(fd, &mut [0; 8]) {
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Sets the timer to expire once, at once. Setting it forgets expirations that were not read.
fn expire(scene: &mut Scene) -> io::Result<()> {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let soon = Itimerspec { it_interval: never, it_value: Timespec { tv_sec: 0, tv_nsec: 1 } };
    timerfd_settime(scene.own()?, TimerfdTimerFlags::empty(), &soon)?;
    Ok(())
}

/// Makes one more file in the folder that is watched.
fn make_file(scene: &mut Scene) -> io::Result<()> {
    let folder = scene.keep.as_ref().and_then(|keep| keep.downcast_ref::<tempfile::TempDir>());
    let folder = folder.ok_or(io::ErrorKind::NotFound)?;
    scene.pending += 1;
    std::fs::File::create(folder.path().join(scene.pending.to_string()))?;
    Ok(())
}
