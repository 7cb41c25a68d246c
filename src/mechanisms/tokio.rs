//! The library tokio.

use std::cell::OnceCell;
use std::ffi::CString;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::server::{ACK_BYTES_AT_MOST, Admitted, Listener, ServeError, Server};

/// A task's own read buffer: an idle connection pays for it.
const BUFFER_BYTES: usize = 4096;

thread_local! {
    /// The counters of a worker. A task may go on on another worker wherever it awaits.
    static WORKER: OnceCell<Server> = const { OnceCell::new() };
}

/// Serves `listener` with tokio until it is shut down: with the current-thread runtime for one of
/// `servers`, with the multi-thread runtime and as many workers for several.
///
/// A task accepts, and each connection is a task that reads and then writes all of it, as tokio's own
/// example does. The accepting task is spawned too: the future given to `block_on` does not run on a worker.
///
/// # Errors
///
/// When tokio refuses its runtime or the listener, or accept4(2) reports what only a mistake of ours can
/// cause.
pub fn serve(listener: Listener, servers: &[Arc<Server>]) -> Result<(), ServeError> {
    let runtime = runtime(servers).map_err(ServeError::library("tokio's runtime"))?;
    // Dropping the runtime ends every task at the point where it waits, and waits for the workers.
    runtime.block_on(runtime.spawn(accept(listener))).unwrap_or(Err(ServeError::Panicked))
}

/// A runtime whose threads count for one of `servers` each.
fn runtime(servers: &[Arc<Server>]) -> std::io::Result<Runtime> {
    if let [server] = servers {
        start_worker(server, 0);
        return Builder::new_current_thread().enable_io().build();
    }
    let (servers, started) = (servers.to_vec(), AtomicUsize::new(0));
    Builder::new_multi_thread()
        .worker_threads(servers.len())
        .on_thread_start(move || {
            let index = started.fetch_add(1, Ordering::Relaxed) % servers.len();
            start_worker(&servers[index], index);
        })
        .enable_io()
        .build()
}

/// Has the calling thread count for `server`, and named as its loop.
fn start_worker(server: &Server, index: usize) {
    let _ = rustix::thread::set_name(&CString::new(format!("loop-{index}")).unwrap_or_default());
    WORKER.with(|worker| drop(worker.set(server.part())));
}

/// Does something with the calling worker's view of the server.
fn on_worker<T>(act: impl FnOnce(&Server) -> T) -> T {
    WORKER.with(|worker| act(worker.get().expect("every thread of the runtime has one")))
}

/// Accepts connections until the listener is shut down.
async fn accept(mut listener: Listener) -> Result<(), ServeError> {
    let failed = ServeError::library("tokio's listener");
    let ours = listener.as_fd().try_clone_to_owned().map_err(&failed)?;
    let mut acceptor = TcpListener::from_std(ours.into()).map_err(&failed)?;
    loop {
        match acceptor.accept().await {
            Ok((stream, peer)) => {
                if let Some(stream) = on_worker(|server| listener.take_in(stream, Some(peer), server)) {
                    tokio::spawn(converse(stream, Some(peer)));
                }
            }
            Err(error) => match on_worker(|server| listener.admit(Err(errno(&error)), server))? {
                Admitted::Connection(socket, peer) => {
                    let stream = TcpStream::from_std(socket.into()).map_err(&failed)?;
                    tokio::spawn(converse(stream, peer));
                }
                Admitted::Dismissed => {}
                // tokio takes a listener for ready until it hears that accept4(2) would block, which a full
                // descriptor table never says (EMFILE comes first): registered anew, it waits.
                Admitted::NoMore => {
                    acceptor = acceptor.into_std().and_then(TcpListener::from_std).map_err(&failed)?;
                }
                Admitted::Stopped => return Ok(()),
            },
        }
    }
}

/// Serves one connection until it ends.
async fn converse(mut stream: TcpStream, peer: Option<SocketAddr>) {
    let ended = echo(&mut stream).await;
    drop(stream);
    on_worker(|server| server.leave(peer, ended.err().map(|error| errno(&error))));
}

/// Answers every read until the peer's end of stream.
async fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let received = stream.read(&mut buffer).await?;
        if received == 0 {
            return Ok(());
        }
        let reply = on_worker(|server| {
            server.counters().echoes.add(1);
            server.reply()
        });
        let mut text = [0; ACK_BYTES_AT_MOST];
        stream.write_all(reply.to(&buffer[..received], &mut text)).await?;
    }
}

/// The kernel's error in tokio's.
fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
