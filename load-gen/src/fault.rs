//! Everything that can go wrong with a connection or a request, by name, with the errno where the system gave one.

use std::collections::BTreeMap;
use std::fmt;

use rustix::io::Errno;

/// The name of an errno, as errno(3) has it.
macro_rules! errno_name {
    (ACCESS) => {
        "EACCES"
    };
    ($errno:ident) => {
        concat!("E", stringify!($errno))
    };
}

/// Takes the table of all kinds: each with its name in the output, and the errors of the system that are of it.
macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, [$($errno:ident)*];)*) => {
        /// A fault of a connection or a request. Its name is a key of the JSON output.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault {
            $($(#[$doc])* $kind,)*
            /// An error of the system, which is of one of the kinds above.
            System(Errno),
        }

        /// Every kind, and its name.
        const KINDS: &[(Fault, &str)] = &[$((Fault::$kind, $name)),*];

        /// The errors of socket(2), bind(2), connect(2), recv(2), send(2), of ip(7), tcp(7) and unix(7), and those that ICMP
        /// brings (net/ipv4/icmp.c, `icmp_err_convert`): name and kind.
        const ERRNOS: &[(Errno, &str, Fault)] = &[$($((Errno::$errno, errno_name!($errno), Fault::$kind),)*)*];
    };
}

// ENOENT, ENOTDIR and ELOOP are of a path at which there is no socket. The errors of the last kind are mistakes of the caller, and of
// machines, which no run is known to meet.
faults! {
    /// Nothing listens at the target (ECONNREFUSED; ENOENT and the like, for a Unix socket).
    Refused, "refused", [CONNREFUSED NOENT NOTDIR LOOP];
    /// No route to the target, or the network says that it cannot be had (ENETUNREACH, EHOSTUNREACH).
    Unreachable, "unreachable", [NETUNREACH HOSTUNREACH HOSTDOWN NETDOWN NONET NOLINK];
    /// No answer within the time allowed.
    TimedOut, "timed_out", [TIMEDOUT];
    /// The descriptor limit was reached (EMFILE, ENFILE).
    OutOfDescriptors, "out_of_descriptors", [MFILE NFILE];
    /// No local port is left for the target (EADDRNOTAVAIL, EADDRINUSE).
    OutOfPorts, "out_of_ports", [ADDRNOTAVAIL ADDRINUSE];
    /// This machine has no address to reach the target from: none of its family, above all (EADDRNOTAVAIL,
    /// EAFNOSUPPORT).
    NoAddress, "no_address", [AFNOSUPPORT PFNOSUPPORT];
    /// The target is a socket of another type, or speaks another protocol (EPROTOTYPE).
    WrongType, "wrong_type", [PROTOTYPE PROTONOSUPPORT SOCKTNOSUPPORT OPNOTSUPP NOPROTOOPT PROTO NOTSOCK];
    /// The address of the target cannot be used as it is: the interface is missing, for one (EINVAL, ENODEV).
    InvalidAddress, "invalid_address", [INVAL NODEV NXIO DESTADDRREQ NAMETOOLONG];
    /// The server accepts no connections: its queue of them stays full (listen(2)).
    BacklogFull, "backlog_full", [];
    /// The kernel has no memory left for a connection (ENOMEM, ENOBUFS).
    OutOfMemory, "out_of_memory", [NOMEM NOBUFS NOSPC];
    /// The system forbids the connection (EACCES, EPERM).
    Denied, "denied", [ACCESS PERM ROFS];
    /// The server answered a new connection with its refusal and closed it.
    ServerFull, "server_full", [];
    /// The server reset the connection (ECONNRESET, EPIPE).
    Reset, "reset", [CONNRESET CONNABORTED NETRESET PIPE NOTCONN SHUTDOWN];
    /// The server closed the connection while whole replies were missing, or while it was idle.
    Lost, "lost", [];
    /// The server closed the connection in the middle of a reply.
    Short, "short", [];
    /// A reply differs from what was sent.
    WrongBytes, "wrong_bytes", [];
    /// More was replied than had been asked for.
    Surplus, "surplus", [];
    /// Any other error of the system.
    Other, "other", [MSGSIZE BADF FAULT AGAIN INTR ISCONN ALREADY INPROGRESS IO CANCELED NOSYS];
}

impl Fault {
    /// Its name in the output.
    pub fn name(self) -> &'static str {
        KINDS[self.place()].1
    }

    /// The kind that it is of: itself, unless it is an error of the system.
    pub fn kind(self) -> Self {
        match self {
            Self::System(errno) => kind_of(errno),
            kind => kind,
        }
    }

    /// The errno of the system, if there is one.
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
        KINDS.iter().position(|&(known, _)| known == kind).expect("every kind is listed")
    }
}

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
    kinds: [u64; KINDS.len()],
    errnos: [u64; ERRNOS_MOST],
}

impl Default for Faults {
    fn default() -> Self {
        Self { kinds: [0; KINDS.len()], errnos: [0; ERRNOS_MOST] }
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

    /// The number of faults of one kind.
    pub fn count(&self, fault: Fault) -> u64 {
        self.kinds[fault.place()]
    }

    /// The number of faults of all kinds.
    pub fn total(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// The counts that are not zero, by name.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        self.kinds().map(|(kind, count)| (kind.name().to_owned(), count)).collect()
    }

    fn kinds(&self) -> impl Iterator<Item = (Fault, u64)> {
        let counts = KINDS.iter().zip(self.kinds).filter(|&(_, count)| count > 0);
        counts.map(|(&(kind, _), count)| (kind, count))
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
        for (kind, count) in self.kinds() {
            write!(f, "{comma}{count} {}", kind.name())?;
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
        KINDS.iter().for_each(|&(fault, _)| faults.add(fault));
        assert_eq!(faults.by_name().len(), KINDS.len());
        assert!(faults.by_name().values().all(|&count| count == 1));
        assert_eq!(faults.total(), KINDS.len() as u64);
    }

    #[test]
    fn an_errno_has_one_name_and_one_kind_and_is_told_beside_the_kind() {
        for (at, &(errno, name, kind)) in ERRNOS.iter().enumerate() {
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
