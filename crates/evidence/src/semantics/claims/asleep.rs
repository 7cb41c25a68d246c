//! Observes whether a call sleeps, from the kernel's accounts rather than by a clock.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use sys::usage::voluntary_switches;

/// The time that a call has to return once it was given cause to; after that the cause is given again.
const BEFORE_ANOTHER_CAUSE: Duration = Duration::from_secs(2);

/// Runs `call` on a thread of its own; when that sleeps, gives it `cause` to return. Returns what the call
/// returned, and whether it slept.
///
/// `cause` gets the thread's number. It is given again should the call sleep on, as it would if the first
/// one had come between a check and the sleep.
///
/// # Errors
///
/// When what the thread does cannot be read; the call has returned then too.
pub fn until<T: Send>(
    call: impl FnOnce() -> T + Send,
    mut cause: impl FnMut(libc::pid_t) -> io::Result<()>,
) -> io::Result<(T, bool)> {
    let (number, numbers) = channel();
    let (outcome, outcomes) = channel();
    std::thread::scope(|scope| {
        let spawned = std::thread::Builder::new().spawn_scoped(scope, move || {
            // Neither can fail: the other end outlives the thread.
            let _ = number.send(rustix::thread::gettid().as_raw_nonzero().get());
            let _ = outcome.send(call());
        });
        spawned?;
        let thread = numbers.recv().map_err(io::Error::other)?;
        let slept = match asleep_or_done(thread, &outcomes) {
            Ok(Some(outcome)) => return Ok((outcome, false)),
            Ok(None) => Ok(true),
            // The thread has to end in any case.
            Err(error) => Err(error),
        };
        loop {
            cause(thread)?;
            match outcomes.recv_timeout(BEFORE_ANOTHER_CAUSE) {
                Ok(outcome) => return slept.map(|slept| (outcome, slept)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(gone @ RecvTimeoutError::Disconnected) => return Err(io::Error::other(gone)),
            }
        }
    })
}

/// Waits until the thread is asleep, or has an outcome, which is returned.
///
/// Asleep is state S in /proc (proc_pid_stat(5)): a sleep from which a signal or an event wakes.
fn asleep_or_done<T>(thread: libc::pid_t, outcomes: &Receiver<T>) -> io::Result<Option<T>> {
    let stat = File::open(format!("/proc/self/task/{thread}/stat"));
    loop {
        if let Ok(outcome) = outcomes.try_recv() {
            return Ok(Some(outcome));
        }
        let mut text = [0; 1024];
        let read = match &stat {
            Ok(stat) => stat.read_at(&mut text, 0),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        let length = match read {
            Ok(length) => length,
            // The file ends with the thread, which leaves its outcome first.
            Err(error) => return outcomes.try_recv().map(Some).map_err(|_| error),
        };
        // The name before the state is in parentheses and may hold anything.
        let end_of_name = text[..length].iter().rposition(|byte| *byte == b')');
        if end_of_name.is_some_and(|end| text.get(end + 2) == Some(&b'S')) {
            return Ok(None);
        }
        std::thread::yield_now();
    }
}

/// Runs `call`, and counts how often this thread gave up the processor of its own accord meanwhile: not at
/// all unless it slept.
pub fn counted<T>(call: impl FnOnce() -> T) -> (T, i64) {
    let before = voluntary_switches();
    let outcome = call();
    (outcome, voluntary_switches() - before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_call_that_waits_is_seen_asleep_and_one_that_does_not_is_not() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let read = || rustix::io::read(&reader, &mut [0; 1]);
        let write = |_| Ok(rustix::io::write(&writer, b"!").map(|_| ())?);
        assert_eq!(until(read, write).expect("it returns"), (Ok(1), true));
        assert_eq!(until(|| 7, |_| Ok(())).expect("it returns"), (7, false));
    }

    #[test]
    fn only_a_sleep_is_counted() {
        let (reader, _writer) = rustix::pipe::pipe().expect("a pipe");
        let wait = |timeout_ms| {
            let mut fds = [libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
            crate::semantics::system::poll(&mut fds, timeout_ms)
        };
        assert_eq!(counted(|| wait(0)), (Ok(0), 0));
        assert!(counted(|| wait(1)).1 > 0);
    }
}
