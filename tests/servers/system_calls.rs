//! Tests that the system calls named by `muxbench list`, and those that are counted, are those that strace(1) sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use muxbench::mechanisms;
use muxbench::server::Mechanism;
use rustix::process::{Pid, Signal, kill_process};
use sys::usage::ProcessClock;
use trials::test;

use crate::support::{PATIENCE, Server, for_every_mechanism, muxbench, round_trip};

/// A strace of one server, one file a thread.
struct Trace {
    strace: Child,
    folder: tempfile::TempDir,
    /// Threads that only wait for input and signals.
    bystanders: Vec<String>,
}

impl Trace {
    /// Attaches to every thread of `server`.
    fn of(server: &Server) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let strace = Command::new("strace")
            .args(["-ff", "-qq", "-o"])
            .arg(folder.path().join("thread"))
            .args(["-p", &server.id().to_string()])
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut trace = Self { strace, folder, bystanders: Vec::new() };
        let deadline = Instant::now() + *PATIENCE;
        loop {
            let threads = threads_of(server);
            if threads.iter().all(|(_, _, traced)| *traced) {
                let others = threads.into_iter().filter(|(_, name, _)| !serves(name));
                trace.bystanders = others.map(|(id, ..)| id).collect();
                return Some(trace);
            }
            let ended = trace.strace.try_wait().expect("a child of ours").is_some();
            if ended {
                return None;
            }
            assert!(Instant::now() < deadline, "strace does not attach");
            std::thread::yield_now();
        }
    }

    /// Detaches, and returns how often the serving threads made each call.
    fn end(self) -> BTreeMap<String, u64> {
        let bystanders = self.bystanders.clone();
        self.end_for(|thread| !bystanders.iter().any(|bystander| bystander == thread))
    }

    /// The same of the threads that are `wanted`, by number.
    fn end_for(mut self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
        kill_process(Pid::from_child(&self.strace), Signal::INT).expect("a child of ours");
        self.strace.wait().expect("a child of ours");
        let mut calls = BTreeMap::new();
        for entry in std::fs::read_dir(self.folder.path()).expect("a folder").flatten() {
            if wanted(&entry.path().extension().expect("a thread").to_string_lossy()) {
                count_calls(&entry.path(), &mut calls);
            }
        }
        // Being attached to interrupts a wait, which the kernel then goes on with under this name.
        calls.remove("restart_syscall");
        if cfg!(debug_assertions) {
            // The standard library asks in debug builds whether a descriptor that it is to close is open.
            calls.remove("fcntl");
        }
        calls
    }
}

/// Returns whether a thread of this name serves connections.
fn serves(name: &str) -> bool {
    ["loop-", "connection-"].iter().any(|prefix| name.starts_with(prefix))
}

/// The threads of `server`: number, name, and whether they are traced.
fn threads_of(server: &Server) -> Vec<(String, String, bool)> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("it lives");
    let read = |task: &Path, file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
    tasks
        .flatten()
        .map(|task| {
            let status = read(&task.path(), "status");
            let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
            let is_traced = tracer.is_some_and(|tracer| tracer.trim() != "0");
            let name = read(&task.path(), "comm").trim().to_owned();
            (task.file_name().to_string_lossy().into_owned(), name, is_traced)
        })
        .collect()
}

