//! A server of other making: a command in a process group of its own, known by nothing but the port it was given.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use model::schema::ExternalServer;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use sys::process_group::ProcessGroup;
use sys::processors;

use super::error::{NOTICE_WITHIN, PATIENCE, ServerError, describe};
use super::last_line::LastLine;
use super::{Maker, Process, Server};

/// Pause between two attempts to connect: nobody tells when a port begins to listen.
const CONNECT_AGAIN: Duration = Duration::from_millis(5);
/// The longest time that the server may take to close its end of the first connection, which carries nothing.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// The parts of an external server besides its process.
pub struct External {
    /// All of its processes.
    pub(super) group: ProcessGroup,
    guard: Option<Guard>,
    patience: Duration,
    output: LastLine,
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
    ) -> Result<Server, ServerError> {
        let address = free_address()?;
        let mut child = spawn_on(cpu, command(server, address.port()))?;
        let errors = LastLine::of(child.stderr.take().expect("piped"));
        let external = Self {
            group: ProcessGroup::led_by(child.id()).expect("no child has process id 0"),
            guard: Guard::over(child.id()).ok(),
            patience: server.patience_s.map_or(PATIENCE, Duration::from_secs_f64),
            output: LastLine::of(child.stdout.take().expect("piped")),
        };
        let process = Process { child, address, errors, stop: Arc::clone(stop) };
        Server::listening(process, Maker::External(external))
    }

    /// Returns how the process that was started ended, if it has, and kills what is left of its group.
    pub(super) fn ended(&self, process: &Process) -> Option<String> {
        let pid = Pid::from_child(&process.child);
        // It is not waited for yet, so that neither its number nor its group's goes to somebody else.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), options).ok()??;
        self.group.signal(Signal::KILL);
        let how = describe(status.terminating_signal(), status.exit_status());
        let said = [process.errors.at_the_end(), self.output.at_the_end()];
        Some(how + &parenthesised(said))
    }

    /// Waits until it can be connected to.
    pub(super) fn await_listening(&self, process: &Process) -> Result<(), ServerError> {
        let address = process.address.into();
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let probe = TcpStream::connect_timeout(&address, left.clamp(CONNECT_AGAIN, NOTICE_WITHIN));
            // In this order: if it has ended, it was somebody else who answered.
            if let Some(how) = self.ended(process) {
                return Err(ServerError::Ended(how));
            }
            match probe {
                Ok(probe) if is_with_another(&probe) => {
                    finish(probe);
                    return Ok(());
                }
                _ if process.stop.load(Relaxed) => return Err(ServerError::Interrupted),
                _ if left.is_zero() => {
                    let said = parenthesised([process.errors.so_far(), self.output.so_far()]);
                    return Err(ServerError::NotListening { address, patience: self.patience, said });
                }
                _ => std::thread::sleep(CONNECT_AGAIN),
            }
        }
    }

    /// Ends all of its processes; false where that is left to the guard.
    pub(super) fn end(&mut self, stop: &AtomicBool) -> bool {
        self.group.signal(Signal::TERM);
        if !self.await_end(stop) {
            match self.guard.take() {
                // After an interruption the guard waits for it, once this process has ended.
                Some(guard) if stop.load(Relaxed) => {
                    guard.keep_watch();
                    return false;
                }
                guard => self.guard = guard,
            }
            self.group.signal(Signal::KILL);
            self.await_end(stop);
        }
        // The number of the group is its own until its leader has been waited for.
        self.guard = None;
        true
    }

    /// Waits for the end of all its processes; whether it came. Once the campaign is interrupted it must come soon.
    fn await_end(&self, stop: &AtomicBool) -> bool {
        let began = Instant::now();
        loop {
            let is_interrupted = stop.load(Relaxed);
            if self.group.await_end(Instant::now() + NOTICE_WITHIN) {
                return true;
            }
            if is_interrupted || began.elapsed() >= self.patience {
                return false;
            }
        }
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

/// Returns whether a connection has two ends: connect(2) to a port without a listener may get that very port as its
/// own, and then connects to itself (RFC 9293, simultaneous open).
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
