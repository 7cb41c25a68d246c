//! The places where the server is: one address, several ports of it, or a Unix socket; and what of that is still to be
//! looked up.

mod notation;
mod printing;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::SocketAddr;

use rustix::net::SocketAddrUnix;

use crate::fault::Faults;
pub use notation::{addresses, resolve};

/// One place that a server listens at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A port of an address.
    Tcp(SocketAddr),
    /// A stream socket of the file system, or an abstract one (unix(7)).
    Unix(SocketAddrUnix),
}

/// A target as it is written: a list with commas of `HOST:PORT`, `HOST:PORT-PORT`, `unix:/path` and, for an abstract socket,
/// `unix:@name`. `tcp://` may stand before a host; in the name of a Unix socket `\,` is a comma and `\\` a backslash.
///
/// A host is an address, or a name that [`look_up`](crate::pool::look_up) makes one or more of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written(Vec<Part>);

/// One part of a list, at one port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// A place.
    Place(Endpoint),
    /// A port of whatever addresses a name has.
    Name {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Written {
    /// The target of these parts.
    pub fn of(parts: impl Iterator<Item = Part>) -> Self {
        Self(parts.collect())
    }

    /// Its parts, at least one.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// All parts of several, each once; of none, none.
    pub fn all(targets: &[Self]) -> Option<Self> {
        let parts = distinct(targets.iter().flat_map(|target| &target.0).cloned());
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// The places, if each part is one and nothing has to be looked up.
    pub fn places(&self) -> Option<Target> {
        let endpoint = |part: &Part| match part {
            Part::Place(endpoint) => Some(endpoint.clone()),
            Part::Name { .. } => None,
        };
        let endpoints = self.0.iter().map(endpoint).collect::<Option<Vec<_>>>()?;
        Some(Target { written: self.clone(), endpoints, silent: Vec::new() })
    }
}

/// Each once, in the order in which they come first.
fn distinct<T: Clone + Eq + std::hash::Hash>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.filter(|one| seen.insert(one.clone())).collect()
}

/// The places that one server listens at; connections go to each in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    written: Written,
    endpoints: Vec<Endpoint>,
    silent: Vec<(Endpoint, Faults)>,
}

impl Target {
    /// The target that `written` was found to be: `endpoints`, each once and at least one, and addresses of its names
    /// at which nothing accepts.
    pub fn found(written: Written, endpoints: Vec<Endpoint>, silent: Vec<(Endpoint, Faults)>) -> Self {
        Self { written, endpoints: distinct(endpoints.into_iter()), silent }
    }

    /// The places, at least one.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The position of the place that connection `index` goes to.
    pub fn place(&self, index: u32) -> usize {
        index as usize % self.endpoints.len()
    }

    /// The place that connection `index` goes to.
    pub fn endpoint(&self, index: u32) -> &Endpoint {
        &self.endpoints[self.place(index)]
    }

    /// Addresses of a name that no connection goes to, since they did not accept one, with what went wrong.
    pub fn silent(&self) -> &[(Endpoint, Faults)] {
        &self.silent
    }

    /// The command that starts a server of muxbench that listens there, if there is one.
    pub fn server_command(&self) -> Option<String> {
        let is_tcp = |part: &Part| !matches!(part, Part::Place(Endpoint::Unix(_)));
        let command = self.written.0.iter().all(is_tcp).then(|| format!("muxbench serve --listen {self}"))?;
        Some(match self.written.0.len() {
            1 => command,
            ports => format!("{command} --threads {ports}"),
        })
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        let endpoint = Endpoint::Tcp(address);
        let written = Written(vec![Part::Place(endpoint.clone())]);
        Self { written, endpoints: vec![endpoint], silent: Vec::new() }
    }
}
