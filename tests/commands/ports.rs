//! A server at several ports: `muxbench serve --listen HOST:PORT-PORT`, each port with threads of its own.

use std::process::Stdio;

use model::read::loads;
use model::schema::LoadReport;
use muxbench::mechanisms;
use muxbench::server::AcceptMode;
use trials::test;

use crate::support::{Server, connect, load_gen, muxbench, round_trip};

/// A server of four threads at three free ports.
fn server_at_three_ports(mechanism: &str) -> Server {
    let mut command = muxbench();
    command.args(["serve", "--mechanism", mechanism, "--threads", "4"]);
    command.args(["--listen", "127.0.0.1:0,127.0.0.1:0,127.0.0.1:0"]);
    Server::start(command)
}

fn addresses(server: &Server) -> Vec<String> {
    serde_json::from_value(server.listening["addresses"].clone()).expect("a list of addresses")
}

/// Returns the report of load-gen on 12 connections to `targets` in turn.
fn load(targets: &str) -> LoadReport {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("result.json");
    let mut command = trials::command(load_gen());
    command.args(["--target", targets, "--conns", "12", "-d", "100ms", "--warmup", "0s", "--wait", "sleep"]);
    command.args(["--rate", "1k", "--export", &format!("json={}", path.display())]);
    command.stdin(Stdio::null()).output().expect("load-gen starts");
    loads(&path).expect("a result").remove(0)
}

/// Loops that have a listener each.
fn of_several_listeners() -> impl Iterator<Item = &'static str> {
    let has_several =
        |mechanism: &&muxbench::server::Mechanism| mechanism.accept.contains(&AcceptMode::Reuseport);
    mechanisms::compiled().filter(has_several).map(|mechanism| mechanism.name)
}

#[test]
fn each_port_is_served_by_the_threads_that_took_it_in_turn() {
    for mechanism in of_several_listeners() {
        let server = server_at_three_ports(mechanism);
        let addresses = addresses(&server);
        assert_eq!(addresses.len(), 3, "{mechanism}");
        assert_eq!(server.listening["address"], addresses[0], "{mechanism}");
        let report = load(&addresses.join(","));
        assert_eq!((report.connections.opened, report.connections.lost), (12, 0), "{mechanism}: {report:?}");
        assert!(report.completed > 0 && report.errors.is_empty(), "{mechanism}: {report:?}");
        server.await_stats("every connection is closed", |stats| stats.closed == 12);
        let accepted: Vec<_> = server.stats_by_loop().iter().map(|counters| counters.accepted).collect();
        // The fourth thread shares the first port with the first.
        assert_eq!([accepted[0] + accepted[3], accepted[1], accepted[2]], [4, 4, 4], "{mechanism}");
    }
}

#[test]
fn a_range_is_the_ports_that_load_gen_reads_in_the_same_notation() {
    let Some(mechanism) = of_several_listeners().next() else { return };
    // Three in a row that are free now; another process may take one before the server does. They lie below those that the kernel gives
    // to clients, thousands of which may be in TIME_WAIT.
    let begin = 10_000 + (std::process::id() % 5_000) as u16;
    for first in (begin..30_000).step_by(3) {
        let is_free = |port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if !(first..=first + 2).all(is_free) {
            continue;
        }
        let range = format!("127.0.0.1:{first}-{}", first + 2);
        let mut command = muxbench();
        command.args(["serve", "--mechanism", mechanism, "--threads", "3", "--listen", &range]);
        let server = Server::start(command);
        let expected: Vec<_> = (first..=first + 2).map(|port| format!("127.0.0.1:{port}")).collect();
        assert_eq!(addresses(&server), expected);
        let report = load(&range);
        assert_eq!((report.connections.opened, report.settings.target), (12, range));
        assert!(server.stats_by_loop().iter().all(|counters| counters.accepted == 4));
        return;
    }
    panic!("no three ports in a row are free");
}

#[test]
fn a_server_at_several_ports_stops_at_all_of_them() {
    let Some(mechanism) = of_several_listeners().next() else { return };
    let server = server_at_three_ports(mechanism);
    let mut clients: Vec<_> =
        addresses(&server).iter().map(|address| connect(address.parse().expect("one"))).collect();
    clients.iter_mut().for_each(|client| round_trip(client, b"served"));
    server.end_input();
    assert!(server.await_end().success());
}
