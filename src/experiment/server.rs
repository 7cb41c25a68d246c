//! The server of a candidate: one of our own, or one of other making.

mod account;
mod error;
mod external;
mod last_line;
mod own;

use std::io::{self, Write};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use model::schema::{Point, Scenario, ServerCounters, is_base, program_of};
use sys::server_sockets::ServerSockets;
use sys::usage::{self, Account, ProcessClock, Scheduling, is_ready_to_run};

pub use self::account::{ServerAccount, ServerReading};
pub use self::error::ServerError;
use self::error::{ACCEPT_PATIENCE, LOOK_AGAIN, describe};
use self::external::External;
use self::last_line::LastLine;
pub use self::own::Own;
use super::environment::Pinning;
use crate::server::SharedCounters;

/// Another build of what is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// A program that is another muxbench.
    Muxbench(PathBuf),
    /// The command of an external server, with `{port}` in it.
    Command(Vec<String>),
}

impl Base {
    /// Reads what `--against` was given: the command of a server, a muxbench, or a folder with one in it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("{port}") {
            return Ok(Self::Command(text.split_ascii_whitespace().map(str::to_owned).collect()));
        }
        let path = Path::new(text);
        let program = if path.is_dir() { path.join("muxbench") } else { path.to_owned() };
        match program.is_file() {
            true => Ok(Self::Muxbench(program)),
            false => Err(format!(
                "--against: {} is no program: name another muxbench, its folder, or the command of a server with {{port}} in it",
                program.display()
            )),
        }
    }

    /// Leaves the candidates of `scenario` that it is another build of: the others would be compared with themselves.
    ///
    /// # Errors
    ///
    /// When none is left, or it is not clear which, in a line.
    pub fn choose(&self, scenario: &mut Scenario) -> Result<(), String> {
        match self {
            Self::Muxbench(_) => scenario.servers.clear(),
            Self::Command(_) => scenario.mechanisms.clear(),
        }
        match (self, scenario.candidates().count()) {
            (Self::Muxbench(_), 0) => {
                Err("--against: a muxbench is another build of mechanisms, of which none is measured"
                    .to_owned())
            }
            (Self::Command(_), 0) => Err(format!(
                "--against: a command is another build of a [[server]], of which scenario {} has none that is measured",
                scenario.name
            )),
            (Self::Command(_), 2..) => {
                Err("--against: a command is another build of one server: name that with --mechanisms"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The servers' setting: the scenario, their programs and processors, and the flag that ends them.
pub struct Place<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The program that serves: this one.
    pub program: PathBuf,
    /// The other build that serves for its candidates, if there are any.
    pub base: Option<Base>,
    /// The processors.
    pub pinning: Pinning,
    /// Set when the campaign should end.
    pub stop: Arc<AtomicBool>,
}

/// A running server. Dropping it ends it: here, or once the campaign is interrupted in the background.
pub struct Server {
    process: Process,
    maker: Maker,
}

/// The process of a server.
struct Process {
    child: Child,
    /// The address that it listens on; of a server of our own, once it has said so.
    address: SocketAddrV4,
    errors: LastLine,
    /// Set when the campaign should end.
    stop: Arc<AtomicBool>,
}

/// The maker of a server, with what only its servers have.
enum Maker {
    /// `muxbench serve`.
    Own(Own),
    /// A command of the scenario.
    External(External),
}

impl Server {
    /// Starts the server of `candidate`, a mechanism or an external server of the scenario, or the reference's twin, as `point` has it, on a free loopback port and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not come to listen, with the last line that it wrote.
    pub fn start(candidate: &str, point: &Point, place: &Place<'_>) -> Result<Self, ServerError> {
        let program = program_of(candidate);
        let servers = &place.scenario.servers;
        let base = place.base.as_ref().filter(|_| is_base(candidate));
        match servers.iter().find(|server| server.name == program) {
            Some(server) => {
                let mut server = server.clone();
                if let Some(Base::Command(command)) = base {
                    server.command.clone_from(command);
                }
                External::start(&server, place.pinning.server, &place.stop)
            }
            None => {
                let protocol = place.scenario.load.protocol;
                let cpus = place.pinning.of_server(point.threads);
                let file = match base {
                    Some(Base::Muxbench(program)) => program,
                    _ => &place.program,
                };
                // Two copies of one program differ by up to 1 % for as long as they stay in the page cache: what is compared with
                // another build is copied anew for each start, so that starts average that out.
                let copy = place.base.as_ref().map(|_| copy_of(file)).transpose()?;
                let file = copy.as_deref().unwrap_or(file);
                Own::start(file, program, point, protocol, &cpus, &place.stop)
            }
        }
    }

    /// Waits until `process` listens.
    fn listening(process: Process, maker: Maker) -> Result<Self, ServerError> {
        // From here on it is ended if that fails.
        let mut server = Self { process, maker };
        match &server.maker {
            Maker::Own(own) => server.process.address = own.address(&mut server.process)?,
            Maker::External(external) => external.await_listening(&server.process)?,
        }
        Ok(server)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.process.address.into()
    }

    /// Returns a reader of its accounts that it takes no part in: of an external server, those of all processes of its group.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn account(&self) -> io::Result<ServerAccount> {
        let id = self.process.child.id();
        Ok(match &self.maker {
            Maker::Own(own) => ServerAccount {
                cpu: Account::Process(ProcessClock::of(id)?),
                counters: own.counters.clone().filter(|counters| counters.read().is_some()),
                scheduling: Scheduling::of(id),
            },
            Maker::External(external) => {
                ServerAccount { cpu: Account::Group(external.group), counters: None, scheduling: None }
            }
        })
    }

    /// Its resident memory, in bytes; of an external server, that of all processes of its group.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        match &self.maker {
            Maker::Own(_) => usage::resident_bytes(self.process.child.id()),
            Maker::External(external) => external.group.resident_bytes(),
        }
    }

    /// Its counters at this moment, read where they are shared, and else asked for; none of an external server.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn counters(&mut self) -> Result<Option<ServerCounters>, ServerError> {
        let Maker::Own(own) = &self.maker else { return Ok(None) };
        let process = &mut self.process;
        let shared = own.counters.as_ref().and_then(SharedCounters::read);
        if shared.is_some() && process.ended().is_none() {
            return Ok(shared);
        }
        if let Some(input) = &mut process.child.stdin {
            // A pipe to a process that has ended fails; what became of it is found out below.
            let _ = input.write_all(b"stats\n");
        }
        own.read(process).map(Some)
    }

    /// Waits until it has taken all `opened` connections off its listener's queue: to the generator they are
    /// open before that, and accepting them must not fall into a measured window.
    ///
    /// # Errors
    ///
    /// When it does not take them all in time, or has ended.
    pub fn await_accepted(&mut self, opened: u64) -> Result<(), ServerError> {
        let deadline = Instant::now() + ACCEPT_PATIENCE;
        loop {
            let accepted = match self.counters()? {
                Some(ServerCounters { refused: refused @ 1.., .. }) => {
                    return Err(ServerError::Refused { refused, opened });
                }
                Some(ServerCounters { accepted, .. }) if accepted >= opened => return Ok(()),
                Some(ServerCounters { accepted, .. }) => accepted,
                None => {
                    let sockets = ServerSockets::at(self.process.address)?;
                    if sockets.queued == 0 && sockets.established >= opened {
                        return Ok(());
                    }
                    if let Some(how) = self.ended() {
                        return Err(ServerError::Ended(how));
                    }
                    sockets.established.saturating_sub(sockets.queued)
                }
            };
            if self.process.stop.load(Relaxed) {
                return Err(ServerError::Interrupted);
            }
            if Instant::now() > deadline {
                return Err(ServerError::NotAccepted { accepted, opened });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until it has closed all connections that it accepted; false when it does not in time, has ended, or does not
    /// tell.
    pub fn await_closed(&mut self) -> bool {
        let deadline = Instant::now() + ACCEPT_PATIENCE;
        while Instant::now() < deadline && !self.process.stop.load(Relaxed) {
            match self.counters() {
                Ok(Some(counters)) if counters.closed >= counters.accepted => return true,
                Ok(Some(_)) => std::thread::sleep(LOOK_AGAIN),
                Ok(None) | Err(_) => return false,
            }
        }
        false
    }

    /// Returns how it ended, if the process that was started has.
    pub fn ended(&mut self) -> Option<String> {
        match &self.maker {
            Maker::Own(_) => self.process.ended(),
            Maker::External(external) => external.ended(&self.process),
        }
    }

    /// Returns whether it runs or is ready to, and waits for nothing but a processor.
    pub fn is_ready_to_run(&self) -> bool {
        is_ready_to_run(self.process.child.id())
    }

    /// Ends it, politely first.
    pub fn stop(mut self) {
        if let Maker::Own(own) = &self.maker {
            drop(self.process.child.stdin.take());
            own.await_end(&mut self.process);
        }
    }
}

impl Process {
    /// Returns how it ended, if it has; it is waited for then.
    fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| describe(status.signal(), status.code()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let has_ended = match &mut self.maker {
            Maker::Own(_) => {
                // Neither this nor the wait does anything to a child that has been waited for already.
                let _ = self.process.child.kill();
                // After an interruption it is not waited for: the kernel closes all of its connections first.
                !self.process.stop.load(Relaxed)
            }
            Maker::External(external) => external.end(&self.process.stop),
        };
        if has_ended {
            let _ = self.process.child.wait();
        }
    }
}

/// A copy of a program that is gone when the path is dropped; whoever runs it keeps the file.
fn copy_of(program: &Path) -> io::Result<tempfile::TempPath> {
    let copy = tempfile::Builder::new().prefix("muxbench-").tempfile()?.into_temp_path();
    std::fs::copy(program, &copy)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::Base;
    use crate::experiment::scenario::{self, DEFAULT};
    use model::schema::{ExternalServer, Scenario};

    fn scenario(servers: &[&str]) -> Scenario {
        let mut scenario = scenario::draft(DEFAULT).expect("embedded").scenario;
        let server = |name: &&str| ExternalServer {
            name: (*name).to_owned(),
            command: vec!["./server".to_owned(), "{port}".to_owned()],
            about: None,
            patience_s: None,
        };
        scenario.servers = servers.iter().map(server).collect();
        scenario
    }

    fn chosen(base: &Base, servers: &[&str]) -> Result<Vec<String>, String> {
        let mut scenario = scenario(servers);
        base.choose(&mut scenario)?;
        Ok(scenario.candidates().map(str::to_owned).collect())
    }

    #[test]
    fn nothing_is_compared_with_itself_as_if_it_were_another_build() {
        let command = Base::Command(vec!["./old".to_owned(), "{port}".to_owned()]);
        assert_eq!(chosen(&command, &["echo"]), Ok(vec!["echo".to_owned()]));
        assert!(chosen(&command, &[]).expect_err("mechanisms are not of it").contains("[[server]]"));
        assert!(chosen(&command, &["a", "b"]).expect_err("not clear").contains("--mechanisms"));
        let muxbench = Base::Muxbench("./old/muxbench".into());
        let of_muxbench = chosen(&muxbench, &["echo"]).expect("mechanisms");
        assert!(!of_muxbench.is_empty() && !of_muxbench.contains(&"echo".to_owned()));
    }
}
