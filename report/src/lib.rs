//! What a muxbench result *is*: its schema, its histograms, its statistics, and what is drawn and
//! written from it.
//!
//! Nothing here measures. A result file goes in; tables, figures and verdicts come out, and the same
//! file gives the same bytes every time.

pub mod analysis;
pub mod campaign;
pub mod files;
pub mod format;
pub mod histogram;
pub mod markdown;
#[cfg(feature = "plots")]
pub mod plots;
pub mod schema;
pub mod statistics;
pub mod table;
#[cfg(test)]
mod testing;
