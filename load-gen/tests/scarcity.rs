//! Tests of what the machine refuses: routes, local ports, descriptors. Each has a name in the result, and the run goes
//! on with what it has.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::support::network::in_a_network_of_its_own;
use crate::support::servers::{echo, echo_some, serve_on, server};
use crate::support::{count, judged, load_gen, output_of, reasons, run, spawn, start, stderr, wait_until};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use trials::test;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Nothing can be opened: exit status 1, one line with the name, no result.
fn opens_nothing(target: &str, name: &str) {
    let output = run(address(target), &["--conns", "40", "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(name) && stderr(&output).lines().count() == 1, "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_target_without_a_route_is_unreachable() {
    in_a_network_of_its_own(
        "scarcity::a_target_without_a_route_is_unreachable",
        "ip route add unreachable 198.51.100.0/24",
        || {
            opens_nothing("192.0.2.1:7777", "unreachable");
            opens_nothing("198.51.100.1:7777", "unreachable");
        },
    );
}

#[test]
fn a_target_that_swallows_everything_costs_the_timeout_and_no_more() {
    // The other end of the pair is up and answers ARP for nobody; a fixed neighbour spares the ARP failure.
    let set_up = "ip link add near type veth peer name far; ip link set near up; ip link set far up; \
                  ip address add 192.0.2.1/24 dev near; \
                  ip neighbour add 192.0.2.9 lladdr 02:00:00:00:00:09 dev near nud permanent";
    in_a_network_of_its_own(
        "scarcity::a_target_that_swallows_everything_costs_the_timeout_and_no_more",
        set_up,
        || {
            opens_nothing("192.0.2.9:7777", "timed_out");
        },
    );
}

#[test]
fn too_few_local_ports_are_named_and_those_that_there_were_are_used() {
    // Towards 127.0.0.0/8 there would be further source addresses.
    let set_up = "echo 40000 40009 > /proc/sys/net/ipv4/ip_local_port_range; \
                  ip address add 192.0.2.1/32 dev lo";
    in_a_network_of_its_own(
        "scarcity::too_few_local_ports_are_named_and_those_that_there_were_are_used",
        set_up,
        || {
            // A port outside of the range, all of which is the generator's.
            let listener = TcpListener::bind("192.0.2.1:7777").expect("free in here");
            let target = serve_on(listener, |stream, _| echo_some(&stream, usize::MAX, 64));
            let report = judged(&run(target, &["--conns", "30", "--rate", "1k", "--no-preflight"]), 4);
            assert_eq!(report["connections"]["opened"], 10, "{report}");
            let ports = count(&report["connections"]["errors"]["out_of_ports"]);
            assert!((1..=20).contains(&ports), "those are tried no longer that are known to fail: {report}");
            assert!(reasons(&report).contains("only 10 of 30 connections"), "{report}");
            assert_eq!(report["completed"], report["scheduled"], "the ten work: {report}");
        },
    );
}

/// A table holds what the limit allows, and further tables what is beyond it (`cli.rs`); but the limit can also be
/// lowered from outside while the generator runs.
#[test]
fn a_table_that_runs_out_of_descriptors_says_so_and_the_rest_works() {
    let accepted = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&accepted);
    let target = server(move |stream, _| {
        seen.fetch_add(1, Relaxed);
        echo_some(&stream, usize::MAX, 64);
    });
    let child = start(target, &["--conns", "200", "--connect-rate", "100", "--rate", "1k"]);
    wait_until("connections", || accepted.load(Relaxed) > 5);
    let few = Rlimit { current: Some(30), maximum: Some(30) };
    prlimit(Some(Pid::from_child(&child)), Resource::Nofile, few).expect("a child of ours");
    let report = judged(&output_of(child), 4);
    let connections = &report["connections"];
    assert!((6..200).contains(&count(&connections["opened"])), "{report}");
    assert!(count(&connections["errors"]["out_of_descriptors"]) > 0, "{report}");
    assert_eq!(connections["lost"], 0, "{report}");
    assert!(reasons(&report).contains("of 200 connections could be opened"), "{report}");
    assert_eq!(report["completed"], report["scheduled"], "{report}");
}

#[test]
fn a_descriptor_limit_that_leaves_no_room_is_an_error_that_says_what_to_do() {
    let target = echo().to_string();
    let mut command = trials::limited(12, env!("CARGO_BIN_EXE_load-gen"));
    command.args(["--target", &target]);
    let output = output_of(spawn(command));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("ulimit -n"), "{}", stderr(&output));
}

#[test]
fn a_machine_without_ipv6_has_no_address_and_is_not_out_of_ports() {
    in_a_network_of_its_own(
        "scarcity::a_machine_without_ipv6_has_no_address_and_is_not_out_of_ports",
        "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
        || opens_nothing("[::1]:7777", "no_address (EADDRNOTAVAIL)"),
    );
}

#[test]
fn a_unix_socket_of_another_type_is_told_as_such() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("datagrams");
    let _datagrams = UnixDatagram::bind(&path).expect("a free name");
    let target = format!("unix:{}", path.display());
    let output = output_of(spawn(load_gen(&["--target", &target, "--conns", "3", "--timeout", "300ms"])));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("wrong_type (EPROTOTYPE)"), "{}", stderr(&output));
}
