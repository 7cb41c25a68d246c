//! A scenario: an experiment as it is written down, and the points that it measures at.

use std::fmt;
use std::ops::Deref;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Point, Protocol};

/// An experiment as written in `scenarios/NAME.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, and the name of its file.
    pub name: String,
    /// The question that the experiment asks, for a reader.
    pub analysis: String,
    /// Mechanisms to measure, by name; the first is not special. A scenario's file that leaves them out means
    /// every mechanism of the build; a result names them all.
    #[serde(default)]
    pub mechanisms: Vec<String>,
    /// Servers of other making to measure beside them.
    #[serde(rename = "server", skip_serializing_if = "Vec::is_empty", default)]
    pub servers: Vec<ExternalServer>,
    /// Exclusions: what is not measured, and why.
    #[serde(rename = "exclude", skip_serializing_if = "Vec::is_empty", default)]
    pub excludes: Vec<Exclude>,
    /// The candidate that all others are compared with, and that is measured a second time as its own twin, so that a campaign
    /// shows how often it sees a difference where there is none.
    pub reference: String,
    /// The load, unless a point says otherwise.
    pub load: Load,
    /// The rounds in which candidates are measured.
    pub rounds: Rounds,
    /// The points to measure at.
    #[serde(rename = "sweep")]
    pub sweeps: Vec<Sweep>,
    /// The part that `--quick` measures instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quick: Option<Quick>,
}

impl Scenario {
    /// The names of all that is compared, in the order of tables and figures: the mechanisms, then the
    /// external servers.
    pub fn candidates(&self) -> impl Iterator<Item = &str> {
        let servers = self.servers.iter().map(|server| &server.name);
        self.mechanisms.iter().chain(servers).map(String::as_str)
    }

    /// The exclusion by which `candidate` is not measured at `point`, where there is one.
    pub fn exclusion(&self, candidate: &str, point: &Point) -> Option<&Exclude> {
        let mechanism = program_of(candidate);
        self.excludes.iter().find(|exclude| exclude.mechanism == mechanism && exclude.covers(point))
    }
}

/// The end of a twin's name, behind that of the candidate. No mechanism and no server has a name with a space in it.
pub const AGAIN: &str = " again";

/// The end of the name of a candidate of another build, behind that of this build's.
const BASE: &str = " base";

/// The mechanism or the server that is run for `candidate`: of a twin, what the other is; of another build's, what this build's is.
pub fn program_of(candidate: &str) -> &str {
    let candidate = candidate.strip_suffix(AGAIN).unwrap_or(candidate);
    candidate.strip_suffix(BASE).unwrap_or(candidate)
}

/// The name of the twin of a candidate, which is the same server started a second time.
pub fn twin_of(candidate: &str) -> String {
    format!("{candidate}{AGAIN}")
}

/// The name of the candidate that is `candidate` of another build.
pub fn base_of(candidate: &str) -> String {
    format!("{candidate}{BASE}")
}

/// Returns whether a candidate is one of another build.
pub fn is_base(candidate: &str) -> bool {
    candidate.strip_suffix(AGAIN).unwrap_or(candidate).ends_with(BASE)
}

/// A mechanism or a server that is left out, everywhere or where all that is given holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// The mechanism or the external server, by name.
    pub mechanism: String,
    /// The reason, for a reader: it is printed and kept.
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
    /// Returns whether the mechanism is left out wherever it would be measured.
    pub fn is_everywhere(&self) -> bool {
        self.sweep.is_none() && self.above_connections.is_none() && self.accept.is_none()
    }

    /// Returns whether `point` is one that the mechanism is left out at.
    pub(super) fn covers(&self, point: &Point) -> bool {
        self.sweep.as_ref().is_none_or(|sweep| *sweep == point.sweep)
            && self.above_connections.is_none_or(|most| point.connections > most)
            && self.accept.as_ref().is_none_or(|accept| Some(accept) == point.accept.as_ref())
    }
}

/// The rounds of a scenario: all candidates are measured at once, in short slices.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rounds {
    /// Starts: servers and connections are new in each.
    pub starts: u32,
    /// Time of each point, over all its starts, in seconds.
    pub point_s: f64,
    /// Shortest window of a slice, in seconds. It grows where the active connections need longer.
    pub slice_s: f64,
    /// Requests per second of the light rate, which every candidate sustains.
    pub light_per_s: f64,
    /// The busy rate, as a share of the reference's throughput, 0 to 1.
    pub busy_share: f64,
    /// The width that intervals are to have: the time goes to the points and loads that lack most of it.
    #[serde(default)]
    pub half_widths: HalfWidths,
}

