//! The registry of mechanisms: everything that names one comes from here.

#[cfg(feature = "compio")]
pub mod compio;
#[cfg(feature = "epoll-et")]
pub mod epoll_et;
#[cfg(feature = "epoll-lt")]
pub mod epoll_lt;
#[cfg(feature = "epoll-oneshot")]
pub mod epoll_oneshot;
#[cfg(feature = "io-uring")]
pub mod io_uring;
#[cfg(feature = "io-uring-poll")]
pub mod io_uring_poll;
#[cfg(feature = "mio")]
pub mod mio;
#[cfg(feature = "poll")]
pub mod poll;
#[cfg(feature = "polling")]
pub mod polling;
#[cfg(feature = "select")]
pub mod select;
#[cfg(feature = "threads")]
pub mod threads;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(any(feature = "io-uring", feature = "io-uring-poll"))]
use sys::uring;

use crate::server::AcceptMode::{Exclusive, Reuseport, Shared};
use crate::server::{Mechanism, Probe, Serve};

/// The loop of a mechanism, if its feature is on.
macro_rules! compiled {
    ($feature:literal, $serve:expr) => {{
        #[cfg(feature = $feature)]
        let serve: Option<Serve> = Some($serve);
        #[cfg(not(feature = $feature))]
        let serve: Option<Serve> = None;
        serve
    }};
}

/// The probe of a mechanism, if its feature is on.
macro_rules! probed {
    ($feature:literal, $probe:path) => {{
        #[cfg(feature = $feature)]
        let probe: Probe = $probe;
        #[cfg(not(feature = $feature))]
        let probe: Probe = always;
        probe
    }};
}

/// For what every kernel has that muxbench runs on.
fn always() -> Result<Vec<&'static str>, String> {
    Ok(Vec::new())
}

/// The call of glibc's poll(3): newer architectures have ppoll(2) only.
const POLL: &str = if cfg!(target_arch = "x86_64") { "poll" } else { "ppoll" };

/// The call of the C library's epoll_wait(3): newer architectures have epoll_pwait(2) only, and musl makes no other.
const EPOLL_WAIT: &str =
    if cfg!(all(target_arch = "x86_64", not(target_env = "musl"))) { "epoll_wait" } else { "epoll_pwait" };

/// The call of the C library's select(3): pselect6(2) with glibc; with musl the older call where there is one.
const SELECT: &str =
    if cfg!(all(target_arch = "x86_64", target_env = "musl")) { "select" } else { "pselect6" };

/// The call with which the C library begins a thread.
const CLONE: &str = if cfg!(target_env = "musl") { "clone" } else { "clone3" };

/// The function that bounds the connections of the mechanism `threads`.
#[cfg(feature = "threads")]
const MOST_THREADS: Option<fn() -> u64> = Some(threads::most_threads);
#[cfg(not(feature = "threads"))]
const MOST_THREADS: Option<fn() -> u64> = None;

