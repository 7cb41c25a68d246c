//! The instants of one request, and whose doing it is that it is late.

/// Whose doing it is that a request is late, or was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// The generator had not come to it.
    Generator,
    /// Its socket was full, or those before it were unanswered.
    Server,
}

/// One request from the instant it fell due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The time that the schedule intended; in closed loop, the time at which it was sent.
    pub intended_ns: u64,
    /// The time at which its first byte was handed to the kernel.
    pub sent_ns: u64,
}
