//! `muxbench serve`

use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;
use load_gen::plan::{target, units};
use model::schema::ServerCounters;
use model::{note, streams};
use muxbench::mechanisms;
use muxbench::server::Mechanism;
use muxbench::server::{
    self, AcceptMode, Control, Options, Reply, Running, ServeError, SharedCounters, SharedPlaces, StartError,
};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sys::ring_size::{self, RingSize};
use sys::{descriptor_table, limits, processors, signals};

use super::{UsageError, print};

/// Run one echo server
///
/// Prints one JSON line when it listens. `stats` on standard input prints its counters as one JSON line. It
/// ends with standard input, or at SIGTERM or SIGINT.
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub struct Serve {
    /// How to wait for events (see `muxbench list`); epoll-lt, or the first of this build
    #[arg(long, value_name = "NAME")]
    mechanism: Option<String>,
    /// Where to listen: HOST:PORT, port 0 takes a free one. Several ports (HOST:PORT-PORT, or with commas) are served by the
    /// --threads in turn, each by one of them
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', default_value = "127.0.0.1:7777")]
    listen: Vec<String>,
    /// Loops, each on a thread with a descriptor table of its own where the system grants one
    #[arg(long, value_name = "N", default_value = "1", value_parser = units::positive_count)]
    threads: u32,
    /// How several loops meet the connections; reuseport where the mechanism has it, else shared
    #[arg(long, value_name = "MODE")]
    accept: Option<AcceptMode>,
    /// What a client reads: its own bytes, or `get bytes N`
    #[arg(long, default_value = "echo")]
    reply: ReplyName,
    /// Connections served at a time; those beyond are told that the server is full, and closed
    #[arg(long, value_name = "N", value_parser = units::count)]
    max_conns: Option<u64>,
    /// Bind the loops to this processor, or to each of several (0,1) in turn
    #[arg(long, value_name = "CPU", value_delimiter = ',')]
    cpu: Vec<u32>,
    /// Buffers that each loop of io-uring provides to the kernel: a power of two
    #[arg(long, value_name = "N", default_value_t = Options::PROVIDED_BUFFERS, value_parser = ring_size::buffers)]
    buffers: u16,
    /// Entries of the queues of each loop of io-uring and io-uring-poll, powers of two; smaller ones overflow more often, and
    /// lose nothing
    #[arg(long, value_name = "SUBMISSIONS,COMPLETIONS", default_value = "256,8192", value_parser = ring_size::queues)]
    ring: (u32, u32),
    /// A line on standard error for each connection and disconnection (writing it is part of the loop)
    #[arg(long)]
    log: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReplyName {
    Echo,
    Ack,
}

#[derive(Serialize)]
struct Listening<'a> {
    event: &'static str,
    /// The first of `addresses`.
    address: SocketAddr,
    addresses: &'a [SocketAddr],
    mechanism: &'static str,
    threads: u32,
    accept: AcceptMode,
    pid: u32,
}

#[derive(Serialize)]
struct Stats {
    event: &'static str,
    #[serde(flatten)]
    counters: ServerCounters,
    /// The same for each loop.
    loops: Vec<ServerCounters>,
}

/// An event that the control thread waits for.
enum Happened {
    Line(String),
    EndOfInput,
    Signal,
    Ended(Result<(), ServeError>),
}

impl Serve {
    /// Serves until told to stop.
    pub fn execute(self) -> anyhow::Result<ExitCode> {
        let mechanism = self.mechanism()?;
        let options = self.options()?;
        limits::raise_descriptors();
        // Before the first thread, so that each inherits it: a loop must not be the one to be interrupted.
        let signals = Signals::new([SIGTERM, SIGINT]).context("cannot watch for signals")?;
        for signal in [SIGTERM, SIGINT] {
            // What is printed gives up a reader that keeps it waiting.
            signal_hook::flag::register(signal, streams::interrupted())
                .context("cannot watch for signals")?;
        }
        let running = server::start(mechanism, &options).map_err(advise)?;
        let control = running.control();
        let addresses: Vec<_> = control.addresses().iter().map(ToString::to_string).collect();
        note!(
            "muxbench: {} on {}, until end of input, SIGTERM or Ctrl-C",
            mechanism.name,
            addresses.join(", ")
        );
        announce(&Listening {
            event: "listening",
            address: control.address(),
            addresses: control.addresses(),
            mechanism: mechanism.name,
            threads: self.threads,
            accept: control.accept_mode(),
            pid: std::process::id(),
        })?;
        let happenings = watch_all(running, signals);
        drive(mechanism, &control, &happenings)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The mechanism asked for, or the best of this build.
    fn mechanism(&self) -> anyhow::Result<&'static Mechanism> {
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
        anyhow::ensure!(
            mechanism.is_compiled(),
            "this build does not have {name}; build it with --features {name}, or choose from {}",
            names(mechanisms::compiled(), ", ")
        );
        Ok(mechanism)
    }

