//! Where the server is: one address, several ports of it, or a Unix socket; and what of that is still to be looked up.

use std::collections::HashSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::str::FromStr;

use rustix::net::SocketAddrUnix;

use crate::fault::Faults;

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
/// A host is an address, or a name that [`look_up`](crate::look_up) makes one or more of.
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
    /// What `written` was found to be: `endpoints`, each once and at least one, and addresses of its names at which nothing
    /// accepts.
    pub fn found(written: Written, endpoints: Vec<Endpoint>, silent: Vec<(Endpoint, Faults)>) -> Self {
        Self { written, endpoints: distinct(endpoints.into_iter()), silent }
    }

    /// The places, at least one.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Which of the places connection `index` goes to.
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

    /// How a server of muxbench is started that listens there, if it can.
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

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lists = listed(text).into_iter().map(part).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(distinct(lists.into_iter().flatten())))
    }
}

/// A target without names.
impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let written: Written = text.parse()?;
        written
            .places()
            .ok_or_else(|| format!("'{text}' has a name that is to be looked up first: write an address"))
    }
}

/// The parts between commas, other than those behind a backslash.
fn listed(text: &str) -> Vec<&str> {
    let mut is_escaped = false;
    let is_comma = |letter: char| {
        let was_escaped = is_escaped;
        is_escaped = letter == '\\' && !was_escaped;
        letter == ',' && !was_escaped
    };
    text.split(is_comma).collect()
}

/// Reads one part of a list.
fn part(text: &str) -> Result<Vec<Part>, String> {
    if let Some(name) = text.strip_prefix("unix:") {
        return unix(&unescaped(name)?).map(|address| vec![Part::Place(Endpoint::Unix(address))]);
    }
    let (host, ports) = host_and_ports(text, 1, NOTATION)?;
    let part = |port| match &host {
        Host::Address(address) => Part::Place(Endpoint::Tcp(at(*address, port))),
        Host::Name(name) => Part::Name { host: name.clone(), port },
    };
    Ok(ports.map(part).collect())
}

/// The name of a Unix socket, where `\,` stands for a comma and `\\` for a backslash.
fn unescaped(text: &str) -> Result<String, String> {
    let mut name = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (letter, false) => name.push(letter),
            _ => match letters.next() {
                Some(letter @ (',' | '\\')) => name.push(letter),
                _ => {
                    return Err(format!(
                        "'unix:{text}' has a lone backslash: write \\\\ for one, and \\, for a comma"
                    ));
                }
            },
        }
    }
    Ok(name)
}

fn unix(name: &str) -> Result<SocketAddrUnix, String> {
    let address = match name.strip_prefix('@') {
        _ if name.is_empty() || name == "@" => return Err(wrong("unix:")),
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        None => SocketAddrUnix::new(name),
    };
    // A struct sockaddr_un has room for 107 bytes and a zero.
    address.map_err(|_| {
        format!("'unix:{name}' is not the name of a socket: at most 107 bytes, none of them zero")
    })
}

/// What stands before a port.
enum Host {
    /// An address, with any port.
    Address(SocketAddr),
    /// A name.
    Name(String),
}

/// Reads `HOST:PORT` or `HOST:PORT-PORT`, with `tcp://` before it or not; port 0 is one where that is the `lowest`.
fn host_and_ports(text: &str, lowest: u16, notation: &str) -> Result<(Host, RangeInclusive<u16>), String> {
    let wrong = || format!("'{text}' is not an address: write {notation}");
    let bare = text.strip_prefix("tcp://").unwrap_or(text);
    if let Some((scheme, _)) = bare.split_once("://") {
        return Err(format!("'{scheme}://' is not spoken here: write {notation}"));
    }
    let (host, ports) = bare.rsplit_once(':').ok_or_else(wrong)?;
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port >= lowest && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
        _ => Err(format!(
            "'{text}' is not a port: write a number from {lowest} to 65535, or a range like 7777-7780"
        )),
    };
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(format!("'{ports}' is not a range of ports: write the lower one first"));
    }
    if first == 0 && last > 0 {
        return Err(format!(
            "'{ports}' is not a range of ports: 0 is any free one, and no range begins with it"
        ));
    }
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => match format!("[{address}]:0").parse() {
            Ok(address) => Host::Address(SocketAddr::V6(address)),
            // An interface by its name, which the resolver makes a number of.
            Err(_) if address.contains('%') && !address.contains('\0') => Host::Name(address.to_owned()),
            Err(_) => return Err(wrong()),
        },
        None if host.contains(':') => {
            return Err(format!(
                "'{text}' is ambiguous: write an IPv6 address in brackets, for example [::1]:7777"
            ));
        }
        None => match host.parse::<Ipv4Addr>() {
            Ok(address) => Host::Address((address, 0).into()),
            Err(_) if is_name(host) => Host::Name(host.to_owned()),
            Err(_) => return Err(wrong()),
        },
    };
    Ok((host, first..=last))
}

