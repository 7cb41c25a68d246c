//! A server of other making: a command in a process group of its own, known by nothing but the port it was given.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use model::schema::ExternalServer;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use sys::process_group::ProcessGroup;
use sys::processors;
use sys::server_sockets::ServerSockets;
use sys::usage::Account;

use super::account::ServerAccount;
use super::error::{ACCEPT_PATIENCE, LOOK_AGAIN, NOTICE_WITHIN, PATIENCE, ServerError, describe};
use super::last_line::LastLine;

/// Pause between two attempts to connect: nobody tells when a port begins to listen.
const CONNECT_AGAIN: Duration = Duration::from_millis(5);
/// How long the server may take to close its end of the first connection, which carries nothing.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// A running external server. Dropping it ends all processes of its group: here, or once the campaign is interrupted by its guard, in the
/// background.
pub struct External {
    child: Child,
    group: ProcessGroup,
    guard: Option<Guard>,
    address: SocketAddrV4,
    patience: Duration,
    output: LastLine,
    errors: LastLine,
    stop: Arc<AtomicBool>,
}

impl External {
    /// Starts `server` on a free loopback port and waits until it can be connected to.
    ///
    /// # Errors
    ///
    /// When it does not come to listen, with the last line that it wrote.
    pub fn start(
        server: &ExternalServer,
        cpu: Option<u32>,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, ServerError> {
        let address = free_address()?;
        let mut child = spawn_on(cpu, command(server, address.port()))?;
        let output = LastLine::of(child.stdout.take().expect("piped"));
        let errors = LastLine::of(child.stderr.take().expect("piped"));
        let group = ProcessGroup::led_by(child.id()).expect("no child has process id 0");
        let guard = Guard::over(child.id()).ok();
        let patience = server.patience_s.map_or(PATIENCE, Duration::from_secs_f64);
        let stop = Arc::clone(stop);
        let mut started = Self { child, group, guard, address, patience, output, errors, stop };
        started.await_listening()?;
        Ok(started)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address.into()
    }

    /// The account of all processes of its group.
    pub fn account(&self) -> ServerAccount {
        ServerAccount { cpu: Account::Group(self.group), counters: None, scheduling: None }
    }

    /// Resident memory of all processes of its group, in bytes.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        self.group.resident_bytes()
    }

