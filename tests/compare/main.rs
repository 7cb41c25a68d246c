//! `muxbench compare` and baselines, on made-up campaigns that were changed on purpose, and gates at the end of a run.

mod place;
#[path = "../support/mod.rs"]
mod support;

mod against;
#[cfg(all(feature = "poll", feature = "epoll-lt"))]
mod baseline;
mod campaigns;
mod publish;

fn main() -> std::process::ExitCode {
    trials::main()
}
