//! Tables of echoes a second: io_uring against epoll, and what idle connections cost.

use std::sync::Arc;
use std::time::Duration;

use load_gen::plan::options::{Load, PoolOptions};
use load_gen::pool::Pool;
use model::schema::{Environment, LoadMode, Point, Size, WaitPolicy};

use super::{Case, Servers, Table, head};

/// The names of the two tables.
pub const IO_URING_NAME: &str = "io-uring-echo";
pub const GAMMO_NAME: &str = "gammo";

const WARM_UP: Duration = Duration::from_millis(100);
const BUDGET: Duration = Duration::from_millis(400);

/// Published for 1, 50, 300 and 1,000 clients, in requests a second: io_uring, and epoll.
const IO_URING: [f64; 4] = [13_093.0, 147_078.0, 216_637.0, 173_343.0];
const EPOLL: [f64; 4] = [13_177.0, 139_863.0, 145_517.0, 108_380.0];
const CLIENTS: [u32; 4] = [1, 50, 300, 1_000];
const MESSAGE_BYTES: u32 = 128;

/// Connections that work in both regimes of Gammo et al., and those that are idle in the second.
const WORKING: u32 = 100;
const IDLE: u32 = 10_000;
/// The share of its capacity that each mechanism keeps with [`IDLE`] idle connections, as published: select and poll
/// lose up to 79 %, epoll loses little (no figure).
const LEFT: [(&str, Option<f64>); 4] =
    [("select", Some(0.21)), ("poll", Some(0.21)), ("epoll-lt", None), ("epoll-et", None)];

/// The benchmarks of io_uring-echo-server.
pub fn io_uring<'a>(servers: &'a dyn Servers, environment: &'a Environment) -> Table<'a> {
    let head = head(
        IO_URING_NAME,
        "io_uring echo server: requests a second, 128 bytes",
        "github.com/frevib/io_uring-echo-server, benchmarks; Linux 5.6-rc1",
        "Every client sends 128 bytes and waits for them to come back, over and over; requests answered in a second.",
        "Theirs were 30 s of rust_echo_bench, once, client and server on two of four cores; ours load-gen in closed loop for 0.4 s in \
         each of six repeats, client and server on a processor each. Their io_uring had provided buffers and a completion for each \
         send; ours has multishot receives and sends that complete in silence. Where both processors are full, the \
         figure is one of client and server together, for us as for them.",
        "echoes/s",
    );
    let ways = [("io-uring", IO_URING), ("epoll-lt", EPOLL)];
    let cases = ways.into_iter().filter(|(mechanism, _)| servers.has(mechanism)).flat_map(
        |(mechanism, published)| {
            CLIENTS.into_iter().zip(published).map(move |(clients, published)| {
                let measure = Box::new(move || {
                    echoes_per_s(servers, environment, mechanism, clients, clients, MESSAGE_BYTES)
                });
                Case { mechanism, watched: clients, published: Some(published), measure }
            })
        },
    );
    (head, cases.collect())
}

/// Gammo, Brecht, Shukla and Pariag, OLS 2004.
pub fn gammo<'a>(servers: &'a dyn Servers, environment: &'a Environment, limit: u32) -> Table<'a> {
    let head = head(
        GAMMO_NAME,
        "Gammo et al.: the same work without and with 10,000 idle connections",
        "L. Gammo, T. Brecht, A. Shukla, D. Pariag: Comparing and Evaluating epoll, select, and poll Event Mechanisms, \
         OLS 2004; Linux 2.6",
        "A hundred connections send one byte and wait for it to come back, over and over, alone and among 10,000 idle ones; what is \
         left of the requests answered in a second.",
        "Theirs was a web server (userver) under a rising rate of requests, with curves and no table: without idle connections no \
         mechanism was better than another, and with 10,000 select and poll lost up to 79 %, so that 0.21 is their worst \
         case. Ours is the ratio of two runs of the same repeat, in closed loop, on loopback.",
        "of the capacity without idle ones",
    );
    let idle = IDLE.min(limit.saturating_sub(WORKING + 100));
    let runs = |(mechanism, _): &(&str, Option<f64>)| servers.has(mechanism);
    let cases = LEFT.into_iter().filter(runs).map(|(mechanism, published)| {
        let measure = Box::new(move || {
            let capacity = |idle| echoes_per_s(servers, environment, mechanism, WORKING + idle, WORKING, 1);
            capacity(idle) / capacity(0)
        });
        Case { mechanism, watched: WORKING + idle, published, measure }
    });
    (head, cases.collect())
}

/// Requests answered in a second, in closed loop, by a server of `mechanism` with `active` of `connections` at work.
///
/// # Panics
///
/// When the server does not start, or a request fails.
fn echoes_per_s(
    servers: &dyn Servers,
    environment: &Environment,
    mechanism: &str,
    connections: u32,
    active: u32,
    size_bytes: u32,
) -> f64 {
    let point = Point::new("reproductions", connections, active);
    let mut server =
        servers.start(mechanism, &point, environment.server_cpu).expect("a server of ours starts");
    let options = PoolOptions {
        size: Size::Fixed { bytes: size_bytes },
        cpu: environment.generator_cpu,
        ..PoolOptions::new(server.address(), connections, active)
    };
    let load = Load {
        mode: LoadMode::Closed { pipeline: 1 },
        wait: WaitPolicy::Sleep,
        warmup: WARM_UP,
        duration: BUDGET,
        interval: None,
    };
    let mut pool = Pool::open(options, Arc::default(), &mut ()).expect("the server takes connections");
    server.await_accepted(pool.connections().opened).expect("the server counts");
    let report = pool.run(&load, &mut ()).expect("the generator works");
    assert!(report.errors.is_empty(), "{mechanism}: {:?}", report.errors);
    report.throughput_per_s
}
