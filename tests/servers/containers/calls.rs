//! The system calls that are made outside the measured loops and that a sandbox may refuse, and what happens then. This is the
//! list in docs/CONTAINERS.md, and the tests here refuse each of them.

/// A command that is run while a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `muxbench serve` with two loops, until it has served `load-gen`, is stopped and has ended.
    Serve,
    /// `muxbench serve --mechanism threads`, in the same way.
    ServeThreads,
    /// `muxbench serve --cpu`.
    ServeBound,
    /// `load-gen`, to a server without the filter.
    Load,
    /// The same on epoll.
    LoadOnEpoll,
    /// `muxbench list`.
    List,
    /// `muxbench doctor`.
    Doctor,
    /// `muxbench run`, of one start.
    Run,
}

/// The expected end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it does otherwise.
    Well,
    /// With exit code 1 and an error.
    Fails,
}
use Command::*;
use End::*;

/// The uses of a call that are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    All,
    /// Of socket(2), sockets of the family AF_NETLINK.
    Netlink,
    /// Of mmap(2), mappings that are shared (MAP_SHARED).
    SharedMappings,
}

/// One call.
pub struct Call {
    /// Its name.
    pub name: &'static str,
    pub uses: Uses,
    /// Its purpose.
    pub purpose: &'static str,
    /// The consequence of a refusal.
    pub refused: &'static str,
    /// The evidence for that: commands, how they end, and what they say.
    pub shown: &'static [(Command, End, &'static str)],
    /// The errors that it is refused with, where one of the two has another meaning.
    pub errors: &'static [i32],
}

const BOTH: &[i32] = &[libc::EPERM, libc::ENOSYS];

const fn call(
    name: &'static str,
    purpose: &'static str,
    refused: &'static str,
    shown: &'static [(Command, End, &'static str)],
) -> Call {
    Call { name, uses: Uses::All, purpose, refused, shown, errors: BOTH }
}

