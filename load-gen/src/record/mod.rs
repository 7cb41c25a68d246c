//! The record of a run: counts and times, and whether they may be used.

pub(crate) mod live;
pub mod observer;
pub(crate) mod recorder;
pub(crate) mod sample;
pub(crate) mod self_check;
pub(crate) mod series;
pub mod slice;
pub(crate) mod times;
pub(crate) mod timestamps;
pub(crate) mod turnover;
pub(crate) mod validity;
pub(crate) mod watch;
