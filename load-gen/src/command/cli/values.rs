//! The values of options that are of the command line alone.

use std::time::Duration;

use clap::ValueEnum;

use crate::plan::units;
use crate::record::series;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TimestampsArg {
    /// When the generator has read the reply
    User,
    /// Besides, when the kernel received it
    Kernel,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ArrivalsArg {
    /// Exponential gaps, a random active connection each
    Poisson,
    /// Equal gaps, connections in turn
    Uniform,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ProtocolArg {
    /// The same bytes
    Echo,
    /// `get bytes N` and a line feed for every N bytes read
    Ack,
    /// A Redis server's reply to ECHO
    Redis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WaitArg {
    /// Poll without ever sleeping
    Spin,
    /// Sleep with a nanosecond timer
    Sleep,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum EngineArg {
    /// epoll(7), recv, send
    Epoll,
    /// io_uring(7) (Linux 6.0)
    IoUring,
}

pub(super) fn pipeline(text: &str) -> Result<u32, String> {
    const MOST: u32 = 10_000;
    match units::positive_count(text)? {
        depth @ ..=MOST => Ok(depth),
        _ => Err(format!("at most {MOST} requests can be under way on a connection")),
    }
}

pub(super) fn positive_total(text: &str) -> Result<u64, String> {
    match units::count(text)? {
        0 => Err("must be at least 1".into()),
        total => Ok(total),
    }
}

pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".into()),
        duration => Ok(duration),
    }
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        interval if interval >= series::SHORTEST => Ok(interval),
        _ => Err("must be at least 10ms: write 1s, or 100ms".into()),
    }
}
