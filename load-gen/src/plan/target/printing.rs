//! Writing a target so that it reads back.

use std::fmt;

use super::notation::at;
use super::{Endpoint, Part, Target, Written};

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(address) => match (address.path(), address.abstract_name()) {
                (_, Some(name)) => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
                (Some(path), None) => write!(f, "unix:{}", path.to_string_lossy()),
                (None, None) => f.write_str("unix:"),
            },
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(endpoint @ Endpoint::Tcp(_)) => endpoint.fmt(f),
            Self::Place(endpoint) => {
                f.write_str(&endpoint.to_string().replace('\\', "\\\\").replace(',', "\\,"))
            }
            Self::Name { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            // Otherwise it would read back as the path of a Unix socket.
            Self::Name { host, port } if host == "unix" => write!(f, "tcp://{host}:{port}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &self.0[..];
        let mut comma = "";
        while let [first, ..] = rest {
            write!(f, "{comma}{first}")?;
            comma = ",";
            let in_a_row = 1 + rest.windows(2).take_while(|pair| is_next_port(&pair[0], &pair[1])).count();
            if let (2.., Some(last)) = (in_a_row, rest[in_a_row - 1].port()) {
                write!(f, "-{last}")?;
            }
            rest = &rest[in_a_row..];
        }
        Ok(())
    }
}

/// As it is written, names included.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

impl Part {
    fn port(&self) -> Option<u16> {
        match self {
            Self::Place(Endpoint::Tcp(address)) => Some(address.port()),
            Self::Place(Endpoint::Unix(_)) => None,
            Self::Name { port, .. } => Some(*port),
        }
    }
}

fn is_next_port(one: &Part, next: &Part) -> bool {
    let is_same_host = match (one, next) {
        (Part::Place(Endpoint::Tcp(one)), Part::Place(Endpoint::Tcp(next))) => at(*one, 0) == at(*next, 0),
        (Part::Name { host: one, .. }, Part::Name { host: next, .. }) => one == next,
        _ => false,
    };
    is_same_host && one.port().zip(next.port()).is_some_and(|(one, next)| one.checked_add(1) == Some(next))
}
