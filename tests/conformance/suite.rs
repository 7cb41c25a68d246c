//! The suite: every test over every server that promises what it asks for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use muxbench::mechanisms;
use muxbench::server::Mechanism;
use muxbench::server::Reply;
use trials::{Failed, Need, Trial, trial};

use crate::subject::{Promise, Settings, Subject};
use crate::support::{asyncio, socat};

/// One test: what it does, what it asks for, and over which settings it is repeated.
#[derive(Clone, Copy)]
pub struct Test {
    pub name: &'static str,
    run: fn(&Subject),
    needs: &'static [Promise],
    replies: &'static [Reply],
    threads: &'static [u32],
    every_accept_mode: bool,
    arguments: &'static [&'static str],
    descriptors: Option<u32>,
    only: fn(&Mechanism) -> bool,
}

/// A test of the function's name.
macro_rules! test {
    ($run:ident) => {
        $crate::suite::Test::new(stringify!($run), $run)
    };
}
pub(crate) use test;

impl Test {
    /// A test that asks for nothing but answers, with both replies, on one loop and on three.
    pub const fn new(name: &'static str, run: fn(&Subject)) -> Self {
        Self {
            name,
            run,
            needs: &[],
            replies: &[Reply::Echo, Reply::Ack],
            threads: &[1, 3],
            every_accept_mode: false,
            arguments: &[],
            descriptors: None,
            only: |_| true,
        }
    }

    /// The promises that it needs.
    pub const fn needs(self, needs: &'static [Promise]) -> Self {
        Self { needs, ..self }
    }

    /// The kinds of reply that it is about.
    pub const fn replies(self, replies: &'static [Reply]) -> Self {
        Self { replies, ..self }
    }

    /// The numbers of loops that it is about.
    pub const fn threads(self, threads: &'static [u32]) -> Self {
        Self { threads, ..self }
    }

    /// Once for each way in which loops can meet connections.
    pub const fn every_accept_mode(self) -> Self {
        Self { every_accept_mode: true, ..self }
    }

