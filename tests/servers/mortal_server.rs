//! The load generator and a server whose process is killed, or is stopped for ever.

use std::thread::{self, JoinHandle};

use load_gen::record::observer::{Edge, Observer};
use model::schema::LoadReport;
use trials::test;

use crate::support::{Generator, Server, muxbench, round_trip};

/// Both loops, as arguments of `load-gen`.
const LOOPS: [[&str; 2]; 2] = [["--rate", "2k"], ["--pipeline", "2"]];

/// Does something to the server once it has answered requests of the window.
struct InTheWindow<F>(Option<F>, Option<JoinHandle<Option<Server>>>);

impl<F: FnOnce() -> Option<Server> + Send + 'static> Observer for InTheWindow<F> {
    fn edge(&mut self, edge: Edge, _answered: u64) {
        if let (Edge::Begin, Some(deed)) = (edge, self.0.take()) {
            self.1 = Some(thread::spawn(deed));
        }
    }
}

/// Runs `load` on 20 connections, 15 of them active, and has `deed` done to the server in the window; returns too how many connections are lost once
/// that is done.
fn run(
    load: [&str; 2],
    more: &[&str],
    deed: impl FnOnce(Server) -> Option<Server> + Send + 'static,
) -> (LoadReport, u64) {
    let server = Server::serve(&[]);
    let mut arguments = vec!["--conns", "20", "--active", "15", "--wait", "sleep"];
    arguments.extend(load.iter().chain(more));
    let mut generator = Generator::open(server.address, &arguments);
    let deed = move || {
        server.await_stats("requests", |stats| stats.echoes > 500);
        deed(server)
    };
    let mut observer = InTheWindow(Some(deed), None);
    let report = generator.run(&arguments, &mut observer);
    let server = observer.1.expect("the window began").join().expect("the deed was done");
    let lost = generator.lost();
    drop(generator);
    drop(server);
    (report, lost)
}

/// The connections that were open when the process died are lost for good: the generator does not connect again, since
/// a measurement is about the connections that it began with. The run ends when the last active one is lost.
#[test]
fn a_server_that_is_killed_and_comes_back_has_lost_every_connection() {
    for load in LOOPS {
        let (report, lost) = run(load, &["-d", "1h"], |server| {
            let address = server.address.to_string();
            // Dropped, it is killed (SIGKILL) and waited for.
            drop(server);
            let mut command = muxbench();
            command.args(["serve", "--listen", &address]);
            let back = Server::start(command);
            round_trip(&mut back.connect(), b"alive");
            Some(back)
        });
        assert!(!report.valid && report.completed > 0, "{report:?}");
        // A process that ends closes one connection after the other: the run may be over before the last idle one is closed.
        assert!((15..=20).contains(&report.connections.lost), "{report:?}");
        assert_eq!((lost, report.outstanding), (20, 0), "{report:?}");
        let named = |name: &str| report.connections.errors.get(name).copied().unwrap_or_default();
        assert_eq!(named("lost") + named("reset"), report.connections.lost, "{report:?}");
        assert!(report.window_s < 3600.0, "it ended with its last connection: {report:?}");
    }
}

#[test]
fn a_server_that_is_stopped_for_ever_costs_the_timeout_and_no_more() {
    for load in LOOPS {
        // Long enough that it is stopped inside the window on a busy machine too.
        let (report, lost) = run(load, &["-d", "5s", "--timeout", "300ms"], |server| {
            server.stop();
            Some(server)
        });
        assert!(!report.valid && report.outstanding > 0, "{report:?}");
        assert_eq!((report.connections.lost, lost, report.errors.len()), (0, 0, 0), "{report:?}");
        let reasons = report.invalid_reasons.join("; ");
        assert!(reasons.contains("still unanswered"), "{reasons}");
    }
}