    /// Returns the server's options, as the command line asks for them.
    fn options(&self) -> anyhow::Result<Options> {
        const NOTATION: &str = "HOST:PORT, for example 127.0.0.1:7777, HOST:PORT-PORT or [::1]:7777";
        let listen = self.listen.iter().map(|text| target::addresses(text, 0, NOTATION));
        let listen: Vec<_> =
            listen.collect::<Result<_, _>>().map_err(|error| UsageError(format!("--listen: {error}")))?;
        Ok(Options {
            listen: listen.concat(),
            threads: self.threads as usize,
            accept: self.accept,
            ring: RingSize::new(self.ring, self.buffers),
            reply: match self.reply {
                ReplyName::Echo => Reply::Echo,
                ReplyName::Ack => Reply::Ack,
            },
            max_connections: self.max_conns,
            cpus: self.cpu.clone(),
            log: self.log,
            counters: shared_counters(),
        })
    }
}

/// The memory for the counters that whoever started this has handed over, if any; without it they are told on request alone.
fn shared_counters() -> Option<&'static SharedPlaces> {
    let fd = std::env::var(SharedCounters::VARIABLE).ok()?;
    let fd = fd.parse().map_err(|_| io::ErrorKind::InvalidInput.into());
    let adopted = fd.and_then(descriptor_table::inherited).and_then(|file| SharedPlaces::adopt(&file));
    adopted.inspect_err(|error| note!("muxbench: the counters are not shared, only told: {error}")).ok()
}

/// The names of `mechanisms`.
fn names(mechanisms: impl Iterator<Item = &'static Mechanism>, separator: &str) -> String {
    mechanisms.map(|mechanism| mechanism.name).collect::<Vec<_>>().join(separator)
}

/// Says what to do about a server that did not start.
fn advise(error: StartError) -> anyhow::Error {
    use std::io::ErrorKind;
    match &error {
        StartError::Listen { address, source } => {
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
            anyhow::anyhow!("cannot listen on {address}: {advice}")
        }
        StartError::Pin { cpus, source } if source.kind() != ErrorKind::InvalidInput => {
            let asked: Vec<_> = cpus.iter().map(u32::to_string).collect();
            anyhow::anyhow!(
                "--cpu {}: sched_setaffinity(2) is refused ({source}); leave it out, or start the server with taskset -c",
                asked.join(",")
            )
        }
        StartError::Pin { cpus, .. } => {
            let asked: Vec<_> = cpus.iter().map(u32::to_string).collect();
            let allowed = processors::allowed().unwrap_or_default();
            let allowed: Vec<_> = allowed.iter().map(u32::to_string).collect();
            let (asked, allowed) = (asked.join(","), allowed.join(", "));
            UsageError(format!("--cpu {asked}: this process may run on {allowed} only")).into()
        }
        StartError::AcceptMode { mechanism, mode, possible } => {
            let possible: Vec<_> = possible.iter().map(ToString::to_string).collect();
            let possible = possible.join(" or ");
            UsageError(format!("{mechanism} cannot do --accept {mode}; ask for {possible}")).into()
        }
        StartError::OneListener { mode, addresses } => {
            let sentence = format!(
                "--accept {mode} has one listener for all threads, not {addresses}: give --listen one port, or choose \
                 --accept reuseport (muxbench list says which mechanisms have it)"
            );
            UsageError(sentence).into()
        }
        StartError::FewLoops { addresses, loops } => {
            let sentence = format!(
                "{addresses} ports need a thread each: give --threads {addresses}, and not {loops}, or fewer ports"
            );
            UsageError(sentence).into()
        }
        StartError::NotInThisBuild(_) | StartError::Kernel { .. } | StartError::Thread(_) => error.into(),
    }
}

/// Prints one JSON line, at once.
fn announce(value: &impl Serialize) -> anyhow::Result<()> {
    print(serde_json::to_string(value)? + "\n")
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
    signals::ignore_terminal_input();
    for line in stdin.lock().lines() {
        match line {
            Ok(line) => drop(sender.send(Happened::Line(line))),
            // Of a terminal, a job in the background: it serves on, without control input.
            Err(_) => return,
        }
    }
    let _ = sender.send(Happened::EndOfInput);
}

/// Returns whether `file` is the null device, 1:3 (Linux allocated devices).
fn is_dev_null(file: &impl AsFd) -> bool {
    use rustix::fs::{FileType, fstat, major, minor};
    fstat(file).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3)
    })
}

/// The longest time that the loops may take to end after a signal. A loop that writes its log to a reader that has
/// stopped reading does not end; the end of the process closes all connections as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers commands until the server has ended.
fn drive(
    mechanism: &Mechanism,
    control: &Control,
    happenings: &mpsc::Receiver<Happened>,
) -> anyhow::Result<()> {
    let mut deadline: Option<Instant> = None;
    loop {
        let left =
            deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        let happened = match happenings.recv_timeout(left) {
            Ok(happened) => happened,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
        };
        match happened {
            Happened::Line(line) => match line.trim() {
                "stats" => announce(&Stats {
                    event: "stats",
                    counters: control.counters(),
                    loops: control.counters_by_loop(),
                })?,
                "" => {}
                other => note!("muxbench: unknown command '{other}'; there is: stats"),
            },
            Happened::Signal if deadline.is_some() => return Ok(()),
            happened @ (Happened::EndOfInput | Happened::Signal) => {
                // Loops that cannot be told to end do so with the process.
                if !control.stop() {
                    return Ok(());
                }
                if matches!(happened, Happened::Signal) {
                    deadline = Some(Instant::now() + PATIENCE);
                }
            }
            Happened::Ended(result) => {
                return result.with_context(|| format!("{} stopped serving", mechanism.name));
            }
        }
    }
}
