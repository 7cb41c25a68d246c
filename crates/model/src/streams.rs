//! The standard streams: what a command gives to standard output, and what it notes on standard error.
//!
//! A result that cannot be written is an error; a note that cannot be written is lost, and nothing else comes of it: no
//! campaign ends, and none waits, since nobody reads its progress. The macros of the standard library panic there.
//!
//! Descriptors 0 to 2 that are closed when a program begins are opened on /dev/null by the runtime of Rust, so that no
//! socket or file gets such a number and with it what is meant for the stream.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The bytes that a pipe takes without waiting when poll(2) calls it writable (pipe(7), PIPE_BUF).
const AT_ONCE_BYTES: usize = 4096;
/// The longest time before a write that waits notices that the process is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest time that a note waits for its reader. Once one has waited in vain, the next do not wait, until one is
/// written.
const PATIENCE: Duration = Duration::from_secs(1);

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static IS_STUCK: AtomicBool = AtomicBool::new(false);

/// The flag that a program with handlers for its signals lets them set: from then on nothing here waits for a reader.
pub fn interrupted() -> Arc<AtomicBool> {
    Arc::clone(&INTERRUPTED)
}

/// A result could not be written to standard output.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct PrintError(pub io::Error);

impl PrintError {
    /// Returns whether the reader has gone, as `head` does when it has seen enough: that is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Writes a result to standard output, at once.
///
/// # Errors
///
/// When its reader has gone, the disk is full, or an [interruption](interrupted) comes while its reader keeps it waiting.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), PrintError> {
    write_all(rustix::stdio::stdout(), text.as_ref()).map_err(PrintError)
}

/// Writes all of `bytes` to a descriptor, which may be non-blocking.
///
/// # Errors
///
/// What write(2) says; [`ErrorKind::Interrupted`] when an [interruption](interrupted) comes while a reader keeps it waiting.
pub fn write_all(to: impl AsFd, bytes: &[u8]) -> io::Result<()> {
    write_until(to.as_fd(), bytes, None)
}

/// Writes a line to standard error, prefix and all. See [`note!`](crate::note).
pub fn write_note(line: fmt::Arguments<'_>) {
    let patience = if IS_STUCK.load(Relaxed) { Duration::ZERO } else { PATIENCE };
    let written = write_line(line, patience);
    IS_STUCK.store(written.is_err_and(|error| error.kind() == ErrorKind::TimedOut), Relaxed);
}

/// Writes a line of progress to standard error if that takes it at once: whoever measures does not wait for a reader.
pub fn write_progress(line: fmt::Arguments<'_>) {
    // The next line is another.
    let _ = write_line(line, Duration::ZERO);
}

fn write_line(line: fmt::Arguments<'_>, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    write_until(rustix::stdio::stderr(), format!("{line}\n").as_bytes(), Some(deadline))
}

fn write_until(to: BorrowedFd<'_>, mut bytes: &[u8], deadline: Option<Instant>) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if !is_writable(to, left.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY))) {
            if INTERRUPTED.load(Relaxed) {
                return Err(ErrorKind::Interrupted.into());
            }
            if left == Some(Duration::ZERO) {
                return Err(ErrorKind::TimedOut.into());
            }
            continue;
        }
        match rustix::io::write(to, &bytes[..bytes.len().min(AT_ONCE_BYTES)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Returns whether, within `patience`, a write to `to` would no longer wait, or would fail.
fn is_writable(to: BorrowedFd<'_>, patience: Duration) -> bool {
    let timeout = Timespec { tv_sec: 0, tv_nsec: patience.as_nanos() as i64 };
    // Another error than an interruption, which a wait may have, is the write's to tell.
    !matches!(
        poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], Some(&timeout)),
        Ok(0) | Err(Errno::INTR)
    )
}

/// Writes a line to standard error; that nobody can read it changes nothing.
#[macro_export]
macro_rules! note {
    ($($argument:tt)*) => { $crate::streams::write_note(::std::format_args!($($argument)*)) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// A pipe that takes nothing more.
    fn full() -> (io::PipeReader, io::PipeWriter) {
        let (reader, writer) = io::pipe().expect("a pipe");
        while is_writable(writer.as_fd(), Duration::ZERO) {
            rustix::io::write(&writer, &[b'x'; AT_ONCE_BYTES]).expect("room");
        }
        (reader, writer)
    }

    #[test]
    fn what_is_longer_than_a_pipe_arrives_whole() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let sent: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let received = std::thread::scope(|scope| {
            let received = scope.spawn(move || {
                let mut received = Vec::new();
                reader.read_to_end(&mut received).expect("an end");
                received
            });
            write_all(&writer, &sent).expect("somebody reads");
            drop(writer);
            received.join().expect("no panic")
        });
        assert!(received == sent);
    }

    #[test]
    fn a_note_waits_for_its_reader_no_longer_than_it_may_and_a_reader_that_has_gone_is_an_error() {
        let (reader, writer) = full();
        let error = write_until(writer.as_fd(), b"x", Some(Instant::now())).expect_err("it is full");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(reader);
        let error = PrintError(write_all(&writer, b"x").expect_err("nobody reads"));
        assert!(error.is_broken_pipe());
    }

    #[test]
    fn a_full_device_is_an_error() {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("always there");
        assert_eq!(write_all(&full, b"x").expect_err("full").kind(), ErrorKind::StorageFull);
    }
}
