//! What every mechanism must do, tested against the real command. Every defect that the tutorial's own
//! servers have is a test here.

#[path = "../support/mod.rs"]
mod support;

mod control;
mod echo;
mod faults;
mod limits;
