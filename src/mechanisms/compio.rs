//! The library compio.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::rc::Rc;

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{PollFd, TcpListener, TcpStream};
use compio::runtime::Runtime;

use rustix::io::Errno;

use crate::server::{ACK_BYTES_AT_MOST, Admitted, Listener, Reply, ServeError, Server, uring};

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
    runtime.block_on(accept(listener, Rc::new(server.part())))
}

/// Whether this kernel grants what a runtime needs. compio could fall back to epoll, unasked: muxbench
/// builds it without, since a figure of compio that is one of epoll would mislead. Where one of the three calls is refused that a
/// ring takes, a runtime is made, and panics when it is used.
///
/// # Errors
///
/// What is missing.
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

/// Accepts connections until the listener is shut down.
async fn accept(mut listener: Listener, server: Rc<Server>) -> Result<(), ServeError> {
    let failed = ServeError::library("compio's listener");
    let clone = || listener.as_fd().try_clone_to_owned();
    let acceptor = clone().and_then(|socket| TcpListener::from_std(socket.into())).map_err(&failed)?;
    let queue = clone().and_then(PollFd::new).map_err(&failed)?;
    loop {
        match acceptor.accept().await {
            Ok((stream, peer)) => {
                if let Some(stream) = listener.take_in(stream, Some(peer), &server) {
                    compio::runtime::spawn(converse(stream, Some(peer), Rc::clone(&server))).detach();
                }
            }
            Err(error) => match listener.admit(Err(errno(&error)), &server)? {
                Admitted::Connection(socket, peer) => {
                    let stream = TcpStream::from_std(socket.into()).map_err(&failed)?;
                    compio::runtime::spawn(converse(stream, peer, Rc::clone(&server))).detach();
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
async fn converse(mut stream: TcpStream, peer: Option<SocketAddr>, server: Rc<Server>) {
    let ended = echo(&mut stream, &server).await;
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
