//! A server as its clients, whoever started it and the kernel see it, and the generator in front of it.

mod accept_modes;
#[cfg(all(feature = "epoll-lt", feature = "threads"))]
mod containers;
mod mortal_server;
#[cfg(feature = "epoll-lt")]
mod shared_counters;
#[path = "../support/mod.rs"]
mod support;
mod system_calls;
#[cfg(any(feature = "io-uring", feature = "io-uring-poll", feature = "compio"))]
mod without_io_uring;

fn main() -> std::process::ExitCode {
    trials::main()
}