impl Point {
    /// The shortest window of a slice here, in seconds.
    pub fn slice_s(&self, rounds: &Rounds) -> f64 {
        self.slice_ms.map_or(rounds.slice_s, |slice_ms| f64::from(slice_ms) / 1e3)
    }
}

/// The width that the intervals of ratios to the reference are to have: half of it, relative, 0.03 for 3 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HalfWidths {
    /// Of the median response time.
    pub response: f64,
    /// Of the throughput.
    pub throughput: f64,
    /// Of the CPU time per request.
    pub cpu: f64,
}

impl Default for HalfWidths {
    fn default() -> Self {
        Self { response: 0.04, throughput: 0.03, cpu: 0.03 }
    }
}

impl HalfWidths {
    /// The same, all so many `times` as wide.
    #[must_use]
    pub fn scaled(self, times: f64) -> Self {
        Self { response: self.response * times, throughput: self.throughput * times, cpu: self.cpu * times }
    }
}

/// A server of other making: a command that echoes what it reads, in any language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
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
    /// The time that it may take to listen, and to end after SIGTERM, in seconds; 10 unless given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patience_s: Option<f64>,
}

/// A shorter form of a scenario, for a first look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// The rounds, where they differ from the scenario's.
    pub rounds: QuickRounds,
    /// The points to measure at.
    #[serde(rename = "sweep")]
    pub sweeps: Vec<Sweep>,
}

/// Fewer and shorter rounds; all else is as in the scenario's [`Rounds`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QuickRounds {
    /// Starts: servers and connections are new in each.
    pub starts: u32,
    /// Time of each point, over all its starts, in seconds.
    pub point_s: f64,
}

/// The load, the same for all candidates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Bytes of a request.
    pub size_bytes: u32,
    /// The kind of reply that the server makes.
    pub protocol: Protocol,
}

/// A set of points: every combination of what its lists hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
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
    /// The ways in which several loops meet the listener: `shared`, `exclusive` or `reuseport`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub accept: Vec<String>,
    /// Bytes of a request, also as `"64k"` (65,536).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sizes: Vec<String>,
    /// Requests per second in the place of the light rate, also as `"20k"`; there is no busy rate then.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rates: Vec<String>,
    /// Connections per second that are closed and replaced while there is load.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub churn: Vec<String>,
    /// Shortest windows of a slice, in milliseconds, in the place of the scenario's.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub slices_ms: Vec<u32>,
    /// The most candidates that are alive at a time, the reference among them and its twin not counted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alive: Vec<u32>,
}

/// Counts or shares of active connections; a single one is written without brackets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
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

    fn scenario(exclude: &Exclude) -> Scenario {
        let text = serde_json::json!({
            "name": "a", "analysis": "?", "mechanisms": ["poll", "select"], "reference": "poll", "exclude": [exclude],
            "load": { "size_bytes": 64, "protocol": "echo" },
            "rounds": { "starts": 2, "point_s": 1.0, "slice_s": 0.04, "light_per_s": 1000.0, "busy_share": 0.5 },
            "sweep": [],
        });
        serde_json::from_value(text).expect("a scenario")
    }

    #[test]
    fn a_twin_and_another_build_s_are_run_as_what_they_are() {
        for name in ["poll", &twin_of("poll"), &base_of("poll"), &twin_of(&base_of("poll"))] {
            assert_eq!(program_of(name), "poll", "{name}");
        }
        assert!(is_base(&twin_of(&base_of("poll"))) && !is_base(&twin_of("poll")));
    }

    #[test]
    fn an_exclusion_covers_the_points_that_all_of_it_holds_for() {
        let shared = Point { accept: Some("shared".into()), ..Point::new("herd", 100, 10) };
        let base = Exclude { mechanism: "poll".into(), reason: "because".into(), ..Exclude::default() };
        for (exclude, covered) in [
            (base.clone(), true),
            (Exclude { sweep: Some("herd".into()), ..base.clone() }, true),
            (Exclude { sweep: Some("other".into()), ..base.clone() }, false),
            (Exclude { above_connections: Some(99), ..base.clone() }, true),
            (Exclude { above_connections: Some(100), ..base.clone() }, false),
            (Exclude { accept: Some("shared".into()), above_connections: Some(99), ..base.clone() }, true),
            (Exclude { accept: Some("exclusive".into()), ..base.clone() }, false),
        ] {
            let scenario = scenario(&exclude);
            assert_eq!(scenario.exclusion("poll", &shared).is_some(), covered, "{exclude:?}");
            assert_eq!(scenario.exclusion("poll again", &shared).is_some(), covered, "{exclude:?}");
            assert_eq!(scenario.exclusion("select", &shared), None);
        }
    }
}
