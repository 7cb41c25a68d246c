//! The figures of a campaign of rounds: one table, from which analysis, tables, plots, comparisons and exports take them.

use model::campaign::{Phase, Slice, Started};
use model::schema::CallCounters;
use stats::Interval;

/// A figure that candidates are compared by.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name in JSON and CSV, which no other has.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// The direction in which it is better.
    pub better: Better,
    /// The load that it is measured under; `None` for one that is measured at set-up.
    pub phase: Option<Phase>,
    /// Its kind.
    pub subject: Subject,
    /// Its computation.
    pub source: Source,
    /// The quantity that is counted or timed.
    pub numerator: &'static str,
    /// The quantity that it is divided by; empty for a plain duration.
    pub denominator: &'static str,
}

/// The unit of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Events per second.
    PerSecond,
    /// A share of one processor; more than 1 for a server of several threads.
    Share,
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
}

/// The direction in which a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Better {
    /// The lower the better.
    Lower,
    /// The higher the better.
    Higher,
}

/// The kind of a metric, which decides where it means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A duration that a client sees. A saturated candidate has none: it would be that of the queue.
    Latency,
    /// Work done. Where the generator was full too it is a lower bound.
    Throughput,
    /// The cost of the work.
    Cost,
    /// Work for nothing. There may be none at all, so it has no ratio.
    Waste,
    /// The share of the processor in use. At a given rate its ratio is that of the cost.
    Utilisation,
}

/// The computation of a metric.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A value for each slice. Ratios are formed within rounds.
    Slice(fn(&Slice) -> Option<f64>),
    /// A quantile of all response times, 0 to 1. It has an interval and no ratio.
    Quantile(f64),
    /// The same of those that met no gap of the generator's own clock.
    Undisturbed(f64),
    /// A value for each start.
    Start(fn(&Started) -> Option<f64>),
    /// A value for each start, from what a connection takes of memory.
    Memory(fn(Memory) -> f64),
}

/// Connections from which on memory per connection is given: below, it is the noise of pages.
const CONNECTIONS_FOR_MEMORY: u64 = 1_000;

/// The response time at the light rate.
pub const RESPONSE: Metric = response("response_p50", "response p50", Phase::Light, Source::Slice(p50));
/// The closed-loop throughput.
pub const THROUGHPUT: Metric = Metric {
    key: "throughput",
    name: "throughput",
    unit: Unit::PerSecond,
    better: Better::Higher,
    phase: Some(Phase::Saturation),
    subject: Subject::Throughput,
    source: Source::Slice(throughput),
    numerator: "requests answered",
    denominator: "second",
};
/// The server's CPU time per request at the light rate.
pub const CPU: Metric = cpu("cpu", "CPU time per request", Phase::Light);
/// The server's utilisation at the light rate.
pub const UTILISATION: Metric = utilisation("utilisation", "utilisation", Phase::Light);

/// The response time at the busy rate.
pub const BUSY_RESPONSE: Metric =
    response("busy_response_p50", "response p50, busy", Phase::Busy, Source::Slice(p50));
/// The server's CPU time per request at the busy rate.
pub const BUSY_CPU: Metric = cpu("busy_cpu", "CPU time per request, busy", Phase::Busy);

