//! The bytes that are sent, and the proof that what came back is right.
//!
//! Each connection sends one endless, deterministic stream of bytes, and a request is the next `size`
//! bytes of it. So nothing has to be stored to check an echo: byte `i` that comes back must be byte `i` of
//! the stream. A reply that is missing, doubled, reordered or another connection's differs at once.
//! Where a template says what is sent and answered, there is such a stream for either direction.

use model::schema::{Dialogue, Protocol};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::client::dialogue::Script;
use crate::fault::Fault;
use crate::plan::sizes::Sizes;

/// Length after which the stream repeats: a prime, so that no request size divides it and equal requests
/// never follow each other.
const PERIOD: usize = 65_521;
/// The longest slice that can be taken from any position at once.
pub const LONGEST_SLICE: usize = 64 * 1024;

/// The bytes of all streams: connections differ by where in the period they begin.
pub struct Payload {
    bytes: Box<[u8]>,
    replies: Replies,
}

/// The replies of the server.
enum Replies {
    Echo,
    Ack,
    Script(Script),
}

/// The progress of checking the replies on one connection.
#[derive(Debug, Default, Clone, Copy)]
pub struct Checked {
    /// Bytes of the stream confirmed by the server; by template, bytes of its replies.
    pub confirmed: u64,
    /// The number read so far in an unfinished `ack`, and how much of its line has been matched.
    ack_number: u32,
    ack_matched: u8,
}

/// The fixed part of an `ack`, before the number and the line feed.
const ACK_PREFIX: &[u8] = b"get bytes ";
/// The reply of `muxbench serve` to a client that it refuses.
const REFUSAL: &[u8] = b"server is full";

impl Payload {
    /// The payload of every run; it does not depend on the run's seed, so runs differ in timing alone.
    ///
    /// # Panics
    ///
    /// When `protocol` is one of those that need a [dialogue](Self::by_template).
    pub fn new(protocol: Protocol) -> Self {
        let replies = match protocol {
            Protocol::Echo => Replies::Echo,
            Protocol::Ack => Replies::Ack,
            Protocol::Redis | Protocol::Template => unreachable!("they come with a dialogue"),
        };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0x6d75_7862);
        // Printable, so that a packet dump can be read.
        let period: Vec<u8> = (0..PERIOD).map(|_| b'!' + (random.next_u64() % 94) as u8).collect();
        let bytes = period.iter().copied().cycle().take(PERIOD + LONGEST_SLICE).collect();
        Self { bytes, replies }
    }

    /// The payload of a dialogue, in requests of `sizes`.
    ///
    /// # Errors
    ///
    /// When the dialogue cannot be read.
    pub fn by_template(dialogue: &Dialogue, sizes: &mut Sizes) -> Result<Self, String> {
        let plain = Self::new(Protocol::Echo);
        let mut position = 0;
        let script = Script::new(dialogue, sizes, |size| {
            let begin = position;
            position += u64::from(size);
            (begin..position)
                .step_by(LONGEST_SLICE)
                .flat_map(|at| plain.slice(0, at, position - at))
                .copied()
                .collect()
        })?;
        Ok(Self { replies: Replies::Script(script), ..plain })
    }

    /// The number of the first request of connection `id`, to begin [`Payload::lengths`] with.
    pub fn first_turn(&self, id: u32) -> u32 {
        match &self.replies {
            Replies::Script(script) => script.first(id),
            Replies::Echo | Replies::Ack => 0,
        }
    }

    /// Returns the number of bytes that the next request takes of the stream that is sent, and the number that its
    /// reply takes of what is [confirmed](Checked::confirmed). With a template, whose sizes are written out, `turn` is
    /// the number of the request, and moves on.
    #[inline]
    pub fn lengths(&self, turn: &mut u32, size: u32) -> (u32, u32) {
        match &self.replies {
            Replies::Echo | Replies::Ack => (size, size),
            Replies::Script(script) => script.next(turn),
        }
    }

    /// At most `length` bytes of connection `id`'s stream from `position` on; shorter only when `length`
    /// exceeds [`LONGEST_SLICE`].
    #[inline]
    pub fn slice(&self, id: u32, position: u64, length: u64) -> &[u8] {
        if let Replies::Script(script) = &self.replies {
            return script.request(id, position, length);
        }
        // A multiplicative step keeps neighbouring connections far apart in the period.
        let begin = (u64::from(id).wrapping_mul(40_503) + position) as usize % PERIOD;
        let length = length.min(LONGEST_SLICE as u64) as usize;
        &self.bytes[begin..begin + length]
    }

    /// Checks `received`, the next bytes from the server, on connection `id` that has sent `sent` bytes.
    ///
    /// # Errors
    ///
    /// [`Fault::WrongBytes`], [`Fault::Surplus`] or [`Fault::ServerFull`]; the connection is then useless.
    #[inline]
    pub fn check(&self, id: u32, checked: &mut Checked, sent: u64, received: &[u8]) -> Result<(), Fault> {
        let right = match &self.replies {
            Replies::Echo => check_stream(checked, received, |from, length| self.slice(id, from, length)),
            Replies::Ack => checked.read_acks(received),
            Replies::Script(script) => {
                // How much of it is too much is known to whoever knows the requests.
                return match check_stream(checked, received, |from, length| script.reply(id, from, length)) {
                    true => Ok(()),
                    false => Err(Fault::WrongBytes),
                };
            }
        };
        if !right {
            // It has blanks, which no stream has.
            return Err(if received.starts_with(REFUSAL) { Fault::ServerFull } else { Fault::WrongBytes });
        }
        if checked.confirmed > sent { Err(Fault::Surplus) } else { Ok(()) }
    }
}

