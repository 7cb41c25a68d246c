//! Everything that can go wrong with a connection or a request, by name, with the errno where the system gave one.

use std::collections::BTreeMap;
use std::fmt;

use rustix::io::Errno;

/// What went wrong. The names are keys of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing listens at the target (ECONNREFUSED; ENOENT and the like, for a Unix socket).
    Refused,
    /// No route to the target, or the network says that it cannot be had (ENETUNREACH, EHOSTUNREACH).
    Unreachable,
    /// No answer within the time allowed.
    TimedOut,
    /// The descriptor limit was reached (EMFILE, ENFILE).
    OutOfDescriptors,
    /// No local port is left for the target (EADDRNOTAVAIL, EADDRINUSE).
    OutOfPorts,
    /// This machine has no address to reach the target from: none of its family, above all (EADDRNOTAVAIL,
    /// EAFNOSUPPORT).
    NoAddress,
    /// The target is a socket of another type, or speaks another protocol (EPROTOTYPE).
    WrongType,
    /// The address of the target cannot be used as it is: the interface is missing, for one (EINVAL, ENODEV).
    InvalidAddress,
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
    /// What the system says, which is of one of the kinds above.
    System(Errno),
}

impl Fault {
    /// Every kind.
    const KINDS: [Self; 18] = [
        Self::Refused,
        Self::Unreachable,
        Self::TimedOut,
        Self::OutOfDescriptors,
        Self::OutOfPorts,
        Self::NoAddress,
        Self::WrongType,
        Self::InvalidAddress,
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
            Self::NoAddress => "no_address",
            Self::WrongType => "wrong_type",
            Self::InvalidAddress => "invalid_address",
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
            Self::System(errno) => kind_of(errno).name(),
        }
    }

    /// What kind it is of: itself, unless it is what the system said.
    pub fn kind(self) -> Self {
        match self {
            Self::System(errno) => kind_of(errno),
            kind => kind,
        }
    }

    /// What the system said, where it is about that.
    fn errno(self) -> Option<Errno> {
        match self {
            Self::System(errno) => Some(errno),
            // The errno is that of a shortage of ports too: only who counts it knows which.
            Self::NoAddress => Some(Errno::ADDRNOTAVAIL),
            _ => None,
        }
    }

    /// Its place among the kinds.
    fn place(self) -> usize {
        let kind = self.kind();
        Self::KINDS.iter().position(|&known| known == kind).expect("every kind is listed")
    }
}

