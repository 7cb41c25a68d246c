//! The conformance suite: what every mechanism must do, tested against the real command, and against servers
//! that nobody here wrote where they promise the same. Every defect that the tutorial's own servers have is a
//! test here.
//!
//! A test is written once, against a [`Subject`](subject::Subject), and is run for each mechanism of the build with
//! both replies, on one loop and on three. `cargo test --test conformance -- NAME/MECHANISM` runs one. With
//! `MUXBENCH_TEST_CONTAINED=docker` all of it runs with the system calls that Docker grants, with the name of a call without that
//! one.

mod client;
mod model;
mod subject;
mod suite;
#[path = "../support/mod.rs"]
mod support;

mod crowds;
mod echo;
mod faults;
mod limits;
mod pressure;
mod schedules;
mod stop;

/// Names what is refused, where something is.
const CONTAINED: &str = "MUXBENCH_TEST_CONTAINED";

fn main() -> std::process::ExitCode {
    let mut arguments = trials::Arguments::from_args();
    // A test waits for other processes half of its time.
    arguments.test_threads =
        arguments.test_threads.or_else(|| Some(2 * std::thread::available_parallelism().ok()?.get()));
    sys::limits::raise_descriptors();
    match std::env::var(CONTAINED).as_deref() {
        Err(_) => {}
        Ok("docker") => support::container::enter(&support::container::docker()),
        Ok(call) => support::container::enter(&[support::container::refuse(call, libc::EPERM)]),
    }
    let tests = [
        echo::TESTS,
        pressure::TESTS,
        faults::TESTS,
        crowds::TESTS,
        limits::TESTS,
        stop::TESTS,
        schedules::TESTS,
    ]
    .concat();
    // Those of the suite, and those of its own model.
    let trials = suite::trials(&tests).into_iter().chain(trials::all());
    trials::run(&arguments, trials.collect())
}
