//! What may be drawn of a campaign, each with its words and its unit.

use crate::analysis::{Metric, Row};
use crate::cells::{self, Figure};
use crate::format;
use crate::plots::axis::Unit;
use crate::statistics::Summary;
use model::histogram;
use model::schema::{Cell, Usage};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    ResponseP50,
    ResponseP90,
    ResponseP99,
    /// Replies a second in open loop.
    Answered,
    /// Echoes a second in closed loop.
    Capacity,
    ServerCpu,
    Syscalls,
    SleepsPerAccept,
    EmptyPerAccept,
    /// From the first connect(2) to the last connection that was established, for one of them.
    SetupTime,
    /// Processor time of the server until it had accepted all, for one of them.
    SetupCpu,
    /// Resident memory of the server.
    ServerMemory,
    /// The kernel's slabs: both ends, and the watch.
    KernelMemory,
}

impl Measure {
    /// What a panel is headed with.
    pub fn heading(self) -> &'static str {
        match self {
            Self::ResponseP50 => "median response time (p50)",
            Self::ResponseP90 => "90th percentile of the response time (p90)",
            Self::ResponseP99 => "99th percentile of the response time (p99)",
            Self::Answered => "requests answered a second (more is better)",
            Self::Capacity => "echoes a second in closed loop (more is better)",
            Self::ServerCpu => "server processor time an echo",
            Self::Syscalls => "server system calls an echo",
            Self::SleepsPerAccept => "times a thread went to sleep, per connection accepted",
            Self::EmptyPerAccept => "wake-ups for nothing, per connection accepted",
            Self::SetupTime => "time to open a connection",
            Self::SetupCpu => "server processor time to take one in",
            Self::ServerMemory => "server memory a connection (user space)",
            Self::KernelMemory => "kernel memory a connection (slabs, both ends)",
        }
    }

    /// What stands before a figure where there is little room.
    pub fn short(self) -> &'static str {
        match self {
            Self::ResponseP50 => "p50",
            Self::ResponseP90 => "p90",
            Self::ResponseP99 => "p99",
            Self::Answered => "answered",
            Self::Capacity => "capacity",
            Self::ServerCpu | Self::SetupCpu => "processor time",
            Self::Syscalls => "system calls",
            Self::SleepsPerAccept => "sleeps",
            Self::EmptyPerAccept => "wake-ups for nothing",
            Self::SetupTime => "time",
            Self::ServerMemory => "server memory",
            Self::KernelMemory => "kernel memory",
        }
    }

    /// Verb and object of a finding, between which the factor stands.
    pub fn claim(self) -> (&'static str, &'static str) {
        match self {
            Self::ResponseP50 => ("answers", "sooner"),
            Self::ResponseP90 => ("answers", "sooner at the 90th percentile"),
            Self::ResponseP99 => ("answers", "sooner at the 99th percentile"),
            Self::Answered => ("answers", "more requests a second"),
            Self::Capacity => ("does", "more echoes a second"),
            Self::ServerCpu => ("needs", "less server processor time an echo"),
            Self::Syscalls => ("makes", "fewer system calls an echo"),
            Self::SleepsPerAccept => ("puts threads to sleep", "less often for a connection accepted"),
            Self::EmptyPerAccept => ("wakes up for nothing", "less often for a connection accepted"),
            Self::SetupTime => ("needs", "less time to open a connection"),
            Self::SetupCpu => ("needs", "less server processor time to take a connection in"),
            Self::ServerMemory => ("takes", "less server memory a connection"),
            Self::KernelMemory => ("takes", "less kernel memory a connection"),
        }
    }

    pub fn unit(self) -> Unit {
        match self {
            Self::Answered | Self::Capacity => Unit::Rate,
            Self::Syscalls | Self::SleepsPerAccept | Self::EmptyPerAccept => Unit::Count,
            Self::ServerMemory | Self::KernelMemory => Unit::Bytes,
            Self::ResponseP50
            | Self::ResponseP90
            | Self::ResponseP99
            | Self::ServerCpu
            | Self::SetupTime
            | Self::SetupCpu => Unit::Duration,
        }
    }

    pub fn more_is_better(self) -> bool {
        matches!(self, Self::Answered | Self::Capacity)
    }

    /// Whether it may well be nothing, for which a logarithmic axis has no place.
    pub fn may_be_nothing(self) -> bool {
        self == Self::EmptyPerAccept
    }

    /// Percentiles of the response are compared by eye, so they share a scale.
    pub fn shares_scale_with(self, other: Self) -> bool {
        self == other || (self.quantile().is_some() && other.quantile().is_some())
    }

    /// The metric by which the analysis ranks, if it is one.
    pub fn metric(self) -> Option<Metric> {
        match self {
            Self::ResponseP50 => Some(Metric::ResponseP50),
            Self::ResponseP99 => Some(Metric::ResponseP99),
            Self::ServerCpu => Some(Metric::ServerCpu),
            _ => None,
        }
    }

    /// What a cell has of it.
    pub fn of(self, cell: &Cell) -> Option<f64> {
        match self {
            Self::ResponseP50 => Figure::ResponseP50.of(cell),
            Self::ResponseP90 => Some(cell.latency.as_ref()?.load.response.as_ref()?.p90_ns? as f64),
            Self::ResponseP99 => Figure::ResponseP99.of(cell),
            Self::Answered => Some(cell.latency.as_ref()?.load.throughput_per_s),
            Self::Capacity => Figure::Throughput.of(cell),
            Self::ServerCpu => Figure::ServerCpu.of(cell),
            Self::Syscalls => Figure::Syscalls.of(cell),
            Self::SleepsPerAccept => Figure::SwitchesPerAccept.of(cell),
            Self::EmptyPerAccept => Figure::EmptyPerAccept.of(cell),
            Self::SetupTime => {
                let connections = cell.connections.as_ref()?;
                a_connection(cell, connections.ramp_s * 1e9)
            }
            Self::SetupCpu => a_connection(cell, cell.setup.as_ref().map(server_cpu_ns)?),
            Self::ServerMemory => a_connection(cell, cell.server_rss_growth_bytes? as f64),
            Self::KernelMemory => {
                let slab = cell.slab.as_ref()?;
                a_connection(cell, slab.after_bytes as f64 - slab.before_bytes as f64)
            }
        }
    }

    /// The figure to show of a contender at a point, and its repeats. A percentile is that of all repeats together.
    pub fn shown(self, row: &Row, cells: &[&Cell]) -> Option<(f64, Option<Summary>)> {
        let summary = cells::summary(cells, |cell| self.of(cell));
        match self.quantile() {
            Some(quantile) => Some((histogram::quantile_ns(&row.response, quantile)? as f64, summary)),
            None => summary.map(|summary| (summary.median, Some(summary))),
        }
    }

    fn quantile(self) -> Option<f64> {
        match self {
            Self::ResponseP50 => Some(0.5),
            Self::ResponseP90 => Some(0.9),
            Self::ResponseP99 => Some(0.99),
            _ => None,
        }
    }
}

fn a_connection(cell: &Cell, whole: f64) -> Option<f64> {
    (cell.point.connections > 0).then(|| whole / f64::from(cell.point.connections))
}

fn server_cpu_ns(usage: &Usage) -> f64 {
    usage.server.cpu_s * 1e9
}

/// A figure with its unit.
pub fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Duration => format::duration_ns(value),
        Unit::Bytes => format::bytes(value.round() as u64),
        Unit::Rate => format!("{}/s", format::rate(value)),
        Unit::Share => format::share(value),
        Unit::Count | Unit::Percentile => format::three_digits(value),
    }
}
