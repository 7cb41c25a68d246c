//! The claims of a widespread tutorial that are about cost and scale: each as data, and decided from campaigns and micro-benchmarks.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod base;
pub mod cost;
mod part;
#[cfg(test)]
mod tests;
