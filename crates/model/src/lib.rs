//! The results of muxbench: their types, their histograms, and how their files are read and written.
//!
//! Nothing here measures, computes a statistic or knows how a number is printed.

// A write that fails makes these panic: [`streams`] has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod campaign;
pub mod files;
pub mod histogram;
pub mod read;
pub mod schema;
pub mod streams;
