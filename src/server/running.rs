//! The threads that the loops run on.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use model::schema::ServerCounters;
use rustix::io::Errno;
use sys::descriptor_table::{self, DESCRIPTORS_PER_THREAD, Table};
use sys::{limits, processors};

use super::socket::listen_in_turn;
use super::{AcceptMode, Listener, Mechanism, Options, Serve, ServeError, ServeLoop, Server};

/// The reason that a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The error that the kernel reported.
        source: io::Error,
    },
    /// The mechanism is not compiled.
    #[error("this build does not have {0}; build it with --features {0}")]
    NotInThisBuild(&'static str),
    /// The mechanism does not accept this way.
    #[error("{mechanism} cannot accept '{mode}'; it can: {}", join(.possible))]
    AcceptMode {
        /// The mechanism.
        mechanism: &'static str,
        /// The mode asked for.
        mode: AcceptMode,
        /// The modes that it has.
        possible: &'static [AcceptMode],
    },
    /// Several addresses, and one listener for all loops.
    #[error("'{mode}' has one listener for all loops, and {addresses} addresses need several")]
    OneListener {
        /// The mode in which the loops are to accept.
        mode: AcceptMode,
        /// The number of addresses.
        addresses: usize,
    },
    /// More addresses than loops.
    #[error("{addresses} addresses need as many loops, and there are {loops}")]
    FewLoops {
        /// The number of addresses.
        addresses: usize,
        /// The number of loops.
        loops: usize,
    },
    /// This kernel does not have what the mechanism needs.
    #[error("{mechanism} cannot run here: {reason}")]
    Kernel {
        /// The mechanism.
        mechanism: &'static str,
        /// The reason, as its probe gave it.
        reason: String,
    },
    /// A loop cannot run on the processors asked for.
    #[error("cannot bind a loop to processor {}: {source}", join(.cpus))]
    Pin {
        /// The processors.
        cpus: Vec<u32>,
        /// The error that the kernel reported.
        source: io::Error,
    },
    /// A loop has no thread.
    #[error("cannot start a loop: {0}")]
    Thread(#[source] io::Error),
}

/// The words of `values`, with commas between them.
fn join(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Reads the counters of a server, and stops it; the server goes on when this is dropped.
#[derive(Debug)]
pub struct Control {
    addresses: Vec<SocketAddr>,
    servers: Vec<Arc<Server>>,
    counts_calls: bool,
    accept: AcceptMode,
    /// Clones of the listeners. They are descriptors of the starting thread's table: no loop may hold
    /// this, for in a table of its own the same numbers mean other files.
    listeners: Vec<OwnedFd>,
}

impl Control {
    /// The address listened on, with the real port; the first of several.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All addresses listened on, with their real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The mode in which the loops accept connections.
    pub fn accept_mode(&self) -> AcceptMode {
        self.accept
    }

    /// The counters, summed over the loops.
    pub fn counters(&self) -> ServerCounters {
        self.counters_by_loop().into_iter().reduce(ServerCounters::plus).unwrap_or_default()
    }

    /// The counters of each loop.
    pub fn counters_by_loop(&self) -> Vec<ServerCounters> {
        let read = |server: &Arc<Server>| {
            let counters = server.read_counters();
            ServerCounters { calls: counters.calls.filter(|_| self.counts_calls), ..counters }
        };
        self.servers.iter().map(read).collect()
    }

    /// Ends every loop: shutdown(2) on a listener acts on the socket, whichever descriptor names it, wakes
    /// whoever watches it, and makes accept4(2) answer EINVAL. The answer is false where the call is refused, so that nothing
    /// but the end of the process ends them.
    pub fn stop(&self) -> bool {
        let stop = |listener| rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        // A listener that is shut down already answers ENOTCONN.
        let is_refused = |answer| matches!(answer, Err(Errno::PERM | Errno::NOSYS));
        !self.listeners.iter().map(stop).any(is_refused)
    }
}

/// A server whose loops run.
#[derive(Debug)]
pub struct Running {
    control: Arc<Control>,
    ended: mpsc::Receiver<Result<(), ServeError>>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Returns the control, which reads its counters and stops it.
    pub fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    /// Waits until every loop has ended; one that fails ends the others.
    ///
    /// # Errors
    ///
    /// What the first loop that failed said.
    pub fn wait(self) -> Result<(), ServeError> {
        let mut outcome = Ok(());
        for result in &self.ended {
            if result.is_err() {
                self.control.stop();
                outcome = outcome.and(result);
            }
        }
        for thread in self.threads {
            thread.join().map_err(|_| ServeError::Panicked)?;
        }
        outcome
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn stop(self) -> Result<(), ServeError> {
        self.control.stop();
        self.wait()
    }
}

/// Starts a server: `options.threads` loops of `mechanism`. It listens when this returns.
///
/// # Errors
///
/// When this build or this kernel does not have the mechanism, when the server cannot listen, or when a loop
/// cannot have its thread or its processor.
pub fn start(mechanism: &'static Mechanism, options: &Options) -> Result<Running, StartError> {
    let serve = mechanism.serve.ok_or(StartError::NotInThisBuild(mechanism.name))?;
    let accept = accept_mode(mechanism, options)?;
    (mechanism.probe)().map_err(|reason| StartError::Kernel { mechanism: mechanism.name, reason })?;
    let loops = options.threads.max(1);
    let failed = |(address, source)| StartError::Listen { address, source };
    let count = listeners_needed(accept, loops, options.listen.len())?;
    let (addresses, mut sockets) = listen_in_turn(&options.listen, count).map_err(failed)?;
    let clones = sockets.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>();
    let listeners: Vec<_> = clones.map_err(|source| failed((addresses[0], source)))?;
    let room = room_in_one_table(serve, loops);
    let max_connections = options.max_connections.into_iter().chain(room).min();
    if let (Some(shared), false) = (options.counters, mechanism.counts_calls) {
        shared.hide_calls();
    }
    let servers = Server::for_loops(&Options { max_connections, ..options.clone() });
    let tasks = tasks(serve, accept, options, servers.clone());
    // Each loop owns what it listens with.
    for listener in listeners.iter().cycle().take(tasks.len()).skip(count) {
        sockets.push(listener.try_clone().map_err(|source| failed((addresses[0], source)))?);
    }
    let control = Control { addresses, servers, counts_calls: mechanism.counts_calls, accept, listeners };

    let (ended_sender, ended) = mpsc::channel();
    let (ready_sender, ready) = mpsc::channel();
    let mut threads = Vec::with_capacity(loops);
    for (Task { name, cpus, run }, socket) in tasks.into_iter().zip(sockets) {
        let (ready, ended) = (ready_sender.clone(), ended_sender.clone());
        let run = move |_, socket: Option<OwnedFd>| {
            let pinned = if cpus.is_empty() { Ok(()) } else { processors::pin_to(&cpus) };
            let is_pinned = pinned.is_ok();
            let _ = ready.send(pinned.map_err(|source| StartError::Pin { cpus, source }));
            drop(ready);
            if let Some(socket) = socket.filter(|_| is_pinned) {
                let run = AssertUnwindSafe(|| run(socket));
                let _ = ended.send(catch_unwind(run).unwrap_or(Err(ServeError::Panicked)));
            }
        };
        let builder = std::thread::Builder::new().name(name);
        #[allow(unsafe_code)]
        // SAFETY: a loop has its listener by `keep`. It is given counters and settings, tells how it ended, and keeps
        // the connections that it accepts.
        match unsafe { descriptor_table::spawn(builder, Some(socket), run) } {
            Ok(thread) => threads.push(thread),
            Err(error) => drop(ready_sender.send(Err(StartError::Thread(error)))),
        }
    }
    drop((ready_sender, ended_sender));
    let running = Running { control: Arc::new(control), ended, threads };
    match ready.iter().fold(Ok(()), Result::and) {
        Ok(()) => Ok(running),
        Err(error) => {
            let _ = running.stop();
            Err(error)
        }
    }
}

/// Returns the mode in which the loops of `mechanism` are to accept connections.
fn accept_mode(mechanism: &Mechanism, options: &Options) -> Result<AcceptMode, StartError> {
    let mode = options.accept.unwrap_or(mechanism.accept[0]);
    match mechanism.accept.contains(&mode) {
        true => Ok(mode),
        false => Err(StartError::AcceptMode { mechanism: mechanism.name, mode, possible: mechanism.accept }),
    }
}

/// Returns the number of listeners that `loops` loops need for connections to `addresses` addresses.
fn listeners_needed(accept: AcceptMode, loops: usize, addresses: usize) -> Result<usize, StartError> {
    match accept {
        AcceptMode::Reuseport if addresses > loops => Err(StartError::FewLoops { addresses, loops }),
        AcceptMode::Reuseport => Ok(loops),
        mode if addresses > 1 => Err(StartError::OneListener { mode, addresses }),
        _ => Ok(1),
    }
}

/// Descriptors that a server with few loops has open when it starts: standard streams, signals, listeners.
const OPEN_AT_START: u64 = 32;

/// Connections that several loops have room for together, where they have to share one descriptor table; nothing where
/// the table of each is the limit.
///
/// Two loops that have come to its end could take from each other what a reserve is given up for. So it does not come to that.
fn room_in_one_table(serve: Serve, loops: usize) -> Option<u64> {
    if loops == 1 || matches!(serve, Serve::Pool(_)) || Table::probe().is_own() {
        return None;
    }
    let limit = limits::descriptors().current.unwrap_or(u64::MAX);
    // Without /proc nothing is known to be open but what a server has when it starts.
    let open = descriptor_table::open_descriptors().map_or(OPEN_AT_START, |open| open.len() as u64);
    let taken = open + loops as u64 * DESCRIPTORS_PER_THREAD;
    Some(limit.saturating_sub(taken))
}

/// The task of a thread of [`start`].
struct Task {
    name: String,
    /// The processors that it may run on; none leaves it to the scheduler.
    cpus: Vec<u32>,
    run: Box<dyn FnOnce(OwnedFd) -> Result<(), ServeError> + Send>,
}

/// The threads to start: one a loop, or one that starts the loops of a pool.
fn tasks(serve: Serve, accept: AcceptMode, options: &Options, servers: Vec<Arc<Server>>) -> Vec<Task> {
    let exclusive = accept == AcceptMode::Exclusive;
    let of_loop = |(index, server): (usize, Arc<Server>), serve: ServeLoop| {
        let cpus = options.cpus.iter().copied().cycle().nth(index);
        let run = move |socket| serve(Listener::new(socket, &server)?.exclusive(exclusive), &server);
        Task { name: format!("loop-{index}"), cpus: cpus.into_iter().collect(), run: Box::new(run) }
    };
    match serve {
        Serve::Loop(serve) => servers.into_iter().enumerate().map(|server| of_loop(server, serve)).collect(),
        Serve::Pool(serve) => {
            let run = move |socket| serve(Listener::new(socket, &servers[0])?, &servers);
            vec![Task { name: "pool".into(), cpus: options.cpus.clone(), run: Box::new(run) }]
        }
    }
}
