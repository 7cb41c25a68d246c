//! Counts the connections that a limit of descriptors allows.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc;

use libc::EPOLLIN;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sys::descriptor_table::{self, Table};

use super::Seen;
use crate::semantics::system::{epoll, epoll_add};

/// The limit that most systems begin with.
const LIMIT: u64 = 1_024;
/// More connections than that limit could ever allow.
const CLIENTS: usize = 1_100;

/// Lets more clients connect than the limit allows, and counts those that an epoll server accepts under it.
///
/// The limit is looked at only where a descriptor is given out (fs/file.c, `alloc_fd`), and counts for each table by
/// itself: so the clients have theirs in this thread's table before it is lowered, and the server a table of its own. This is
/// the whole process's limit, and it is put back before anything else is looked at.
pub(super) fn accepted() -> io::Result<Seen> {
    let before = getrlimit(Resource::Nofile);
    let enough = CLIENTS as u64 + 200;
    if before.maximum.is_some_and(|most| most < enough) {
        return Ok(Seen::Open(format!("the hard limit of descriptors is below {enough}")));
    }
    let _restored = Restored(before);
    setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum })?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // A queue that holds them all, up to net.core.somaxconn: nobody accepts until all have connected.
    rustix::net::listen(&listener, CLIENTS as i32)?;
    let address = listener.local_addr()?;
    let clients: Vec<TcpStream> = match connect_all(address) {
        Ok(clients) => clients,
        Err(error) => return Ok(Seen::Open(format!("{CLIENTS} clients could not connect: {error}"))),
    };
    let (sender, told) = mpsc::channel();
    let run = move |table: Table, listener| {
        let accepted = match (table, listener) {
            (Table::Own, Some(listener)) => serve(&listener).map(|accepted| accepted.to_string().into()),
            _ => Ok(Seen::Open(table.to_string())),
        };
        let _ = sender.send(accepted);
    };
    #[allow(unsafe_code)]
    // SAFETY: the thread has its listener by `keep`, and gives away a number or an error.
    let server = unsafe { descriptor_table::spawn(std::thread::Builder::new(), Some(listener.into()), run) }?;
    let accepted = told.recv().map_err(io::Error::other)?;
    // Its table is gone when it is, and the limit is put back only then.
    server.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    drop(clients);
    accepted
}

/// Connects as many clients as the listener's queue takes, without waiting for room in it.
fn connect_all(address: std::net::SocketAddr) -> io::Result<Vec<TcpStream>> {
    let patience = std::time::Duration::from_secs(2);
    (0..CLIENTS).map(|_| TcpStream::connect_timeout(&address, patience)).collect()
}

/// Accepts and watches until the limit says no, in a table with nothing but the standard streams and the listener.
fn serve(listener: &OwnedFd) -> io::Result<usize> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(LIMIT), maximum })?;
    let set = epoll()?;
    epoll_add(&set, listener.as_raw_fd(), EPOLLIN)?;
    let mut accepted = Vec::new();
    loop {
        match rustix::net::accept(listener) {
            Ok(connection) => {
                epoll_add(&set, connection.as_raw_fd(), EPOLLIN)?;
                accepted.push(connection);
            }
            Err(rustix::io::Errno::MFILE) => return Ok(accepted.len()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Puts the limit back, whatever happened.
struct Restored(Rlimit);

impl Drop for Restored {
    fn drop(&mut self) {
        // It was this process's own limit a moment ago.
        let _ = setrlimit(Resource::Nofile, self.0);
    }
}
