//! The files that are written: as their schema says, as other programs read them, and the page that is committed.

mod exports;
mod reproductions;
mod schema;

use std::path::{Path, PathBuf};

fn main() -> std::process::ExitCode {
    trials::main()
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
