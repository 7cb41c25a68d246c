//! The command: options, searches over rates, progress, tables.

pub mod cli;
pub mod curve;
pub mod export;
pub mod generate;
pub mod output;
pub mod search;
pub mod start_at;
pub mod view;
