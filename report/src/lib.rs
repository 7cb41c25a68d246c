//! The analysis of results of muxbench, and what is drawn and written of them.
//!
//! Nothing here measures. A result file goes in; tables, figures and verdicts come out, and the same
//! file gives the same bytes every time.

// A write that fails makes these panic: model::streams has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod claims;
pub mod compare;
pub mod diagnosis;
pub mod export;

pub mod format;
pub mod grid;

#[cfg(test)]
mod hostile_input;
mod machine;
pub mod merge;
pub mod page;
pub mod plots;
pub mod reproductions;
pub mod rounds;
pub mod semantics;
mod templates;
#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
