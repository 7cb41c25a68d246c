//! Reading a target as it is written.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::str::FromStr;

use rustix::net::SocketAddrUnix;

use super::{Endpoint, Part, Target, Written, distinct};

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

/// The host that stands before a port.
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

/// Returns whether `host` may be a name; the resolver has the last word.
fn is_name(host: &str) -> bool {
    let may_be = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    (1..=255).contains(&host.len()) && host.chars().all(may_be)
}

pub(super) fn at(mut address: SocketAddr, port: u16) -> SocketAddr {
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

/// The notation of a target.
const NOTATION: &str =
    "HOST:PORT, for example 127.0.0.1:7777, HOST:PORT-PORT, [::1]:7777 or unix:/path/socket";

fn wrong(text: &str) -> String {
    format!("'{text}' is not an address: write {NOTATION}")
}