    /// Waits until its listener's queue is empty and `opened` connections are established at its end.
    pub fn await_accepted(&mut self, opened: u64) -> Result<(), ServerError> {
        let deadline = Instant::now() + ACCEPT_PATIENCE;
        loop {
            let sockets = ServerSockets::at(self.address)?;
            if sockets.queued == 0 && sockets.established >= opened {
                return Ok(());
            }
            if let Some(how) = self.ended() {
                return Err(ServerError::Ended(how));
            }
            if self.stop.load(Relaxed) {
                return Err(ServerError::Interrupted);
            }
            if Instant::now() > deadline {
                let accepted = sockets.established.saturating_sub(sockets.queued);
                return Err(ServerError::NotAccepted { accepted, opened });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The number of the process that was started.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if the process that was started has: what that left behind is ended too.
    pub fn ended(&mut self) -> Option<String> {
        let pid = Pid::from_child(&self.child);
        // It is not waited for yet, so that neither its number nor its group's goes to somebody else.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), options).ok()??;
        self.group.signal(Signal::KILL);
        let how = describe(status.terminating_signal(), status.exit_status());
        let said = [self.errors.at_the_end(), self.output.at_the_end()];
        Some(how + &parenthesised(said))
    }

    fn await_listening(&mut self) -> Result<(), ServerError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let probe = TcpStream::connect_timeout(&self.address(), left.clamp(CONNECT_AGAIN, NOTICE_WITHIN));
            // In this order: if it has ended, it was somebody else who answered.
            if let Some(how) = self.ended() {
                return Err(ServerError::Ended(how));
            }
            match probe {
                Ok(probe) if is_with_another(&probe) => {
                    finish(probe);
                    return Ok(());
                }
                _ if self.stop.load(Relaxed) => return Err(ServerError::Interrupted),
                _ if left.is_zero() => {
                    let said = parenthesised([self.errors.so_far(), self.output.so_far()]);
                    return Err(ServerError::NotListening {
                        address: self.address(),
                        patience: self.patience,
                        said,
                    });
                }
                _ => std::thread::sleep(CONNECT_AGAIN),
            }
        }
    }
}

impl External {
    /// Waits for the end of all its processes; whether it came. Once the campaign is interrupted it must come soon.
    fn await_end(&self) -> bool {
        let began = Instant::now();
        loop {
            let is_interrupted = self.stop.load(Relaxed);
            if self.group.await_end(Instant::now() + NOTICE_WITHIN) {
                return true;
            }
            if is_interrupted || began.elapsed() >= self.patience {
                return false;
            }
        }
    }
}

impl Drop for External {
    fn drop(&mut self) {
        self.group.signal(Signal::TERM);
        if !self.await_end() {
            match self.guard.take() {
                // Whoever pressed Ctrl-C does not wait for it: the guard does, once this process has ended.
                Some(guard) if self.stop.load(Relaxed) => return guard.keep_watch(),
                guard => self.guard = guard,
            }
            self.group.signal(Signal::KILL);
            self.await_end();
        }
        // The number of the group is its own until its leader has been waited for.
        self.guard = None;
        let _ = self.child.wait();
    }
}

/// A sleeping shell that ends a process group when this process ends without having dropped it, however that comes: an external server
/// has no way to notice.
struct Guard(Child);

/// A line is the word that nothing is left to end; without one the standard input has broken off. Then the group has a second from SIGTERM to SIGKILL.
const GUARD: &str = "read -r _ && exit; kill -s TERM -- -$0; \
                     for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- -$0 || exit; sleep 0.1; done; kill -s KILL -- -$0";

impl Guard {
    /// Guards the group whose leader is process `leader`.
    fn over(leader: u32) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARD, &leader.to_string()]).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }

    /// Leaves it to end the group when this process ends.
    fn keep_watch(self) {
        std::mem::forget(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            // One that is gone needs no word.
            let _ = input.write_all(b"\n");
        }
        let _ = self.0.wait();
    }
}

/// A loopback address that nobody has at this moment.
///
/// Somebody may take it before the server does: then the server says so and ends, and the candidate has failed in that start.
fn free_address() -> io::Result<SocketAddrV4> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr()?.port()))
}

/// The command of `server` for `port`, in a group of its own: Ctrl-C is for the campaign, which ends the server in its
/// own time.
fn command(server: &ExternalServer, port: u16) -> Command {
    let port = port.to_string();
    let mut words = server.command.iter().map(|word| word.replace("{port}", &port));
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts `command` bound to processor `cpu`: a process inherits the affinity of the thread that starts it
/// (sched_setaffinity(2)), so this is done by a thread that has bound itself.
fn spawn_on(cpu: Option<u32>, mut command: Command) -> io::Result<Child> {
    let starter = std::thread::spawn(move || {
        cpu.map_or(Ok(()), |cpu| processors::pin_to(&[cpu]))?;
        command.spawn()
    });
    starter.join().expect("nothing in it panics")
}

/// Whether a connection has two ends: connect(2) to a port that nobody listens on may get that very port as its
/// own, and then meets itself (RFC 9293, simultaneous open).
fn is_with_another(connection: &TcpStream) -> bool {
    connection.local_addr().ok() != connection.peer_addr().ok()
}

/// Ends a connection that carried nothing, and waits until the server has done so too, so that it has no
/// part in what follows.
fn finish(mut probe: TcpStream) {
    let _ = probe.shutdown(Shutdown::Write);
    let _ = probe.set_read_timeout(Some(PROBE_PATIENCE));
    let _ = probe.read(&mut [0]);
}

/// The first of `lines` that says something, in parentheses.
fn parenthesised(lines: [String; 2]) -> String {
    lines.into_iter().find(|line| !line.is_empty()).map(|line| format!(" ({line})")).unwrap_or_default()
}