/// Compares `received` with what comes next in a stream.
#[inline]
fn check_stream<'a>(checked: &mut Checked, received: &[u8], stream: impl Fn(u64, u64) -> &'a [u8]) -> bool {
    received.chunks(LONGEST_SLICE).all(|chunk| {
        let expected = stream(checked.confirmed, chunk.len() as u64);
        checked.confirmed += chunk.len() as u64;
        chunk == expected
    })
}

impl Checked {
    /// Returns whether a reply has begun and not ended, where the replies to whole requests are `answered` bytes of the
    /// stream.
    pub fn is_inside_a_reply(&self, answered: u64) -> bool {
        self.ack_matched > 0 || self.confirmed > answered
    }

    /// Reads `get bytes N\n` lines, wherever the stream was cut; false when it is anything else.
    fn read_acks(&mut self, received: &[u8]) -> bool {
        for &byte in received {
            let matched = usize::from(self.ack_matched);
            if matched < ACK_PREFIX.len() {
                if byte != ACK_PREFIX[matched] {
                    return false;
                }
                self.ack_matched += 1;
            } else if byte.is_ascii_digit() {
                let digit = u32::from(byte - b'0');
                match self.ack_number.checked_mul(10).and_then(|number| number.checked_add(digit)) {
                    Some(number) => self.ack_number = number,
                    None => return false,
                }
            } else if byte == b'\n' && self.ack_number > 0 {
                self.confirmed += u64::from(self.ack_number);
                (self.ack_number, self.ack_matched) = (0, 0);
            } else {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_all(payload: &Payload, id: u32, sent: u64, parts: &[&[u8]]) -> Result<u64, Fault> {
        let mut checked = Checked::default();
        for part in parts {
            payload.check(id, &mut checked, sent, part)?;
        }
        Ok(checked.confirmed)
    }

    #[test]
    fn a_doubled_reply_a_missing_one_and_anothers_are_wrong_bytes() {
        let payload = Payload::new(Protocol::Echo);
        let (first, second) = (payload.slice(7, 0, 64), payload.slice(7, 64, 64));
        assert_eq!(check_all(&payload, 7, 128, &[first, second]), Ok(128));
        assert_eq!(check_all(&payload, 7, 128, &[first, first]), Err(Fault::WrongBytes));
        assert_eq!(check_all(&payload, 7, 128, &[second]), Err(Fault::WrongBytes));
        assert_eq!(check_all(&payload, 8, 128, &[first]), Err(Fault::WrongBytes));
        assert_eq!(check_all(&payload, 7, 64, &[first, second]), Err(Fault::Surplus));
    }

    #[test]
    fn a_refusal_is_told_from_a_wrong_reply() {
        let payload = Payload::new(Protocol::Echo);
        let refusal = b"server is full, try again later\n".as_slice();
        assert_eq!(check_all(&payload, 7, 64, &[refusal]), Err(Fault::ServerFull));
    }

    #[test]
    fn acknowledgements_are_counted_and_anything_else_is_wrong() {
        let payload = Payload::new(Protocol::Ack);
        assert_eq!(check_all(&payload, 1, 192, &[b"get bytes 64\nget bytes 128\n"]), Ok(192));
        assert_eq!(check_all(&payload, 1, 64, &[b"get bytes 65\n"]), Err(Fault::Surplus));
        for wrong in
            ["got bytes 64\n", "get bytes \n", "get bytes 0\n", "get bytes 64x", "get bytes 99999999999\n"]
        {
            assert_eq!(check_all(&payload, 1, 64, &[wrong.as_bytes()]), Err(Fault::WrongBytes), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn an_echo_may_arrive_cut_anywhere(id: u32, length in 1u64..200_000, cuts in prop::collection::vec(1usize..70_000, 1..8)) {
            let payload = Payload::new(Protocol::Echo);
            let mut checked = Checked::default();
            let mut cuts = cuts.into_iter().cycle();
            while checked.confirmed < length {
                let cut = (cuts.next().expect("endless") as u64).min(length - checked.confirmed);
                let part = payload.slice(id, checked.confirmed, cut).to_vec();
                prop_assert_eq!(payload.check(id, &mut checked, length, &part), Ok(()));
            }
            prop_assert_eq!(checked.confirmed, length);
        }

        #[test]
        fn one_changed_byte_is_always_noticed(id: u32, position in 0u64..1_000_000, at in 0usize..64, flip in 1u8..=255) {
            let payload = Payload::new(Protocol::Echo);
            let mut reply = payload.slice(id, position, 64).to_vec();
            reply[at] ^= flip;
            let mut checked = Checked { confirmed: position, ..Checked::default() };
            prop_assert_eq!(payload.check(id, &mut checked, u64::MAX, &reply), Err(Fault::WrongBytes));
        }

        #[test]
        fn acknowledgements_may_arrive_cut_anywhere(numbers in prop::collection::vec(1u32..100_000, 1..20), cut in 1usize..12) {
            let payload = Payload::new(Protocol::Ack);
            let text: String = numbers.iter().map(|number| format!("get bytes {number}\n")).collect();
            let parts: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            let sum = numbers.iter().map(|&number| u64::from(number)).sum();
            prop_assert_eq!(check_all(&payload, 1, sum, &parts), Ok(sum));
        }
    }
}
