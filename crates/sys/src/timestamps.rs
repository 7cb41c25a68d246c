//! The kernel's receive time-stamps (SO_TIMESTAMPING, software): when a reply came in, whoever read it when.
//!
//! The kernel stamps each segment as it leaves the driver or the loopback device (net/core/dev.c,
//! `net_timestamp_set`), with CLOCK_REALTIME; recvmsg(2) hands over the stamp of the last segment whose bytes it
//! returned, as a control message (Documentation/networking/timestamping.rst; net/ipv4/tcp.c, `tcp_recv_timestamp`). So of
//! several replies read at once each is given the time of the last: for the earlier ones an upper bound. The stamp of a
//! segment that was joined to an earlier one in the queue is the later one's (net/ipv4/tcp_input.c, `tcp_try_coalesce`).

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::socket_options::set;

/// Has the kernel stamp what comes in on `socket`.
///
/// # Errors
///
/// When the kernel has no time-stamps.
pub fn enable(socket: impl AsFd) -> io::Result<()> {
    let flags = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    Ok(set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags as libc::c_int)?)
}

/// The longest time to wait for the kernel to begin with its stamps.
const SLOW_START: Duration = Duration::from_secs(1);

/// Waits until the kernel stamps what comes in, which a work queue turns on some time after the first socket of the machine has asked for
/// it (net/core/dev.c, `net_enable_timestamp`): a socket of this thread's sends to itself until a stamp is with what it gets. Where
/// none comes in a second, or there is no IPv4 loopback, the replies will say so.
pub fn await_stamps(stop: &AtomicBool) {
    let _ = first_stamp(stop);
}

/// The first stamp that comes, if one does.
fn first_stamp(stop: &AtomicBool) -> io::Result<Option<u64>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    enable(&socket)?;
    socket.connect(socket.local_addr()?)?;
    socket.set_read_timeout(Some(Duration::from_millis(10)))?;
    let begin = Instant::now();
    while begin.elapsed() < SLOW_START && !stop.load(Relaxed) {
        socket.send(&[0])?;
        match receive(&socket, &mut [0]) {
            Ok((_, None)) => std::thread::yield_now(),
            Ok((_, stamp)) => return Ok(stamp),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(None)
}

/// Room for the one control message that is asked for, aligned as the kernel's header of it.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; 128]);

/// Reads once from `socket` as recv(2) does, and returns the number of bytes with the time at which the kernel received
/// the last of them, in nanoseconds of CLOCK_REALTIME; none where the kernel did not stamp it.
///
/// # Errors
///
/// As recv(2).
#[inline]
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Option<u64>), Errno> {
    let mut control = Control([MaybeUninit::uninit(); 128]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    #[allow(unsafe_code)]
    // SAFETY: a message header is integers and pointers, for all of which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>() as _;
    #[allow(unsafe_code)]
    // SAFETY: the header names the buffer and the room for control messages with their true lengths, and both outlive
    // the call.
    let received = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, 0) };
    match usize::try_from(received) {
        Ok(received) => Ok((received, stamp(&message))),
        Err(_) => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}

/// The software time-stamp among the control messages of `message`.
#[inline]
fn stamp(message: &libc::msghdr) -> Option<u64> {
    #[allow(unsafe_code)]
    // SAFETY: the kernel has filled `msg_control` with whole control messages of `msg_controllen` bytes in all, which is
    // what these macros of cmsg(3) walk along; the data of SCM_TIMESTAMPING are three times, the first of which is the
    // software's (struct scm_timestamping), read without asking for its alignment.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(present) = header.as_ref() {
            if present.cmsg_level == libc::SOL_SOCKET && present.cmsg_type == libc::SCM_TIMESTAMPING {
                let time = libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned();
                let ns = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
                // Zero where only hardware has stamped it.
                return (ns > 0).then_some(ns);
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    None
}
