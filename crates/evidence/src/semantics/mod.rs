//! The reports of each mechanism, observed on the kernel that runs.
//!
//! [`situations`] are descriptors and what has happened to them, [`watchers`] the ways to watch one,
//! [`matrix`] is each situation through each watcher, a wait at a time. [`claims`] are sentences about them,
//! each with the live calls that decide it. Nothing here is a measurement of time.

pub mod claims;
pub mod matrix;
pub mod situations;
mod system;
pub mod watchers;

use std::io;

use model::schema::{SCHEMA_VERSION, Semantics};

use claims::Claim;
use situations::Situation;

/// Something could not be observed for a reason that is not the kernel's answer: no descriptor left, no
/// thread, or an event that never came.
#[derive(Debug, thiserror::Error)]
#[error("cannot observe {what}: {source}")]
pub struct ObserveError {
    /// The situation or the claim.
    pub what: &'static str,
    /// The error that the system reported.
    pub source: io::Error,
}

/// A name that is neither a situation nor a claim.
#[derive(Debug, thiserror::Error)]
#[error("unknown name '{name}'; situations: {situations}; claims: {claims}")]
pub struct UnknownName {
    name: String,
    situations: String,
    claims: String,
}

impl UnknownName {
    fn new(name: &str) -> Self {
        let situations = known(situations::all().map(|situation| situation.name));
        Self { name: name.to_owned(), situations, claims: known(claims::all().map(|claim| claim.id)) }
    }
}

fn known(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The situations and claims to observe.
pub struct Selection {
    situations: Vec<&'static Situation>,
    claims: Vec<&'static Claim>,
}

impl Selection {
    /// Everything.
    pub fn all() -> Self {
        Self { situations: situations::all().collect(), claims: claims::all().collect() }
    }

    /// The situations and claims called `names`, in the order of tables.
    ///
    /// # Errors
    ///
    /// When one of the names is neither.
    pub fn of(names: &[String]) -> Result<Self, UnknownName> {
        let wanted = |name: &str| names.iter().any(|wanted| wanted == name);
        let is_known = |name: &str| situations::find(name).is_some() || claims::find(name).is_some();
        if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
            return Err(UnknownName::new(unknown));
        }
        Ok(Self {
            situations: situations::all().filter(|situation| wanted(situation.name)).collect(),
            claims: claims::all().filter(|claim| wanted(claim.id)).collect(),
        })
    }
}

/// The outcome of an observation, and its failures.
pub struct Observation {
    /// All that was selected; what could not be observed is there without answers, and says why.
    pub semantics: Semantics,
    /// The observations that failed for a reason that is not this machine's answer.
    pub failures: Vec<ObserveError>,
}

/// Observes what is selected. It takes no privilege, leaves nothing behind, and must have the process to
/// itself meanwhile: it closes descriptors by number, and a signal of its own has to find its own thread.
pub fn observe(selection: &Selection) -> Observation {
    let uname = rustix::system::uname();
    let mut failures = Vec::new();
    let mut situations = Vec::new();
    for situation in &selection.situations {
        situations.push(apart(situation.name, || matrix::observe(situation)).unwrap_or_else(|failure| {
            let report = matrix::unavailable(situation, &failure.source);
            failures.push(failure);
            report
        }));
    }
    let mut claims = Vec::new();
    for claim in &selection.claims {
        claims.push(apart(claim.id, || claim.decide()).unwrap_or_else(|failure| {
            let result = claim.undecided(&failure.source);
            failures.push(failure);
            result
        }));
    }
    let semantics = Semantics {
        schema_version: SCHEMA_VERSION,
        muxbench_version: env!("CARGO_PKG_VERSION").to_owned(),
        started: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        system: uname.sysname().to_string_lossy().into_owned(),
        kernel: uname.release().to_string_lossy().into_owned(),
        architecture: uname.machine().to_string_lossy().into_owned(),
        mechanisms: matrix::observers(),
        situations,
        claims,
    };
    Observation { semantics, failures }
}

/// Looks on a thread that ends with it.
///
/// The kernel takes a closed ring apart later, and interrupts the thread that used it for that: an
/// epoll_wait(2) then fails with EINTR though there was no signal (io_uring/io_uring.c, `io_ring_exit_work`).
/// A thread that has ended takes that with it.
fn apart<T: Send>(
    what: &'static str,
    look: impl FnOnce() -> Result<T, ObserveError> + Send,
) -> Result<T, ObserveError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, look);
        let thread = thread.map_err(|source| ObserveError { what, source })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
