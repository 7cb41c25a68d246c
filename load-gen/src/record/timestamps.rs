//! The kernel's receive time-stamps of a window: when replies came in, and how long they then waited to be read.

use model::histogram::{self, Histogram};
use rustix::time::{ClockId, clock_gettime};
use sys::clock::now_ns;

/// The largest error of time-stamps that can be used: as much as a few system calls take.
const LARGEST_ERROR_NS: u64 = 20_000;

/// The time by which CLOCK_REALTIME is ahead of the generator's clock.
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

/// The times of one worker's window by the kernel's time-stamps.
pub struct KernelStamps {
    begin: Offset,
    /// True if there is a schedule, so that a response has a meaning.
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

    /// The reason for which they are not reliable, if there is one.
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
    use rustix::io::Errno;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::AtomicBool;
    use sys::timestamps::{await_stamps, enable, receive};

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
