//! The load beyond a constant stream of equal requests.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The distribution of the bytes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(tag = "distribution", rename_all = "lowercase")]
pub enum Size {
    /// Always the same.
    Fixed {
        /// Bytes of each request.
        bytes: u32,
    },
    /// Every size of a range is as likely as any other.
    Uniform {
        /// The smallest size, included.
        from_bytes: u32,
        /// The largest size, included.
        to_bytes: u32,
    },
    /// Exponential: many small requests, few large ones.
    Exponential {
        /// The mean of the distribution.
        mean_bytes: u32,
        /// The most bytes, to which what is longer is cut; what is shorter than one byte is one.
        most_bytes: u32,
    },
}

/// A pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(tag = "distribution", rename_all = "lowercase")]
pub enum Pause {
    /// Always the same.
    Fixed {
        /// Its length, in seconds.
        length_s: f64,
    },
    /// Exponential.
    Exponential {
        /// The mean, in seconds.
        mean_s: f64,
    },
}

/// A request and the reply that has to come back, for servers that do not echo.
///
/// `{payload}` stands for the bytes of the request's size, `{size}` for their number in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Dialogue {
    /// The bytes that are sent for each request.
    pub send: String,
    /// The bytes that have to come back for it.
    pub expect: String,
}

/// The load beyond a constant stream of equal requests; each part is absent where it was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Workload {
    /// Closed loop: the pause between a reply and the next request on its connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub think: Option<Pause>,
    /// The window ends after so many requests, if not earlier.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requests: Option<u64>,
    /// Open loop: the most requests under way on one connection; what is beyond is held back and its clock runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub most_under_way: Option<u32>,
    /// After so many seconds, again and again, the active connections become idle and others become active.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rotate_s: Option<f64>,
    /// Connections that are closed and opened anew, per second.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub churn_per_s: Option<f64>,
    /// Before the warm-up, load grew from nothing during so many seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ramp_s: Option<f64>,
    /// The request and the reply, where that is no echo and no acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dialogue: Option<Dialogue>,
}

/// Connections that were to be replaced during the window, and what became of them.
///
/// `scheduled` = `replaced` + `failed` + `unfinished`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Churn {
    /// Replacements that fell due.
    pub scheduled: u64,
    /// Of those, closed and opened anew.
    pub replaced: u64,
    /// Of those, closed and impossible to open again.
    pub failed: u64,
    /// Of those, not over when the run ended, or with no connection left to replace.
    pub unfinished: u64,
}
