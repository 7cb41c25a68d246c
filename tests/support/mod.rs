//! A `muxbench serve` of the test's own: started on a free port, driven by its standard input, killed at
//! the end.

// Each test binary has its own copy of this module and uses what it needs of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use muxbench::mechanisms;
use report::schema::ServerCounters;
use rustix::process::{Pid, Signal, kill_process};

/// How long to wait for what must happen: long enough for a machine under load, so that only a defect
/// ever uses it up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The command under test.
pub fn muxbench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_muxbench"))
}

/// Runs `test` against a server of each mechanism of this build, started with `arguments`.
pub fn for_every_mechanism_with(arguments: &[&str], test: impl Fn(&Server)) {
    for mechanism in mechanisms::compiled() {
        let mut command = muxbench();
        command.args(["serve", "--mechanism", mechanism.name, "--listen", "127.0.0.1:0"]).args(arguments);
        let mut server = Server::start(command);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(&server))) {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            panic!(
                "{}: {said}\nthe server has ended: {:?}\nits standard error: {}",
                mechanism.name,
                server.child.try_wait(),
                server.stderr()
            );
        }
        let ended = server.child.try_wait().expect("a child of ours");
        assert!(ended.is_none(), "{}: the server ended by itself: {ended:?}", mechanism.name);
    }
}

/// As [`for_every_mechanism_with`], without arguments.
pub fn for_every_mechanism(test: impl Fn(&Server)) {
    for_every_mechanism_with(&[], test);
}

/// Runs `test` against each mechanism and each kind of reply.
pub fn for_every_mechanism_and_reply(test: impl Fn(&Server)) {
    for reply in ["echo", "ack"] {
        for_every_mechanism_with(&["--reply", reply], &test);
    }
}

/// A running server; dropping it kills it.
pub struct Server {
    pub child: Child,
    pub address: SocketAddr,
    /// The line that it printed when it listened.
    pub listening: serde_json::Value,
    stdin: Mutex<Option<ChildStdin>>,
    stdout: Mutex<mpsc::Receiver<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `command` and waits until it listens.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped());
        Self::start_with_stdin_as_set(command)
    }

    /// As [`start`](Self::start), with the standard input that `command` was given.
    pub fn start_with_stdin_as_set(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("muxbench starts");
        let (sender, stdout) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stderr = Arc::new(Mutex::new(String::new()));
        let (said, lines) =
            (Arc::clone(&stderr), BufReader::new(child.stderr.take().expect("piped")).lines());
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut said = said.lock().expect("no reader panics");
                said.push_str(&line);
                said.push('\n');
            }
        });
        let stdin = Mutex::new(child.stdin.take());
        let Ok(line) = stdout.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let status = child.wait();
            panic!("the server did not listen: {status:?} {}", stderr.lock().expect("no reader panics"));
        };
        let listening: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let address = listening["address"].as_str().expect("an address").parse().expect("an address");
        Self { child, address, listening, stdin, stdout: Mutex::new(stdout), stderr }
    }

    /// A connection on which what takes longer than [`PATIENCE`] fails.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// Writes `line` to its standard input.
    pub fn command(&self, line: &str) {
        let mut stdin = self.stdin.lock().expect("no user panics while it writes");
        writeln!(stdin.as_mut().expect("still open"), "{line}").expect("the server reads");
    }

    /// The next line of its standard output.
    pub fn line(&self) -> String {
        self.stdout.lock().expect("no user panics").recv_timeout(PATIENCE).expect("the server answers")
    }

    /// Its counters.
    pub fn stats(&self) -> ServerCounters {
        self.command("stats");
        serde_json::from_str(&self.line()).expect("a line of counters")
    }

    /// Waits until its counters meet `condition`, and returns them.
    pub fn await_stats(&self, what: &str, condition: impl Fn(&ServerCounters) -> bool) -> ServerCounters {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.stats();
            if condition(&stats) {
                return stats;
            }
            assert!(Instant::now() < deadline, "in vain waited for: {what}; {stats:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What it has written to standard error.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("no reader panics").clone()
    }

    /// Waits until its standard error contains `text`.
    pub fn await_stderr(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.stderr().contains(text) {
            assert!(Instant::now() < deadline, "in vain waited for '{text}' in: {}", self.stderr());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child of ours");
    }

    /// Does `meanwhile` while the server is stopped, so that all of it lies before the server at once.
    pub fn while_stopped<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        self.signal(Signal::STOP);
        let deadline = Instant::now() + PATIENCE;
        while !self.every_thread_is_stopped() {
            assert!(Instant::now() < deadline, "the server does not stop");
            thread::yield_now();
        }
        let result = meanwhile();
        self.signal(Signal::CONT);
        result
    }

    /// Whether each thread is in the state that SIGSTOP brings: one may still run after kill(2) returns.
    fn every_thread_is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it lives");
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).expect("it lives");
            stat.rsplit(") ").next().is_some_and(|state| state.starts_with('T'))
        })
    }

    /// Closes its standard input.
    pub fn end_input(&self) {
        drop(self.stdin.lock().expect("no user panics").take());
    }

    /// Waits until it has ended.
    pub fn await_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        load_gen::machine::resident_bytes(self.child.id()).expect("it lives")
    }

    /// Asserts that the loop sleeps unless there is something to do, and that others are served: on a new
    /// connection, each of many requests costs one wake-up. A loop that spins makes many more.
    pub fn assert_quiet_and_serving(&self) {
        const REQUESTS: u64 = 200;
        let mut client = self.connect();
        round_trip(&mut client, b"?");
        let before = self.stats();
        for _ in 0..REQUESTS {
            round_trip(&mut client, b"?");
        }
        let cost = self.stats().since(before);
        assert!(cost.waits <= REQUESTS + 8, "it spins: {cost:?} for {REQUESTS} requests");
        assert_eq!(cost.empty_wakeups, 0, "{cost:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends `message` and asserts that the answer is right: the same bytes, or an acknowledgement of them.
pub fn round_trip(client: &mut TcpStream, message: &[u8]) {
    client.write_all(message).expect("sent");
    let mut answer = vec![0; message.len()];
    client.read_exact(&mut answer[..1]).expect("an answer");
    if answer[0] == b'g' && message[0] != b'g' {
        assert_eq!(acknowledged(client, message.len(), "g"), message.len());
        return;
    }
    client.read_exact(&mut answer[1..]).expect("the whole answer");
    assert!(answer == message, "the answer differs from the {} bytes sent", message.len());
}

/// Reads acknowledgements until they make up `count` bytes or more; `begun` has been read already.
pub fn acknowledged(client: &mut impl Read, count: usize, begun: &str) -> usize {
    let mut sum = 0;
    let mut line = begun.to_owned();
    while sum < count {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("an acknowledgement");
        if byte[0] != b'\n' {
            line.push(char::from(byte[0]));
            continue;
        }
        let number =
            line.strip_prefix("get bytes ").unwrap_or_else(|| panic!("not an acknowledgement: {line}"));
        sum += number.parse::<usize>().expect("a number");
        line.clear();
    }
    sum
}

/// After how many bytes [`pattern`] begins again: a prime, so that no buffer is a multiple of it.
pub const PERIOD: usize = 251;

/// Bytes of which none can be lost, doubled or moved without a difference, unless [`PERIOD`] at a time.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % PERIOD) as u8).collect()
}

/// Closes `client` with a reset (socket(7), SO_LINGER with no time).
pub fn reset(client: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).expect("linger");
    drop(client);
}

/// Reads until the end of the stream.
pub fn rest_of(client: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).expect("an orderly end");
    bytes
}
