//! The reports of each mechanism, observed live: `muxbench semantics --json`.

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ClaimResult;

/// The reports of one kernel through each mechanism, and what follows for the claims about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Semantics {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Version of muxbench.
    pub muxbench_version: String,
    /// Begin of the observation, RFC 3339, UTC.
    pub started: String,
    /// Operating system, as `uname -s` prints it.
    pub system: String,
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// Architecture, as `uname -m` prints it.
    pub architecture: String,
    /// The mechanisms asked, in the order of columns.
    pub mechanisms: Vec<Observer>,
    /// The situations, with what each of them reported.
    pub situations: Vec<SituationReport>,
    /// The claims, with what was observed of each.
    pub claims: Vec<ClaimResult>,
}

/// A mechanism as it was used to watch one descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Observer {
    /// Its name, the key of its answers.
    pub name: String,
    /// The calls with their flags.
    pub about: String,
    /// The reason for which it could not be asked, where it could not.
    pub unavailable: Option<String>,
}

/// One situation of one descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct SituationReport {
    /// Its name, which is an argument of `muxbench semantics`.
    pub name: String,
    /// The descriptor, and what has happened to it.
    pub about: String,
    /// The reason for which the situation could not be brought about, where it could not; there are then no phases.
    pub unavailable: Option<String>,
    /// Every phase, in order.
    pub phases: Vec<PhaseReport>,
}

/// A wait without timeout at one point of the situation's course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct PhaseReport {
    /// The wait.
    pub phase: Phase,
    /// The action just before it; absent where the phase means nothing in this situation, and
    /// then there are no answers.
    pub action: Option<String>,
    /// The answers of the mechanisms, by their names.
    pub answers: BTreeMap<String, Answer>,
}

/// The waits of a situation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", schemars(rename = "WaitPhase"))]
pub enum Phase {
    /// The first wait, after the descriptor came to be watched.
    FirstWait,
    /// A second wait, nothing having been read or written.
    SecondWait,
    /// A wait after the watch was armed again, still nothing having been read or written.
    ArmedAgain,
    /// After a part of what is there was read.
    PartialRead,
    /// After more arrived.
    MoreArrived,
    /// After all was read.
    Drained,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::FirstWait,
        Self::SecondWait,
        Self::ArmedAgain,
        Self::PartialRead,
        Self::MoreArrived,
        Self::Drained,
    ];

    /// The words that tables use.
    pub fn words(self) -> &'static str {
        match self {
            Self::FirstWait => "first wait",
            Self::SecondWait => "second wait",
            Self::ArmedAgain => "armed again",
            Self::PartialRead => "partial read",
            Self::MoreArrived => "more arrived",
            Self::Drained => "drained",
        }
    }
}

/// The report of a wait without timeout on the descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// These events, none of them where it reported nothing.
    Events {
        /// In the order of [`Event`], each once.
        events: Vec<Event>,
    },
    /// The descriptor could not be watched, or the wait failed.
    Error {
        /// The error's name: `EPERM`.
        errno: String,
    },
    /// The mechanism itself is not to be had.
    Unavailable,
}

/// An event. select(2) has three sets; the others share the bits of poll(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Event {
    /// In select's set of readable descriptors.
    Read,
    /// In select's set of writable descriptors.
    Write,
    /// In select's set of exceptional conditions.
    Except,
    /// POLLIN, EPOLLIN.
    In,
    /// POLLPRI, EPOLLPRI.
    Pri,
    /// POLLOUT, EPOLLOUT.
    Out,
    /// POLLRDNORM, EPOLLRDNORM.
    RdNorm,
    /// POLLRDBAND, EPOLLRDBAND.
    RdBand,
    /// POLLWRNORM, EPOLLWRNORM.
    WrNorm,
    /// POLLWRBAND, EPOLLWRBAND.
    WrBand,
    /// POLLRDHUP, EPOLLRDHUP.
    RdHup,
    /// POLLHUP, EPOLLHUP.
    Hup,
    /// POLLERR, EPOLLERR.
    Err,
    /// POLLNVAL; epoll has no such event.
    Nval,
}

impl Event {
    /// Its name without the mechanism's prefix: `RDHUP`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Except => "EXCEPT",
            Self::In => "IN",
            Self::Pri => "PRI",
            Self::Out => "OUT",
            Self::RdNorm => "RDNORM",
            Self::RdBand => "RDBAND",
            Self::WrNorm => "WRNORM",
            Self::WrBand => "WRBAND",
            Self::RdHup => "RDHUP",
            Self::Hup => "HUP",
            Self::Err => "ERR",
            Self::Nval => "NVAL",
        }
    }
}

impl Answer {
    /// An answer with no event.
    pub const fn nothing() -> Self {
        Self::Events { events: Vec::new() }
    }

    /// Returns whether `event` was reported.
    pub fn has(&self, event: Event) -> bool {
        matches!(self, Self::Events { events } if events.contains(&event))
    }
}

/// `IN OUT`, `nothing`, `EPERM`, `n/a`.
impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Events { events } if events.is_empty() => formatter.pad("nothing"),
            Self::Events { events } => {
                formatter.pad(&events.iter().map(|event| event.name()).collect::<Vec<_>>().join(" "))
            }
            Self::Error { errno } => formatter.pad(errno),
            Self::Unavailable => formatter.pad("n/a"),
        }
    }
}

impl Semantics {
    /// The answer of `mechanism` in `situation` on the wait `phase`, where it was asked.
    pub fn answer(&self, situation: &str, phase: Phase, mechanism: &str) -> Option<&Answer> {
        let situation = self.situations.iter().find(|report| report.name == situation)?;
        situation.phases.iter().find(|report| report.phase == phase)?.answers.get(mechanism)
    }
}
