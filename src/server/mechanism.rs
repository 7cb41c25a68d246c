//! A mechanism as the rest of the program knows it: how it is run, what it is called, what it needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{AcceptMode, Listener, ServeError, Server, try_out};

/// Serves a listener on the calling thread until it is shut down.
pub type ServeLoop = fn(Listener, &Server) -> Result<(), ServeError>;

/// Serves a listener, with a thread for each view of the server, until it is shut down.
pub type ServePool = fn(Listener, &[Arc<Server>]) -> Result<(), ServeError>;

/// Asks this kernel for what a mechanism needs: what it has to do without, one line each, or why it cannot run.
pub type Probe = fn() -> Result<Vec<&'static str>, String>;

/// The way in which a mechanism is run.
#[derive(Debug, Clone, Copy)]
pub enum Serve {
    /// Loops that share nothing, each on a thread with a descriptor table of its own.
    Loop(ServeLoop),
    /// Threads that serve the same connections, in one descriptor table.
    Pool(ServePool),
}

/// One mechanism.
#[derive(Debug, Clone, Copy)]
pub struct Mechanism {
    /// Its name, everywhere; also the Cargo feature that compiles it.
    pub name: &'static str,
    /// The family of mechanisms that it belongs to.
    pub family: &'static str,
    /// Its loop; absent from a build without its feature.
    pub serve: Option<Serve>,
    /// The modes in which its loops may accept connections; the first is the default.
    pub accept: &'static [AcceptMode],
    /// One line about it.
    pub about: &'static str,
    /// The system calls with which its loop waits and echoes, as strace(1) names them.
    pub echo_calls: &'static [&'static str],
    /// Those that a connection costs besides, when it comes, when it has to wait for room, and when it goes.
    pub connection_calls: &'static [&'static str],
    /// True if it can count them: a runtime that hides its calls cannot.
    pub counts_calls: bool,
    /// Its limits, in words.
    pub limit: &'static str,
    /// Returns the number of connections that one process of it can serve here; `None` if only descriptors bound it.
    pub most_connections: Option<fn() -> u64>,
    /// Checks that this kernel has what it needs.
    pub probe: Probe,
}

impl Mechanism {
    /// Returns whether this build has it.
    pub fn is_compiled(&self) -> bool {
        self.serve.is_some()
    }

    /// Tries it out, with its probe and with a server of it that answers a client. Returns what it has to do without
    /// here.
    ///
    /// # Errors
    ///
    /// The reason that it cannot run here.
    pub fn try_out(&'static self) -> Result<Vec<&'static str>, String> {
        let lacking = (self.probe)()?;
        try_out(self).map(|()| lacking)
    }

    /// Returns the reason that it cannot run, in this build or on this kernel; `None` if it can. It is
    /// [tried](Self::try_out) once in a process, so that nothing is planned that a sandbox refuses.
    pub fn obstacle(&'static self) -> Option<String> {
        let name = self.name;
        if !self.is_compiled() {
            return Some(format!("this build does not have {name}; build it with --features {name}"));
        }
        static REASONS: Mutex<BTreeMap<&str, Option<String>>> = Mutex::new(BTreeMap::new());
        // A trial that panicked has left no reason.
        let mut reasons = REASONS.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = reasons.entry(name).or_insert_with(|| self.try_out().err());
        reason.as_ref().map(|reason| format!("{name} cannot run here: {reason}"))
    }
}