/// The errors of socket(2), bind(2), connect(2), recv(2), send(2), of ip(7), tcp(7) and unix(7), and those that ICMP brings
/// (net/ipv4/icmp.c, `icmp_err_convert`): name and kind.
const ERRNOS: [(Errno, &str, Fault); 52] = [
    (Errno::CONNREFUSED, "ECONNREFUSED", Fault::Refused),
    // A path at which there is no socket.
    (Errno::NOENT, "ENOENT", Fault::Refused),
    (Errno::NOTDIR, "ENOTDIR", Fault::Refused),
    (Errno::LOOP, "ELOOP", Fault::Refused),
    (Errno::NETUNREACH, "ENETUNREACH", Fault::Unreachable),
    (Errno::HOSTUNREACH, "EHOSTUNREACH", Fault::Unreachable),
    (Errno::HOSTDOWN, "EHOSTDOWN", Fault::Unreachable),
    (Errno::NETDOWN, "ENETDOWN", Fault::Unreachable),
    (Errno::NONET, "ENONET", Fault::Unreachable),
    (Errno::NOLINK, "ENOLINK", Fault::Unreachable),
    (Errno::TIMEDOUT, "ETIMEDOUT", Fault::TimedOut),
    (Errno::MFILE, "EMFILE", Fault::OutOfDescriptors),
    (Errno::NFILE, "ENFILE", Fault::OutOfDescriptors),
    (Errno::ADDRNOTAVAIL, "EADDRNOTAVAIL", Fault::OutOfPorts),
    (Errno::ADDRINUSE, "EADDRINUSE", Fault::OutOfPorts),
    (Errno::AFNOSUPPORT, "EAFNOSUPPORT", Fault::NoAddress),
    (Errno::PFNOSUPPORT, "EPFNOSUPPORT", Fault::NoAddress),
    (Errno::PROTOTYPE, "EPROTOTYPE", Fault::WrongType),
    (Errno::PROTONOSUPPORT, "EPROTONOSUPPORT", Fault::WrongType),
    (Errno::SOCKTNOSUPPORT, "ESOCKTNOSUPPORT", Fault::WrongType),
    (Errno::OPNOTSUPP, "EOPNOTSUPP", Fault::WrongType),
    (Errno::NOPROTOOPT, "ENOPROTOOPT", Fault::WrongType),
    (Errno::PROTO, "EPROTO", Fault::WrongType),
    (Errno::NOTSOCK, "ENOTSOCK", Fault::WrongType),
    (Errno::INVAL, "EINVAL", Fault::InvalidAddress),
    (Errno::NODEV, "ENODEV", Fault::InvalidAddress),
    (Errno::NXIO, "ENXIO", Fault::InvalidAddress),
    (Errno::DESTADDRREQ, "EDESTADDRREQ", Fault::InvalidAddress),
    (Errno::NAMETOOLONG, "ENAMETOOLONG", Fault::InvalidAddress),
    (Errno::NOMEM, "ENOMEM", Fault::OutOfMemory),
    (Errno::NOBUFS, "ENOBUFS", Fault::OutOfMemory),
    (Errno::NOSPC, "ENOSPC", Fault::OutOfMemory),
    (Errno::ACCESS, "EACCES", Fault::Denied),
    (Errno::PERM, "EPERM", Fault::Denied),
    (Errno::ROFS, "EROFS", Fault::Denied),
    (Errno::CONNRESET, "ECONNRESET", Fault::Reset),
    (Errno::CONNABORTED, "ECONNABORTED", Fault::Reset),
    (Errno::NETRESET, "ENETRESET", Fault::Reset),
    (Errno::PIPE, "EPIPE", Fault::Reset),
    (Errno::NOTCONN, "ENOTCONN", Fault::Reset),
    (Errno::SHUTDOWN, "ESHUTDOWN", Fault::Reset),
    // What no run is known to meet: mistakes of the caller, and of machines.
    (Errno::MSGSIZE, "EMSGSIZE", Fault::Other),
    (Errno::BADF, "EBADF", Fault::Other),
    (Errno::FAULT, "EFAULT", Fault::Other),
    (Errno::AGAIN, "EAGAIN", Fault::Other),
    (Errno::INTR, "EINTR", Fault::Other),
    (Errno::ISCONN, "EISCONN", Fault::Other),
    (Errno::ALREADY, "EALREADY", Fault::Other),
    (Errno::INPROGRESS, "EINPROGRESS", Fault::Other),
    (Errno::IO, "EIO", Fault::Other),
    (Errno::CANCELED, "ECANCELED", Fault::Other),
    (Errno::NOSYS, "ENOSYS", Fault::Other),
];

fn kind_of(errno: Errno) -> Fault {
    ERRNOS.iter().find(|(known, ..)| *known == errno).map_or(Fault::Other, |&(.., kind)| kind)
}

/// The name of an errno, as errno(3) has it; its number for one that no call on a socket is known to give.
fn errno_name(errno: Errno) -> String {
    let known = ERRNOS.iter().find(|(known, ..)| *known == errno);
    known.map_or_else(|| format!("errno {}", errno.raw_os_error()), |(_, name, _)| (*name).to_owned())
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// Places for all errnos that Linux has (asm-generic/errno.h), and one for what a later one may add.
const ERRNOS_MOST: usize = 134;

/// Faults counted by kind and errno, without allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    kinds: [u64; Fault::KINDS.len()],
    errnos: [u64; ERRNOS_MOST],
}

impl Default for Faults {
    fn default() -> Self {
        Self { kinds: [0; Fault::KINDS.len()], errnos: [0; ERRNOS_MOST] }
    }
}

