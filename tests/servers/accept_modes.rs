//! The cost of a shared listener: eight loops, connections that come one at a time, and for each way to accept
//! how many loops woke up for nothing and how evenly the connections fell, printed as a table.
//!
//! Two counts of wake-ups, since most of a herd never gets out of the kernel: a loop that is woken looks again
//! whether there is an event, finds that another loop has taken the connection, and goes back to sleep within the
//! call (fs/select.c, `do_poll`; fs/eventpoll.c, `ep_poll`). A *switch* is a loop going to sleep, in the kernel's books;
//! an *empty wake-up* is a wait that came back to the loop with nothing to do.

use muxbench::mechanisms;
use muxbench::server::AcceptMode;
use muxbench::server::{Mechanism, Serve};
use trials::test;

use crate::support::{Server, muxbench, round_trip, wait_until};

const LOOPS: usize = 8;
const CONNECTIONS: u64 = 400;

/// The effect that the connections of one run had on the loops.
struct Herd {
    switches: u64,
    empty_wakeups: u64,
    accepted: Vec<u64>,
}

/// Connects once at a time, each time when every loop is asleep again.
fn herd(mechanism: &str, mode: AcceptMode) -> Herd {
    let mut command = muxbench();
    command.args(["serve", "--listen", "127.0.0.1:0", "--mechanism", mechanism]);
    command.args(["--threads", &LOOPS.to_string(), "--accept", &mode.to_string()]);
    let server = Server::start(command);
    let statuses = statuses_of_the_loops(&server);
    assert_eq!(statuses.len(), LOOPS);
    await_sleep(&statuses);
    let before = switches(&statuses);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = server.connect();
        round_trip(&mut client, b"who wakes up?");
        clients.push(client);
        await_sleep(&statuses);
    }
    let loops = server.stats_by_loop();
    let calls = loops.iter().filter_map(|counters| counters.calls);
    Herd {
        switches: switches(&statuses) - before,
        empty_wakeups: calls.map(|calls| calls.empty_wakeups).sum(),
        accepted: loops.iter().map(|counters| counters.accepted).collect(),
    }
}

/// The kernel's files on the threads that run the loops.
fn statuses_of_the_loops(server: &Server) -> Vec<std::path::PathBuf> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("it lives").flatten();
    let is_loop = |task: &std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("loop-"))
    };
    tasks.filter(is_loop).map(|task| task.path().join("status")).collect()
}

/// The value of `key` in a status file.
fn field(status: &std::path::Path, key: &str) -> String {
    let text = std::fs::read_to_string(status).expect("it lives");
    let value = text.lines().find_map(|line| line.strip_prefix(key)).expect("a key of every status");
    value.trim().to_owned()
}

/// Waits until each loop is seen asleep, twice, without having run in between.
fn await_sleep(statuses: &[std::path::PathBuf]) {
    let asleep = || statuses.iter().all(|status| field(status, "State:").starts_with('S'));
    let at_rest = || {
        let before = switches(statuses);
        asleep() && asleep() && switches(statuses) == before
    };
    wait_until(at_rest, || "the loops do not sleep".into());
}

/// Returns the number of times that the loops have gone to sleep.
fn switches(statuses: &[std::path::PathBuf]) -> u64 {
    let of = |status: &std::path::PathBuf| field(status, "voluntary_ctxt_switches:").parse::<u64>();
    statuses.iter().map(|status| of(status).expect("a number")).sum()
}

#[test]
fn of_loops_that_share_a_listener_the_exclusive_sleep_on_and_the_others_do_not() {
    println!("\n{LOOPS} loops, {CONNECTIONS} connections one at a time");
    println!("{:<14} {:<10} {:>8} {:>15}", "", "", "switches", "empty wake-ups");
    println!("{:<14} {:<10} {:>24}  connections per loop", "mechanism", "--accept", "a connection");
    for mechanism in mechanisms::compiled().filter(|mechanism| mechanism.accept.len() > 1) {
        let mut switches_each = Vec::new();
        for &mode in mechanism.accept {
            let Herd { switches, empty_wakeups, mut accepted } = herd(mechanism.name, mode);
            assert_eq!(accepted.iter().sum::<u64>(), CONNECTIONS, "{} {mode}", mechanism.name);
            accepted.sort_unstable();
            let [switches, empty] = [switches, empty_wakeups].map(|count| count as f64 / CONNECTIONS as f64);
            let empty_text = if mechanism.counts_calls { format!("{empty:.3}") } else { "not seen".into() };
            let (name, mode_name) = (mechanism.name, mode.to_string());
            println!("{name:<14} {mode_name:<10} {switches:>8.2} {empty_text:>15}  {accepted:?}");
            switches_each.push((mode, switches));
            if mode != AcceptMode::Shared && mechanism.counts_calls && !drains(mechanism.name) {
                assert!(empty < 0.1, "{name} {mode_name}: {empty} empty wake-ups a connection");
            }
        }
        let of = |wanted| switches_each.iter().find(|(mode, _)| *mode == wanted).map(|(_, each)| *each);
        if let (Some(exclusive), Some(shared)) = (of(AcceptMode::Exclusive), of(AcceptMode::Shared)) {
            assert!(exclusive * 2.0 < shared, "{}: {shared} {exclusive}", mechanism.name);
        }
    }
}

/// Returns whether the mechanism reads until it would block, and so can read a message before it looks at its event.
fn drains(mechanism: &str) -> bool {
    ["io-uring-poll", "mio"].contains(&mechanism)
}

#[test]
fn loops_that_meet_the_connections_in_any_way_serve_and_end() {
    for mechanism in mechanisms::compiled() {
        for &mode in mechanism.accept {
            let (name, mode) = (mechanism.name, mode.to_string());
            let server = Server::serve(&["--mechanism", name, "--threads", "3", "--accept", &mode]);
            assert_eq!(server.listening["accept"], mode.as_str(), "{name}");
            (0..20).for_each(|_| round_trip(&mut server.connect(), b"anybody there?"));
            server.end_input();
            assert_eq!(server.await_end().code(), Some(0), "{name} {mode}: {}", server.stderr());
        }
    }
}

#[test]
fn loops_with_a_table_each_hold_as_many_times_the_descriptor_limit() {
    const LIMIT: u32 = 40;
    let has_tables = |mechanism: &&Mechanism| matches!(mechanism.serve, Some(Serve::Loop(_)));
    for mechanism in mechanisms::compiled().filter(has_tables) {
        let name = mechanism.name;
        let server = Server::serve_with_descriptors(LIMIT, &["--mechanism", name, "--threads", "4"]);
        let clients: Vec<_> = (0..400).map(|_| server.connect()).collect();
        let stats = server.await_stats("all have an answer", |stats| stats.accepted + stats.refused == 400);
        assert!(stats.accepted > 3 * 30 && stats.accepted < 4 * u64::from(LIMIT), "{name}: {stats:?}");
        drop(clients);
    }
}
