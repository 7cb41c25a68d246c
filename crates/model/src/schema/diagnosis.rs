//! The findings of `muxbench doctor`.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The doctor's answer: whether a machine will hold so many connections, and how small a difference it lets be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Diagnosis {
    /// See [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
    pub schema_version: u32,
    /// The time at which it was asked, RFC 3339, UTC.
    pub started: String,
    /// Connections that the questions are about.
    pub connections: u32,
    /// The answers, in the order in which they are printed.
    pub symptoms: Vec<Symptom>,
    /// The noise of the machine; absent where the probe was not asked for.
    pub noise: Option<Noise>,
}

impl Diagnosis {
    /// Returns whether something stands in the way of what was asked about.
    pub fn failed(&self) -> bool {
        self.symptoms.iter().any(|symptom| symptom.state == Health::Fail)
    }
}

/// One question and what the machine answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Symptom {
    /// Its subject: `descriptors`, `governor`.
    pub name: String,
    /// The verdict on it.
    pub state: Health,
    /// The state that was found, for a reader.
    pub found: String,
    /// The reason for which it matters.
    pub why: String,
    /// The command, or the line of a file, that changes it; absent where nothing needs to change or nothing can.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
}

impl Symptom {
    /// The same answer, thought worse of, with what changes it.
    #[must_use]
    pub fn but(self, state: Health, remedy: impl Into<String>) -> Self {
        Self { state, remedy: Some(remedy.into()), ..self }
    }

    /// The same answer, with a warning and what changes it, if it `is_worse` than it should be.
    #[must_use]
    pub fn warn_if(self, is_worse: bool, remedy: impl Into<String>) -> Self {
        if is_worse { self.but(Health::Warn, remedy) } else { self }
    }
}

/// The verdict on an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing to do.
    Pass,
    /// Figures suffer, or may.
    Warn,
    /// It will not work, or most rounds will be dropped.
    Fail,
}

/// The noise of the machine over some seconds: what work took that is always the same, and how late timers came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Noise {
    /// The time for which it was listened to, in seconds.
    pub length_s: f64,
    /// Share of the time that work of constant length took beyond its median, on the worst processor, 0 to 1: interrupts,
    /// other programs, the hypervisor.
    pub lost_share: f64,
    /// The longest that this work was held up, in nanoseconds.
    pub longest_gap_ns: u64,
    /// Lateness of a timer of a millisecond, in nanoseconds: the median.
    pub timer_late_p50_ns: u64,
    /// … and the 99th percentile.
    pub timer_late_p99_ns: u64,
    /// Share of the machine's processor time that the hypervisor gave to others meanwhile, 0 to 1.
    pub steal_share: f64,
    /// The ratio of two figures over six repeats is a tie within this of 1 by the machine's own noise, 0 to 1: half the
    /// 95 % interval of the ratio of equal work in neighbouring tenths of a second.
    pub visible_difference: f64,
    /// Other processes that used a processor meanwhile, the busiest first.
    pub busy: Vec<BusyProcess>,
}

/// A process that used a processor while the machine was listened to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct BusyProcess {
    /// Its number.
    pub pid: u32,
    /// Its name (/proc/PID/comm).
    pub name: String,
    /// Share of one processor, 0 to 1 and beyond.
    pub share: f64,
}
