//! What the load generator was asked to do beyond a constant stream of equal requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many bytes a request has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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
        /// What is longer is cut to this many bytes, and what is shorter than one byte is one.
        most_bytes: u32,
    },
}

/// A pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// What is sent and what has to come back, for servers that do not echo.
///
/// `{payload}` stands for the bytes of the request's size, `{size}` for their number in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dialogue {
    /// What is sent for each request.
    pub send: String,
    /// What has to come back for it, byte for byte.
    pub expect: String,
}

/// What was asked for beyond a constant stream of equal requests; each is absent where it was not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What is sent and what has to come back, where that is no echo and no acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dialogue: Option<Dialogue>,
}

/// What became of connections that were to be replaced during the window.
///
/// `scheduled` = `replaced` + `failed` + `unfinished`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