static ALL: &[Mechanism] = &[
    Mechanism {
        name: "threads",
        family: "blocking",
        serve: compiled!("threads", Serve::Loop(threads::serve)),
        accept: &[Reuseport, Shared],
        about: "a thread for each connection, asleep in a read of its own: what multiplexing replaced",
        echo_calls: &["recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", CLONE, "close"],
        counts_calls: true,
        limit: "threads: kernel.threads-max, pid_max, a control group's pids.max, and vm.max_map_count (four \
                mappings each, of which muxbench uses three quarters: 12,286 connections by default); 14 KB \
                of memory each, and a stack of 16 KiB in the kernel",
        most_connections: MOST_THREADS,
        probe: always,
    },
    Mechanism {
        name: "select",
        family: "readiness",
        serve: compiled!("select", Serve::Loop(select::serve)),
        accept: &[Reuseport, Shared],
        about: "a bitmap of descriptors, copied to the kernel and back on every wait",
        echo_calls: &[SELECT, "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "close"],
        counts_calls: true,
        limit: "glibc's FD_SETSIZE ends at descriptor 1023; the kernel does not, and muxbench's own bitmaps go on",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "poll",
        family: "readiness",
        serve: compiled!("poll", Serve::Loop(poll::serve)),
        accept: &[Reuseport, Shared],
        about: "an array of descriptors, read by the kernel on every wait",
        echo_calls: &[POLL, "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "close"],
        counts_calls: true,
        limit: "the soft descriptor limit (RLIMIT_NOFILE), which also bounds the array",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "epoll-lt",
        family: "readiness",
        serve: compiled!("epoll-lt", Serve::Loop(epoll_lt::serve)),
        accept: &[Reuseport, Shared, Exclusive],
        about: "a set kept in the kernel, which reports what is ready for as long as it is",
        echo_calls: &["epoll_pwait", "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "epoll_ctl", "close"],
        counts_calls: true,
        limit: "the descriptor limit, and /proc/sys/fs/epoll/max_user_watches",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "epoll-et",
        family: "readiness",
        serve: compiled!("epoll-et", Serve::Loop(epoll_et::serve)),
        accept: &[Reuseport, Shared, Exclusive],
        about: "the same set, which reports once that something has become ready",
        echo_calls: &["epoll_pwait", "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "epoll_ctl", "close"],
        counts_calls: true,
        limit: "the descriptor limit, and /proc/sys/fs/epoll/max_user_watches",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "epoll-oneshot",
        family: "readiness",
        serve: compiled!("epoll-oneshot", Serve::Pool(epoll_oneshot::serve)),
        accept: &[Shared],
        about: "one set for all threads; what is reported is disarmed until its thread arms it again",
        echo_calls: &["epoll_pwait", "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "epoll_ctl", "shutdown", "close"],
        counts_calls: true,
        limit: "one descriptor table for all threads: its limit, and /proc/sys/fs/epoll/max_user_watches",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "io-uring-poll",
        family: "readiness",
        serve: compiled!("io-uring-poll", Serve::Loop(io_uring_poll::serve)),
        accept: &[Reuseport, Shared],
        about: "readiness told through io_uring, then recv and send as above",
        echo_calls: &["io_uring_enter", "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "close"],
        counts_calls: true,
        limit: "the descriptor limit",
        most_connections: None,
        probe: probed!("io-uring-poll", uring::probe_readiness),
    },
    Mechanism {
        name: "io-uring",
        family: "completion",
        serve: compiled!("io-uring", Serve::Loop(io_uring::serve)),
        accept: &[Reuseport, Shared],
        about: "operations given to the kernel, which says when they are done",
        echo_calls: &["io_uring_enter"],
        connection_calls: &["setsockopt", "close"],
        counts_calls: true,
        limit: "the descriptor limit; a connection that sends faster than it reads waits for a provided buffer",
        most_connections: None,
        probe: probed!("io-uring", uring::probe_completion),
    },
    Mechanism {
        name: "mio",
        family: "library",
        serve: compiled!("mio", Serve::Loop(mio::serve)),
        accept: &[Reuseport, Shared],
        about: "mio 1: epoll, edge-triggered, read until it would block as its users are told to",
        echo_calls: &[EPOLL_WAIT, "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "epoll_ctl", "close"],
        counts_calls: true,
        limit: "the descriptor limit, and /proc/sys/fs/epoll/max_user_watches",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "polling",
        family: "library",
        serve: compiled!("polling", Serve::Loop(polling::serve)),
        accept: &[Reuseport, Shared],
        about: "polling 3, as in smol: epoll, oneshot, interest modified after each event",
        echo_calls: &["epoll_pwait", "timerfd_settime", "read", "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "epoll_ctl", "close"],
        counts_calls: true,
        limit: "the descriptor limit, and /proc/sys/fs/epoll/max_user_watches",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "tokio",
        family: "library",
        serve: compiled!("tokio", Serve::Pool(tokio::serve)),
        accept: &[Shared],
        about: "tokio 1: one task per connection, on the current-thread or the multi-thread runtime",
        echo_calls: &[EPOLL_WAIT, "recvfrom", "sendto"],
        connection_calls: &["accept4", "setsockopt", "epoll_ctl", "write", "close"],
        counts_calls: false,
        limit: "the descriptor limit, one table for all workers; 5 KB of memory a connection; bytes behind an \
                urgent mark (MSG_OOB) wait for more to come, since tokio takes a short read for the last",
        most_connections: None,
        probe: always,
    },
    Mechanism {
        name: "compio",
        family: "library",
        serve: compiled!("compio", Serve::Loop(compio::serve)),
        accept: &[Reuseport, Shared],
        about: "compio 0.18: io_uring, a runtime and a ring a loop, a task and a buffer a connection",
        echo_calls: &["io_uring_enter"],
        connection_calls: &["setsockopt", "close"],
        counts_calls: false,
        limit: "the descriptor limit; a kernel that grants io_uring; 5 KB of memory a connection",
        most_connections: None,
        probe: probed!("compio", compio::probe),
    },
];

/// Every mechanism, in the order of tables and plots, whether compiled or not.
pub fn all() -> &'static [Mechanism] {
    ALL
}

/// The mechanism called `name`, whether compiled or not.
pub fn find(name: &str) -> Option<&'static Mechanism> {
    all().iter().find(|mechanism| mechanism.name == name)
}

/// The mechanisms that this build has.
pub fn compiled() -> impl Iterator<Item = &'static Mechanism> {
    all().iter().filter(|mechanism| mechanism.is_compiled())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_own_mechanism() {
        for mechanism in all() {
            assert!(std::ptr::eq(find(mechanism.name).expect("registered"), mechanism), "{}", mechanism.name);
        }
        assert!(find("kqueue").is_none());
    }
}
