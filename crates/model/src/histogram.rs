//! Histograms of durations: one set of bounds for the whole project, so that any two can be added.

use std::io::Read;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use crate::schema::Latency;

/// A histogram of durations in nanoseconds.
pub type Histogram = hdrhistogram::Histogram<u64>;

/// The smallest duration told apart, in nanoseconds.
pub const LOWEST_NS: u64 = 1;
/// The largest duration recorded, in nanoseconds: one hour. Longer ones count as this.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits of a recorded value.
pub const SIGNIFICANT_DIGITS: u8 = 3;
/// Samples that must lie beyond a percentile for it to be reported.
pub const SAMPLES_BEYOND: u64 = 100;

/// The reason that a stored histogram could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The text is not base64.
    #[error("the histogram is not base64")]
    Base64(#[from] base64::DecodeError),
    /// The bytes are not a V2 histogram.
    #[error("the histogram is not HdrHistogram V2: {0}")]
    Format(String),
}

/// An empty histogram with the project's bounds.
pub fn empty() -> Histogram {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
        .expect("the project's bounds are valid")
}

/// The value at `quantile` (0 to 1), in nanoseconds, if at least [`SAMPLES_BEYOND`] samples lie beyond it.
pub fn quantile_ns(histogram: &Histogram, quantile: f64) -> Option<u64> {
    // Rounding guards against 0.01 * 10,000 coming out a hair below 100.
    let beyond = ((1.0 - quantile) * histogram.len() as f64).round() as u64;
    (beyond >= SAMPLES_BEYOND).then(|| histogram.value_at_quantile(quantile))
}

/// Encodes a histogram as V2 with DEFLATE, base64.
pub fn encode(histogram: &Histogram) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("a histogram serialises into memory");
    STANDARD.encode(bytes)
}

/// The first bytes of a compressed V2 histogram.
const COOKIE: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
/// Bytes before the counts of a V2 histogram.
const HEADER_BYTES: usize = 40;
/// The largest encoding before it is compressed: three digits of any number of 64 bits, with counts of nine bytes each.
const MOST_BYTES: u64 = 1 << 20;

/// Decodes what [`encode`] wrote.
///
/// # Errors
///
/// When the text is not base64, or not a V2 histogram.
pub fn decode(text: &str) -> Result<Histogram, DecodeError> {
    let mut decoded = unpacked(text)?;
    // The encoding carries the bounds, but a reader must be able to add any two.
    let mut histogram = empty();
    decoded.auto(true);
    histogram.add(&decoded).map_err(|error| DecodeError::Format(error.to_string()))?;
    Ok(histogram)
}

/// The histogram in a text, with the bounds that it was encoded with.
fn unpacked(text: &str) -> Result<Histogram, DecodeError> {
    let wrong = |what: &str| DecodeError::Format(what.to_owned());
    let packed = STANDARD.decode(text)?;
    if !packed.starts_with(&COOKIE) {
        return Err(wrong("it does not begin as one"));
    }
    // Behind it comes the length of what is compressed.
    let mut bytes = Vec::new();
    let unpacking = ZlibDecoder::new(packed.get(8..).unwrap_or_default()).take(MOST_BYTES);
    { unpacking }.read_to_end(&mut bytes).map_err(|error| DecodeError::Format(error.to_string()))?;
    // The reader makes room for whatever the head promises, be it gigabytes.
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let (length, digits) = number(4).zip(number(12)).ok_or_else(|| wrong("it ends in its head"))?;
    if length as usize != bytes.len().saturating_sub(HEADER_BYTES) {
        return Err(wrong("its counts are not as long as its head says"));
    }
    if digits > SIGNIFICANT_DIGITS.into() {
        return Err(wrong("it has more than three significant digits"));
    }
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| DecodeError::Format(format!("{error:?}")))
}

/// A histogram in short: its values in ascending order, in nanoseconds, each with the number of its samples. A hundredth of the memory
/// of a [`Histogram`], which has room for every value there may be.
pub type Counts = Vec<(u64, u64)>;

/// Decodes what [`encode`] wrote, in short.
///
/// # Errors
///
/// When the text is not base64, or not a V2 histogram.
pub fn decode_counts(text: &str) -> Result<Counts, DecodeError> {
    let histogram = unpacked(text)?;
    Ok(histogram.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value())).collect())
}

/// The samples of `counts` that are not in `part`, which holds some of them.
pub fn without(counts: &[(u64, u64)], part: &[(u64, u64)]) -> Counts {
    let of_part =
        |value_ns| part.binary_search_by_key(&value_ns, |(value, _)| *value).map_or(0, |at| part[at].1);
    let left = counts.iter().map(|&(value_ns, count)| (value_ns, count.saturating_sub(of_part(value_ns))));
    left.filter(|(_, count)| *count > 0).collect()
}

/// The histogram of values with their counts, such as [`decode_counts`] gives. Values that are too large count as the largest.
pub fn of_counts(counts: &[(u64, u64)]) -> Histogram {
    let mut histogram = empty();
    counts.iter().for_each(|(value_ns, count)| histogram.saturating_record_n(*value_ns, *count));
    histogram
}

impl Latency {
    /// Summarises a histogram and keeps the whole of it.
    pub fn of(histogram: &Histogram) -> Self {
        let some = !histogram.is_empty();
        Self {
            count: histogram.len(),
            p50_ns: quantile_ns(histogram, 0.5),
            p90_ns: quantile_ns(histogram, 0.9),
            p99_ns: quantile_ns(histogram, 0.99),
            p999_ns: quantile_ns(histogram, 0.999),
            max_ns: some.then(|| histogram.max()),
            mean_ns: some.then(|| histogram.mean()),
            histogram: encode(histogram),
        }
    }

    /// The histogram behind the summary.
    ///
    /// # Errors
    ///
    /// When the stored text is damaged.
    pub fn histogram(&self) -> Result<Histogram, DecodeError> {
        decode(&self.histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentile_needs_a_hundred_samples_beyond_it() {
        let mut histogram = empty();
        histogram.record_n(5, 9_999).expect("in range");
        assert_eq!(quantile_ns(&histogram, 0.99), Some(5));
        assert_eq!(quantile_ns(&histogram, 0.999), None);
        let mut few = empty();
        few.record_n(5, 9_900).expect("in range");
        assert_eq!(quantile_ns(&few, 0.99), None);
        assert_eq!(quantile_ns(&few, 0.9), Some(5));
    }

    #[test]
    fn damaged_text_is_an_error() {
        assert!(decode("???").is_err());
        assert!(decode("aGVsbG8=").is_err());
    }

    proptest! {
        #[test]
        fn a_histogram_survives_encoding(values in prop::collection::vec(1u64..HIGHEST_NS, 0..200)) {
            let mut histogram = empty();
            for value in values {
                histogram.record(value).expect("in range");
            }
            let counts = decode_counts(&encode(&histogram)).expect("decodes");
            prop_assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), histogram.len());
            prop_assert_eq!(counts.last().map(|(value, _)| *value), (!histogram.is_empty()).then(|| histogram.max()));
            prop_assert_eq!(decode(&encode(&histogram)).expect("decodes"), histogram);
        }
    }
}
