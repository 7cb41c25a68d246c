//! The threads that the loops run on.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use load_gen::machine;
use report::schema::ServerCounters;

use super::listener::listen;
use super::{Listener, Options, ServeError, Server};
use crate::mechanisms::Serve;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// A loop cannot run on the processor asked for.
    #[error("cannot bind a loop to processor {cpu}: {source}")]
    Pin {
        /// The processor.
        cpu: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// A loop has no thread, or no descriptor table of its own.
    #[error("cannot start a loop: {0}")]
    Thread(#[source] io::Error),
}

/// Reads the counters of a server, and stops it; the server goes on when this is dropped.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    servers: Vec<Arc<Server>>,
    /// Clones of the listeners. They are descriptors of the starting thread's table: no loop may hold
    /// this, for in its own table the same numbers mean other files.
    listeners: Vec<OwnedFd>,
}

impl Control {
    /// The address listened on, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The counters, summed over the loops.
    pub fn counters(&self) -> ServerCounters {
        self.servers
            .iter()
            .map(|server| server.counters().read())
            .fold(ServerCounters::default(), ServerCounters::plus)
    }

    /// Ends every loop: shutdown(2) on a listener acts on the socket, whichever descriptor names it, wakes
    /// whoever watches it, and makes accept4(2) answer EINVAL.
    pub fn stop(&self) {
        for listener in &self.listeners {
            // A listener that is shut down already answers ENOTCONN.
            let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        }
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
    /// What reads its counters and stops it.
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

/// Starts a server: `options.threads` loops of `serve`. It listens when this returns.
///
/// # Errors
///
/// When it cannot listen, or a loop cannot have its thread, its processor or its descriptor table.
pub fn start(serve: Serve, options: &Options) -> Result<Running, StartError> {
    let failed = |source| StartError::Listen { address: options.listen, source };
    let (address, sockets) = listen(options.listen, options.threads.max(1)).map_err(failed)?;
    let listeners = sockets.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>().map_err(failed)?;
    let servers = Server::for_loops(options);
    let control = Arc::new(Control { address, servers: servers.clone(), listeners });

    let (ended_sender, ended) = mpsc::channel();
    let (ready_sender, ready) = mpsc::channel();
    let mut threads = Vec::with_capacity(sockets.len());
    for (index, (server, socket)) in servers.into_iter().zip(&sockets).enumerate() {
        let cpu = (!options.cpus.is_empty()).then(|| options.cpus[index % options.cpus.len()]);
        let (socket, ready, ended) = (socket.as_raw_fd(), ready_sender.clone(), ended_sender.clone());
        let run = move || match prepare(socket, cpu) {
            Err(error) => drop(ready.send(Err(error))),
            Ok(socket) => {
                let _ = ready.send(Ok(()));
                drop(ready);
                let _ = ended.send(run_loop(serve, socket, &server));
            }
        };
        let thread = std::thread::Builder::new().name(format!("loop-{index}")).spawn(run);
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => drop(ready_sender.send(Err(StartError::Thread(error)))),
        }
    }
    drop((ready_sender, ended_sender));
    let running = Running { control, ended, threads };
    // `sockets` is dropped only after every loop has said that it holds its own.
    let started = ready.iter().fold(Ok(()), Result::and);
    drop(sockets);
    match started {
        Ok(()) => Ok(running),
        Err(error) => {
            let _ = running.stop();
            Err(error)
        }
    }
}

/// Makes the calling thread ready to be a loop: its processor, and a descriptor table of its own in which
/// it owns the listening socket with the number `socket`.
fn prepare(socket: RawFd, cpu: Option<u32>) -> Result<OwnedFd, StartError> {
    if let Some(cpu) = cpu {
        machine::pin_to(cpu).map_err(|source| StartError::Pin { cpu, source })?;
    }
    #[allow(unsafe_code)]
    // SAFETY: the starting thread keeps this descriptor open until this one has reported.
    let shared = unsafe { BorrowedFd::borrow_raw(socket) };
    machine::own_descriptor_table(Some(shared))
        .and_then(|own| own.ok_or_else(|| io::Error::other("the listener was not kept")))
        .map_err(StartError::Thread)
}

/// Runs one loop to its end.
fn run_loop(serve: Serve, socket: OwnedFd, server: &Server) -> Result<(), ServeError> {
    catch_unwind(AssertUnwindSafe(|| serve(Listener::new(socket, server)?, server)))
        .unwrap_or(Err(ServeError::Panicked))
}