/// Every metric, in the order of tables.
pub static METRICS: [Metric; 36] = [
    RESPONSE,
    response("response_p90", "response p90", Phase::Light, Source::Quantile(0.9)),
    response("response_p99", "response p99", Phase::Light, Source::Quantile(0.99)),
    undisturbed("response_p99_undisturbed", "response p99, undisturbed", Phase::Light),
    service("service_p50", "service p50", Phase::Light),
    Metric {
        numerator: "time from the send to the reply, of the first request after a pause",
        ..response(
            "first_request",
            "first request after a pause",
            Phase::Light,
            Source::Slice(|slice| Some(slice.first_request_ns? as f64)),
        )
    },
    THROUGHPUT,
    CPU,
    UTILISATION,
    BUSY_RESPONSE,
    response("busy_response_p90", "response p90, busy", Phase::Busy, Source::Quantile(0.9)),
    response("busy_response_p99", "response p99, busy", Phase::Busy, Source::Quantile(0.99)),
    undisturbed("busy_response_p99_undisturbed", "response p99, busy, undisturbed", Phase::Busy),
    service("busy_service_p50", "service p50, busy", Phase::Busy),
    BUSY_CPU,
    utilisation("busy_utilisation", "utilisation, busy", Phase::Busy),
    cpu("saturation_cpu", "CPU time per request, saturation", Phase::Saturation),
    counted("syscalls", "system calls per request", Phase::Light, SYSCALLS),
    counted("waits", "waits per request", Phase::Light, WAITS),
    counted("wakeups", "wake-ups per request", Phase::Light, WAKEUPS),
    counted("busy_syscalls", "system calls per request, busy", Phase::Busy, SYSCALLS),
    counted("busy_waits", "waits per request, busy", Phase::Busy, WAITS),
    counted("busy_wakeups", "wake-ups per request, busy", Phase::Busy, WAKEUPS),
    counted("saturation_syscalls", "system calls per request, saturation", Phase::Saturation, SYSCALLS),
    counted("saturation_waits", "waits per request, saturation", Phase::Saturation, WAITS),
    counted("saturation_wakeups", "wake-ups per request, saturation", Phase::Saturation, WAKEUPS),
    wasted("would_block", "calls that would block per request", WOULD_BLOCK),
    wasted("empty_wakeups", "wake-ups for nothing per request", EMPTY_WAKEUPS),
    counted("accept_wakeups", "wake-ups per connection accepted", Phase::Light, ACCEPT_WAKEUPS),
    wasted("accept_empty_wakeups", "wake-ups for nothing per connection accepted", ACCEPT_EMPTY_WAKEUPS),
    memory("bytes_per_connection", "bytes per connection", |memory| memory.user + memory.kernel, GROWTH),
    memory("user_bytes_per_connection", "bytes per connection, server", |memory| memory.user, USER_GROWTH),
    memory(
        "kernel_bytes_per_connection",
        "bytes per connection, kernel",
        |memory| memory.kernel,
        KERNEL_GROWTH,
    ),
    at_start("setup_cpu", "CPU time per connection, set-up", CPU.numerator, |started| {
        per_connection(started, started.setup.as_ref()?.cpu_s * 1e9)
    }),
    at_start("teardown_cpu", "CPU time per connection, teardown", CPU.numerator, |started| {
        per_connection(started, started.teardown.as_ref()?.cpu_s * 1e9)
    }),
    Metric {
        unit: Unit::Count,
        ..at_start("setup_syscalls", "system calls per connection, set-up", SYSCALLS.numerator, |started| {
            per_connection(started, started.setup.as_ref()?.counters?.calls?.syscalls as f64)
        })
    },
];

impl Metric {
    /// The metric of this name in JSON.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.key == key)
    }

    /// Its index in [`METRICS`].
    pub(crate) fn index(&self) -> usize {
        METRICS.iter().position(|metric| metric.key == self.key).expect("metrics stand in the table alone")
    }

    /// Returns whether candidates have a ratio to the reference by it.
    pub fn has_ratio(&self) -> bool {
        !matches!(self.source, Source::Quantile(_) | Source::Undisturbed(_))
            && !matches!(self.subject, Subject::Utilisation | Subject::Waste)
    }

    /// Returns whether all of a ratio's `interval` is worse than 1 by more than `most`, 0.1 for 10 %: so much longer, or so many times fewer.
    pub fn is_worse_by(&self, interval: Interval, most: f64) -> bool {
        match self.better {
            Better::Lower => interval.low > 1.0 + most,
            Better::Higher => interval.high < 1.0 / (1.0 + most),
        }
    }

    /// The words for a value below that of the reference and for one above it: `faster` and `slower`.
    pub fn words(&self) -> [&'static str; 2] {
        match (self.subject, self.better) {
            (Subject::Latency, _) => ["faster", "slower"],
            (_, Better::Lower) => ["less", "more"],
            (_, Better::Higher) => ["lower", "higher"],
        }
    }
}

/// A count in a slice, and what it is divided by.
struct Counted {
    of: fn(&Slice) -> Option<f64>,
    numerator: &'static str,
    denominator: &'static str,
}

const SYSCALLS: Counted = Counted {
    of: |slice| calls(slice, |calls| calls.syscalls),
    numerator: "system calls of the server",
    denominator: "request answered",
};
const WAITS: Counted = Counted {
    of: |slice| calls(slice, |calls| calls.waits),
    numerator: "calls of the server that wait for events",
    ..SYSCALLS
};
const WAKEUPS: Counted = Counted {
    of: |slice| per_request(slice, slice.server.wakeups? as f64),
    numerator: "times that a thread of the server began to run",
    ..SYSCALLS
};
const WOULD_BLOCK: Counted = Counted {
    of: |slice| calls(slice, |calls| calls.would_block),
    numerator: "calls of the server that would have blocked",
    ..SYSCALLS
};
const EMPTY_WAKEUPS: Counted = Counted {
    of: |slice| calls(slice, |calls| calls.empty_wakeups),
    numerator: "waits of the server after which there was nothing to do",
    ..SYSCALLS
};
const ACCEPT_WAKEUPS: Counted = Counted {
    of: |slice| per_accept(slice, slice.server.wakeups?),
    denominator: "connection accepted in the slice",
    ..WAKEUPS
};
const ACCEPT_EMPTY_WAKEUPS: Counted = Counted {
    of: |slice| per_accept(slice, slice.server.counters?.calls?.empty_wakeups),
    denominator: ACCEPT_WAKEUPS.denominator,
    ..EMPTY_WAKEUPS
};

const fn response(key: &'static str, name: &'static str, phase: Phase, source: Source) -> Metric {
    Metric {
        key,
        name,
        unit: Unit::Nanoseconds,
        better: Better::Lower,
        phase: Some(phase),
        subject: Subject::Latency,
        source,
        numerator: "time from the intended send to the reply",
        denominator: "",
    }
}

