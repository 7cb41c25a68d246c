//! Targets, read and written.

use std::net::SocketAddr;

use proptest::prelude::*;
use rustix::net::SocketAddrUnix;

use super::*;

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
