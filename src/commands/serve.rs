//! `muxbench serve`

use std::io::{BufRead, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use clap::ValueEnum;
use load_gen::{machine, units};
use muxbench::mechanisms::{self, Mechanism};
use muxbench::server::{self, Control, Options, Reply, Running, ServeError, StartError};
use report::schema::ServerCounters;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::UsageError;

/// Run one echo server
///
/// Prints one JSON line when it listens. `stats` on standard input prints its counters as one JSON line. It
/// ends with standard input, or at SIGTERM or SIGINT.
#[derive(clap::Args)]
pub struct Serve {
    /// How to wait for events (see `muxbench list`); epoll-lt, or the first of this build
    #[arg(long, value_name = "NAME")]
    mechanism: Option<String>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7777")]
    listen: String,
    /// Loops, each on a thread with a descriptor table of its own
    #[arg(long, value_name = "N", default_value = "1", value_parser = units::positive_count)]
    threads: u32,
    /// How several loops meet the connections
    #[arg(long, value_name = "MODE", default_value = "reuseport")]
    accept: Accept,
    /// What a client reads: its own bytes, or `get bytes N`
    #[arg(long, default_value = "echo")]
    reply: ReplyName,
    /// Connections served at a time; those beyond are told that the server is full, and closed
    #[arg(long, value_name = "N", value_parser = units::count)]
    max_conns: Option<u64>,
    /// Bind the loops to this processor, or to each of several (0,1) in turn
    #[arg(long, value_name = "CPU", value_delimiter = ',')]
    cpu: Vec<u32>,
    /// A line on standard error for each connection and disconnection (writing it is part of the loop)
    #[arg(long)]
    log: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Accept {
    /// Every loop watches one listener
    Shared,
    /// The same, and the kernel wakes one of them (epoll)
    Exclusive,
    /// A listener each (SO_REUSEPORT)
    Reuseport,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReplyName {
    Echo,
    Ack,
}

#[derive(Serialize)]
struct Listening {
    event: &'static str,
    address: SocketAddr,
    mechanism: &'static str,
    threads: u32,
    pid: u32,
}

#[derive(Serialize)]
struct Stats {
    event: &'static str,
    #[serde(flatten)]
    counters: ServerCounters,
}

/// What the control thread waits for.
enum Happened {
    Line(String),
    EndOfInput,
    Signal,
    Ended(Result<(), ServeError>),
}

impl Serve {
    /// Serves until told to stop.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let (mechanism, serve) = self.mechanism()?;
        let options = self.options()?;
        machine::raise_descriptor_limit();
        // Before the first thread, so that each inherits it: a loop must not be the one to be interrupted.
        let signals = Signals::new([SIGTERM, SIGINT]).context("cannot watch for signals")?;
        let running = server::start(serve, &options).map_err(|error| advise(error, &self.listen))?;
        let control = running.control();
        eprintln!(
            "muxbench: {} on {}, until end of input, SIGTERM or Ctrl-C",
            mechanism.name,
            control.address()
        );
        announce(&Listening {
            event: "listening",
            address: control.address(),
            mechanism: mechanism.name,
            threads: self.threads,
            pid: std::process::id(),
        })?;
        let happenings = watch_all(running, signals);
        drive(mechanism, &control, &happenings)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The mechanism asked for, or the best of this build.
    fn mechanism(&self) -> anyhow::Result<(&'static Mechanism, mechanisms::Serve)> {
        let Some(first) = mechanisms::compiled().next() else {
            anyhow::bail!(
                "this build has no mechanism; build it with at least one, as in: cargo build --features {}",
                names(mechanisms::all().iter(), ",")
            );
        };
        let mechanism = match &self.mechanism {
            None => mechanisms::find("epoll-lt").filter(|mechanism| mechanism.is_compiled()).unwrap_or(first),
            Some(name) => mechanisms::find(name).ok_or_else(|| {
                UsageError(format!(
                    "there is no mechanism '{name}'; choose from {}",
                    names(mechanisms::all().iter(), ", ")
                ))
            })?,
        };
        let name = mechanism.name;
        let serve = mechanism.serve.with_context(|| {
            format!(
                "this build does not have {name}; build it with --features {name}, or choose from {}",
                names(mechanisms::compiled(), ", ")
            )
        })?;
        Ok((mechanism, serve))
    }

    /// What the command line asks of the server.
    fn options(&self) -> anyhow::Result<Options> {
        if self.accept != Accept::Reuseport {
            let message = "only --accept reuseport is there so far; leave the option out, or ask for that";
            return Err(UsageError(message.into()).into());
        }
        let listen =
            self.listen.to_socket_addrs().ok().and_then(|mut addresses| addresses.next()).ok_or_else(
                || {
                    UsageError(format!(
                        "'{}' is not an address to listen on; write one like 127.0.0.1:7777",
                        self.listen
                    ))
                },
            )?;
        Ok(Options {
            listen,
            threads: self.threads as usize,
            reply: match self.reply {
                ReplyName::Echo => Reply::Echo,
                ReplyName::Ack => Reply::Ack,
            },
            max_connections: self.max_conns,
            cpus: self.cpu.clone(),
            log: self.log,
        })
    }
}

/// The names of `mechanisms`.
fn names(mechanisms: impl Iterator<Item = &'static Mechanism>, separator: &str) -> String {
    mechanisms.map(|mechanism| mechanism.name).collect::<Vec<_>>().join(separator)
}

/// Says what to do about a server that did not start.
fn advise(error: StartError, listen: &str) -> anyhow::Error {
    use std::io::ErrorKind;
    match &error {
        StartError::Listen { source, .. } => {
            let advice = match source.kind() {
                ErrorKind::AddrInUse => "address already in use; choose another with --listen".into(),
                ErrorKind::AddrNotAvailable => {
                    "this machine has no such address; choose another with --listen".into()
                }
                ErrorKind::PermissionDenied => {
                    "permission denied; choose a port above 1023 with --listen".into()
                }
                _ => source.to_string(),
            };
            anyhow::anyhow!("cannot listen on {listen}: {advice}")
        }
        StartError::Pin { cpu, .. } => {
            let allowed = machine::allowed_cpus().unwrap_or_default();
            let allowed: Vec<_> = allowed.iter().map(u32::to_string).collect();
            UsageError(format!("--cpu {cpu}: this process may run on {} only", allowed.join(", "))).into()
        }
        StartError::Thread(_) => error.into(),
    }
}

/// Prints one JSON line, at once.
fn announce(value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to standard output")
}

/// Starts the threads that wait: for input, for signals, for the end of the loops. Each sleeps in the
/// kernel until its event comes, so that none disturbs a loop.
fn watch_all(running: Running, mut signals: Signals) -> mpsc::Receiver<Happened> {
    let (sender, happenings) = mpsc::channel();
    let (for_signals, for_input) = (sender.clone(), sender.clone());
    thread::spawn(move || {
        for _ in &mut signals {
            let _ = for_signals.send(Happened::Signal);
        }
    });
    thread::spawn(move || read_commands(&for_input));
    thread::spawn(move || sender.send(Happened::Ended(running.wait())));
    happenings
}

/// Sends each line of standard input, and its end.
fn read_commands(sender: &mpsc::Sender<Happened>) {
    let stdin = std::io::stdin();
    // What a service manager, or a shell that is not interactive, gives a background job: no one to talk to.
    if is_dev_null(&stdin) {
        return;
    }
    ignore_terminal_input_signal();
    for line in stdin.lock().lines() {
        match line {
            Ok(line) => drop(sender.send(Happened::Line(line))),
            // Of a terminal, a job in the background: it serves on, without control input.
            Err(_) => return,
        }
    }
    let _ = sender.send(Happened::EndOfInput);
}

/// Whether `file` is the null device, 1:3 (Linux allocated devices).
fn is_dev_null(file: &impl AsFd) -> bool {
    use rustix::fs::{FileType, fstat, major, minor};
    fstat(file).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3)
    })
}

/// Makes reading from a terminal in the background an error rather than a stopped process: the loops
/// would stop with it (termios(3), SIGTTIN).
fn ignore_terminal_input_signal() {
    #[allow(unsafe_code)]
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe {
        libc::signal(libc::SIGTTIN, libc::SIG_IGN);
    }
}

/// Answers commands until the server has ended.
fn drive(
    mechanism: &Mechanism,
    control: &Control,
    happenings: &mpsc::Receiver<Happened>,
) -> anyhow::Result<()> {
    for happened in happenings {
        match happened {
            Happened::Line(line) => match line.trim() {
                "stats" => announce(&Stats { event: "stats", counters: control.counters() })?,
                "" => {}
                other => eprintln!("muxbench: unknown command '{other}'; there is: stats"),
            },
            Happened::EndOfInput | Happened::Signal => control.stop(),
            Happened::Ended(result) => {
                return result.with_context(|| format!("{} stopped serving", mechanism.name));
            }
        }
    }
    Ok(())
}
