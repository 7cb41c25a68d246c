//! The hot path: the conversations of one worker, and the engine that moves their bytes.

pub(crate) mod conversations;
pub(crate) mod dialogue;
pub(crate) mod engine;
pub(crate) mod exchange;
pub(crate) mod payload;
