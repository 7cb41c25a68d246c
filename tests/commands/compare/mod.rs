//! `muxbench compare` and baselines, on made-up campaigns that were changed on purpose, and gates at the end of a run.

mod place;

mod against;
#[cfg(all(feature = "poll", feature = "epoll-lt"))]
mod baseline;
mod campaigns;
mod publish;
