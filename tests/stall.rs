//! Rule 1: a stall of the server is measured as what it is.

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use load_gen::fleet::{Edge, Fleet, FleetOptions, Load, Observer};
use report::schema::{Arrivals, LoadMode, LoadReport, Protocol, WaitPolicy};
use rustix::process::{Pid, Signal, kill_process};
use support::{Server, muxbench};

/// Stops a process for one second, one second into the window. The stall is what is measured, not waited for.
struct Stall {
    pid: Pid,
    staller: Option<thread::JoinHandle<()>>,
}

impl Observer for Stall {
    fn edge(&mut self, edge: Edge, _answered: u64) {
        if edge == Edge::Begin {
            let pid = self.pid;
            self.staller = Some(thread::spawn(move || {
                thread::sleep(Duration::from_secs(1));
                kill_process(pid, Signal::STOP).expect("a child of ours");
                thread::sleep(Duration::from_secs(1));
                kill_process(pid, Signal::CONT).expect("a child of ours");
            }));
        }
    }
}

fn measure(conns: u32, active: u32, arrivals: Arrivals) -> LoadReport {
    let mut command = muxbench();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command);
    let options = FleetOptions {
        target: server.address,
        conns,
        active,
        threads: 1,
        connect_rate: None,
        protocol: Protocol::Echo,
        size_bytes: 64,
        cpu: None,
        timeout: support::PATIENCE,
        seed: 7,
        live_latencies: false,
    };
    let mut fleet = Fleet::open(options, Arc::default(), &mut ()).expect("the server listens");
    let mut stall = Stall { pid: Pid::from_child(&server.child), staller: None };
    let load = Load {
        mode: LoadMode::Open { rate_per_s: 1_000.0, arrivals },
        wait: WaitPolicy::Sleep,
        warmup: Duration::ZERO,
        duration: Duration::from_secs(5),
    };
    let report = fleet.run(&load, &mut stall).expect("the workers live");
    stall.staller.expect("the window began").join().expect("the server was stalled");
    report
}

/// One request in five waits for a uniformly distributed part of one second: the 80th percentile is nothing, the
/// 90th half a second, the 99th 0.95 s. A generator that held requests back would read almost nothing at the
/// 99th. The bounds leave room for a machine that is itself stalled a little; campaigns check them closely.
fn assert_stall_is_seen(report: &LoadReport) {
    let response = report.response.as_ref().expect("open loop").histogram().expect("whole");
    let at_ms = |quantile: f64| response.value_at_quantile(quantile) / 1_000_000;
    let seen = (at_ms(0.7), at_ms(0.9), at_ms(0.99));
    assert!(seen.0 < 300 && (400..700).contains(&seen.1) && (880..1_200).contains(&seen.2), "{seen:?} ms");
    assert_eq!(report.scheduled, report.completed, "nothing is missing: {:?}", report.errors);
    assert!((4_600..5_400).contains(&report.scheduled), "{}", report.scheduled);
}

#[test]
fn a_stall_of_one_second_is_in_the_percentiles_with_ten_connections() {
    assert_stall_is_seen(&measure(10, 10, Arrivals::Uniform));
}

#[test]
fn a_stall_of_one_second_is_in_the_percentiles_with_two_thousand_connections() {
    assert_stall_is_seen(&measure(2_000, 2_000, Arrivals::Poisson));
}
