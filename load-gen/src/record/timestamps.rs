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

use model::histogram::{self, Histogram};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use sys::clock::now_ns;

/// Has the kernel stamp what comes in on `socket`.
///
/// # Errors
///
/// When the kernel has no time-stamps.
pub fn enable(socket: impl AsFd) -> io::Result<()> {
    let flags: libc::c_uint = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    #[allow(unsafe_code)]
    // SAFETY: the pointer is to an integer of the length given, which the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPING,
            (&raw const flags).cast(),
            size_of::<libc::c_uint>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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

/// The largest error of time-stamps that can be used: as much as a few system calls take.
const LARGEST_ERROR_NS: u64 = 20_000;

/// How far CLOCK_REALTIME is ahead of the generator's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    ahead_ns: u64,
    /// Half the time between the two readings of the one clock around that of the other.
    error_ns: u64,
}

impl Offset {
    /// Measures it: the closest of several readings. Both clocks run at the same speed, whatever NTP does to it; only
    /// setting the time changes the offset (kernel/time/timekeeping.c).
    pub fn measure() -> Self {
        let reading = || {
            let before_ns = now_ns();
            let realtime = clock_gettime(ClockId::Realtime);
            let after_ns = now_ns();
            let realtime_ns = realtime.tv_sec as u64 * 1_000_000_000 + realtime.tv_nsec as u64;
            let half_ns = (after_ns - before_ns).div_ceil(2);
            // The time since 1970 is longer than that since the machine was started.
            Self { ahead_ns: realtime_ns.saturating_sub(before_ns + half_ns), error_ns: half_ns }
        };
        (0..32).map(|_| reading()).min_by_key(|offset| offset.error_ns).expect("several readings")
    }

    fn to_clock(self, realtime_ns: u64) -> u64 {
        realtime_ns.saturating_sub(self.ahead_ns)
    }
}

/// What the kernel's time-stamps say of one worker's window.
pub struct KernelStamps {
    begin: Offset,
    /// Whether there is a schedule, so that a response means something.
    open_loop: bool,
    /// Intended send to the kernel's receipt of the reply.
    pub response: Histogram,
    /// From there to its reading.
    pub added: Histogram,
    /// Largest error of the offset seen.
    pub error_ns: u64,
}

impl KernelStamps {
    /// Empty counts; measures the offset of the clocks.
    pub fn new(open_loop: bool) -> Self {
        Self {
            begin: Offset::measure(),
            open_loop,
            response: histogram::empty(),
            added: histogram::empty(),
            error_ns: 0,
        }
    }

    /// A reply was received by the kernel at `received_ns` of CLOCK_REALTIME and read at `now_ns`.
    #[inline]
    pub fn record(&mut self, intended_ns: u64, received_ns: u64, now_ns: u64) {
        // The error of the offset must not bring the order into disorder.
        let received_ns = self.begin.to_clock(received_ns).min(now_ns);
        self.added.saturating_record(now_ns - received_ns);
        if self.open_loop {
            self.response.saturating_record(received_ns.saturating_sub(intended_ns));
        }
    }

    /// Measures the offset again, at the other edge: how far the two disagree is an error of every stamp.
    pub fn close(&mut self) {
        let end = Offset::measure();
        self.error_ns = self.begin.ahead_ns.abs_diff(end.ahead_ns) + self.begin.error_ns.max(end.error_ns);
    }

    /// Why they are not to be relied on, if so.
    pub fn doubt(&self) -> Option<String> {
        (self.error_ns > LARGEST_ERROR_NS).then(|| {
            format!(
                "the kernel's time-stamps are off by up to {}: the system's time was set during the run; measure again",
                report::format::duration_ns(self.error_ns as f64)
            )
        })
    }

    /// Adds those of another worker.
    pub fn merge(&mut self, other: &Self) {
        self.response.add(&other.response).expect("all histograms have the project's bounds");
        self.added.add(&other.added).expect("all histograms have the project's bounds");
        self.error_ns = self.error_ns.max(other.error_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
        (near, listener.accept().expect("accepts").0)
    }

    #[test]
    fn a_stamp_lies_between_the_send_and_the_reading() {
        let (near, mut far) = pair();
        enable(&near).expect("Linux has time-stamps");
        let offset = Offset::measure();
        let mut buffer = [0; 64];
        await_stamps(&AtomicBool::new(false));
        for _ in 0..100 {
            let sent_ns = now_ns();
            far.write_all(b"reply").expect("written");
            let (received, realtime_ns) = receive(&near, &mut buffer).expect("received");
            let read_ns = now_ns();
            assert_eq!(&buffer[..received], b"reply");
            let at_ns = offset.to_clock(realtime_ns.expect("every segment is stamped by now"));
            let error_ns = offset.error_ns + 1;
            assert!(sent_ns <= at_ns + error_ns, "sent {sent_ns}, stamped {at_ns}");
            assert!(at_ns <= read_ns + error_ns, "stamped {at_ns}, read {read_ns}");
        }
    }

    #[test]
    fn without_being_asked_the_kernel_stamps_nothing() {
        let (near, mut far) = pair();
        far.write_all(b"reply").expect("written");
        assert_eq!(receive(&near, &mut [0; 64]), Ok((5, None)));
        drop(far);
        assert_eq!(receive(&near, &mut [0; 64]), Ok((0, None)), "the end of the stream");
    }

    #[test]
    fn a_socket_that_has_nothing_says_so() {
        let (near, _far) = pair();
        near.set_nonblocking(true).expect("a socket");
        assert_eq!(receive(&near, &mut [0; 64]), Err(Errno::AGAIN));
    }

    #[test]
    fn a_clock_that_was_set_meanwhile_shows_in_the_error() {
        let mut stamps = KernelStamps::new(true);
        stamps.begin.ahead_ns += 5_000_000;
        stamps.close();
        assert!(stamps.error_ns >= 4_900_000, "{}", stamps.error_ns);
        assert!(stamps.doubt().is_some_and(|doubt| doubt.contains("was set during the run")));
    }

    #[test]
    fn receipt_divides_a_response_in_two() {
        let mut stamps = KernelStamps::new(true);
        let received_ns = 1_000 + stamps.begin.ahead_ns;
        stamps.record(200, received_ns, 1_500);
        assert_eq!((stamps.response.max(), stamps.added.max()), (800, 500));
        // One nanosecond after it was read, by the clocks' error.
        stamps.record(200, received_ns + 501, 1_500);
        assert_eq!((stamps.response.max(), stamps.added.min()), (1_300, 0));
    }
}
