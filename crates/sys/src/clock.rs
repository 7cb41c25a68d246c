//! The one clock of the generator.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CLOCK_MONOTONIC, read through the vDSO: no system call on a TSC clock source.
#[inline]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sleeps until an instant of this clock; returns at once if it has passed.
pub fn sleep_until(instant_ns: u64) {
    let left_ns = instant_ns.saturating_sub(now_ns());
    if left_ns > 0 {
        std::thread::sleep(Duration::from_nanos(left_ns));
    }
}

/// Nanoseconds of CLOCK_REALTIME since 1970.
pub fn unix_now_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The instant of CLOCK_REALTIME that an instant of this clock is, as far as can be told now.
pub fn to_unix_ns(instant_ns: u64) -> u64 {
    let (here_ns, unix_ns) = both_clocks();
    (unix_ns + instant_ns).saturating_sub(here_ns)
}

/// The instant of this clock that an instant of CLOCK_REALTIME is, as far as can be told now.
pub fn from_unix_ns(instant_ns: u64) -> u64 {
    let (here_ns, unix_ns) = both_clocks();
    (here_ns + instant_ns).saturating_sub(unix_ns)
}

/// This clock and CLOCK_REALTIME at the same instant. Between two readings a thread may lose its processor; of several,
/// the closest tell best.
fn both_clocks() -> (u64, u64) {
    let readings = (0..5).map(|_| (now_ns(), unix_now_ns(), now_ns()));
    let (before, unix_ns, after) = readings.min_by_key(|(before, _, after)| after - before).expect("five");
    (before + (after - before) / 2, unix_ns)
}

/// An instant of CLOCK_REALTIME as RFC 3339, in UTC, with nanoseconds.
pub fn rfc3339(unix_ns: u64) -> String {
    let instant = std::time::UNIX_EPOCH + Duration::from_nanos(unix_ns);
    humantime::format_rfc3339_nanos(instant).to_string()
}