pub const CALLS: &[Call] = &[
    call(
        "unshare",
        "a descriptor table for each loop and each worker",
        "all threads share the process's table: everything works up to its limit",
        &[
            (Serve, Well, ""),
            (ServeThreads, Well, ""),
            (Load, Well, "share one descriptor table"),
            (List, Well, "shares one table"),
            (Doctor, Well, "all threads share one descriptor table"),
        ],
    ),
    call(
        "close_range",
        "closes what a new table has of others",
        "the descriptors are closed one by one",
        &[(Serve, Well, ""), (Load, Well, ""), (List, Well, "")],
    ),
    call(
        "prctl",
        "timers without slack for the generator, names of threads",
        "a sleeping generator is 50 µs late, and threads have no names",
        &[(Serve, Well, ""), (Load, Well, ""), (List, Well, ""), (Doctor, Well, "PR_SET_TIMERSLACK")],
    ),
    call(
        "sched_setaffinity",
        "binds server and generator to a processor each",
        "a campaign binds nothing and says so; `--cpu` is an error",
        &[
            (ServeBound, Fails, "sched_setaffinity(2) is refused"),
            (Doctor, Well, "sched_setaffinity(2) is refused"),
            (Run, Well, "bound to no processor"),
        ],
    ),
    call(
        "sched_getaffinity",
        "the processors that may be used",
        "/proc tells them",
        &[(Serve, Well, ""), (Load, Well, ""), (ServeBound, Well, ""), (Doctor, Well, "processor")],
    ),
    call(
        "epoll_pwait2",
        "a generator that sleeps until an instant exact to the nanosecond",
        "it sleeps by epoll_pwait(2), rounded up to a millisecond",
        &[(Load, Well, ""), (Doctor, Well, "epoll_pwait2(2) is refused")],
    ),
    call(
        "io_uring_setup",
        "a ring, of the mechanisms on io_uring and of the generator",
        "those mechanisms are left out, and the generator runs on epoll",
        &[(Load, Well, ""), (List, Well, "this kernel:"), (Doctor, Well, "io_uring")],
    ),
    call(
        "io_uring_enter",
        "submits to a ring and waits for it",
        "as io_uring_setup",
        &[(Load, Well, ""), (List, Well, "this kernel:"), (Doctor, Well, "io_uring")],
    ),
    call(
        "io_uring_register",
        "provides a ring with buffers",
        "as io_uring_setup, for what needs them",
        &[(Load, Well, ""), (List, Well, "this kernel:"), (Doctor, Well, "io_uring")],
    ),
    call(
        "setpriority",
        "lets what encodes a time series wait for what is measured",
        "it has the priority of the others",
        &[(Load, Well, "")],
    ),
    call("getpriority", "as setpriority", "as setpriority", &[(Load, Well, "")]),
    Call {
        uses: Uses::Netlink,
        ..call(
            "socket",
            "asks how full the listen queue is, and how sockets fared (sock_diag)",
            "at most 1,024 connections are on their way at once, and what is not told is not in the result",
            &[(Load, Well, ""), (Run, Well, "")],
        )
    },
    call(
        "prlimit64",
        "the limit of descriptors, and raises it",
        "the limit stays as it is, and is taken for 1,024 where it is not told",
        &[(Serve, Well, ""), (Load, Well, ""), (List, Well, ""), (Doctor, Well, "")],
    ),
    call(
        "memfd_create",
        "counters of a server that a campaign reads without asking it",
        "the campaign asks the server on its standard input",
        &[(Run, Well, "")],
    ),
    Call {
        uses: Uses::SharedMappings,
        ..call(
            "mmap",
            "the same counters, and rings",
            "as memfd_create, and as io_uring_setup",
            &[(Load, Well, ""), (List, Well, "this kernel:"), (Run, Well, "")],
        )
    },
    call("uname", "nothing of ours: the kernel's name is read from /proc", "nothing", &[(Doctor, Well, "")]),
    call("flock", "keeps others off the journal of a campaign", "nothing keeps them off", &[(Run, Well, "")]),
    call(
        "timerfd_create",
        "timers of the library polling",
        "it waits with the timeout of epoll_wait(2)",
        &[(List, Well, "polling")],
    ),
    call(
        "shutdown",
        "ends loops, and refuses a client in an orderly way",
        "the end of the process ends the loops",
        &[(Serve, Well, ""), (Load, Well, "")],
    ),
    call(
        "ioctl",
        "makes the sockets of the mechanism threads wait",
        "that mechanism fails",
        &[(Serve, Well, ""), (ServeThreads, Fails, "ioctl(2) failed"), (List, Well, "ioctl(2) failed")],
    ),
    Call {
        // The C library falls back on clone(2) where the call is unknown. Docker's profile answers so, for that reason.
        errors: &[libc::ENOSYS],
        ..call(
            "clone3",
            "begins a thread or a process (the C library)",
            "the C library uses clone(2) where the error is ENOSYS, as in Docker; otherwise there is no thread",
            &[(Serve, Well, ""), (ServeThreads, Well, ""), (Load, Well, ""), (Run, Well, "")],
        )
    },
    Call {
        errors: &[libc::EPERM],
        ..call(
            "clone3",
            "the same, where the error is another",
            "an error: no thread can be started",
            &[(Serve, Fails, "cannot start a loop"), (Load, Fails, "cannot start thread")],
        )
    },
    call("socket", "a socket", "an error", &[(Serve, Fails, "cannot listen"), (Load, Fails, "")]),
    call("bind", "an address", "an error", &[(Serve, Fails, "cannot listen")]),
    call("listen", "a listener", "an error", &[(Serve, Fails, "cannot listen")]),
    call("getsockname", "the port that was given", "an error", &[(Serve, Fails, "cannot listen")]),
    call(
        "socketpair",
        "wakes who waits for signals, and tries a ring",
        "an error of the server; the generator runs on epoll",
        &[(Serve, Fails, "cannot watch for signals"), (Load, Well, "")],
    ),
    call("eventfd2", "the reserve of a listener", "an error", &[(Serve, Fails, "eventfd2(2) failed")]),
    call(
        "epoll_create1",
        "an epoll instance",
        "an error; `list` and `doctor` name what does without",
        &[
            (Serve, Fails, "epoll_create1(2) failed"),
            (LoadOnEpoll, Fails, "cannot set up a worker thread"),
            (List, Well, "epoll_create1(2) failed"),
            (Doctor, Fails, "epoll_create1(2) failed"),
        ],
    ),
    call("epoll_ctl", "a watch", "an error", &[(Serve, Fails, "epoll_ctl(2) failed")]),
    call("connect", "a connection of the generator", "an error", &[(Load, Fails, "no connection to")]),
    call(
        "fdatasync",
        "the journal of a campaign",
        "an error: a campaign that is not kept is not begun",
        &[(Run, Fails, "")],
    ),
];

/// The list for people.
pub fn table() -> String {
    let mut text = "| call | what for | when it is refused |\n| --- | --- | --- |\n".to_owned();
    for Call { name, uses, purpose, refused, .. } in CALLS {
        let uses = match uses {
            Uses::All => "",
            Uses::Netlink => " (AF_NETLINK)",
            Uses::SharedMappings => " (MAP_SHARED)",
        };
        text += &format!("| {name}{uses} | {purpose} | {refused} |\n");
    }
    text
}