impl Faults {
    /// Counts one.
    pub fn add(&mut self, fault: Fault) {
        self.kinds[fault.place()] += 1;
        if let Some(errno) = fault.errno() {
            self.errnos[usize::try_from(errno.raw_os_error()).unwrap_or(0).min(ERRNOS_MOST - 1)] += 1;
        }
    }

    /// Counts all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        let theirs = other.kinds.iter().chain(&other.errnos);
        for (mine, theirs) in self.kinds.iter_mut().chain(&mut self.errnos).zip(theirs) {
            *mine += theirs;
        }
    }

    /// How many of one kind there were.
    pub fn count(&self, fault: Fault) -> u64 {
        self.kinds[fault.place()]
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// The counts that are not zero, by name.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        Fault::KINDS
            .iter()
            .map(|kind| (kind.name().to_owned(), self.count(*kind)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// The counts of what the system said, by the name of the errno.
    pub fn by_errno(&self) -> BTreeMap<String, u64> {
        self.errnos().map(|(errno, count)| (errno_name(errno), count)).collect()
    }

    fn errnos(&self) -> impl Iterator<Item = (Errno, u64)> {
        let counts = self.errnos.iter().enumerate().filter(|&(_, &count)| count > 0);
        counts.map(|(code, &count)| (Errno::from_raw_os_error(code as i32), count))
    }
}

/// In words: `3 refused (ECONNREFUSED), 1 timed_out`.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for kind in Fault::KINDS.into_iter().filter(|&kind| self.count(kind) > 0) {
            write!(f, "{comma}{} {}", self.count(kind), kind.name())?;
            comma = ", ";
            let is_its = |errno: &Errno| kind_of(*errno) == kind || kind.errno() == Some(*errno);
            let names: Vec<_> =
                self.errnos().map(|(errno, _)| errno).filter(is_its).map(errno_name).collect();
            if !names.is_empty() {
                write!(f, " ({})", names.join(", "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_a_place_of_its_own() {
        let mut faults = Faults::default();
        Fault::KINDS.into_iter().for_each(|fault| faults.add(fault));
        assert_eq!(faults.by_name().len(), Fault::KINDS.len());
        assert!(faults.by_name().values().all(|&count| count == 1));
        assert_eq!(faults.total(), Fault::KINDS.len() as u64);
    }

    #[test]
    fn an_errno_has_one_name_and_one_kind_and_is_told_beside_the_kind() {
        for (at, (errno, name, kind)) in ERRNOS.into_iter().enumerate() {
            assert!(
                ERRNOS[..at].iter().all(|(other, theirs, _)| *other != errno && *theirs != name),
                "{name}"
            );
            let mut faults = Faults::default();
            faults.add(errno.into());
            assert_eq!(faults.count(kind), 1, "{name}");
            assert_eq!(faults.by_errno(), BTreeMap::from([(name.to_owned(), 1)]));
            assert_eq!(faults.to_string(), format!("1 {} ({name})", kind.name()));
        }
    }

    #[test]
    fn what_nobody_knows_is_other_with_its_number() {
        for code in [1, 71, 133, 200, 4_095] {
            let mut faults = Faults::default();
            faults.add(Errno::from_raw_os_error(code).into());
            assert_eq!(faults.total(), 1);
            assert_eq!(faults.by_errno().values().sum::<u64>(), 1);
        }
        let mut faults = Faults::default();
        faults.add(Errno::XDEV.into());
        assert_eq!(faults.to_string(), "1 other (errno 18)");
    }

    #[test]
    fn a_shortage_of_ports_and_a_missing_address_are_two_things_with_one_errno() {
        let mut faults = Faults::default();
        faults.add(Fault::NoAddress);
        assert_eq!(faults.to_string(), "1 no_address (EADDRNOTAVAIL)");
        faults.add(Fault::TimedOut);
        faults.add(Errno::CONNREFUSED.into());
        faults.add(Errno::NOENT.into());
        assert_eq!(
            faults.to_string(),
            "2 refused (ENOENT, ECONNREFUSED), 1 timed_out, 1 no_address (EADDRNOTAVAIL)"
        );
    }
}
