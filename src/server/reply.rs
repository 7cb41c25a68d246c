//! The replies that a connection gets.

/// The kind of reply that a connection gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reply {
    /// The bytes that came.
    #[default]
    Echo,
    /// `get bytes N\n` for each read of N bytes.
    Ack,
}

/// Room for an acknowledgement: its words and the largest count.
pub const ACK_BYTES_AT_MOST: usize = 32;

impl Reply {
    /// The reply to `received`; an acknowledgement is made in `text`.
    #[inline]
    pub fn to<'b>(self, received: &'b [u8], text: &'b mut [u8; ACK_BYTES_AT_MOST]) -> &'b [u8] {
        match self {
            Self::Echo => received,
            Self::Ack => acknowledge(received.len(), text),
        }
    }

    /// The reply to the first `received` bytes of `buffer`, made in place, for a send that outlives the caller.
    ///
    /// # Panics
    ///
    /// When the buffer is shorter than [`ACK_BYTES_AT_MOST`], or than `received`.
    #[inline]
    pub fn in_place(self, received: usize, buffer: &mut [u8]) -> &[u8] {
        match self {
            Self::Echo => &buffer[..received],
            Self::Ack => acknowledge(received, buffer),
        }
    }
}

/// Writes `get bytes N\n` into `buffer`, without allocation.
#[inline]
fn acknowledge(count: usize, buffer: &mut [u8]) -> &[u8] {
    const WORDS: &[u8] = b"get bytes ";
    let mut number = itoa::Buffer::new();
    let digits = number.format(count).as_bytes();
    let end = WORDS.len() + digits.len();
    buffer[..WORDS.len()].copy_from_slice(WORDS);
    buffer[WORDS.len()..end].copy_from_slice(digits);
    buffer[end] = b'\n';
    &buffer[..=end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_names_the_count_and_fits() {
        let mut buffer = [0; ACK_BYTES_AT_MOST];
        assert_eq!(acknowledge(65536, &mut buffer), b"get bytes 65536\n");
        assert_eq!(acknowledge(usize::MAX, &mut buffer), b"get bytes 18446744073709551615\n");
    }

    #[test]
    fn an_echo_is_what_came_and_no_more() {
        assert_eq!(Reply::Echo.in_place(3, &mut b"abcdef".to_vec()), b"abc");
        assert_eq!(Reply::Echo.to(b"abc", &mut [0; ACK_BYTES_AT_MOST]), b"abc");
    }
}
