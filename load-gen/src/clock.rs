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
