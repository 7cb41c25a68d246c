//! The library compio.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{PollFd, TcpListener, TcpStream};
use compio::runtime::{Runtime, Task};
use rustix::io::Errno;
use sys::uring;

use crate::server::{ACK_BYTES_AT_MOST, Admitted, Listener, Reply, ServeError, Server};

/// A task's own read buffer, which the kernel holds while the connection is idle.
const BUFFER_BYTES: usize = 4096;

/// Serves `listener` with compio until it is shut down.
///
/// compio on Linux is io_uring: a task accepts, and each connection is a task that submits a recv, and a
/// send of what came. The kernel owns the buffer of an operation under way, so the task lends it and is
/// given it back; an idle connection has one buffer in the kernel's hands.
///
/// # Errors
///
/// When the kernel refuses the ring, or the answer to an accept is what only a mistake of ours can cause.
pub fn serve(listener: Listener, server: &Server) -> Result<(), ServeError> {
    let runtime = Runtime::new().map_err(ServeError::library("compio's runtime"))?;
    runtime.block_on(serve_all(listener, Rc::new(server.part())))
}

/// Checks that this kernel grants what a runtime needs. compio could fall back to epoll without being told to; muxbench
/// builds it without that, since a figure of epoll under the name of compio would mislead. If one of the three calls
/// that a ring takes is refused, a runtime can still be made, and panics when it is used.
///
/// # Errors
///
/// The reason, if the kernel does not grant it.
pub fn probe() -> Result<Vec<&'static str>, String> {
    let tried = || {
        let ring = io_uring::IoUring::new(1)?;
        ring.submitter().register_probe(&mut io_uring::Probe::new())?;
        ring.submitter().submit_and_wait(0)?;
        Runtime::new().map(drop)
    };
    let tried = uring::on_a_thread(tried).and_then(|tried| tried);
    tried.map(|()| Vec::new()).map_err(|error| uring::reason(&error))
}

/// The connections that are open, each with its task, by descriptor.
///
/// An operation that waits holds the runtime, and the runtime its tasks: a runtime that is dropped with a connection open is never
/// taken apart, and the connection stays open with its ring. So the server ends its connections before it returns.
#[derive(Default)]
struct Connections(RefCell<HashMap<RawFd, Open>>);

struct Open {
    stream: TcpStream,
    task: Task<Result<(), Box<dyn std::any::Any + Send>>>,
}

impl Connections {
    /// Serves `stream` on a task of its own.
    fn begin(self: &Rc<Self>, stream: TcpStream, peer: Option<SocketAddr>, server: &Rc<Server>) {
        let task = compio::runtime::spawn(converse(stream.clone(), peer, Rc::clone(server), Rc::clone(self)));
        // A task first runs when this one waits.
        self.0.borrow_mut().insert(stream.as_raw_fd(), Open { stream, task });
    }

    /// The connection with this descriptor, which is still open, is about to be closed by its task.
    fn end(&self, descriptor: RawFd) {
        if let Some(open) = self.0.borrow_mut().remove(&descriptor) {
            open.task.detach();
        }
    }

    /// Ends every connection, and waits until its task has.
    async fn end_all(&self) {
        // What waits for the peer is over then. One that the peer has ended is not connected any more: its task knows.
        for Open { stream, .. } in self.0.borrow().values() {
            let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::Both);
        }
        let open: Vec<Open> = self.0.borrow_mut().drain().map(|(_, open)| open).collect();
        for Open { stream, task } in open {
            drop(stream);
            if let Err(panic) = task.await {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Serves connections until the listener is shut down, and ends those that are open then.
async fn serve_all(listener: Listener, server: Rc<Server>) -> Result<(), ServeError> {
    let connections = Rc::new(Connections::default());
    let outcome = accept(listener, &server, &connections).await;
    connections.end_all().await;
    outcome
}

/// Accepts connections until the listener is shut down.
async fn accept(
    mut listener: Listener,
    server: &Rc<Server>,
    connections: &Rc<Connections>,
) -> Result<(), ServeError> {
    let failed = ServeError::library("compio's listener");
    let clone = || listener.as_fd().try_clone_to_owned();
    let acceptor = clone().and_then(|socket| TcpListener::from_std(socket.into())).map_err(&failed)?;
    let queue = clone().and_then(PollFd::new).map_err(&failed)?;
    loop {
        match acceptor.accept().await {
            Ok((stream, peer)) => {
                if let Some(stream) = listener.take_in(stream, Some(peer), server) {
                    connections.begin(stream, Some(peer), server);
                }
            }
            Err(error) => match listener.admit(Err(errno(&error)), server)? {
                Admitted::Connection(socket, peer) => {
                    let stream = TcpStream::from_std(socket.into()).map_err(&failed)?;
                    connections.begin(stream, peer, server);
                }
                Admitted::Dismissed => {}
                // A full descriptor table answers an accept at once (EMFILE), whether somebody waits or not.
                Admitted::NoMore => drop(queue.accept_ready().await),
                Admitted::Stopped => return Ok(()),
            },
        }
    }
}

/// Serves one connection until it ends.
async fn converse(
    mut stream: TcpStream,
    peer: Option<SocketAddr>,
    server: Rc<Server>,
    connections: Rc<Connections>,
) {
    let ended = echo(&mut stream, &server).await;
    connections.end(stream.as_raw_fd());
    drop(stream);
    server.leave(peer, ended.err().map(|error| errno(&error)));
}

/// Answers every read until the peer's end of stream.
async fn echo(stream: &mut TcpStream, server: &Server) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    let mut reply = Vec::new();
    loop {
        // A read never shortens what it is lent (`compio::buf::SetLen::advance_to`).
        buffer.clear();
        let BufResult(received, read) = stream.read(buffer).await;
        buffer = read;
        let received = received?;
        if received == 0 {
            return Ok(());
        }
        server.counters().echoes.add(1);
        match server.reply() {
            Reply::Echo => {
                let BufResult(sent, written) = stream.write_all(buffer).await;
                sent?;
                buffer = written;
            }
            Reply::Ack => {
                let mut text = [0; ACK_BYTES_AT_MOST];
                reply.clear();
                reply.extend_from_slice(Reply::Ack.to(&buffer, &mut text));
                let BufResult(sent, written) = stream.write_all(reply).await;
                sent?;
                reply = written;
            }
        }
    }
}

/// The kernel's error in compio's.
fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
