//! One round trip through each real loop, with few and with many idle connections beside it.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use load_gen::plan::options::PoolOptions;
use load_gen::pool::Pool;
use model::schema::{Point, Protocol};
use muxbench::experiment::environment::Pinning;
use muxbench::experiment::server::{Own, Server};
use muxbench::mechanisms;

use support::{Collector, criterion_on, timed};

/// Connections held: one of them is used.
const CONNECTIONS: [u32; 2] = [1, 1_000];
const MESSAGE: [u8; 64] = *b"............... sixty-four bytes, there and back ..............\n";

/// A server with idle connections, and one connection to use. Fields drop in order: clients first.
struct Loop {
    client: TcpStream,
    _idle: Option<Pool>,
    _server: Server,
}

impl Loop {
    fn new(mechanism: &str, connections: u32, pinning: &Pinning) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_muxbench"));
        let point = Point::new("echo", connections, 1);
        let cpus = pinning.of_server(1);
        let server = Own::start(program, mechanism, &point, Protocol::Echo, &cpus, &Arc::default());
        let server = server.expect("a server starts");
        let idle = (connections > 1).then(|| idle(server.address(), connections - 1));
        let client = TcpStream::connect(server.address()).expect("the server listens");
        client.set_nodelay(true).expect("a socket");
        // Asking over and over spares the round trip the waking of this side.
        client.set_nonblocking(true).expect("a socket");
        Self { client, _idle: idle, _server: server }
    }

    /// Nanoseconds from the first byte sent to the last byte back.
    fn round_trip(&mut self) -> u64 {
        let client = &mut self.client;
        let mut reply = [0; MESSAGE.len()];
        let ((), taken_ns) = timed(|| {
            client.write_all(&MESSAGE).expect("room for one message");
            let mut received = 0;
            while received < reply.len() {
                match client.read(&mut reply[received..]) {
                    Ok(0) => panic!("the server closed the connection"),
                    Ok(length) => received += length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        assert_eq!(reply, MESSAGE);
        taken_ns
    }
}

fn idle(target: SocketAddr, conns: u32) -> Pool {
    let options = PoolOptions::new(target, conns, 1);
    let pool = Pool::open(options, Arc::default(), &mut ()).expect("the server takes connections");
    assert_eq!(pool.connections().opened, u64::from(conns));
    pool
}

fn main() {
    let pinning = Pinning::choose();
    let mechanisms: Vec<_> = mechanisms::compiled().map(|mechanism| mechanism.name).collect();
    let what = "one round trip of 64 bytes through the loop, on one of the watched connections";
    let collector = Collector::new("echo", what, mechanisms.len() * CONNECTIONS.len());
    let mut criterion = criterion_on(pinning.generator);
    for connections in CONNECTIONS {
        for mechanism in &mechanisms {
            let make = || Loop::new(mechanism, connections, &pinning);
            collector.point(&mut criterion, mechanism, connections, make, Loop::round_trip);
        }
    }
    criterion.final_summary();
    collector.write();
}
