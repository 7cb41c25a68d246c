//! `muxbench run`: whom it measures and when, servers of anybody's, and what is left when it ends before its time.

mod external;
#[cfg(all(feature = "poll", feature = "epoll-lt"))]
mod interruption;
#[cfg(all(feature = "poll", feature = "epoll-lt", feature = "epoll-et"))]
mod rounds;
#[path = "../support/mod.rs"]
mod support;

fn main() -> std::process::ExitCode {
    trials::main()
}