    /// With further arguments of `muxbench serve`, and so for servers of ours only.
    pub const fn with(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, needs: &[Promise::Control], ..self }
    }

    /// With at most `limit` descriptors a table, and so for servers of ours only.
    pub const fn with_descriptors(self, limit: u32) -> Self {
        Self { descriptors: Some(limit), needs: &[Promise::Control], ..self }
    }

    /// For the mechanisms of which `only` holds.
    pub const fn only(self, only: fn(&Mechanism) -> bool) -> Self {
        Self { only, ..self }
    }

    /// The settings under which it is repeated.
    fn settings(&self, mechanism: &Mechanism, more: &[&'static str]) -> Vec<Settings> {
        let modes = match self.every_accept_mode {
            true => mechanism.accept.iter().copied().map(Some).collect(),
            false => vec![None],
        };
        let arguments = [self.arguments, more].concat();
        let mut all = Vec::new();
        for &accept in &modes {
            for &reply in self.replies {
                for &threads in self.threads {
                    let (arguments, descriptors) = (arguments.clone(), self.descriptors);
                    all.push(Settings { reply, threads, accept, arguments, descriptors });
                }
            }
        }
        all
    }

    /// Runs it on `subject` and sees to it that the server has survived and has closed every connection.
    fn check(&self, label: &str, subject: &Subject) -> Result<(), Failed> {
        let run = || {
            (self.run)(subject);
            if !subject.was_told_to_end() {
                subject.await_open(0);
            }
        };
        let failed = |said: &str| {
            let (ended, stderr) = (subject.ended(), subject.stderr());
            Failed::from(format!(
                "{label}: {said}\nthe server has ended: {ended:?}\nits standard error: {stderr}"
            ))
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            return Err(failed(said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")));
        }
        match subject.was_told_to_end() || subject.ended().is_none() {
            true => Ok(()),
            false => Err(failed("the server ended by itself")),
        }
    }
}

/// Somebody else's server.
struct Guest {
    name: &'static str,
    needs: &'static [Need],
    command: fn(u16) -> Vec<String>,
    promises: &'static [Promise],
    connections_at_most: usize,
    /// Fewer tests than this on it would prove nothing.
    tests_at_least: usize,
}

const GUESTS: [Guest; 2] = [
    Guest {
        name: "asyncio",
        needs: &[Need::Program("python3")],
        command: asyncio,
        promises: &[Promise::HalfClose, Promise::UrgentOutOfBand, Promise::HoldsBack, Promise::Thousands],
        connections_at_most: usize::MAX,
        tests_at_least: 20,
    },
    Guest {
        name: "socat",
        needs: &[Need::Program("socat")],
        command: socat,
        promises: &[Promise::HalfClose, Promise::UrgentOutOfBand, Promise::HoldsBack],
        // Two processes each.
        connections_at_most: 40,
        tests_at_least: 18,
    },
];

/// The whole suite over the mechanisms of this build and over the guests: a trial for each test on each server.
pub fn trials(tests: &[Test]) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut settings = 0;
    let mut of_ours = 0;
    // What that refuses a mechanism is refused by design.
    let is_contained = std::env::var_os(super::CONTAINED).is_some();
    for mechanism in mechanisms::compiled() {
        for (name, more) in variants(mechanism) {
            for &test in tests.iter().filter(|test| (test.only)(mechanism)) {
                let all = test.settings(mechanism, more);
                let servers = all.len();
                let trial = trial(format!("{}/{name}", test.name), &[], move || {
                    if let Some(reason) = lacked(mechanism) {
                        trials::cannot_run(mechanism.name, reason);
                    }
                    on_ours(&test, mechanism, all)
                });
                let refused = is_contained.then(|| lacked(mechanism)).flatten();
                let lacking = test.needs.iter().find_map(|promise| promise.withheld_by(mechanism));
                let lacking = lacking.map(str::to_owned).or(refused);
                if let Some(reason) = lacking {
                    trials.push(trial.with_ignored_flag(true).with_kind(format!("{name} {reason}")));
                } else {
                    settings += servers;
                    of_ours += 1;
                    trials.push(trial);
                }
            }
        }
    }
    let mut summary =
        format!("conformance: {} tests, {of_ours} with a mechanism each, {settings} servers", tests.len());
    for guest in GUESTS {
        let applied = tests.iter().filter(|test| guest.lacks(test).is_none()).count();
        assert!(applied >= guest.tests_at_least, "{} gets {applied} tests only", guest.name);
        summary += &format!("; {}: {applied} tests", guest.name);
        trials.extend(tests.iter().map(|&test| guest.trial(test)));
    }
    eprintln!("{summary}");
    trials
}

/// Returns the reason that this kernel does not have `mechanism`; `None` if it does. It is not tried out: a broken loop
/// has to fail the suite.
fn lacked(mechanism: &Mechanism) -> Option<String> {
    (mechanism.probe)().err().map(|reason| format!("{} cannot run here: {reason}", mechanism.name))
}

/// The names under which `mechanism` is tested, and further arguments of each.
fn variants(mechanism: &Mechanism) -> Vec<(&'static str, &'static [&'static str])> {
    match mechanism.name {
        // Few provided buffers run out all the time (ENOBUFS), and short queues overflow.
        "io-uring" => {
            vec![("io-uring", &[]), ("io-uring-small", &["--ring", "32,32", "--buffers", "8"])]
        }
        "io-uring-poll" => vec![("io-uring-poll", &[]), ("io-uring-poll-small", &["--ring", "32,32"])],
        name => vec![(name, &[])],
    }
}

/// Runs `test` on servers of `mechanism`, one for each of `settings`.
fn on_ours(test: &Test, mechanism: &'static Mechanism, settings: Vec<Settings>) -> Result<(), Failed> {
    for settings in settings {
        let subject = Subject::ours(mechanism, &settings);
        test.check(&format!("{} {settings:?}", mechanism.name), &subject)?;
    }
    Ok(())
}

impl Guest {
    /// Returns the reason that `test` does not apply to this server; `None` if it does.
    fn lacks(&self, test: &Test) -> Option<String> {
        if !test.replies.contains(&Reply::Echo) {
            return Some("does not acknowledge".into());
        }
        if !test.threads.contains(&1) {
            return Some("has one loop".into());
        }
        let lacking = test.needs.iter().find(|promise| !self.promises.contains(promise));
        lacking.map(|promise| format!("does not promise {promise:?}"))
    }

    /// The trial of `test` on this server; where it does not apply, one that is listed with the reason and
    /// not run.
    fn trial(&self, test: Test) -> Trial {
        let (name, command, most) = (self.name, self.command, self.connections_at_most);
        let trial = trial(format!("{}/{name}", test.name), self.needs, move || {
            test.check(name, &Subject::foreign(command, most))
        });
        match self.lacks(&test) {
            None => trial,
            Some(reason) => trial.with_ignored_flag(true).with_kind(format!("{name} {reason}")),
        }
    }
}
