//! The last line that a process wrote: mostly why it ended.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest time that reading the rest of an ended process's output may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// A line is cut off here: a server may write without end.
const LONGEST: u64 = 4096;

/// Reads a stream to its end, so that its writer never blocks, and keeps the last line.
pub struct LastLine {
    line: Arc<Mutex<String>>,
    /// Nothing is ever sent: it is disconnected when the stream has ended.
    end: Receiver<()>,
}

impl LastLine {
    /// Reads `stream` on a thread of its own.
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let line = Arc::new(Mutex::new(String::new()));
        let (sender, end) = mpsc::channel();
        let kept = Arc::clone(&line);
        std::thread::spawn(move || {
            let _held_until_the_end: mpsc::Sender<()> = sender;
            let mut stream = BufReader::new(stream);
            let mut bytes = Vec::new();
            // Bytes, not text: a stream that is not UTF-8 has to be read on too.
            while matches!((&mut stream).take(LONGEST).read_until(b'\n', &mut bytes), Ok(1..)) {
                let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                if !text.is_empty() {
                    *kept.lock().unwrap_or_else(PoisonError::into_inner) = text;
                }
                bytes.clear();
            }
        });
        Self { line, end }
    }

    /// The last line so far that is not blank; empty if there was none.
    pub fn so_far(&self) -> String {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last line of a process that has ended.
    pub fn at_the_end(&self) -> String {
        // A process that outlives its parent may hold the stream open, hence a bound.
        let _ = self.end.recv_timeout(PATIENCE);
        self.so_far()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_is_not_blank_is_kept_whatever_bytes_it_has() {
        let stream: &[u8] = b"first\nno \xff text\n\n  \n";
        assert_eq!(LastLine::of(stream).at_the_end(), "no \u{fffd} text");
        assert_eq!(LastLine::of(&b"without an end"[..]).at_the_end(), "without an end");
        assert_eq!(LastLine::of(&b""[..]).at_the_end(), "");
    }

    #[test]
    fn a_line_without_end_is_read_to_the_end_in_pieces() {
        let endless = std::io::repeat(b'x').take(1_000_000);
        assert!(LastLine::of(endless).at_the_end().len() <= LONGEST as usize);
    }
}
