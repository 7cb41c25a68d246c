//! The number of bytes of each request.

use model::schema::Size;
use rand::distr::{Distribution, Uniform};
use rand_distr::Exp;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::plan::schedule::{self, Purpose};
use crate::plan::units::{self, LARGEST_SIZE};

/// An exponential size is cut at this many times its mean: one in nine million is that long.
const MOST_MEANS: u32 = 16;

/// An endless sequence of sizes, the same for the same seed and stream.
pub struct Sizes {
    distribution: Sampler,
    random: Xoshiro256PlusPlus,
}

enum Sampler {
    Fixed(u32),
    Uniform(Uniform<u32>),
    Exponential { distribution: Exp<f64>, most: f64 },
}

impl Sizes {
    /// The sizes of one worker's requests, in the order in which they fall due.
    pub fn new(size: Size, seed: u64, shard: u32, stream: u32) -> Self {
        let distribution = match size {
            Size::Fixed { bytes } => Sampler::Fixed(bytes),
            Size::Uniform { from_bytes, to_bytes } => Sampler::Uniform(
                Uniform::new_inclusive(from_bytes, to_bytes).expect("a range is not empty when it was read"),
            ),
            Size::Exponential { mean_bytes, most_bytes } => Sampler::Exponential {
                distribution: Exp::new(1.0 / f64::from(mean_bytes)).expect("a mean is positive"),
                most: f64::from(most_bytes),
            },
        };
        Self { distribution, random: schedule::random_for(Purpose::Sizes, seed, shard, stream) }
    }

    /// The next one, in bytes.
    #[inline]
    pub fn next(&mut self) -> u32 {
        match &self.distribution {
            Sampler::Fixed(bytes) => *bytes,
            Sampler::Uniform(range) => range.sample(&mut self.random),
            // Rounded up: no request is empty.
            Sampler::Exponential { distribution, most } => {
                distribution.sample(&mut self.random).ceil().clamp(1.0, *most) as u32
            }
        }
    }
}

/// The mean size, in bytes, rounded.
pub fn mean_bytes(size: Size) -> u32 {
    match size {
        Size::Fixed { bytes } => bytes,
        Size::Uniform { from_bytes, to_bytes } => from_bytes + (to_bytes - from_bytes).div_ceil(2),
        Size::Exponential { mean_bytes, .. } => mean_bytes,
    }
}

/// Parses `64`, `4k`, a range `64..1k`, or the mean of an exponential distribution, `exp:256`.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn parse(text: &str) -> Result<Size, String> {
    if let Some(mean) = text.strip_prefix("exp:") {
        let mean_bytes = units::size_bytes(mean)?;
        return Ok(Size::Exponential {
            mean_bytes,
            most_bytes: mean_bytes.saturating_mul(MOST_MEANS).min(LARGEST_SIZE),
        });
    }
    match text.split_once("..") {
        Some((from, to)) => match (units::size_bytes(from)?, units::size_bytes(to)?) {
            (from_bytes, to_bytes) if from_bytes < to_bytes => Ok(Size::Uniform { from_bytes, to_bytes }),
            _ => Err(format!("'{text}' is not a range of sizes: the smaller one comes first, as in 64..1k")),
        },
        None => units::size_bytes(text).map(|bytes| Size::Fixed { bytes }).map_err(|error| {
            format!("{error}, or a range (64..1k), or an exponential distribution by its mean (exp:256)")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(size: &str, seed: u64, stream: u32, count: usize) -> Vec<u32> {
        let mut sizes = Sizes::new(parse(size).expect(size), seed, 0, stream);
        (0..count).map(|_| sizes.next()).collect()
    }

    #[test]
    fn a_size_is_fixed_a_range_or_exponential() {
        assert_eq!(parse("4k"), Ok(Size::Fixed { bytes: 4096 }));
        assert_eq!(parse("64..1k"), Ok(Size::Uniform { from_bytes: 64, to_bytes: 1024 }));
        assert_eq!(parse("exp:256"), Ok(Size::Exponential { mean_bytes: 256, most_bytes: 4096 }));
        for (wrong, advice) in
            [("1k..64", "64..1k"), ("0..64", "64"), ("exp:", "64"), ("64..", "64"), ("big", "exp:256")]
        {
            let message = parse(wrong).expect_err(wrong);
            assert!(message.contains(advice), "{wrong}: {message}");
        }
    }

    #[test]
    fn every_size_of_a_range_is_as_likely_as_any_other_ends_included() {
        let mut hits = [0_u32; 8];
        take("3..10", 1, 0, 8_000).into_iter().for_each(|size| hits[size as usize - 3] += 1);
        // Chi-squared with 7 degrees of freedom: 24.3 is its 99.9th percentile.
        let chi_squared: f64 = hits.iter().map(|&hits| (f64::from(hits) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi_squared < 24.3, "{hits:?}");
    }

    #[test]
    fn exponential_sizes_have_their_mean_and_their_shape_and_never_vanish() {
        let sizes = take("exp:256", 1, 0, 40_000);
        let mean = sizes.iter().map(|&size| f64::from(size)).sum::<f64>() / sizes.len() as f64;
        // Rounding up adds half a byte; the standard error of the mean is 0.5 %.
        assert!((mean / 256.5 - 1.0).abs() < 0.016, "{mean}");
        let above = sizes.iter().filter(|&&size| size > 512).count() as f64 / sizes.len() as f64;
        assert!((above - (-2.0_f64).exp()).abs() < 0.006, "{above}");
        assert!(sizes.iter().all(|size| (1..=4096).contains(size)));
    }

    #[test]
    fn the_sequence_is_a_function_of_seed_and_stream_and_not_that_of_arrivals() {
        assert_eq!(take("64..1k", 7, 2, 50), take("64..1k", 7, 2, 50));
        assert_ne!(take("64..1k", 7, 2, 50), take("64..1k", 7, 3, 50));
        assert_ne!(take("64..1k", 7, 2, 50), take("64..1k", 8, 2, 50));
        let arrivals = schedule::random(7, 0, 2);
        let theirs: Vec<u32> =
            Uniform::new_inclusive(64, 1024).expect("a range").sample_iter(arrivals).take(50).collect();
        assert_ne!(take("64..1k", 7, 2, 50), theirs);
    }
}
