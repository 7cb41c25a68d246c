//! A scenario: an experiment as it is written down, and the points that it measures at.

use std::fmt;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Point, Protocol};

/// An experiment as written in `scenarios/NAME.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, and the name of its file.
    pub name: String,
    /// What the experiment asks, for a reader.
    pub analysis: String,
    /// Mechanisms to measure, by name; the first is not special. A scenario's file that leaves them out means
    /// every mechanism of the build; a result names them all.
    #[serde(default)]
    pub mechanisms: Vec<String>,
    /// Servers of other making to measure beside them.
    #[serde(rename = "server", skip_serializing_if = "Vec::is_empty", default)]
    pub servers: Vec<ExternalServer>,
    /// What is not measured, and why.
    #[serde(rename = "exclude", skip_serializing_if = "Vec::is_empty", default)]
    pub excludes: Vec<Exclude>,
    /// The contender that is measured a second time, against itself, so that a campaign shows how often it
    /// sees a difference where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<String>,
    /// How often each cell is repeated; with `stop`, how often at least.
    pub repeats: u32,
    /// Repeat until the figures are as sure as this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<Stop>,
    /// How candidates are measured in rounds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rounds: Option<Rounds>,
    /// The load that every cell is put under, unless its point says otherwise.
    pub load: Load,
    /// How long the phases of a cell last.
    pub timing: Timing,
    /// The points to measure at.
    #[serde(rename = "sweep")]
    pub sweeps: Vec<Sweep>,
    /// What `--quick` measures instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quick: Option<Quick>,
}

impl Scenario {
    /// The names of all that is compared, in the order of tables and figures: the mechanisms, then the
    /// external servers.
    pub fn contenders(&self) -> impl Iterator<Item = &str> {
        let servers = self.servers.iter().map(|server| &server.name);
        self.mechanisms.iter().chain(servers).map(String::as_str)
    }

    /// The name under which the second of the A/A pair is measured: `epoll-lt again`.
    pub fn control_name(&self) -> Option<String> {
        Some(format!("{}{AGAIN}", self.control.as_ref()?))
    }

    /// The names of all that is measured: the contenders, and after them the second of the A/A pair.
    pub fn measured(&self) -> impl Iterator<Item = String> {
        self.contenders().map(str::to_owned).chain(self.control_name())
    }

    /// Why `contender` is not measured at `point`, where that is so.
    pub fn exclusion(&self, contender: &str, point: &Point) -> Option<&Exclude> {
        let mechanism = program_of(contender);
        self.excludes.iter().find(|exclude| exclude.mechanism == mechanism && exclude.covers(point))
    }
}

/// What the name of the second of an A/A pair has behind that of the first. No mechanism and no server has a
/// name with a space in it.
pub const AGAIN: &str = " again";

/// What the name of a candidate of another build has behind that of this build's.
const BASE: &str = " base";

/// The mechanism or the server that is run for `contender`: of the second of an A/A pair, what the first is; of another build's, what
/// this build's is.
pub fn program_of(contender: &str) -> &str {
    let contender = contender.strip_suffix(AGAIN).unwrap_or(contender);
    contender.strip_suffix(BASE).unwrap_or(contender)
}

/// The name of the twin of a candidate, which is measured as its own control.
pub fn twin_of(candidate: &str) -> String {
    format!("{candidate}{AGAIN}")
}

/// The name of the candidate that is `candidate` of another build.
pub fn base_of(candidate: &str) -> String {
    format!("{candidate}{BASE}")
}

/// Whether a candidate is one of another build.
pub fn is_base(candidate: &str) -> bool {
    candidate.strip_suffix(AGAIN).unwrap_or(candidate).ends_with(BASE)
}

/// A mechanism or a server that is left out, everywhere or where all that is given holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// The mechanism or the external server, by name.
    pub mechanism: String,
    /// Why, for a reader: it is printed and kept.
    pub reason: String,
    /// In this sweep only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sweep: Option<String>,
    /// At points with more connections only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub above_connections: Option<u32>,
    /// At points whose loops meet the listener in this way only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accept: Option<String>,
}

impl Exclude {
    /// Whether the mechanism is left out wherever it would be measured.
    pub fn is_everywhere(&self) -> bool {
        self.sweep.is_none() && self.above_connections.is_none() && self.accept.is_none()
    }

    /// Whether `point` is one that the mechanism is left out at.
    fn covers(&self, point: &Point) -> bool {
        self.sweep.as_ref().is_none_or(|sweep| *sweep == point.sweep)
            && self.above_connections.is_none_or(|most| point.connections > most)
            && self.accept.as_ref().is_none_or(|accept| Some(accept) == point.accept.as_ref())
    }
}

/// When repeats end: once the main ratio is known well enough at every point, or at a bound.
///
/// The main ratio is that of a contender's median response to the best one's, formed within repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// What the 95 % interval may reach to either side of the ratio, as a share of it: 0.1 is 10 %.
    pub ratio_half_width: f64,
    /// Repeats after which there are no more, however wide the intervals.
    pub repeats_at_most: u32,
}

