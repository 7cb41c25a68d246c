//! Where the server is: one address, several ports of it, or a Unix socket.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use rustix::net::SocketAddrUnix;

/// One place that a server listens at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A port of an address.
    Tcp(SocketAddr),
    /// A stream socket of the file system, or an abstract one (unix(7)).
    Unix(SocketAddrUnix),
}

/// The places that one server listens at; connections go to each in turn.
///
/// It is written, and read, as a list with commas of `HOST:PORT`, `HOST:PORT-PORT`, `unix:/path` and, for an abstract
/// socket, `unix:@name`. A name is looked up once, when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Vec<Endpoint>);

impl Target {
    /// The places, at least one.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.0
    }

    /// The place that connection `index` goes to.
    pub fn endpoint(&self, index: u32) -> &Endpoint {
        &self.0[index as usize % self.0.len()]
    }

    /// All places of several targets, each once; of none, none.
    pub fn all(targets: &[Self]) -> Option<Self> {
        let mut all: Vec<Endpoint> = Vec::new();
        for endpoint in targets.iter().flat_map(|target| &target.0) {
            // A range is long and sorted, so that what is doubled is mostly the last.
            if !all.contains(endpoint) {
                all.push(endpoint.clone());
            }
        }
        (!all.is_empty()).then_some(Self(all))
    }

    /// How a server of muxbench is started that listens there, if it can.
    pub fn server_command(&self) -> Option<String> {
        let is_tcp = |endpoint: &Endpoint| matches!(endpoint, Endpoint::Tcp(_));
        let command = self.0.iter().all(is_tcp).then(|| format!("muxbench serve --listen {self}"))?;
        Some(match self.0.len() {
            1 => command,
            ports => format!("{command} --threads {ports}"),
        })
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self(vec![Endpoint::Tcp(address)])
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lists = text.split(',').map(part).collect::<Result<Vec<_>, _>>()?;
        Self::all(&lists).ok_or_else(|| wrong(text))
    }
}

/// Reads one part of a list.
fn part(text: &str) -> Result<Target, String> {
    match text.strip_prefix("unix:") {
        Some(name) => unix(name).map(|address| Target(vec![Endpoint::Unix(address)])),
        None => {
            let addresses = addresses(text, 1, NOTATION)?;
            Ok(Target(addresses.into_iter().map(Endpoint::Tcp).collect()))
        }
    }
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

/// The addresses that `HOST:PORT` or `HOST:PORT-PORT` stands for, one a port. A name is looked up, and port 0 is one where
/// that is the `lowest`.
///
/// # Errors
///
/// A sentence that says what to write; where `text` is nothing of the kind, that is `notation`.
pub fn addresses(text: &str, lowest: u16, notation: &str) -> Result<Vec<SocketAddr>, String> {
    let wrong = || format!("'{text}' is not an address: write {notation}");
    let (host, ports) = text.rsplit_once(':').ok_or_else(wrong)?;
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
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if bare.is_none() && host.contains(':') {
        return Err(format!(
            "'{text}' is ambiguous: write an IPv6 address in brackets, for example [::1]:7777"
        ));
    }
    let found = (bare.unwrap_or(host), first).to_socket_addrs().ok().and_then(|mut found| found.next());
    let mut address = found.filter(|_| !host.is_empty()).ok_or_else(wrong)?;
    let ports = (first..=last).map(|port| {
        address.set_port(port);
        address
    });
    Ok(ports.collect())
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

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = &self.0[..];
        let mut comma = "";
        while let [first, ..] = rest {
            write!(f, "{comma}{first}")?;
            comma = ",";
            let in_a_row = 1 + rest.windows(2).take_while(|pair| is_next_port(&pair[0], &pair[1])).count();
            if let (2.., Endpoint::Tcp(last)) = (in_a_row, &rest[in_a_row - 1]) {
                write!(f, "-{}", last.port())?;
            }
            rest = &rest[in_a_row..];
        }
        Ok(())
    }
}

fn is_next_port(one: &Endpoint, next: &Endpoint) -> bool {
    match (one, next) {
        (Endpoint::Tcp(one), Endpoint::Tcp(next)) => {
            let mut following = *one;
            following.set_port(one.port().wrapping_add(1));
            following == *next
        }
        _ => false,
    }
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
        ] {
            assert_eq!(target(text).endpoints().len(), places, "{text}");
            assert_eq!(target(text).to_string(), text);
        }
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
        ] {
            let error = text.parse::<Target>().expect_err(text);
            assert!(error.contains(advice), "{text}: {error}");
        }
        assert!(format!("unix:/{}", "x".repeat(200)).parse::<Target>().expect_err("long").contains("107"));
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
            "(/[a-z@: .-]{1,20}){1,3}"
                .prop_map(|path| Endpoint::Unix(SocketAddrUnix::new(path).expect("short"))),
            "[a-z@: .-]{1,20}".prop_map(|name| {
                Endpoint::Unix(SocketAddrUnix::new_abstract_name(name.as_bytes()).expect("short"))
            }),
        ]
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\[|\\]|unix:|@|[0-9a-f:.,-])*") {
            let _ = text.parse::<Target>();
        }

        #[test]
        fn what_is_written_reads_back(endpoints in proptest::collection::vec(endpoints(), 1..12)) {
            let target = Target::all(&[Target(endpoints)]).expect("one at least");
            prop_assert_eq!(target.to_string().parse::<Target>(), Ok(target));
        }
    }
}
