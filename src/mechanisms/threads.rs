//! A thread for each connection.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::thread::Builder;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::server::{ACK_BYTES_AT_MOST, Admitted, Listener, READ_BUFFER_BYTES, ServeError, Server};

/// A connection's thread calls nothing deep; what it does not touch costs address space alone.
const STACK_BYTES: usize = 64 * 1024;

/// Serves `listener` with a thread for each connection, until it is shut down.
///
/// What multiplexing replaced: each thread sleeps in a recv(2) of its own, so that the scheduler is the
/// dispatcher and a wake-up comes with its connection. The kernel keeps a stack and a task for each (16 KiB
/// and some more, not seen in the process's memory), and switches between them for every request.
///
/// Of several threads that sleep in accept4(2) on one listener the kernel wakes one: they wait exclusively
/// (`inet_csk_wait_for_connect` in net/ipv4/inet_connection_sock.c), so that here `shared` is no herd.
///
/// # Errors
///
/// When accept4(2) reports what only a mistake of ours can cause.
pub fn serve(listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut listener = listener.blocking(server)?;
    let most = most_threads();
    let mut open: Vec<Weak<OwnedFd>> = Vec::new();
    std::thread::scope(|scope| {
        let outcome = loop {
            let (socket, peer) = match listener.next(server) {
                Ok(Admitted::Connection(socket, peer)) => (Arc::new(socket), peer),
                Ok(Admitted::Dismissed | Admitted::NoMore) => continue,
                Ok(Admitted::Stopped) => break Ok(()),
                Err(error) => break Err(error),
            };
            let fd = socket.as_raw_fd() as usize;
            if fd >= open.len() {
                open.resize_with(fd + 1, Weak::new);
            }
            open[fd] = Arc::downgrade(&socket);
            let (theirs, part) = (Arc::clone(&socket), server.part());
            let thread = Builder::new().name("connection".into()).stack_size(STACK_BYTES);
            let converse = move || converse(theirs, peer, &part);
            server.counters().other_calls.add(CALLS_PER_THREAD);
            if server.open_connections() > most || thread.spawn_scoped(scope, converse).is_err() {
                server.say_full(&socket);
                drop(socket);
                server.leave(peer, Some(Errno::AGAIN));
            }
        };
        // Whoever sleeps in recv(2) or send(2) is woken, and finds the end of the stream or EPIPE.
        for socket in open.iter().filter_map(Weak::upgrade) {
            let _ = rustix::net::shutdown(&socket, Shutdown::Both);
        }
        outcome
    })
}

/// The number of calls that starting and ending a thread takes: clone3(2), and around it those that the C library and
/// the standard library make for its stack, its signals, its name and its end (19.3 with glibc 2.36; strace(1) -f -c).
const CALLS_PER_THREAD: u64 = 19;

/// Returns the number of threads that the system's limit of mappings leaves room for (vm.max_map_count), less a quarter
/// for threads that are about to end. Each thread maps a stack, a stack for signal handlers, and a guard page for each
/// stack. The standard library ends the process if a thread that runs already has no room for the second.
pub fn most_threads() -> u64 {
    const MAPPINGS_PER_THREAD: u64 = 4;
    const KERNEL_DEFAULT: u64 = 65_530;
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok()).unwrap_or(KERNEL_DEFAULT);
    limit / MAPPINGS_PER_THREAD * 3 / 4
}

/// Serves one connection until it ends.
fn converse(socket: Arc<OwnedFd>, peer: Option<SocketAddr>, server: &Server) {
    let ended = echo(&socket, server);
    drop(socket);
    server.leave(peer, ended.err());
}

/// Answers every read until the peer's end of stream.
fn echo(socket: &OwnedFd, server: &Server) -> rustix::io::Result<()> {
    let counters = server.counters();
    // Neither zeroed nor on the stack, where each page would be touched beforehand: an idle connection has
    // the address of a buffer and no memory for it.
    let mut buffer = Vec::with_capacity(READ_BUFFER_BYTES);
    let mut text = [0; ACK_BYTES_AT_MOST];
    loop {
        buffer.clear();
        counters.recv.add(1);
        match rustix::net::recv(socket, spare_capacity(&mut buffer), RecvFlags::empty()) {
            Ok((_, 0)) => return Ok(()),
            Ok(_) => counters.echoes.add(1),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        }
        let mut rest = server.reply().to(&buffer, &mut text);
        while !rest.is_empty() {
            counters.send.add(1);
            match rustix::net::send(socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}