/// Adds the calls in a file of strace's: `name(arguments) = result` a line.
fn count_calls(file: &Path, calls: &mut BTreeMap<String, u64>) {
    let text = std::fs::read(file).expect("strace wrote it");
    for line in String::from_utf8_lossy(&text).lines() {
        if let Some((name, _)) = line.split_once('(')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
}

/// The calls that the allocator makes when a table grows.
const THE_ALLOCATOR_S: [&str; 6] = ["brk", "madvise", "mmap", "mprotect", "mremap", "munmap"];

/// The calls that the C library and the standard library make when a thread begins and ends, clone3(2) aside. The
/// libraries may change which of them they make, so they are passed over for `threads`.
const A_THREAD_S_LIFE: [&str; 12] = [
    "exit",
    "futex",
    "gettid",
    "openat",
    "prctl",
    "read",
    "rseq",
    "rt_sigprocmask",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
];

/// Connections that come, send, and go.
fn load(server: &Server) {
    for _ in 0..5 {
        let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for round in 0..20_u8 {
            clients.iter_mut().for_each(|client| round_trip(client, &[round; 64]));
        }
    }
}

fn mechanism_of(server: &Server) -> &'static Mechanism {
    mechanisms::find(server.listening["mechanism"].as_str().expect("a name")).expect("registered")
}

#[test(needs(STRACE))]
fn each_mechanism_issues_the_calls_that_the_list_names_and_no_other() {
    for_every_mechanism(|server| {
        let trace = Trace::of(server).expect("strace attaches");
        load(server);
        server.await_stats("all are closed", |stats| stats.closed == 100);
        let seen = trace.end();
        let mechanism = mechanism_of(server);
        let mut named = [mechanism.echo_calls, mechanism.connection_calls].concat();
        named.sort_unstable();
        named.dedup();
        let begins_threads = named.iter().any(|name| name.starts_with("clone"));
        let seen_names = seen.keys().map(String::as_str);
        let seen_names = seen_names.filter(|name| !THE_ALLOCATOR_S.contains(name));
        let seen_names: Vec<_> =
            seen_names.filter(|name| !begins_threads || !A_THREAD_S_LIFE.contains(name)).collect();
        assert_eq!(seen_names, named, "{seen:?}");
    });
}

#[test(needs(STRACE))]
fn the_counters_agree_with_strace_within_a_hundredth() {
    for mechanism in mechanisms::compiled().filter(|mechanism| mechanism.counts_calls) {
        let mut command = muxbench();
        command.args(["serve", "--mechanism", mechanism.name, "--listen", "127.0.0.1:0"]);
        let server = Server::start(command);
        let trace = Trace::of(&server).expect("strace attaches");
        let before = server.stats();
        load(&server);
        let after = server.await_stats("all are closed", |stats| stats.closed == 100);
        let counted = after.since(before).calls.expect("counted").syscalls;
        let seen = trace.end();
        // How often one thread finds a lock with another is the scheduler's doing.
        let total: u64 = seen.iter().filter(|(call, _)| *call != "futex").map(|(_, count)| count).sum();
        let name = mechanism.name;
        assert!(
            total.abs_diff(counted) * 100 <= total,
            "{name}: counted {counted}, strace {total}: {seen:?}"
        );
    }
}

#[test(needs(STRACE))]
fn a_server_makes_no_call_when_its_accounts_are_read_and_two_when_it_is_asked() {
    const READINGS: u64 = 1_000;
    for mechanism in mechanisms::compiled() {
        let name = mechanism.name;
        let (server, counters) = Server::sharing_counters(&["--mechanism", name]);
        let clock = ProcessClock::of(server.id()).expect("it lives");
        let mut client = server.connect();
        round_trip(&mut client, b"count me");
        server.await_rest();
        let calls_of_all = |act: &dyn Fn()| {
            let trace = Trace::of(&server).expect("strace attaches");
            act();
            trace.end_for(|_| true)
        };
        let read = || (0..READINGS).all(|_| clock.read().is_ok() && counters.read().is_some());
        let when_read = calls_of_all(&|| assert!(read()));
        // strace interrupts each thread once when it comes: its wait is seen, and whatever it does before it waits again.
        assert!(when_read.values().sum::<u64>() * 10 < READINGS, "{name}: {when_read:?}");
        let ask = || (0..READINGS).for_each(|_| assert_eq!(server.stats().accepted, 1));
        let when_asked = calls_of_all(&ask);
        assert!(when_asked.values().sum::<u64>() >= 2 * READINGS, "{name}: {when_asked:?}");
    }
}