/// Whether `host` may be a name; the resolver has the last word.
fn is_name(host: &str) -> bool {
    let may_be = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    (1..=255).contains(&host.len()) && host.chars().all(may_be)
}

fn at(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// All addresses that the system's resolver has for `host` (getaddrinfo(3)), with port 0.
///
/// # Errors
///
/// The resolver's own words.
pub fn resolve(host: &str) -> Result<Vec<SocketAddr>, String> {
    let found = (host, 0).to_socket_addrs().map_err(|error| {
        let words = error.to_string();
        words.strip_prefix("failed to lookup address information: ").unwrap_or(&words).to_owned()
    })?;
    Ok(distinct(found))
}

/// The addresses that `HOST:PORT` or `HOST:PORT-PORT` stands for, one a port: of a name, the first that it has. Port 0 is one
/// where that is the `lowest`.
///
/// # Errors
///
/// A sentence that says what to write; where `text` is nothing of the kind, that is `notation`.
pub fn addresses(text: &str, lowest: u16, notation: &str) -> Result<Vec<SocketAddr>, String> {
    let (host, ports) = host_and_ports(text, lowest, notation)?;
    let address = match host {
        Host::Address(address) => address,
        Host::Name(name) => {
            let cannot = |words| format!("cannot look up '{name}': {words}");
            let found = resolve(&name).map_err(cannot)?;
            found.into_iter().next().ok_or_else(|| cannot("it has no address".to_owned()))?
        }
    };
    Ok(ports.map(|port| at(address, port)).collect())
}

/// What a target may be.
const NOTATION: &str =
    "HOST:PORT, for example 127.0.0.1:7777, HOST:PORT-PORT, [::1]:7777 or unix:/path/socket";

fn wrong(text: &str) -> String {
    format!("'{text}' is not an address: write {NOTATION}")
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_target_is_a_port_or_several_or_an_ipv6_address_or_a_unix_socket() {
        for (text, places) in [
            ("127.0.0.1:7777", 1),
            ("127.0.0.1:7777-7780", 4),
            ("127.0.0.1:1-3,127.0.0.2:9,[::1]:7777-7778", 6),
            ("unix:/run/echo.sock", 1),
            ("unix:@echo,127.0.0.1:80", 2),
            (r"unix:/run/a\,b\\c.sock,127.0.0.1:80", 2),
            ("[fe80::1%3]:80", 1),
        ] {
            assert_eq!(target(text).endpoints().len(), places, "{text}");
            assert_eq!(target(text).to_string(), text);
        }
        assert_eq!(target(r"unix:/run/a\,b\\c.sock").endpoint(0).to_string(), r"unix:/run/a,b\c.sock");
        assert_eq!(target("tcp://127.0.0.1:80,tcp://[::1]:80-81").to_string(), "127.0.0.1:80,[::1]:80-81");
        assert_eq!(target("127.0.0.1:5,127.0.0.1:5-6").to_string(), "127.0.0.1:5-6", "each place once");
    }

    #[test]
    fn connections_go_to_each_place_in_turn() {
        let target = target("127.0.0.1:10-12");
        let ports: Vec<_> = (0..4).map(|index| target.endpoint(index).to_string()).collect();
        assert_eq!(ports, ["127.0.0.1:10", "127.0.0.1:11", "127.0.0.1:12", "127.0.0.1:10"]);
    }

    #[test]
    fn what_is_no_target_is_refused_with_an_example_of_one() {
        for (text, advice) in [
            ("nowhere", "HOST:PORT"),
            ("", "HOST:PORT"),
            (":7777", "HOST:PORT"),
            ("127.0.0.1:7777,", "HOST:PORT"),
            ("127.0.0.1:0", "1 to 65535"),
            ("127.0.0.1:+5", "1 to 65535"),
            ("127.0.0.1:70000", "1 to 65535"),
            ("127.0.0.1:9-7", "lower one first"),
            ("::1:7777", "[::1]:7777"),
            ("unix:", "unix:/path"),
            ("unix:@", "unix:/path"),
            (r"unix:/a\b", r"\\"),
            ("http://localhost:80", "'http://' is not spoken here: write HOST:PORT"),
            ("tcp://", "HOST:PORT"),
            ("a b:80", "HOST:PORT"),
            ("[localhost]:80", "HOST:PORT"),
        ] {
            let error = text.parse::<Written>().expect_err(text);
            assert!(error.contains(advice), "{text}: {error}");
        }
        assert!(format!("unix:/{}", "x".repeat(200)).parse::<Target>().expect_err("long").contains("107"));
    }

    #[test]
    fn a_name_is_kept_to_be_looked_up_with_every_port() {
        let text = "localhost:80-82,echo.example.:7,[fe80::1%eth0]:9";
        let written: Written = text.parse().expect("names");
        assert_eq!(written.parts().len(), 5);
        assert_eq!(written.parts()[1], Part::Name { host: "localhost".to_owned(), port: 81 });
        assert_eq!(written.to_string(), text);
        assert_eq!("tcp://localhost:80".parse::<Written>().expect("a name").to_string(), "localhost:80");
        assert_eq!("tcp://unix:80-81".parse::<Written>().expect("a name").to_string(), "tcp://unix:80-81");
        assert!(written.places().is_none());
        assert!(text.parse::<Target>().expect_err("names").contains("looked up"));
    }

    #[test]
    fn a_name_that_no_server_can_listen_at_is_refused_with_the_resolvers_words() {
        let error = addresses("no-such-host.invalid:80", 0, "HOST:PORT").expect_err("reserved (RFC 2606)");
        assert!(error.starts_with("cannot look up 'no-such-host.invalid': "), "{error}");
        assert!(!error.contains("failed to lookup"), "{error}");
    }

    #[test]
    fn a_listener_may_have_any_free_port_and_a_target_has_to_name_one() {
        let ports = |text: &str| {
            let found = addresses(text, 0, "HOST:PORT");
            found.map(|addresses| addresses.iter().map(SocketAddr::port).collect::<Vec<_>>())
        };
        assert_eq!(ports("127.0.0.1:0"), Ok(vec![0]));
        assert_eq!(ports("[::1]:8-10"), Ok(vec![8, 9, 10]));
        assert!(ports("127.0.0.1:0-3").expect_err("no range").contains("any free one"));
        assert_eq!(ports("nowhere"), Err("'nowhere' is not an address: write HOST:PORT".into()));
    }

    #[test]
    fn a_server_can_be_advised_where_one_command_starts_it() {
        let command = |text: &str| target(text).server_command();
        assert_eq!(command("127.0.0.1:7777").as_deref(), Some("muxbench serve --listen 127.0.0.1:7777"));
        let of_three = command("127.0.0.1:7777-7778,[::1]:7777");
        let expected = "muxbench serve --listen 127.0.0.1:7777-7778,[::1]:7777 --threads 3";
        assert_eq!(of_three.as_deref(), Some(expected));
        assert_eq!(command("unix:/run/echo.sock,127.0.0.1:7777"), None);
    }

    fn endpoints() -> impl Strategy<Value = Endpoint> {
        prop_oneof![
            (any::<[u8; 4]>(), 1..=u16::MAX).prop_map(|(ip, port)| Endpoint::Tcp((ip, port).into())),
            (any::<[u16; 8]>(), 1..=u16::MAX).prop_map(|(ip, port)| Endpoint::Tcp((ip, port).into())),
            (0..3_u8, 7000..7010_u16).prop_map(|(ip, port)| Endpoint::Tcp(([127, 0, 0, ip], port).into())),
            r"(/[a-z@: .,\\-]{1,20}){1,3}"
                .prop_map(|path| Endpoint::Unix(SocketAddrUnix::new(path).expect("short"))),
            r"[a-z@: .,\\-]{1,20}".prop_map(|name| {
                Endpoint::Unix(SocketAddrUnix::new_abstract_name(name.as_bytes()).expect("short"))
            }),
        ]
    }

    fn parts() -> impl Strategy<Value = Part> {
        prop_oneof![
            endpoints().prop_map(Part::Place),
            ("[a-z0-9_-]{1,8}(\\.[a-z]{1,8}){0,2}", 7000..7004_u16)
                .prop_map(|(host, port)| Part::Name { host, port }),
        ]
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in r"(\[|\]|unix:|tcp://|@|\\|%|[0-9a-f:.,-]|é|\x00|\PC)*") {
            if let Ok(written) = text.parse::<Written>() {
                prop_assert_eq!(written.to_string().parse::<Written>(), Ok(written));
            }
        }

        #[test]
        fn what_is_written_reads_back(parts in proptest::collection::vec(parts(), 1..12)) {
            let written = Written::all(&[Written(parts)]).expect("one at least");
            prop_assert_eq!(written.to_string().parse::<Written>(), Ok(written));
        }
    }
}
