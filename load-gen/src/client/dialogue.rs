//! Requests and replies by template, for servers that do not echo: all of a run's bytes, written out beforehand.

use model::schema::{Dialogue, Size};

use crate::client::payload::LONGEST_SLICE;
use crate::plan::sizes::{self, Sizes};

/// Requests that are written out: as many as fit these bytes, but neither fewer nor more than so many. The most is a
/// prime, like the period of the payload.
const TAPE_BYTES: usize = 1 << 20;
const FEWEST: usize = 17;
const MOST: usize = 4_093;
/// The largest mean size, so that the tapes stay small.
const LARGEST_MEAN: u32 = 1 << 20;

/// The dialogue with a Redis server: an ECHO and its reply.
pub fn redis() -> Dialogue {
    Dialogue {
        send: r"*2\r\n$4\r\nECHO\r\n${size}\r\n{payload}\r\n".to_owned(),
        expect: r"${size}\r\n{payload}\r\n".to_owned(),
    }
}

/// Checks that `dialogue` is possible with requests of `size`.
///
/// # Errors
///
/// A sentence that says what is wrong with it.
pub fn check(dialogue: &Dialogue, size: Size) -> Result<(), String> {
    for (option, text) in [("--send", &dialogue.send), ("--expect", &dialogue.expect)] {
        if parse(text).map_err(|error| format!("{option}: {error}"))?.is_empty() {
            return Err(format!(
                "{option} is empty: every request needs some bytes, and a reply to tell it by"
            ));
        }
    }
    match sizes::mean_bytes(size) {
        ..=LARGEST_MEAN => Ok(()),
        _ => Err("with a template a request's payload may have 1M bytes on average".into()),
    }
}

/// Returns whether the size of a request shows in what is sent or in what has to come back.
pub fn depends_on_size(dialogue: &Dialogue) -> bool {
    let parts = [&dialogue.send, &dialogue.expect].into_iter().filter_map(|text| parse(text).ok());
    parts.flatten().any(|part| matches!(part, Part::Payload | Part::Size))
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Payload,
    Size,
}