/// How candidates are measured: all at once, in rounds of short slices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rounds {
    /// The candidate that all others are compared with, and that is measured a second time as its own twin.
    pub reference: String,
    /// How often servers and connections are started anew.
    pub starts: u32,
    /// Time of each point, over all its starts, in seconds.
    pub point_s: f64,
    /// Shortest window of a slice, in seconds. It grows where the active connections need longer.
    pub slice_s: f64,
    /// Requests per second of the light rate, which every candidate sustains.
    pub light_per_s: f64,
    /// The busy rate, as a share of the reference's throughput, 0 to 1.
    pub busy_share: f64,
}

/// A server of other making: a command that echoes what it reads, in any language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalServer {
    /// Its name in tables and figures, which no mechanism and no other server has: lower-case letters, digits, dashes.
    pub name: String,
    /// The program and its arguments. `{port}` stands for the port to listen on, at 127.0.0.1, and in a
    /// scenario's file `{here}` for the folder of that file; a result has that folder in its place.
    pub command: Vec<String>,
    /// One line about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<String>,
    /// How long it may take to listen, and to end after SIGTERM, in seconds; 10 unless given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patience_s: Option<f64>,
}

/// A shorter form of a scenario, for a first look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// How often each cell is repeated.
    pub repeats: u32,
    /// How long the phases of a cell last.
    pub timing: Timing,
    /// The points to measure at.
    #[serde(rename = "sweep")]
    pub sweeps: Vec<Sweep>,
}

/// The load that every cell is put under.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Bytes of a request.
    pub size_bytes: u32,
    /// Requests a second of the open-loop phase: one rate for all mechanisms, so that their
    /// latencies can be compared.
    pub rate_per_s: f64,
    /// What the server answers.
    pub protocol: Protocol,
}

/// How long the phases of a cell last, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Load before each measured window.
    pub warmup_s: f64,
    /// The closed-loop window.
    pub capacity_s: f64,
    /// The open-loop window.
    pub latency_s: f64,
}

/// A set of points: every combination of what its lists hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Its name: `idle-scaling`.
    pub name: String,
    /// Connections at each point: counts, also as `"10k"`.
    pub connections: Vec<String>,
    /// Active connections at each point: a count (`"10"`) or a share (`"100%"`), or a list of them.
    pub active: ActiveList,
    /// Threads of the server: loops, or of a pool its threads. One, where nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub threads: Vec<u32>,
    /// How several loops meet the listener: `shared`, `exclusive` or `reuseport`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub accept: Vec<String>,
    /// Bytes of a request, also as `"64k"` (65,536).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sizes: Vec<String>,
    /// Requests a second of the open-loop phase, also as `"20k"`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rates: Vec<String>,
    /// Connections a second that are closed and replaced while there is load.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub churn: Vec<String>,
}

impl Sweep {
    /// Whether connections are all that differs between its points.
    pub fn varies_connections_alone(&self) -> bool {
        let lists = [self.accept.len(), self.sizes.len(), self.rates.len(), self.churn.len()];
        self.threads.len() <= 1 && lists.into_iter().all(|values| values <= 1) && self.active.len() == 1
    }
}

/// Counts or shares of active connections; a single one is written without brackets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ActiveList {
    /// One for all points.
    One(String),
    /// Points for each.
    Several(Vec<String>),
}

impl Deref for ActiveList {
    type Target = [String];

    fn deref(&self) -> &[String] {
        match self {
            Self::One(active) => std::slice::from_ref(active),
            Self::Several(active) => active,
        }
    }
}

impl From<&str> for ActiveList {
    fn from(active: &str) -> Self {
        Self::One(active.to_owned())
    }
}

impl fmt::Display for ActiveList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(", "))
    }
}

/// By hand, so that a mistake is answered with what may stand here.
impl<'de> Deserialize<'de> for ActiveList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expected;
        impl<'de> Visitor<'de> for Expected {
            type Value = ActiveList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count (\"10\") or a share (\"5%\") of active connections, or a list of them")
            }

            fn visit_str<E>(self, active: &str) -> Result<ActiveList, E> {
                Ok(active.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ActiveList, A::Error> {
                let mut several = Vec::new();
                while let Some(active) = list.next_element()? {
                    several.push(active);
                }
                Ok(ActiveList::Several(several))
            }
        }
        deserializer.deserialize_any(Expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_active_count_is_written_without_brackets() {
        for text in [r#""10%""#, r#"["1%","10"]"#] {
            let active: ActiveList = serde_json::from_str(text).expect("reads");
            assert_eq!(serde_json::to_string(&active).expect("serialises"), text);
        }
        let error = serde_json::from_str::<ActiveList>("10").expect_err("a bare number").to_string();
        assert!(error.contains("a share (\"5%\")"), "{error}");
    }
}
