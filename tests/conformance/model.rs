//! The model of what a peer must receive, from a server that echoes and from one that acknowledges.

mod tests;

use std::fmt;
use std::sync::LazyLock;

use muxbench::server::{READ_BUFFER_BYTES, Reply};

/// After how many bytes the stream that peers send begins again: a prime beyond every buffer's size, so that
/// no lost, doubled or moved block goes unnoticed.
const PERIOD_BYTES: usize = 131_101;

/// Two periods of noise, so that a whole one can be had from any place on.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x2545_F491_u32;
    let mut step = || {
        // Marsaglia's xorshift: every byte value turns up, at no regular distance.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    };
    let period: Vec<u8> = (0..PERIOD_BYTES).map(|_| step()).collect();
    [period.as_slice(), &period].concat()
});

/// A whole period of the stream of peer `origin`, from its byte `at` on.
pub fn stream_from(origin: u64, at: u64) -> &'static [u8] {
    // Peers begin at different places, far apart: one that gets another's bytes gets wrong ones.
    let start = (origin.wrapping_mul(7919).wrapping_add(at) % PERIOD_BYTES as u64) as usize;
    &NOISE[start..start + PERIOD_BYTES]
}

/// One peer's view of its connection: what it has sent, and what of that has been answered.
#[derive(Debug)]
pub struct Conversation {
    reply: Reply,
    origin: u64,
    sent: u64,
    answered: u64,
    /// The begun line of an acknowledgement.
    line: Vec<u8>,
}

/// A way in which an answer can be wrong.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An echo of other bytes than were sent there.
    Bytes { at: u64 },
    /// More was answered than had been sent.
    Surplus { sent: u64, answered: u64 },
    /// A line that is no acknowledgement of a read that the server can have made.
    Line(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { at } => write!(formatter, "the echo differs within the bytes from {at} on"),
            Self::Surplus { sent, answered } => {
                write!(formatter, "{answered} bytes answered, but {sent} sent")
            }
            Self::Line(line) => write!(formatter, "not an acknowledgement: '{line}'"),
        }
    }
}

impl Conversation {
    /// A peer that has sent nothing yet; `origin` tells its stream from others.
    pub fn new(reply: Reply, origin: u64) -> Self {
        Self { reply, origin, sent: 0, answered: 0, line: Vec::new() }
    }

    /// The bytes that the peer sends next: some of these, from the first on.
    pub fn next(&self) -> &'static [u8] {
        stream_from(self.origin, self.sent)
    }

    /// The peer has sent `count` more bytes. An urgent byte is none of them: it is out of band.
    pub fn sent(&mut self, count: u64) {
        self.sent += count;
    }

    /// The peer has received `bytes`.
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        match self.reply {
            Reply::Echo => self.received_echo(bytes),
            Reply::Ack => bytes.iter().try_for_each(|&byte| self.received_of_line(byte)),
        }
    }

    /// An echo is the peer's own bytes, in order.
    fn received_echo(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        for chunk in bytes.chunks(PERIOD_BYTES) {
            if chunk != &stream_from(self.origin, self.answered)[..chunk.len()] {
                return Err(Wrong::Bytes { at: self.answered });
            }
            self.answer(chunk.len() as u64)?;
        }
        Ok(())
    }

    /// Acknowledgements are lines, each of one read: together they come to what was sent.
    fn received_of_line(&mut self, byte: u8) -> Result<(), Wrong> {
        if byte != b'\n' {
            self.line.push(byte);
            return Ok(());
        }
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let count = line.strip_prefix("get bytes ").and_then(|number| number.parse().ok());
        match count.filter(|count| (1..=READ_BUFFER_BYTES as u64).contains(count)) {
            Some(count) => self.answer(count),
            None => Err(Wrong::Line(line)),
        }
    }

    fn answer(&mut self, count: u64) -> Result<(), Wrong> {
        self.answered += count;
        match self.answered <= self.sent {
            true => Ok(()),
            false => Err(Wrong::Surplus { sent: self.sent, answered: self.answered }),
        }
    }

    /// The number of bytes sent that are not answered yet.
    pub fn unanswered(&self) -> u64 {
        self.sent - self.answered
    }

    /// Returns whether every byte sent has been answered, and no further line has begun.
    pub fn is_settled(&self) -> bool {
        self.unanswered() == 0 && self.line.is_empty()
    }

    /// The number of bytes sent.
    pub fn sent_bytes(&self) -> u64 {
        self.sent
    }
}
