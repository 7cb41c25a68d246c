//! The commands as their users meet them: what they print, refuse and leave behind, and whom they work with.

mod cli;
mod compare;
mod deploy;
#[cfg(feature = "epoll-et")]
mod distributed;
mod doctor;
mod documents;
#[cfg(all(feature = "poll", feature = "epoll-lt"))]
mod durable;
mod export;
mod generate;
mod merge;
#[cfg(feature = "epoll-et")]
mod million;
mod peers;
mod ports;
mod report_file;
mod reproductions;
mod semantics_cli;
#[cfg(all(feature = "poll", feature = "epoll-lt"))]
mod streams;
#[path = "../support/mod.rs"]
mod support;

fn main() -> std::process::ExitCode {
    trials::main()
}
