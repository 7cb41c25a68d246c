//! Input that no parser may choke on: made of examples by cutting, doubling and mixing, or of nothing at all; and a bound on the memory
//! that reading it may take.
//!
//! It is a package of its own so that it is optimised in test builds too, where 100,000 inputs a parser have to be quick.

mod memory;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

pub use memory::{Counting, most_held};

/// Inputs for each parser; `PROPTEST_CASES` sets another number.
const CASES: u32 = 100_000;

/// A folder for what is read from a file, in memory where the machine has such a file system: 100,000 files that are synced keep a disk busy.
#[must_use]
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// Inputs that have broken parsers before.
const TRICKS: [&str; 48] = [
    "",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "0",
    "1",
    "-1",
    "-0",
    "+1",
    "00",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999",
    "1e308",
    "1e-400",
    "1e400",
    "nan",
    "inf",
    ".",
    "..",
    ",",
    ":",
    ";",
    "-",
    "/",
    "%",
    "=",
    "\\",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "é",
    "％",
    "\u{feff}",
    "\u{202e}",
    "𝟙",
];

/// The memory that a parser may hold at once.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Whatever the input is.
    pub bytes: usize,
    /// For each byte of input besides.
    pub per_byte: usize,
}

impl Bound {
    /// For parsers of a line: errors quote their input, and no more.
    pub const SMALL: Self = Self { bytes: 4096, per_byte: 64 };
}

/// Feeds `parse` with input made of `examples`, and fails where it panics, does not end, or holds more memory than `bound`. It says whether
/// it accepts an input; each example must be accepted.
pub fn check(examples: &[&[u8]], bound: Bound, parse: &dyn Fn(&[u8]) -> bool) {
    for example in examples {
        assert!(parse(example), "an example is refused: {}", String::from_utf8_lossy(example));
    }
    // An allocator that does not count would let everything pass.
    assert!(
        most_held(|| vec![0_u8; 1000]).1 >= 1000,
        "hostile::Counting is not the allocator of this binary"
    );
    let mut config = Config { failure_persistence: None, max_shrink_iters: 10_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let outcome = TestRunner::new(config).run(&(any::<u64>(), 0..48_usize), |(seed, size)| {
        let input = made(examples, seed, size);
        let (_, held) = most_held(|| parse(&input));
        let most = bound.bytes + bound.per_byte * input.len();
        if held > most {
            let input = String::from_utf8_lossy(&input);
            return Err(TestCaseError::fail(format!(
                "it held {held} bytes, more than {most}, for {input:?}"
            )));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        if let proptest::test_runner::TestError::Fail(_, (seed, size)) = &error {
            eprintln!("the input: {:?}", String::from_utf8_lossy(&made(examples, *seed, *size)));
        }
        panic!("{error}");
    }
}

/// As [`check`], for parsers of text.
pub fn check_text(examples: &[&str], bound: Bound, parse: &dyn Fn(&str) -> bool) {
    let examples: Vec<&[u8]> = examples.iter().map(|example| example.as_bytes()).collect();
    check(&examples, bound, &|bytes| parse(&String::from_utf8_lossy(bytes)));
}

/// The input of `seed`, which grows with `size`.
fn made(examples: &[&[u8]], seed: u64, size: usize) -> Vec<u8> {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(seed);
    match random.random_range(0..8) {
        0 => (0..size * 4).map(|_| random.random()).collect(),
        1 | 2 => (0..size).flat_map(|_| piece(examples, random)).collect(),
        _ => {
            let mut input = one_of(examples, random).to_vec();
            for _ in 0..1 + size / 8 {
                change(&mut input, examples, random);
            }
            input
        }
    }
}

fn one_of<'a, T: ?Sized>(list: &[&'a T], random: &mut Xoshiro256PlusPlus) -> &'a T {
    list[random.random_range(0..list.len())]
}

/// A trick, or a short piece of an example.
fn piece(examples: &[&[u8]], random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    if random.random() {
        return one_of(&TRICKS, random).as_bytes().to_vec();
    }
    let example = one_of(examples, random);
    let begin = random.random_range(0..=example.len());
    let end = example.len().min(begin + random.random_range(0..12));
    example[begin..end].to_vec()
}

/// Changes `input` in one place.
fn change(input: &mut Vec<u8>, examples: &[&[u8]], random: &mut Xoshiro256PlusPlus) {
    let begin = random.random_range(0..=input.len());
    let length = random.random_range(0..=16.min(input.len() - begin));
    let range = begin..begin + length;
    match random.random_range(0..8) {
        0 => input.truncate(begin),
        1 => drop(input.drain(range)),
        2 => {
            let doubled = input[range.clone()].repeat(random.random_range(1..64));
            input.splice(begin..begin, doubled);
        }
        3 | 4 => drop(input.splice(range, piece(examples, random))),
        5 => drop(input.splice(begin..begin, piece(examples, random))),
        6 => input[range].reverse(),
        _ => {
            if let Some(byte) = input.get_mut(begin) {
                *byte ^= 1 << random.random_range(0..8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    const FEW: Bound = Bound { bytes: 100, per_byte: 1 };

    fn said(check: impl FnOnce() + std::panic::UnwindSafe) -> String {
        *std::panic::catch_unwind(check).expect_err("it fails").downcast::<String>().expect("a text")
    }

    #[test]
    fn a_parser_that_panics_or_takes_too_much_memory_is_found() {
        check_text(&["a=1"], Bound::SMALL, &|text| text.split_once('=').is_some());
        let panics = || {
            check_text(&["a=1"], Bound::SMALL, &|text| {
                !text[..1.min(text.len())].is_empty() || text.is_empty()
            })
        };
        assert!(said(panics).contains("char boundary"));
        let hoards = || {
            check_text(&["7"], FEW, &|text| {
                text.parse::<u16>().is_ok_and(|length| Vec::<u8>::with_capacity(length.into()).is_empty())
            });
        };
        assert!(said(hoards).contains("more than"));
        assert!(said(|| check_text(&["x"], FEW, &|text| text.is_empty())).contains("an example is refused"));
    }

    #[test]
    fn memory_is_counted_at_its_most() {
        let ((), held) = most_held(|| {
            drop(vec![0_u8; 10_000]);
            drop(vec![0_u8; 5_000]);
        });
        assert!((10_000..11_000).contains(&held), "{held}");
    }
}
