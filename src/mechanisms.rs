//! The registry of mechanisms: everything that names one comes from here.

#[cfg(feature = "epoll-et")]
pub mod epoll_et;
#[cfg(feature = "epoll-lt")]
pub mod epoll_lt;
#[cfg(feature = "poll")]
pub mod poll;
#[cfg(feature = "select")]
pub mod select;

use crate::server::{Listener, ServeError, Server};

/// Serves a listener on the calling thread until it is shut down.
pub type Serve = fn(Listener, &Server) -> Result<(), ServeError>;

/// One mechanism.
#[derive(Debug, Clone, Copy)]
pub struct Mechanism {
    /// Its name, everywhere; also the Cargo feature that compiles it.
    pub name: &'static str,
    /// What it has in common with others.
    pub family: &'static str,
    /// Its loop; absent from a build without its feature.
    pub serve: Option<Serve>,
    /// One line about it.
    pub about: &'static str,
    /// The system calls that its loop issues, as strace(1) names them on x86-64 and AArch64.
    pub system_calls: &'static str,
    /// Where it ends.
    pub limit: &'static str,
}

impl Mechanism {
    /// Whether this build has it.
    pub fn is_compiled(&self) -> bool {
        self.serve.is_some()
    }
}

/// The loop of a mechanism, if its feature is on.
macro_rules! compiled {
    ($feature:literal, $serve:path) => {{
        #[cfg(feature = $feature)]
        let serve: Option<Serve> = Some($serve);
        #[cfg(not(feature = $feature))]
        let serve: Option<Serve> = None;
        serve
    }};
}

static ALL: &[Mechanism] = &[
    Mechanism {
        name: "select",
        family: "readiness",
        serve: compiled!("select", select::serve),
        about: "a bitmap of descriptors, copied to the kernel and back on every wait",
        system_calls: "pselect6 recvfrom sendto",
        limit: "glibc's FD_SETSIZE ends at descriptor 1023; the kernel does not, and muxbench's own bitmaps go on",
    },
    Mechanism {
        name: "poll",
        family: "readiness",
        serve: compiled!("poll", poll::serve),
        about: "an array of descriptors, read by the kernel on every wait",
        system_calls: "poll (ppoll on AArch64) recvfrom sendto",
        limit: "the soft descriptor limit (RLIMIT_NOFILE), which also bounds the array",
    },
    Mechanism {
        name: "epoll-lt",
        family: "readiness",
        serve: compiled!("epoll-lt", epoll_lt::serve),
        about: "a set kept in the kernel, which reports what is ready for as long as it is",
        system_calls: "epoll_pwait epoll_ctl recvfrom sendto",
        limit: "the descriptor limit, and /proc/sys/fs/epoll/max_user_watches",
    },
    Mechanism {
        name: "epoll-et",
        family: "readiness",
        serve: compiled!("epoll-et", epoll_et::serve),
        about: "the same set, which reports once that something has become ready",
        system_calls: "epoll_pwait epoll_ctl recvfrom sendto",
        limit: "the descriptor limit, and /proc/sys/fs/epoll/max_user_watches",
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
