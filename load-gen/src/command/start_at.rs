//! `--start-at`: the load begins at an instant on which several machines have agreed.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};

use sys::clock;

use crate::record::observer::Observer;

/// The time before the instant at which the order goes out to the workers, which sleep the rest of it exactly.
const HAND_OVER_NS: u64 = 20_000_000;
/// The longest time before an interruption is noticed.
const LOOK_EVERY_NS: u64 = 100_000_000;

/// An instant of CLOCK_REALTIME.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartAt {
    unix_ns: u64,
}

/// The reason that the load did not begin at the instant that was asked for.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum StartError {
    /// It had passed before anything was done.
    #[error(
        "--start-at {0} passed {1:.1?} ago: choose an instant far enough ahead for all connections to be open"
    )]
    Passed(StartAt, Duration),
    /// It passed while connections were opened.
    #[error(
        "--start-at {0} passed {1:.1?} before all connections were open: nothing was measured; choose a later one"
    )]
    TooLate(StartAt, Duration),
    /// Somebody lost patience.
    #[error("interrupted while waiting for --start-at {0}")]
    Interrupted(StartAt),
}

/// As results state it: RFC 3339, UTC.
impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339(UNIX_EPOCH + Duration::from_nanos(self.unix_ns)).fmt(f)
    }
}

/// Parses seconds since 1970, also with a fraction (`1767322800.5`), or RFC 3339 in UTC (`2026-01-02T03:00:00Z`).
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn parse(text: &str) -> Result<StartAt, String> {
    let wrong = || {
        format!(
            "'{text}' is not an instant: write seconds since 1970, as date +%s does, or 2026-01-02T03:04:05Z"
        )
    };
    if let Ok(instant) = humantime::parse_rfc3339(text) {
        let since = instant.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
        return u64::try_from(since.as_nanos()).map(|unix_ns| StartAt { unix_ns }).map_err(|_| wrong());
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return Err(wrong());
    }
    let nanoseconds: u64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    let seconds: u64 = seconds.parse().map_err(|_| wrong())?;
    let unix_ns = seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanoseconds));
    unix_ns.map(|unix_ns| StartAt { unix_ns }).ok_or_else(wrong)
}

impl StartAt {
    /// Makes sure that the instant is still to come.
    ///
    /// # Errors
    ///
    /// [`StartError::Passed`].
    pub fn check(self) -> Result<(), StartError> {
        self.left_ns().map(drop).map_err(|ago| StartError::Passed(self, ago))
    }

    /// Waits until just before the instant, and returns it in nanoseconds of [`sys::clock`].
    ///
    /// CLOCK_REALTIME may be set or slewed meanwhile, so it is asked again and again.
    ///
    /// # Errors
    ///
    /// When it has passed already, or `stop` is set.
    pub fn wait(self, stop: &AtomicBool, observer: &mut dyn Observer) -> Result<u64, StartError> {
        loop {
            let left_ns = self.left_ns().map_err(|ago| StartError::TooLate(self, ago))?;
            if stop.load(Relaxed) {
                return Err(StartError::Interrupted(self));
            }
            if left_ns <= HAND_OVER_NS {
                return Ok(clock::from_unix_ns(self.unix_ns));
            }
            observer.waiting(Duration::from_nanos(left_ns));
            std::thread::sleep(Duration::from_nanos((left_ns - HAND_OVER_NS).min(LOOK_EVERY_NS)));
        }
    }

    /// Time until the instant, or how long ago it was.
    fn left_ns(self) -> Result<u64, Duration> {
        let now_ns = clock::unix_now_ns();
        match self.unix_ns.checked_sub(now_ns) {
            Some(left_ns) if left_ns > 0 => Ok(left_ns),
            _ => Err(Duration::from_nanos(now_ns - self.unix_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead_of_now(ns: u64) -> StartAt {
        StartAt { unix_ns: clock::unix_now_ns() + ns }
    }

    #[test]
    fn instants_are_unix_time_or_rfc_3339() {
        assert_eq!(parse("1767322800"), Ok(StartAt { unix_ns: 1_767_322_800_000_000_000 }));
        assert_eq!(parse("1767322800.25"), Ok(StartAt { unix_ns: 1_767_322_800_250_000_000 }));
        assert_eq!(parse("2026-01-02T03:00:00Z"), parse("1767322800"));
        assert_eq!(parse("1767322800").map(|at| at.to_string()), Ok("2026-01-02T03:00:00Z".to_owned()));
        assert_eq!(
            parse("1767322800.25").map(|at| at.to_string()),
            Ok("2026-01-02T03:00:00.250000000Z".to_owned())
        );
        for wrong in
            ["", "now", "-5", "1.", ".5", "1e9", "1.0000000001", "99999999999999999999", "2026-01-02"]
        {
            assert!(parse(wrong).is_err_and(|message| message.contains("date +%s")), "{wrong}");
        }
    }

    #[test]
    fn an_instant_that_has_passed_is_refused_before_and_after_the_connections_are_open() {
        let long_ago = StartAt { unix_ns: 1 };
        assert!(matches!(long_ago.check(), Err(StartError::Passed(..))));
        let too_late = long_ago.wait(&AtomicBool::new(false), &mut ());
        assert!(matches!(too_late, Err(StartError::TooLate(..))));
    }

    #[test]
    fn waiting_ends_just_before_the_instant_and_gives_it_exactly() {
        let at = ahead_of_now(60_000_000);
        let start_ns = at.wait(&AtomicBool::new(false), &mut ()).expect("in time");
        assert!(start_ns <= clock::now_ns() + HAND_OVER_NS);
        // The two clocks are read one after the other, and a test may be interrupted in between.
        assert!(clock::to_unix_ns(start_ns).abs_diff(at.unix_ns) < 1_000_000_000);
    }

    #[test]
    fn waiting_can_be_interrupted() {
        let at = ahead_of_now(3_600_000_000_000);
        assert_eq!(at.wait(&AtomicBool::new(true), &mut ()), Err(StartError::Interrupted(at)));
    }
}
