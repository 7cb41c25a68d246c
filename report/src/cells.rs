//! The cells of a campaign that count, the figures in them, and ratios of two of them.

use crate::statistics::{Ratio, Summary};
use model::schema::{Campaign, Cell, CellStatus, Phase, Point};

/// A figure that every cell has, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Median response time in open loop, in nanoseconds.
    ResponseP50,
    /// 99th percentile of the response time in open loop, in nanoseconds.
    ResponseP99,
    /// Processor time of the server for one echo in closed loop, in nanoseconds.
    ServerCpu,
    /// Echoes a second in closed loop.
    Throughput,
    /// System calls of the server for one echo in closed loop.
    Syscalls,
    /// Waits of the server for one echo in open loop.
    Waits,
    /// Times that a thread of the server went to sleep for one wait, in open loop.
    SleepsPerWait,
    /// Times that threads of the server were switched, of their own will or not, for one echo in closed loop.
    Switches,
    /// Calls that would have blocked for one event, in open loop.
    WouldBlock,
    /// Wake-ups with nothing to do for one wait, in open loop.
    EmptyWakeups,
    /// Wake-ups with nothing to do for one connection accepted during the load.
    EmptyPerAccept,
    /// Times that a thread of the server went to sleep, for one connection accepted during the load.
    SwitchesPerAccept,
}

impl Figure {
    /// What a table calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::ResponseP50 => "response p50",
            Self::ResponseP99 => "response p99",
            Self::ServerCpu => "server processor time an echo",
            Self::Throughput => "capacity",
            Self::Syscalls => "system calls an echo",
            Self::Waits => "waits an echo",
            Self::SleepsPerWait => "sleeps a wait",
            Self::Switches => "context switches an echo",
            Self::WouldBlock => "calls that would block, an event",
            Self::EmptyWakeups => "wake-ups for nothing, a wait",
            Self::EmptyPerAccept => "wake-ups for nothing, a connection accepted",
            Self::SwitchesPerAccept => "sleeps of threads, a connection accepted",
        }
    }

    /// What a cell has of it.
    pub fn of(self, cell: &Cell) -> Option<f64> {
        let (open, closed) = (cell.latency.as_ref(), cell.capacity.as_ref());
        match self {
            Self::ResponseP50 => Some(open?.load.response.as_ref()?.p50_ns? as f64),
            Self::ResponseP99 => Some(open?.load.response.as_ref()?.p99_ns? as f64),
            Self::ServerCpu => closed?.usage.server_cpu_ns_per_echo(),
            Self::Throughput => Some(closed?.load.throughput_per_s),
            Self::Syscalls => closed?.usage.server_syscalls_per_echo(),
            Self::Waits => share(calls(open?)?.waits, open?.usage.counters?.echoes),
            Self::SleepsPerWait => {
                share(open?.usage.server.switches?.voluntary_switches, calls(open?)?.waits)
            }
            Self::Switches => share(switches(closed?)?, closed?.usage.echoes),
            Self::WouldBlock => share(calls(open?)?.would_block, calls(open?)?.events),
            Self::EmptyWakeups => share(calls(open?)?.empty_wakeups, calls(open?)?.waits),
            Self::EmptyPerAccept => share(calls(open?)?.empty_wakeups, open?.usage.counters?.accepted),
            Self::SwitchesPerAccept => {
                // One that the processor was taken from was awake already.
                share(open?.usage.server.switches?.voluntary_switches, open?.usage.counters?.accepted)
            }
        }
    }
}

fn calls(phase: &Phase) -> Option<model::schema::CallCounters> {
    phase.usage.counters?.calls
}

fn switches(phase: &Phase) -> Option<u64> {
    let switches = phase.usage.server.switches?;
    Some(switches.voluntary_switches + switches.involuntary_switches)
}

fn share(count: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

/// The valid cells of one contender at one point: one a repeat, the last attempt where there are several.
pub fn valid<'a>(campaign: &'a Campaign, point: &Point, contender: &str) -> Vec<&'a Cell> {
    let counts = |cell: &&Cell| {
        cell.status == CellStatus::Valid && cell.mechanism == contender && cell.point == *point
    };
    let mut cells: Vec<&Cell> = campaign.cells.iter().filter(counts).collect();
    cells.sort_by_key(|cell| (cell.repeat, std::cmp::Reverse(cell.attempt)));
    cells.dedup_by_key(|cell| cell.repeat);
    cells
}

/// What the repeats of a figure amount to; `None` without any.
pub fn summary(cells: &[&Cell], value: impl Fn(&Cell) -> Option<f64>) -> Option<Summary> {
    let values: Vec<f64> = cells.iter().filter_map(|cell| value(cell)).collect();
    Summary::of(&values)
}

/// The ratio of a figure of one contender to that of another, formed within repeats; `None` without a repeat that
/// has both.
pub fn ratio(numerators: &[&Cell], denominators: &[&Cell], figure: Figure) -> Option<Ratio> {
    let pairs: Vec<(f64, f64)> = numerators
        .iter()
        .filter_map(|cell| {
            let partner = denominators.iter().find(|partner| partner.repeat == cell.repeat)?;
            Some((figure.of(cell)?, figure.of(partner)?))
        })
        .collect();
    Ratio::of_pairs(&pairs)
}
