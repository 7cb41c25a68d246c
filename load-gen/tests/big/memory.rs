//! A test of the memory that an idle connection costs the generator.

use std::fs;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use sys::limits;

use trials::test;

use crate::support::{self, PATIENCE, output_of, spawn, stderr};

/// Connections of the smaller run, which has everything that does not depend on their number.
const FEW: usize = 100;
const MORE: usize = 8_000;

/// The memory of process `id` that no file backs, in bytes, counted page by page (proc_pid_smaps(5)): the counters behind
/// VmRSS are of each processor, and may be hundreds of pages behind.
fn resident_bytes(id: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).expect("a child of ours");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("its sum");
    let kilobytes = line.trim().strip_suffix(" kB").and_then(|number| number.parse::<u64>().ok());
    kilobytes.expect("a number") * 1024
}

/// Resident memory of `load-gen` with `conns` connections, one of which has a request under way.
fn resident_with(conns: usize) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let target = listener.local_addr().expect("bound");
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        let streams: Vec<_> =
            listener.incoming().take(conns).map(|stream| stream.expect("a client")).collect();
        let mut watched: Vec<_> = streams.iter().map(|stream| PollFd::new(stream, PollFlags::IN)).collect();
        poll(&mut watched, None).expect("enough memory");
        let active = watched.iter().position(|watched| !watched.revents().is_empty());
        sender.send(()).expect("the test waits");
        support::servers::hold(&streams[active.expect("one of them")]);
    });
    let arguments = format!("--target {target} --conns {conns} --active 1 --warmup 1h -q");
    let child = spawn(support::load_gen(&arguments.split_whitespace().collect::<Vec<_>>()));
    let resident = asked.recv_timeout(PATIENCE).map(|()| resident_bytes(child.id()));
    support::signal(&child, Signal::INT);
    let output = output_of(child);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    resident.expect("all are open, and the load has begun")
}

#[test]
fn an_idle_connection_costs_at_most_a_hundred_bytes() {
    limits::raise_descriptors();
    let (few, many) = (resident_with(FEW), resident_with(FEW + MORE));
    let each = many.saturating_sub(few) as f64 / MORE as f64;
    assert!(each <= 100.0, "{each:.1} bytes per connection: {few} with {FEW}, {many} with {}", FEW + MORE);
}
