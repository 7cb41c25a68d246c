//! The points at which candidates are measured.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point at which candidates are measured. What is absent is as the scenario says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
pub struct Point {
    /// The sweep that it belongs to.
    pub sweep: String,
    /// Connections held.
    pub connections: u32,
    /// Of those, the ones that carry requests.
    pub active: u32,
    /// Threads of the server.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub threads: u32,
    /// The way in which its loops meet the listener: `shared`, `exclusive` or `reuseport`; as the mechanism does by
    /// itself, if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accept: Option<String>,
    /// Bytes of a request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size_bytes: Option<u32>,
    /// Requests per second in the place of the light rate; there is no busy rate then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate_per_s: Option<u32>,
    /// Connections per second that are closed and replaced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub churn_per_s: Option<u32>,
    /// Shortest window of a slice, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slice_ms: Option<u32>,
    /// The most candidates that are alive at a time, the reference among them and its twin not counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alive: Option<u32>,
}

impl Point {
    /// Returns whether only connections tell it from others of its sweep.
    pub fn is_plain(&self) -> bool {
        *self == Self::new(self.sweep.clone(), self.connections, self.active)
    }

    /// A point with nothing but a number of connections, `active` of them active.
    pub fn new(sweep: impl Into<String>, connections: u32, active: u32) -> Self {
        Self {
            sweep: sweep.into(),
            connections,
            active,
            threads: 1,
            accept: None,
            size_bytes: None,
            rate_per_s: None,
            churn_per_s: None,
            slice_ms: None,
            alive: None,
        }
    }
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it with a reference
fn is_one(threads: &u32) -> bool {
    *threads == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_no_more_keys_than_there_is_to_say() {
        let plain = Point::new("idle-scaling", 100, 10);
        let text = serde_json::to_string(&plain).expect("serialises");
        assert_eq!(text, r#"{"sweep":"idle-scaling","connections":100,"active":10}"#);
        let full = Point {
            threads: 4,
            accept: Some("shared".into()),
            size_bytes: Some(1024),
            rate_per_s: Some(2000),
            churn_per_s: Some(100),
            slice_ms: Some(80),
            alive: Some(2),
            ..plain.clone()
        };
        for point in [plain, full] {
            let text = serde_json::to_string(&point).expect("serialises");
            assert_eq!(serde_json::from_str::<Point>(&text).expect("reads"), point);
        }
    }
}
