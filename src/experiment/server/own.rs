//! A server of our own: `muxbench serve`, driven over its standard streams.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use model::schema::{Point, Protocol, ServerCounters};
use serde::Deserialize;
use sys::usage::{self, Account, ProcessClock, Scheduling};

use super::account::ServerAccount;
use super::error::{ACCEPT_PATIENCE, LOOK_AGAIN, NOTICE_WITHIN, PATIENCE, ServerError, describe};
use super::last_line::LastLine;
use crate::server::SharedCounters;

/// A running `muxbench serve`. Dropping it ends the process.
pub struct Own {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: LastLine,
    address: SocketAddr,
    /// Absent where the system refuses shared memory.
    counters: Option<SharedCounters>,
    stop: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct Listening {
    address: SocketAddr,
}

impl Own {
    /// Starts `program`, a `muxbench`, as a server of `mechanism`, with the threads that `point` says, on a free loopback
    /// port and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not come to listen, with the last line that it wrote to standard error, or `stop` is set.
    pub fn start(
        program: &Path,
        mechanism: &str,
        point: &Point,
        protocol: Protocol,
        cpus: &[u32],
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, ServerError> {
        let mut command = Command::new(program);
        command.args(["serve", "--mechanism", mechanism, "--listen", "127.0.0.1:0"]);
        command.args([
            "--reply",
            match protocol {
                Protocol::Echo => "echo",
                Protocol::Ack => "ack",
                Protocol::Redis | Protocol::Template => {
                    unreachable!("a scenario that asks for it is refused")
                }
            },
        ]);
        command.args(["--threads", &point.threads.to_string()]);
        if let Some(accept) = &point.accept {
            command.args(["--accept", accept]);
        }
        if !cpus.is_empty() {
            let list: Vec<String> = cpus.iter().map(u32::to_string).collect();
            command.args(["--cpu", &list.join(",")]);
        }
        // It inherits the file, which is closed here when it has been started.
        let (counters, file) = SharedCounters::create().ok().unzip();
        if let Some(file) = &file {
            command.env(SharedCounters::VARIABLE, file.as_raw_fd().to_string());
        }
        // A group of its own: Ctrl-C is for the campaign, which ends the server in its own time. Should the
        // campaign be killed, the server's standard input ends, and the server with it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        drop(file);
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or(ServerError::Silent)?;
        let errors = LastLine::of(child.stderr.take().ok_or(ServerError::Silent)?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let (address, stop) = (SocketAddr::from(([0, 0, 0, 0], 0)), Arc::clone(stop));
        let mut server = Self { child, input, lines, errors, address, counters, stop };
        server.address = server.read::<Listening>()?.address;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its account, without its taking part; that has its counters where they are shared.
    pub fn account(&self) -> std::io::Result<ServerAccount> {
        let cpu = Account::Process(ProcessClock::of(self.child.id())?);
        let counters = self.counters.clone().filter(|counters| counters.read().is_some());
        Ok(ServerAccount { cpu, counters, scheduling: Scheduling::of(self.child.id()) })
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> std::io::Result<u64> {
        usage::resident_bytes(self.child.id())
    }

    /// Waits until its counters say that it has accepted `opened` connections.
    pub fn await_accepted(&mut self, opened: u64) -> Result<(), ServerError> {
        let deadline = Instant::now() + ACCEPT_PATIENCE;
        loop {
            let ServerCounters { accepted, refused, .. } = self.counters()?;
            if refused > 0 {
                return Err(ServerError::Refused { refused, opened });
            }
            if accepted >= opened {
                return Ok(());
            }
            if self.stop.load(Relaxed) {
                return Err(ServerError::Interrupted);
            }
            if Instant::now() > deadline {
                return Err(ServerError::NotAccepted { accepted, opened });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until its counters say that it has closed all connections that it accepted; false when it does not in time.
    pub fn await_closed(&mut self) -> bool {
        let deadline = Instant::now() + ACCEPT_PATIENCE;
        while Instant::now() < deadline && !self.stop.load(Relaxed) {
            match self.counters() {
                Ok(counters) if counters.closed >= counters.accepted => return true,
                Ok(_) => std::thread::sleep(LOOK_AGAIN),
                Err(_) => return false,
            }
        }
        false
    }

    /// Its counters at this moment: read where they are shared, and else asked for.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn counters(&mut self) -> Result<ServerCounters, ServerError> {
        let shared = self.counters.as_ref().and_then(SharedCounters::read);
        if let (Some(counters), None) = (shared, self.ended()) {
            return Ok(counters);
        }
        if let Some(input) = &mut self.input {
            // A pipe to a process that has ended fails; what became of it is found out below.
            let _ = input.write_all(b"stats\n");
        }
        self.read()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| describe(status.signal(), status.code()))
    }

    /// Ends it: end of input, and if that does not help within ten seconds, SIGKILL.
    pub fn stop(mut self) {
        drop(self.input.take());
        // Its standard output ends when it does. If it does not, dropping kills it.
        loop {
            match self.next_line() {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = self.child.wait();
                    break;
                }
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
    }

    /// The next line that it writes; a timeout too when the campaign is to end before there is one.
    fn next_line(&self) -> Result<String, RecvTimeoutError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left.min(NOTICE_WITHIN)) {
                Err(RecvTimeoutError::Timeout) if left > Duration::ZERO && !self.stop.load(Relaxed) => {}
                outcome => return outcome,
            }
        }
    }

    fn read<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, ServerError> {
        match self.next_line() {
            Ok(line) => serde_json::from_str(&line).map_err(|_| ServerError::Silent),
            Err(RecvTimeoutError::Timeout) if self.stop.load(Relaxed) => Err(ServerError::Interrupted),
            Err(RecvTimeoutError::Timeout) => Err(ServerError::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(ServerError::Ended(match self.child.wait() {
                Ok(status) => {
                    format!("{} ({})", describe(status.signal(), status.code()), self.errors.at_the_end())
                }
                Err(error) => error.to_string(),
            })),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Both do nothing to a child that has been waited for already.
        let _ = self.child.kill();
        // Whoever interrupts the campaign does not wait until the kernel has closed all of its connections.
        if !self.stop.load(Relaxed) {
            let _ = self.child.wait();
        }
    }
}
