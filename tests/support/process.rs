//! A server's process, or processes, as anybody can see them: signals, memory, and whether it rests.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

use super::wait_until;

/// A running server, with a process group of its own; dropping it kills all of the group.
pub struct Process {
    child: Mutex<Child>,
    group: Pid,
    /// True if it may consist of several processes.
    forks: bool,
    stderr: Arc<Mutex<String>>,
    has_ended: AtomicBool,
}

/// A thread, as the kernel accounts for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thread {
    id: u32,
    state: char,
    /// Time on a processor, time waiting for one, and times on one (/proc/PID/task/TID/schedstat).
    schedule: String,
}

impl Process {
    /// Starts `command`, whose standard input and output are as it says.
    pub fn start(mut command: Command, forks: bool) -> Self {
        let program = command.get_program().to_owned();
        let spawned = command.stderr(Stdio::piped()).process_group(0).spawn();
        let mut child =
            spawned.unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let stderr = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&stderr);
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *said.lock().expect("no reader panics") += &(line + "\n");
            }
        });
        let group = Pid::from_child(&child);
        Self { child: Mutex::new(child), group, forks, stderr, has_ended: AtomicBool::new(false) }
    }

    /// Its child, for the pipes that were asked for.
    pub fn child(&mut self) -> &mut Child {
        self.child.get_mut().expect("no user panics")
    }

    /// Its process, which leads the group.
    pub fn pid(&self) -> Pid {
        self.group
    }

    /// The process's number, as /proc names it.
    pub fn id(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// The text that it has written to standard error.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("no reader panics").clone()
    }

    /// Waits until its standard error contains `text`.
    pub fn await_stderr(&self, text: &str) {
        wait_until(|| self.stderr().contains(text), || format!("'{text}' in: {}", self.stderr()));
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process_group(self.group, signal).expect("children of ours");
    }

    /// Does `meanwhile` while the server is stopped, so that all of it lies before the server at once.
    pub fn while_stopped<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        self.stop();
        let result = meanwhile();
        self.signal(Signal::CONT);
        result
    }

    /// Stops it until SIGCONT: one of its threads may still run when kill(2) returns, but not when this does.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let is_stopped = |thread: &Thread| matches!(thread.state, 'T' | 'Z');
        wait_until(|| self.threads().iter().all(is_stopped), || "the server stops".into());
    }

    /// Waits until it rests: every thread sleeps, and none has had a processor since the look before, twenty
    /// times in a row. A loop that spins, or wakes to look whether there is something to do, never rests.
    pub fn await_rest(&self) {
        const LOOKS: u32 = 20;
        let mut last = Vec::new();
        let mut unchanged = 0;
        let rests = || {
            let threads = self.threads();
            let all_sleep = threads.iter().all(|thread| matches!(thread.state, 'S' | 'Z'));
            unchanged = if all_sleep && threads == last { unchanged + 1 } else { 0 };
            last = threads;
            unchanged == LOOKS
        };
        wait_until(rests, || format!("the server rests; {:?}", self.threads()));
    }

    /// Lets its tables hold `limit` descriptors from now on, of the `maximum` that it may have; those above stay open.
    pub fn limit_descriptors(&self, limit: u32, maximum: u32) {
        let limit = Rlimit { current: Some(limit.into()), maximum: Some(maximum.into()) };
        prlimit(Some(self.group), Resource::Nofile, limit).expect("a child of ours");
    }

    /// The files of that kind, as /proc names it, in the tables of all its threads.
    pub fn descriptors(&self, kind: &str) -> usize {
        let links = tasks(self.id()).into_iter().filter_map(|task| fs::read_dir(task.join("fd")).ok());
        let links = links.flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        links.filter(|link| link.as_os_str() == kind).count()
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.processes().into_iter().filter_map(|id| sys::usage::resident_bytes(id).ok()).sum()
    }

    /// Returns its exit status, if it has ended.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().expect("no user panics").try_wait().expect("a child of ours")
    }

    /// Waits until it has ended, as it was told to.
    pub fn await_end(&self) -> ExitStatus {
        self.has_ended.store(true, Ordering::Relaxed);
        wait_until(|| self.ended().is_some(), || "the server ends".into());
        self.ended().expect("it has")
    }

    /// Returns whether a test has waited for its end.
    pub fn was_told_to_end(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// The processes of the group.
    fn processes(&self) -> Vec<u32> {
        if !self.forks {
            return vec![self.id()];
        }
        let is_member = |id: &u32| {
            // After the name, which may hold spaces: state, parent, group (proc_pid_stat(5)).
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let group = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(2)?.parse().ok());
            group == Some(self.id())
        };
        let all = fs::read_dir("/proc").expect("a proc file system").flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_member).collect()
    }

    /// The threads of all its processes; one that ends meanwhile is left out.
    fn threads(&self) -> Vec<Thread> {
        let tasks = self.processes().into_iter().flat_map(tasks);
        tasks
            .filter_map(|task| {
                let stat = fs::read_to_string(task.join("stat")).ok()?;
                let schedule = fs::read_to_string(task.join("schedstat")).ok()?;
                let state = stat.rsplit(") ").next()?.chars().next()?;
                Some(Thread { id: task.file_name()?.to_str()?.parse().ok()?, state, schedule })
            })
            .collect()
    }
}

/// The folders in /proc of the threads of process `id`.
fn tasks(id: u32) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child().wait();
    }
}
