//! The notation of the command line: `10k`, `5%`, `250ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Parses a count: a whole number, also with `k` (thousand) or `M` (million): `10k`, `1.5M`.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a count: write a whole number, or 10k, or 1.5M");
    let (digits, factor) = split_factor(text);
    let number: f64 = plain_number(digits).ok_or_else(wrong)?;
    let value = number * factor;
    // Above 2^53 an f64 no longer tells whole numbers apart.
    if value.fract() != 0.0 || value > 9e15 {
        return Err(wrong());
    }
    Ok(value as u64)
}

/// As [`count`], for what must be at least one and fit 32 bits.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn positive_count(text: &str) -> Result<u32, String> {
    match count(text)? {
        0 => Err("must be at least 1".into()),
        value => u32::try_from(value).map_err(|_| format!("'{text}' is too many: at most {}", u32::MAX)),
    }
}

/// Parses a rate a second: `500`, `20k`, `1.5k/s`.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn rate(text: &str) -> Result<f64, String> {
    let (digits, factor) = split_factor(text.strip_suffix("/s").unwrap_or(text));
    match plain_number(digits).map(|number| number * factor) {
        Some(rate) if rate > 0.0 && rate <= 1e9 => Ok(rate),
        _ => Err(format!("'{text}' is not a rate a second: write 500, or 20k, or 1.5k/s")),
    }
}

/// The longest duration that is accepted.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Parses a duration: `10s`, `250ms`, `1.5s`, `2m`; or several parts, each of a smaller unit than the one before: `1m30s`.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a duration: write 10s, 250ms, 1.5s, 2m or 1m30s");
    let (mut rest, mut seconds, mut unit_before_s) = (text, 0.0, f64::INFINITY);
    while !rest.is_empty() || text.is_empty() {
        let unit_at = rest.find(|letter: char| letter.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let (number, from_unit) = rest.split_at(unit_at);
        let after = from_unit.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(from_unit.len());
        let (unit, further) = from_unit.split_at(after);
        let unit_s = match unit {
            "ns" => 1e-9,
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let is_whole = further.is_empty() || !number.contains('.');
        if unit_s >= unit_before_s || !is_whole {
            return Err(wrong());
        }
        seconds += plain_number(number).ok_or_else(wrong)? * unit_s;
        (rest, unit_before_s) = (further, unit_s);
    }
    match seconds {
        seconds if seconds <= LONGEST.as_secs_f64() => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("'{text}' is too long: at most 720h")),
    }
}

/// The largest size of a request, in bytes.
pub const LARGEST_SIZE: u32 = 0x4000_0000;

/// Parses a size in bytes: `64`, `4k` (4096), `1M`.
///
/// # Errors
///
/// A sentence that says what is accepted.
pub fn size_bytes(text: &str) -> Result<u32, String> {
    let wrong = || format!("'{text}' is not a size in bytes: write 64, 4k (4096) or 1M, at most 1G");
    let (digits, factor) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'M')) => (&text[..at], 1 << 20),
        _ => (text, 1_u64),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    match number.checked_mul(factor) {
        Some(bytes @ 1..) if bytes <= u64::from(LARGEST_SIZE) => Ok(bytes as u32),
        _ => Err(wrong()),
    }
}

/// The number of connections that carry requests, or their share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Active {
    /// This many.
    Count(u64),
    /// This share of all, 0 to 1.
    Share(f64),
}

impl Active {
    /// The number of active connections among `connections`: at least one, at most all.
    pub fn among(self, connections: u32) -> u32 {
        let wanted = match self {
            Self::Count(count) => count.min(u64::from(connections)) as u32,
            Self::Share(share) => (share * f64::from(connections)).round() as u32,
        };
        wanted.clamp(1, connections)
    }
}

impl FromStr for Active {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            return match plain_number(percent) {
                Some(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Share(percent / 100.0)),
                _ => Err(format!("'{text}' is not a share: write a percentage above 0% and up to 100%")),
            };
        }
        match count(text) {
            Ok(0) => Err("at least one connection must be active".into()),
            Ok(count) => Ok(Self::Count(count)),
            Err(_) if plain_number(text).is_some() => Err(format!(
                "'{text}' is ambiguous: write a percentage (5%) or a whole number of connections (500)"
            )),
            Err(_) => Err(format!("'{text}' is neither a percentage (5%) nor a number of connections (500)")),
        }
    }
}

impl fmt::Display for Active {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(share) => write!(f, "{}%", share * 100.0),
        }
    }
}

/// Splits off the suffix of a count: `k` or `M`.
fn split_factor(text: &str) -> (&str, f64) {
    match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'M')) => (&text[..at], 1e6),
        _ => (text, 1.0),
    }
}

/// A number of digits and at most one point: no sign, exponent, infinity or blank.
fn plain_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.bytes().any(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_take_k_and_m() {
        assert_eq!(count("10k"), Ok(10_000));
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert_eq!(count("7"), Ok(7));
        for wrong in ["", "k", "-1", "1.5", "1e3", "10kk", "inf", "1 0", "0x10"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bare_fraction_is_refused_as_ambiguous() {
        let message = "0.05".parse::<Active>().expect_err("ambiguous");
        assert!(message.contains("ambiguous") && message.contains('%'), "{message}");
        assert_eq!("5%".parse(), Ok(Active::Share(0.05)));
        assert_eq!("10".parse(), Ok(Active::Count(10)));
        for wrong in ["0", "0%", "101%", "%", "-5%", "five"] {
            assert!(wrong.parse::<Active>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_few_connections_is_at_least_one() {
        assert_eq!(Active::Share(0.01).among(10), 1);
        assert_eq!(Active::Share(1.0).among(10), 10);
        assert_eq!(Active::Count(50).among(10), 10);
        assert_eq!(Active::Share(0.05).among(10_000), 500);
    }

    #[test]
    fn durations_need_a_unit_and_take_fractions() {
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h2m3.5s"), Ok(Duration::from_millis(3_723_500)));
        assert_eq!(duration("2s250ms"), Ok(Duration::from_millis(2_250)));
        for wrong in [
            "",
            "10",
            "s",
            "-1s",
            "10 parsecs",
            "1e400s",
            "30s1m",
            "1m1min",
            "1.5m30s",
            "1m30",
            "1m 30s",
            "1m-30s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_binary_and_rates_are_decimal() {
        assert_eq!(size_bytes("4k"), Ok(4096));
        assert_eq!(rate("20k"), Ok(20_000.0));
        assert_eq!(rate("1.5k/s"), Ok(1_500.0));
        assert!(size_bytes("0").is_err() && rate("0").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC*") {
            let _ = (count(&text), rate(&text), duration(&text), size_bytes(&text), text.parse::<Active>());
        }

        #[test]
        fn the_parts_of_a_duration_add_up(hours in 0_u64..700, minutes in 0_u64..1_000, ms in 0_u64..1_000_000) {
            let expected = Duration::from_millis((hours * 60 + minutes) * 60_000 + ms);
            prop_assume!(expected <= LONGEST);
            prop_assert_eq!(duration(&format!("{hours}h{minutes}m{ms}ms")), Ok(expected));
        }

        #[test]
        fn no_text_of_numbers_and_units_makes_a_parser_panic(text in "([0-9.]{0,4}|[hmnsu]|min|é|-| )*") {
            let _ = (count(&text), rate(&text), duration(&text), size_bytes(&text), text.parse::<Active>());
        }

        #[test]
        fn a_whole_number_reads_back(number in 1u64..1_000_000_000) {
            prop_assert_eq!(count(&number.to_string()), Ok(number));
        }
    }
}
