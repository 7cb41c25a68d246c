//! The signals that end a command.
//!
//! A command that has nothing to save leaves them to the kernel, which ends it at once. One that measures lets the first
//! SIGINT or SIGTERM end what goes on, so that what was measured is kept, and the second the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError::Disconnected};
use std::thread;
use std::time::Duration;

use model::streams;
use signal_hook::consts::{SIGINT, SIGPIPE, SIGTERM};
use signal_hook::{flag, low_level};

/// Ended by SIGINT: 128 + 2, as shells report it.
pub const INTERRUPTED: u8 = 130;

/// The time between two looks for a signal during work that can be done again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The handling of SIGINT and SIGTERM from now on.
pub struct Interruption {
    stop: Arc<AtomicBool>,
}

impl Interruption {
    /// Takes the signals over.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn take_over() -> io::Result<Self> {
        // What is printed gives up a reader that keeps it waiting.
        let stop = streams::interrupted();
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { stop })
    }

    /// The flag that the first signal sets.
    pub fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Returns whether a signal has come.
    pub fn has_come(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Does what can be done again, since all that was measured is saved. The first signal meanwhile ends the process after
    /// `last_words`, whatever `work` is at.
    pub fn while_all_is_saved<T>(&self, last_words: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
        let (working, works) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let watch = move || {
                loop {
                    // It is over before the flag is read, so that no signal falls between the two.
                    let is_over = works.recv_timeout(LOOK_EVERY) == Err(Disconnected);
                    if self.has_come() {
                        last_words();
                        std::process::exit(INTERRUPTED.into());
                    }
                    if is_over {
                        return;
                    }
                }
            };
            // Where there is no thread to be had, a signal is heard when the work is done.
            let _ = thread::Builder::new().spawn_scoped(scope, watch);
            let result = work();
            drop(working);
            result
        })
    }
}

/// Makes reading from a terminal in the background an error rather than a stopped process: its other threads would stop
/// with it (termios(3), SIGTTIN).
pub fn ignore_terminal_input() {
    #[allow(unsafe_code)]
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe {
        libc::signal(libc::SIGTTIN, libc::SIG_IGN);
    }
}

/// Ends the process as one whose reader has gone: by SIGPIPE, as other Unix tools do, without a word.
pub fn end_by_broken_pipe() -> ! {
    // The runtime of Rust ignores the signal, for the sake of sockets.
    let _ = low_level::emulate_default_handler(SIGPIPE);
    std::process::exit(128 + SIGPIPE)
}
