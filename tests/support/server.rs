//! A `muxbench serve` of the test's own: started on a free port, driven by its standard input.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;

use model::schema::ServerCounters;
use muxbench::server::SharedCounters;

use super::{PATIENCE, Process, connect, muxbench, wait_until};

/// A running `muxbench serve`; dropping it kills it.
pub struct Server {
    process: Process,
    pub address: SocketAddr,
    /// The line that it printed when it listened.
    pub listening: serde_json::Value,
    stdin: Mutex<Option<ChildStdin>>,
    stdout: Mutex<mpsc::Receiver<String>>,
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Server {
    /// Starts `muxbench serve` with `arguments` on a free port.
    pub fn serve(arguments: &[&str]) -> Self {
        let mut command = muxbench();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        Self::start(command)
    }

    /// As [`serve`](Self::serve), with counters that are read without asking for them.
    pub fn sharing_counters(arguments: &[&str]) -> (Self, SharedCounters) {
        let (counters, file) = SharedCounters::create().expect("memory");
        (Self::counting_in(&file, arguments), counters)
    }

    /// As [`serve`](Self::serve), with `file` handed over for its counters.
    pub fn counting_in(file: &File, arguments: &[&str]) -> Self {
        let mut command = muxbench();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        command.env(SharedCounters::VARIABLE, file.as_raw_fd().to_string());
        Self::start(command)
    }

    /// As [`serve`](Self::serve), with at most `limit` descriptors in a table (ulimit -n).
    pub fn serve_with_descriptors(limit: u32, arguments: &[&str]) -> Self {
        let mut command = trials::command("sh");
        command.args(["-c", &format!("ulimit -n {limit} && exec \"$@\""), "sh"]);
        command.arg(muxbench().get_program()).args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        Self::start(command)
    }

    /// Starts `command` and waits until it listens.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped());
        Self::start_with_stdin_as_set(command)
    }

    /// As [`start`](Self::start), with the standard input that `command` was given.
    pub fn start_with_stdin_as_set(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        let mut process = Process::start(command, false);
        let (sender, stdout) = mpsc::channel();
        let lines = BufReader::new(process.child().stdout.take().expect("piped")).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stdin = Mutex::new(process.child().stdin.take());
        let line = stdout.recv_timeout(*PATIENCE);
        let line = line.unwrap_or_else(|_| {
            panic!("the server did not listen: {:?} {}", process.ended(), process.stderr());
        });
        let listening: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let address = listening["address"].as_str().expect("an address").parse().expect("an address");
        Self { process, address, listening, stdin, stdout: Mutex::new(stdout) }
    }

    /// A connection on which what takes longer than [`PATIENCE`] fails.
    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Writes `line` to its standard input.
    pub fn command(&self, line: &str) {
        let mut stdin = self.stdin.lock().expect("no user panics while it writes");
        writeln!(stdin.as_mut().expect("still open"), "{line}").expect("the server reads");
    }

    /// The next line of its standard output.
    pub fn line(&self) -> String {
        self.stdout.lock().expect("no user panics").recv_timeout(*PATIENCE).expect("the server answers")
    }

    /// Its counters.
    pub fn stats(&self) -> ServerCounters {
        self.command("stats");
        serde_json::from_str(&self.line()).expect("a line of counters")
    }

    /// The counters of each of its loops.
    pub fn stats_by_loop(&self) -> Vec<ServerCounters> {
        self.command("stats");
        let stats: serde_json::Value = serde_json::from_str(&self.line()).expect("a line of counters");
        serde_json::from_value(stats["loops"].clone()).expect("a list of counters")
    }

    /// Waits until its counters meet `condition`, and returns them.
    pub fn await_stats(&self, what: &str, condition: impl Fn(&ServerCounters) -> bool) -> ServerCounters {
        let mut stats = self.stats();
        let holds = || {
            stats = self.stats();
            condition(&stats)
        };
        wait_until(holds, || format!("{what}; {:?}", self.stats()));
        stats
    }

    /// Closes its standard input.
    pub fn end_input(&self) {
        drop(self.stdin.lock().expect("no user panics").take());
    }
}
