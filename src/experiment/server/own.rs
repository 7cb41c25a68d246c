//! A server of our own: `muxbench serve`, driven over its standard streams.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use model::schema::{Point, Protocol};
use serde::Deserialize;

use super::error::{NOTICE_WITHIN, PATIENCE, ServerError, describe};
use super::last_line::LastLine;
use super::{Maker, Process, Server};
use crate::server::SharedCounters;

/// The parts of a `muxbench serve` besides its process.
pub struct Own {
    /// Its answers.
    lines: Receiver<String>,
    /// Absent where the system refuses shared memory.
    pub(super) counters: Option<SharedCounters>,
}

#[derive(Deserialize)]
struct Listening {
    address: SocketAddrV4,
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
    ) -> Result<Server, ServerError> {
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
        let output = child.stdout.take().ok_or(ServerError::Silent)?;
        let errors = LastLine::of(child.stderr.take().ok_or(ServerError::Silent)?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let process = Process { child, address, errors, stop: Arc::clone(stop) };
        Server::listening(process, Maker::Own(Self { lines, counters }))
    }

    /// Returns the address that it listens on, once it does.
    pub(super) fn address(&self, process: &mut Process) -> Result<SocketAddrV4, ServerError> {
        self.read(process).map(|Listening { address }| address)
    }

    /// Waits for its end, which that of its standard output tells; ten seconds at most.
    pub(super) fn await_end(&self, process: &mut Process) {
        let outcome = loop {
            if let Err(outcome) = self.next_line(process) {
                break outcome;
            }
        };
        // If it does not end, dropping kills it.
        if outcome == RecvTimeoutError::Disconnected {
            let _ = process.child.wait();
        }
    }

    /// Returns its next answer.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self, process: &mut Process) -> Result<T, ServerError> {
        match self.next_line(process) {
            Ok(line) => serde_json::from_str(&line).map_err(|_| ServerError::Silent),
            Err(RecvTimeoutError::Timeout) if process.stop.load(Relaxed) => Err(ServerError::Interrupted),
            Err(RecvTimeoutError::Timeout) => Err(ServerError::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(ServerError::Ended(match process.child.wait() {
                Ok(status) => {
                    format!("{} ({})", describe(status.signal(), status.code()), process.errors.at_the_end())
                }
                Err(error) => error.to_string(),
            })),
        }
    }

    /// The next line that it writes; a timeout too when the campaign is to end before there is one.
    fn next_line(&self, process: &Process) -> Result<String, RecvTimeoutError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left.min(NOTICE_WITHIN)) {
                Err(RecvTimeoutError::Timeout) if left > Duration::ZERO && !process.stop.load(Relaxed) => {}
                outcome => return outcome,
            }
        }
    }
}
