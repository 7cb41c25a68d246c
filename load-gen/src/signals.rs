//! The signals that end a command.
//!
//! A command that has nothing to save leaves them to the kernel, which ends it at once. One that measures lets the first
//! SIGINT or SIGTERM end what goes on, so that what was measured is kept, and the second the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use model::streams;
use signal_hook::consts::{SIGINT, SIGPIPE, SIGTERM};
use signal_hook::{flag, low_level};

/// Ended by SIGINT: 128 + 2, as shells report it.
pub const INTERRUPTED: u8 = 130;

/// What SIGINT and SIGTERM do from now on.
pub struct Interruption {
    stop: Arc<AtomicBool>,
    is_saved: Arc<AtomicBool>,
}

impl Interruption {
    /// Takes the signals over.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn take_over() -> io::Result<Self> {
        // What is printed gives up a reader that keeps it waiting.
        let (stop, is_saved) = (streams::interrupted(), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            for ends_at_once in [&is_saved, &stop] {
                flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(ends_at_once))?;
            }
            flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { stop, is_saved })
    }

    /// The flag that the first signal sets.
    pub fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Whether a signal has come.
    pub fn has_come(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Does what can be done again, since all that was measured is saved: meanwhile the first signal ends the process at once.
    pub fn while_all_is_saved<T>(&self, work: impl FnOnce() -> T) -> T {
        self.is_saved.store(true, Relaxed);
        let result = work();
        self.is_saved.store(false, Relaxed);
        result
    }
}

/// Ends the process as one whose reader has gone: by SIGPIPE, as other Unix tools do, without a word.
pub fn end_by_broken_pipe() -> ! {
    // The runtime of Rust ignores the signal, for the sake of sockets.
    let _ = low_level::emulate_default_handler(SIGPIPE);
    std::process::exit(128 + SIGPIPE)
}
