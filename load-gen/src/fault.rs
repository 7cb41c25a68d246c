//! Everything that can go wrong with a connection or a request, by name.

use std::collections::BTreeMap;
use std::io;

use rustix::io::Errno;

/// What went wrong. The names are keys of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// Nothing listens at the target (ECONNREFUSED; ENOENT, for a Unix socket).
    Refused,
    /// No route to the target (ENETUNREACH, EHOSTUNREACH).
    Unreachable,
    /// No answer within the time allowed.
    TimedOut,
    /// The descriptor limit was reached (EMFILE, ENFILE).
    OutOfDescriptors,
    /// No local port is left for the target (EADDRNOTAVAIL).
    OutOfPorts,
    /// The server accepts no connections: its queue of them stays full (listen(2)).
    BacklogFull,
    /// The kernel has no memory left for a connection (ENOMEM, ENOBUFS).
    OutOfMemory,
    /// The system forbids the connection (EACCES, EPERM).
    Denied,
    /// The server answered a new connection with its refusal and closed it.
    ServerFull,
    /// The server reset the connection (ECONNRESET, EPIPE).
    Reset,
    /// The server closed the connection while whole replies were missing, or while it was idle.
    Lost,
    /// The server closed the connection in the middle of a reply.
    Short,
    /// A reply differs from what was sent.
    WrongBytes,
    /// More was replied than had been asked for.
    Surplus,
    /// Any other error of the system.
    Other,
}

/// Number of kinds of fault.
const KINDS: usize = Fault::Other as usize + 1;

impl Fault {
    const ALL: [Self; KINDS] = [
        Self::Refused,
        Self::Unreachable,
        Self::TimedOut,
        Self::OutOfDescriptors,
        Self::OutOfPorts,
        Self::BacklogFull,
        Self::OutOfMemory,
        Self::Denied,
        Self::ServerFull,
        Self::Reset,
        Self::Lost,
        Self::Short,
        Self::WrongBytes,
        Self::Surplus,
        Self::Other,
    ];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::OutOfDescriptors => "out_of_descriptors",
            Self::OutOfPorts => "out_of_ports",
            Self::BacklogFull => "backlog_full",
            Self::OutOfMemory => "out_of_memory",
            Self::Denied => "denied",
            Self::ServerFull => "server_full",
            Self::Reset => "reset",
            Self::Lost => "lost",
            Self::Short => "short",
            Self::WrongBytes => "wrong_bytes",
            Self::Surplus => "surplus",
            Self::Other => "other",
        }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::CONNREFUSED | Errno::NOENT => Self::Refused,
            Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN => Self::Unreachable,
            Errno::TIMEDOUT => Self::TimedOut,
            Errno::MFILE | Errno::NFILE => Self::OutOfDescriptors,
            Errno::ADDRNOTAVAIL => Self::OutOfPorts,
            Errno::NOMEM | Errno::NOBUFS => Self::OutOfMemory,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED => Self::Reset,
            _ => Self::Other,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        error.raw_os_error().map_or(Self::Other, |code| Errno::from_raw_os_error(code).into())
    }
}

/// Faults counted by kind, without allocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults([u64; KINDS]);

impl Faults {
    /// Counts one.
    pub fn add(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// Counts all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// How many of one kind there were.
    pub fn count(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The counts that are not zero, by name.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        Fault::ALL
            .into_iter()
            .filter(|&fault| self.count(fault) > 0)
            .map(|fault| (fault.name().to_owned(), self.count(fault)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_a_place_of_its_own() {
        let mut faults = Faults::default();
        Fault::ALL.into_iter().for_each(|fault| faults.add(fault));
        assert_eq!(faults.by_name().len(), KINDS);
        assert!(faults.by_name().values().all(|&count| count == 1));
        assert_eq!(faults.total(), KINDS as u64);
    }
}