/// Reads `{payload}`, `{size}` and the escapes `\r \n \t \0 \\ \{ \xHH`; all else stands for itself.
fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    // Of a template that was read from a file; who wants to send a byte order mark writes \xEF\xBB\xBF.
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while let Some(first) = rest.chars().next() {
        let placeholder = [("{payload}", Part::Payload), ("{size}", Part::Size)]
            .into_iter()
            .find_map(|(name, part)| rest.strip_prefix(name).map(|rest| (part, rest)));
        if let Some((part, after)) = placeholder {
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(part);
            rest = after;
        } else if first == '\\' {
            let (byte, length) = escaped(&rest[1..]).ok_or_else(|| {
                format!(
                    "'{rest}' does not begin with an escape: there are \\r \\n \\t \\0 \\\\ \\{{ and \\xHH"
                )
            })?;
            literal.push(byte);
            rest = &rest[1 + length..];
        } else {
            literal.extend_from_slice(&rest.as_bytes()[..first.len_utf8()]);
            rest = &rest[first.len_utf8()..];
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// The byte that the text after a backslash stands for, and how long that text is.
fn escaped(text: &str) -> Option<(u8, usize)> {
    let byte = match text.as_bytes().first()? {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        b'\\' => b'\\',
        b'{' => b'{',
        b'x' => {
            let digits =
                text.get(1..3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            return u8::from_str_radix(digits, 16).ok().map(|byte| (byte, 3));
        }
        _ => return None,
    };
    Some((byte, 1))
}

/// The requests of all connections in turn, written out, and the replies to them. A connection begins somewhere and
/// goes round for ever, so that nothing is put together while load runs and what is sent stays where it is.
pub struct Script {
    requests: Tape,
    replies: Tape,
}

/// Messages one after another, in a circle.
#[derive(Default)]
struct Tape {
    /// One round, and as much of the next as a slice can reach into.
    bytes: Vec<u8>,
    /// The position at which each message begins, and the end of the last.
    begins: Vec<usize>,
}

impl Script {
    /// The script of `dialogue` with requests of `sizes`, whose payloads are the bytes that `payload` gives, one
    /// stretch after another.
    ///
    /// # Errors
    ///
    /// When the dialogue cannot be read; [`check`] says so beforehand.
    pub fn new(
        dialogue: &Dialogue,
        sizes: &mut Sizes,
        mut payload: impl FnMut(u32) -> Vec<u8>,
    ) -> Result<Self, String> {
        let (send, expect) = (parse(&dialogue.send)?, parse(&dialogue.expect)?);
        let mut script = Self { requests: Tape::default(), replies: Tape::default() };
        for count in 0..MOST {
            if count >= FEWEST && script.requests.bytes.len() + script.replies.bytes.len() > TAPE_BYTES {
                break;
            }
            let payload = payload(sizes.next());
            script.requests.append(&send, &payload);
            script.replies.append(&expect, &payload);
        }
        script.requests.close();
        script.replies.close();
        Ok(script)
    }

    /// The message with which connection `id` begins.
    pub fn first(&self, id: u32) -> u32 {
        (u64::from(id) * 40_503 % self.messages() as u64) as u32
    }

    /// The lengths of the request that is message `turn` and of its reply; moves `turn` on.
    pub fn next(&self, turn: &mut u32) -> (u32, u32) {
        let message = *turn as usize;
        *turn = if message + 1 == self.messages() { 0 } else { *turn + 1 };
        (self.requests.length(message), self.replies.length(message))
    }

    /// At most `length` bytes of what connection `id` sends, from `position` on.
    pub fn request(&self, id: u32, position: u64, length: u64) -> &[u8] {
        self.requests.slice(self.first(id), position, length)
    }

    /// At most `length` bytes of what connection `id` has to receive, from `position` on.
    pub fn reply(&self, id: u32, position: u64, length: u64) -> &[u8] {
        self.replies.slice(self.first(id), position, length)
    }

    fn messages(&self) -> usize {
        self.requests.begins.len() - 1
    }
}

impl Tape {
    fn append(&mut self, parts: &[Part], payload: &[u8]) {
        self.begins.push(self.bytes.len());
        for part in parts {
            match part {
                Part::Literal(bytes) => self.bytes.extend_from_slice(bytes),
                Part::Payload => self.bytes.extend_from_slice(payload),
                Part::Size => self.bytes.extend_from_slice(payload.len().to_string().as_bytes()),
            }
        }
    }

    fn close(&mut self) {
        let round = self.bytes.len();
        self.begins.push(round);
        self.bytes.reserve_exact(LONGEST_SLICE);
        for at in 0..LONGEST_SLICE {
            self.bytes.push(self.bytes[at]);
        }
    }

    fn length(&self, message: usize) -> u32 {
        (self.begins[message + 1] - self.begins[message]) as u32
    }

    fn slice(&self, first: u32, position: u64, length: u64) -> &[u8] {
        let round = (self.bytes.len() - LONGEST_SLICE) as u64;
        let begin = ((self.begins[first as usize] as u64 + position) % round) as usize;
        &self.bytes[begin..begin + length.min(LONGEST_SLICE as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn script(dialogue: &Dialogue, size: &str) -> Script {
        let mut sizes = Sizes::new(sizes::parse(size).expect(size), 1, 0, 0);
        let mut letter = 0;
        Script::new(dialogue, &mut sizes, |size| {
            letter = (letter + 1) % 26;
            vec![b'a' + letter; size as usize]
        })
        .expect("a dialogue")
    }

    #[test]
    fn a_redis_server_is_sent_echo_and_answers_with_the_bytes() {
        let script = script(&redis(), "3");
        assert_eq!(script.request(0, 0, 28), b"*2\r\n$4\r\nECHO\r\n$3\r\nbbb\r\n*2\r\n$");
        assert_eq!(script.reply(0, 0, 14), b"$3\r\nbbb\r\n$3\r\nc");
        let mut turn = script.first(0);
        assert_eq!(script.next(&mut turn), (24 - 1, 9));
        assert_eq!(turn, 1);
    }

    #[test]
    fn escapes_stand_for_their_bytes_and_other_braces_for_themselves() {
        let parts = parse(r#"{"a":1}\x00\x7f\t\\\{size}"#).expect("a template");
        assert_eq!(parts, [Part::Literal(b"{\"a\":1}\x00\x7f\t\\{size}".to_vec())]);
        // Of a file that begins with a byte order mark only the text is sent.
        assert_eq!(parse("\u{feff}a").expect("a template"), [Part::Literal(b"a".to_vec())]);
        assert_eq!(parse(r"\xEF\xBB\xBF").expect("a template"), [Part::Literal(vec![0xef, 0xbb, 0xbf])]);
        for wrong in [r"\", r"\q", r"\x1", r"\xzz", "\\x\u{e9}"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_dialogue_that_cannot_be_had_says_why() {
        let size = Size::Fixed { bytes: 64 };
        let dialogue = |send: &str, expect: &str| Dialogue { send: send.into(), expect: expect.into() };
        assert_eq!(check(&redis(), size), Ok(()));
        assert!(check(&dialogue("", "x"), size).expect_err("empty").contains("--send"));
        assert!(check(&dialogue("x", r"\y"), size).expect_err("an escape").contains("--expect"));
        assert!(check(&redis(), Size::Fixed { bytes: 1 << 21 }).expect_err("large").contains("1M"));
    }

    #[test]
    fn a_size_shows_where_a_template_has_a_place_for_it() {
        let depends = |send: &str, expect: &str| {
            depends_on_size(&Dialogue { send: send.into(), expect: expect.into() })
        };
        assert!(depends("{payload}", "ok") && depends("get", "{size}") && depends_on_size(&redis()));
        assert!(!depends("PING", "PONG") && !depends(r"\{payload}", "{sizes}"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn the_messages_of_a_connection_go_round_without_a_seam(id: u32, size in "[1-9][0-9]{0,2}\\.\\.[1-9][0-9]{3}") {
            let script = script(&redis(), &size);
            let (mut turn, mut asked, mut answered) = (script.first(id), 0, 0);
            for _ in 0..2 * script.messages() {
                let (request, reply) = script.next(&mut turn);
                prop_assert!(script.request(id, asked, request.into()).starts_with(b"*2\r\n"));
                prop_assert!(script.reply(id, answered, reply.into()).starts_with(b"$"));
                prop_assert!(script.request(id, asked, request.into()).ends_with(script.reply(id, answered, reply.into())));
                (asked, answered) = (asked + u64::from(request), answered + u64::from(reply));
            }
            prop_assert_eq!(turn, script.first(id));
        }
    }
}
