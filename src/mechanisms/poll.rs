//! poll(2).

use std::os::fd::{AsRawFd, RawFd};

use libc::{POLLIN, POLLOUT, pollfd};
use rustix::io::Errno;

use crate::server::{Connections, Interest, Listener, ServeError, Server, Step};

/// Serves `listener` with poll(2) until it is shut down.
///
/// One dense array lives as long as the loop: the kernel reads all of it on every call, so the cost of
/// one wait grows with the connections *watched*, not with those ready (poll(2); fs/select.c). What is
/// asked for survives the call, so nothing is set up again.
///
/// The call issued is poll(2) where the architecture has it, as x86-64 does, and ppoll(2) elsewhere.
///
/// # Errors
///
/// When the kernel refuses a wait.
pub fn serve(mut listener: Listener, server: &Server) -> Result<(), ServeError> {
    let mut connections = Connections::new(server);
    let mut watched = vec![watch(listener.as_raw_fd(), Interest::Readable)];
    loop {
        let mut ready = match wait(&mut watched) {
            Ok(ready) => ready,
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(ServeError::call("poll")(errno)),
        };
        connections.woken(ready);
        let mut at = watched.len();
        if ready > 0 && watched[0].revents != 0 {
            ready -= 1;
            let Some(accepted) = listener.accept(&mut connections)? else { return Ok(()) };
            watched.extend(accepted.iter().map(|&fd| watch(fd, Interest::Readable)));
        }
        // From the end, so that what takes the place of a closed connection has been looked at already.
        while ready > 0 && at > 1 {
            at -= 1;
            if watched[at].revents == 0 {
                continue;
            }
            ready -= 1;
            match connections.step(watched[at].fd) {
                Step::More | Step::Short | Step::Blocked => {}
                Step::Await(interest) => watched[at] = watch(watched[at].fd, interest),
                Step::Closed => drop(watched.swap_remove(at)),
            }
        }
        connections.end_iteration();
    }
}

/// An entry that asks for `interest`. POLLHUP, POLLERR and POLLNVAL are reported unasked; each makes the
/// next recv(2) or send(2) end the connection, so none is reported for ever.
fn watch(fd: RawFd, interest: Interest) -> pollfd {
    let events = match interest {
        Interest::Readable => POLLIN,
        Interest::Writable => POLLOUT,
    };
    pollfd { fd, events, revents: 0 }
}

/// Waits without limit of time and returns how many entries have events.
fn wait(watched: &mut [pollfd]) -> Result<usize, Errno> {
    #[allow(unsafe_code)]
    // SAFETY: pointer and length are those of one exclusively borrowed slice.
    let ready = unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, -1) };
    usize::try_from(ready).map_err(|_| last_error())
}

/// Returns the error of the last call.
fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
