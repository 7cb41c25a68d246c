//! The server under test: a child process, driven over its standard streams.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use report::schema::{Protocol, ServerCounters};
use serde::Deserialize;

/// How long the child may take to listen, to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no server to measure.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It could not be started.
    #[error("cannot start the server: {0}")]
    Start(#[from] std::io::Error),
    /// It ended before it should.
    #[error("the server ended: {0}")]
    Ended(String),
    /// It said nothing, or something else than it should.
    #[error("the server did not answer within {} s", PATIENCE.as_secs())]
    Silent,
}

/// A running `muxbench serve`. Dropping it ends the process.
pub struct ServerChild {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// The last line that it wrote to standard error.
    last_words: Arc<Mutex<String>>,
    address: SocketAddr,
}

#[derive(Deserialize)]
struct Listening {
    address: SocketAddr,
}

impl ServerChild {
    /// Starts `program`, a `muxbench`, as a server with one loop of `mechanism` on a free loopback port and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not come to listen, with the last line that it wrote to standard error.
    pub fn start(
        program: &Path,
        mechanism: &str,
        protocol: Protocol,
        cpu: Option<u32>,
    ) -> Result<Self, ServerError> {
        let mut command = Command::new(program);
        command.args(["serve", "--mechanism", mechanism, "--listen", "127.0.0.1:0"]);
        command.args([
            "--reply",
            match protocol {
                Protocol::Echo => "echo",
                Protocol::Ack => "ack",
            },
        ]);
        if let Some(cpu) = cpu {
            command.args(["--cpu", &cpu.to_string()]);
        }
        // A group of its own: Ctrl-C is for the campaign, which ends the server in its own time. Should the
        // campaign be killed, the server's standard input ends, and the server with it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or(ServerError::Silent)?;
        let errors = child.stderr.take().ok_or(ServerError::Silent)?;
        let last_words = Arc::new(Mutex::new(String::new()));
        let words = Arc::clone(&last_words);
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                *words.lock().unwrap_or_else(PoisonError::into_inner) = line;
            }
        });
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let mut server =
            Self { child, input, lines, last_words, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        server.address = server.read::<Listening>()?.address;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its counters at this moment.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn counters(&mut self) -> Result<ServerCounters, ServerError> {
        if let Some(input) = &mut self.input {
            // A pipe to a process that has ended fails; what became of it is found out below.
            let _ = input.write_all(b"stats\n");
        }
        self.read()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(describe)
    }

    /// Ends it: end of input, and if that does not help within ten seconds, SIGKILL.
    pub fn stop(mut self) {
        drop(self.input.take());
        // Its standard output ends when it does. If it does not, dropping kills it.
        let deadline = Instant::now() + PATIENCE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let _ = self.child.wait();
                    break;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break,
            }
        }
    }

    fn read<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, ServerError> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).map_err(|_| ServerError::Silent),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(ServerError::Silent),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(ServerError::Ended(match self.child.wait() {
                Ok(status) => {
                    let said = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
                    format!("{} ({said})", describe(status))
                }
                Err(error) => error.to_string(),
            })),
        }
    }
}

impl Drop for ServerChild {
    fn drop(&mut self) {
        // Both do nothing to a child that has been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("by signal {signal}"),
        (None, Some(code)) => format!("with exit status {code}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}
