//! The `muxbench` command.

fn main() {}