/// A quantile without the requests that met a gap of more than 100 us in the generator's own clock. What the machine did to the server alone
/// is still in it.
const fn undisturbed(key: &'static str, name: &'static str, phase: Phase) -> Metric {
    response(key, name, phase, Source::Undisturbed(0.99))
}

const fn service(key: &'static str, name: &'static str, phase: Phase) -> Metric {
    let source = Source::Slice(|slice| Some(slice.service_p50_ns? as f64));
    Metric { numerator: "time from the send to the reply", ..response(key, name, phase, source) }
}

const fn cpu(key: &'static str, name: &'static str, phase: Phase) -> Metric {
    Metric {
        subject: Subject::Cost,
        numerator: "CPU time of the server, user and system",
        denominator: "request answered",
        ..response(key, name, phase, Source::Slice(|slice| per_request(slice, slice.server.cpu_s * 1e9)))
    }
}

const fn utilisation(key: &'static str, name: &'static str, phase: Phase) -> Metric {
    Metric {
        unit: Unit::Share,
        subject: Subject::Utilisation,
        source: Source::Slice(|slice| (slice.window_s > 0.0).then(|| slice.server.cpu_s / slice.window_s)),
        denominator: "time",
        ..cpu(key, name, phase)
    }
}

const fn counted(key: &'static str, name: &'static str, phase: Phase, counted: Counted) -> Metric {
    let Counted { of, numerator, denominator } = counted;
    Metric { unit: Unit::Count, source: Source::Slice(of), numerator, denominator, ..cpu(key, name, phase) }
}

const fn wasted(key: &'static str, name: &'static str, of: Counted) -> Metric {
    Metric { subject: Subject::Waste, ..counted(key, name, Phase::Light, of) }
}

const GROWTH: &str = "memory that server and kernel grew by";
const USER_GROWTH: &str = "memory that the server grew by";
const KERNEL_GROWTH: &str = "memory that the kernel grew by, for both ends";

/// The CPU time of something that happens once for each connection.
const fn at_start(
    key: &'static str,
    name: &'static str,
    numerator: &'static str,
    of: fn(&Started) -> Option<f64>,
) -> Metric {
    let denominator = "connection";
    Metric { phase: None, source: Source::Start(of), numerator, denominator, ..cpu(key, name, Phase::Light) }
}

const fn memory(
    key: &'static str,
    name: &'static str,
    of: fn(Memory) -> f64,
    numerator: &'static str,
) -> Metric {
    let source = Source::Memory(of);
    Metric { unit: Unit::Bytes, source, ..at_start(key, name, numerator, |_| None) }
}

fn p50(slice: &Slice) -> Option<f64> {
    Some(slice.p50_ns? as f64)
}

fn throughput(slice: &Slice) -> Option<f64> {
    (slice.window_s > 0.0).then(|| slice.answered as f64 / slice.window_s)
}

fn per_request(slice: &Slice, total: f64) -> Option<f64> {
    (slice.answered > 0).then(|| total / slice.answered as f64)
}

fn calls(slice: &Slice, count: fn(&CallCounters) -> u64) -> Option<f64> {
    per_request(slice, count(&slice.server.counters?.calls?) as f64)
}

fn per_accept(slice: &Slice, count: u64) -> Option<f64> {
    let accepted = slice.server.counters?.accepted;
    (accepted > 0).then(|| count as f64 / accepted as f64)
}

fn per_connection(started: &Started, total: f64) -> Option<f64> {
    let opened = started.connections.as_ref()?.opened;
    (opened > 0).then(|| total / opened as f64)
}

/// The two parts of what a connection takes of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// The server's own.
    pub user: f64,
    /// The kernel's, of both ends.
    pub kernel: f64,
}

impl Memory {
    /// Of one start, where there are enough connections.
    pub fn of(started: &Started) -> Option<Self> {
        let opened = started.connections.as_ref()?.opened;
        let slab = started.slab.as_ref()?;
        let per_connection = |bytes: f64| bytes / opened as f64;
        let user = per_connection(started.server_rss_growth_bytes? as f64);
        let kernel = per_connection(slab.after_bytes as f64 - slab.before_bytes as f64);
        (opened >= CONNECTIONS_FOR_MEMORY).then_some(Self { user, kernel })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_metric_has_a_key_and_a_name_of_its_own() {
        let keys: BTreeSet<_> = METRICS.iter().map(|metric| metric.key).collect();
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!((keys.len(), names.len()), (METRICS.len(), METRICS.len()));
        for (at, metric) in METRICS.iter().enumerate() {
            assert_eq!(Metric::of_key(metric.key).map(Metric::index), Some(at));
        }
    }

    #[test]
    fn everything_per_request_has_the_requests_answered_as_its_denominator() {
        for metric in METRICS.iter().filter(|metric| metric.name.contains("per request")) {
            assert_eq!(metric.denominator, "request answered", "{}", metric.key);
        }
    }
}
