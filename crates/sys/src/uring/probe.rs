//! The features of io_uring that this kernel has, found out by trying.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::{IoUring, cqueue, opcode, squeue, types::Fd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, Shutdown, SocketFlags, SocketType};

use super::setup::{Notice, set_up};
use super::{GROUP, ProvidedBuffers};
use crate::ring_size::RingSize;

/// Checks that this kernel has what a loop of completions needs: a multishot receive into provided buffers (Linux 6.0).
/// Returns what the loop has to do without.
///
/// # Errors
///
/// The reason that it cannot run.
pub fn probe_completion() -> Result<Vec<&'static str>, String> {
    probe("multishot receive into provided buffers (Linux 6.0)", |ring, socket| {
        #[allow(unsafe_code)]
        // SAFETY: no completion is given to it.
        let buffers = unsafe { ProvidedBuffers::register(ring, 1)? };
        let multishot = goes_on(ring, &opcode::RecvMulti::new(socket, GROUP).build())?;
        #[allow(unsafe_code)]
        // SAFETY: it is over; where it has failed, what is under way may still write there, and they stay.
        unsafe {
            buffers.free();
        }
        Ok(multishot)
    })
}

/// Checks that this kernel has what a loop of readiness needs: a multishot poll (Linux 5.13). Returns what the loop has
/// to do without.
///
/// # Errors
///
/// The reason that it cannot run.
pub fn probe_readiness() -> Result<Vec<&'static str>, String> {
    probe("multishot poll (Linux 5.13)", |ring, socket| {
        goes_on(ring, &opcode::PollAdd::new(socket, libc::POLLIN as u32).multi(true).build())
    })
}

/// Returns what `attempt` does with a ring, on a thread that ends with it: the kernel takes a closed ring apart later, and that
/// interrupts a call of the thread that used it (EINTR).
///
/// # Errors
///
/// When there is no thread for it.
pub fn on_a_thread<T: Send>(attempt: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, attempt)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Tries `multishot` on a socket that has a byte to read.
fn probe(
    what: &str,
    multishot: impl FnOnce(&mut IoUring, Fd) -> io::Result<bool> + Send,
) -> Result<Vec<&'static str>, String> {
    let tried = on_a_thread(|| {
        let (mut ring, lacking) = set_up(&RingSize::default(), Notice::ByCall)?;
        let socket = readable_socket()?;
        multishot(&mut ring, Fd(socket.as_raw_fd())).map(|works| (works, lacking))
    });
    match tried.and_then(|tried| tried) {
        Ok((true, lacking)) => Ok((!lacking.is_empty()).then_some(lacking).into_iter().collect()),
        Ok((false, _)) => Err(format!("this kernel has no {what}")),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(format!("this kernel has no {what}"))
        }
        Err(error) => Err(reason(&error)),
    }
}

/// The reason that there is no ring, in words for a reader.
pub fn reason(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOSYS) => "this kernel has no io_uring".into(),
        Some(Errno::PERM | Errno::ACCESS) => {
            "io_uring is forbidden here, by /proc/sys/kernel/io_uring_disabled or by a seccomp filter such as a \
             container's"
                .into()
        }
        Some(Errno::NOMEM) => "there is no memory for an io_uring; see `ulimit -l`".into(),
        _ => format!("io_uring fails here: {error}"),
    }
}

/// A socket with a byte and an end to read.
fn readable_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (socket, peer) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::send(&peer, b"?", SendFlags::NOSIGNAL)?;
    rustix::net::shutdown(&peer, Shutdown::Write)?;
    Ok(socket)
}

/// Submits `multishot`, waits for its first completion, and tells whether more were to come; then cancels it.
fn goes_on(ring: &mut IoUring, multishot: &squeue::Entry) -> io::Result<bool> {
    const PROBED: u64 = 0;
    const CANCELLED: u64 = 1;
    push(ring, multishot.clone().user_data(PROBED))?;
    ring.submit_and_wait(1)?;
    let mut goes_on = None;
    let mut is_over = false;
    push(ring, opcode::AsyncCancel::new(PROBED).build().user_data(CANCELLED))?;
    while !is_over {
        for completion in ring.completion().filter(|completion| completion.user_data() == PROBED) {
            let more = cqueue::more(completion.flags());
            is_over |= !more;
            let failure = completion.result().min(0);
            let answer = if failure < 0 { Err(io::Error::from_raw_os_error(-failure)) } else { Ok(more) };
            goes_on.get_or_insert(answer);
        }
        if !is_over {
            ring.submit_and_wait(1)?;
        }
    }
    Ok(goes_on.transpose()?.unwrap_or(false))
}

fn push(ring: &mut IoUring, entry: squeue::Entry) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: neither operation has a pointer; the provided buffers are freed when it is over, or never.
    let pushed = unsafe { ring.submission().push(&entry) };
    pushed.map_err(|_| io::ErrorKind::WouldBlock.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_an_absence() {
        assert!(reason(&Errno::NOSYS.into()).contains("no io_uring"));
        assert!(reason(&Errno::PERM.into()).contains("io_uring_disabled"));
        assert!(reason(&Errno::NOMEM.into()).contains("ulimit -l"));
        assert!(reason(&Errno::IO.into()).contains("io_uring fails"));
    }
}
