//! The pauses that connections make in closed loop between a reply and their next request.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::schema::Pause;
use rand_distr::{Distribution, Exp};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::plan::units;

/// Connections that pause, and for how long.
pub struct Thinking {
    lengths: Lengths,
    random: Xoshiro256PlusPlus,
    /// The end of each pause, and the connection that pauses. The heap never grows: a connection pauses at most once
    /// for each request that it may have under way.
    pauses: BinaryHeap<Reverse<(u64, u32)>>,
}

enum Lengths {
    Fixed(u64),
    Exponential(Exp<f64>),
}

impl Thinking {
    /// Nobody pauses yet; at most `most` pauses are made at a time.
    pub fn new(pause: Pause, most: usize, random: Xoshiro256PlusPlus) -> Self {
        let lengths = match pause {
            Pause::Fixed { length_s } => Lengths::Fixed((length_s * 1e9) as u64),
            Pause::Exponential { mean_s } => {
                Lengths::Exponential(Exp::new(1.0 / (mean_s * 1e9)).expect("a pause is positive"))
            }
        };
        Self { lengths, random, pauses: BinaryHeap::with_capacity(most) }
    }

    /// Lets connection `index` begin a pause.
    #[inline]
    pub fn begin(&mut self, index: u32, now_ns: u64) {
        let length_ns = match &self.lengths {
            Lengths::Fixed(length_ns) => *length_ns,
            Lengths::Exponential(distribution) => distribution.sample(&mut self.random) as u64,
        };
        self.pauses.push(Reverse((now_ns + length_ns, index)));
    }

    /// The end of the first pause; `u64::MAX` if no connection pauses.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        self.pauses.peek().map_or(u64::MAX, |Reverse((end_ns, _))| *end_ns)
    }

    /// A connection whose pause is over at `now_ns`.
    #[inline]
    pub fn take_ended(&mut self, now_ns: u64) -> Option<u32> {
        (self.next_ns() <= now_ns).then(|| self.pauses.pop().map(|Reverse((_, index))| index)).flatten()
    }
}

/// Parses the length of a pause: `10ms`, or the mean of an exponential distribution, `exp:10ms`.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn parse(text: &str) -> Result<Pause, String> {
    let length = text.strip_prefix("exp:").unwrap_or(text);
    let length_s = units::duration(length)
        .map_err(|error| format!("{error}, or an exponential distribution by its mean (exp:10ms)"))?
        .as_secs_f64();
    match length.len() == text.len() {
        _ if length_s == 0.0 => Err("must be longer than nothing: without --think there is no pause".into()),
        true => Ok(Pause::Fixed { length_s }),
        false => Ok(Pause::Exponential { mean_s: length_s }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::schedule::{Purpose, random_for};

    fn thinking(text: &str) -> Thinking {
        Thinking::new(parse(text).expect(text), 100, random_for(Purpose::Thinking, 1, 0, 0))
    }

    #[test]
    fn pauses_end_in_the_order_of_their_ends_and_not_before() {
        let mut thinking = thinking("10us");
        assert_eq!(thinking.next_ns(), u64::MAX);
        thinking.begin(7, 1_000);
        thinking.begin(3, 500);
        assert_eq!((thinking.next_ns(), thinking.take_ended(10_499)), (10_500, None));
        assert_eq!(thinking.take_ended(20_000), Some(3));
        assert_eq!(thinking.take_ended(20_000), Some(7));
        assert_eq!(thinking.take_ended(20_000), None);
    }

    #[test]
    fn exponential_pauses_have_their_mean_and_take_no_memory() {
        let mut thinking = thinking("exp:10ms");
        let capacity = thinking.pauses.capacity();
        let mut sum_ns = 0;
        for _ in 0..200 {
            (0..100).for_each(|index| thinking.begin(index, 0));
            while thinking.next_ns() < u64::MAX {
                sum_ns += thinking.next_ns();
                assert!(thinking.take_ended(u64::MAX - 1).is_some());
            }
        }
        // 20,000 pauses: the standard error of their mean is 0.7 %.
        assert!((sum_ns as f64 / 20_000.0 / 1e7 - 1.0).abs() < 0.022, "{sum_ns}");
        assert_eq!(thinking.pauses.capacity(), capacity);
    }

    #[test]
    fn a_pause_is_written_like_a_duration() {
        assert_eq!(parse("10ms"), Ok(Pause::Fixed { length_s: 0.01 }));
        assert_eq!(parse("exp:1s"), Ok(Pause::Exponential { mean_s: 1.0 }));
        for wrong in ["0s", "10", "exp:", "exp:0ms", "ex:1s"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
