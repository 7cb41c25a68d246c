//! A seed in a result: digits in a string, since many readers of JSON (jq, JavaScript) keep no more than 53 bits of a number.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub fn serialize<S: Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(seed)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let digits = String::deserialize(deserializer)?;
    digits.parse().map_err(|_| Error::custom(format!("'{digits}' is no seed")))
}

#[cfg(feature = "schema")]
mod in_schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    /// The type as the schema has it.
    pub struct Seed;

    impl JsonSchema for Seed {
        fn schema_name() -> Cow<'static, str> {
            "Seed".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A number of 64 bits, written as digits in a string: many readers of JSON keep 53 bits of a number.",
                "type": "string",
                "pattern": "^[0-9]{1,20}$",
            })
        }
    }
}

#[cfg(feature = "schema")]
pub use in_schema::Seed;
