//! Every situation through every mechanism, a wait at a time.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use model::schema::{Answer, Observer, PhaseReport, SituationReport, WaitPhase};
use rustix::io::Errno;

use super::ObserveError;
use super::situations::{self, Action, Scene, Situation};
use super::system::{PATIENCE_MS, epoll, epoll_add, epoll_wait};
use super::watchers::{MECHANISMS, Mechanism, refused};

/// The mechanisms, and why one cannot be had where it cannot.
pub fn observers() -> Vec<Observer> {
    let observer = |mechanism: &Mechanism| Observer {
        name: mechanism.name.to_owned(),
        about: mechanism.about.to_owned(),
        unavailable: (mechanism.unavailable)(),
    };
    MECHANISMS.iter().map(observer).collect()
}

/// Returns the reports of each mechanism in `situation`. Each mechanism meets objects of its own, made anew.
///
/// # Errors
///
/// When the situation cannot be brought about for a reason other than that the machine does not offer it.
pub fn observe(situation: &Situation) -> Result<SituationReport, ObserveError> {
    let mut report = SituationReport {
        name: situation.name.to_owned(),
        about: situation.about.to_owned(),
        unavailable: None,
        phases: phases(situation),
    };
    for mechanism in &MECHANISMS {
        let answers = match (mechanism.unavailable)() {
            Some(_) => vec![Answer::Unavailable; WaitPhase::ALL.len()],
            None => match course(situation, mechanism) {
                Ok(answers) => answers,
                Err(error) if situations::is_not_offered(&error) => {
                    return Ok(unavailable(situation, &error));
                }
                Err(source) => return Err(ObserveError { what: situation.name, source }),
            },
        };
        for (phase, answer) in report.phases.iter_mut().zip(answers) {
            if phase.action.is_some() {
                phase.answers.insert(mechanism.name.to_owned(), answer);
            }
        }
    }
    Ok(report)
}

/// The report of a situation that could not be brought about.
pub fn unavailable(situation: &Situation, why: &io::Error) -> SituationReport {
    SituationReport {
        name: situation.name.to_owned(),
        about: situation.about.to_owned(),
        unavailable: Some(why.to_string()),
        phases: Vec::new(),
    }
}

/// The phases of `situation`, without answers yet.
fn phases(situation: &Situation) -> Vec<PhaseReport> {
    let said = |action: &Option<Action>| action.as_ref().map(|action| action.what.to_owned());
    let phase = |phase| PhaseReport {
        phase,
        action: match phase {
            WaitPhase::FirstWait => said(&situation.once_watched).or_else(|| Some("nothing".to_owned())),
            WaitPhase::SecondWait => Some("nothing".to_owned()),
            WaitPhase::ArmedAgain => Some("the watch is armed again".to_owned()),
            _ => said(action(situation, phase)),
        },
        answers: BTreeMap::new(),
    };
    WaitPhase::ALL.into_iter().map(phase).collect()
}

/// Returns the action of `situation` on its objects before the wait of `phase`, if there is one.
fn action(situation: &Situation, phase: WaitPhase) -> &Option<Action> {
    match phase {
        WaitPhase::FirstWait => &situation.once_watched,
        WaitPhase::SecondWait | WaitPhase::ArmedAgain => &None,
        WaitPhase::PartialRead => &situation.partial,
        WaitPhase::MoreArrived => &situation.more,
        WaitPhase::Drained => &situation.drain,
    }
}

/// The answers of `mechanism` in every phase, also in those that mean nothing in this situation.
fn course(situation: &Situation, mechanism: &Mechanism) -> io::Result<Vec<Answer>> {
    let mut scene = (situation.set_up)()?;
    let witness = Witness::of(scene.fd)?;
    let mut watcher = (mechanism.watch)(scene.fd)?;
    let mut answers = Vec::new();
    for phase in WaitPhase::ALL {
        if let Some(action) = action(situation, phase) {
            perform(action, &mut scene, &witness)?;
        }
        let armed = if phase == WaitPhase::ArmedAgain { watcher.arm_again() } else { Ok(()) };
        answers.push(armed.map_or_else(refused, |()| watcher.wait()));
    }
    Ok(answers)
}

/// Does it, and waits for the wake-up that it brings.
fn perform(action: &Action, scene: &mut Scene, witness: &Witness) -> io::Result<()> {
    witness.forget()?;
    (action.act)(scene)?;
    if action.wakes { witness.await_wake_up(action.what) } else { Ok(()) }
}

/// Sees the wake-ups of a descriptor, so that an observation need not guess when one has happened: interrupts
/// and kernel workers deliver some of them.
///
/// It is an edge-triggered epoll of its own, added before the watcher under observation. A wait queue calls
/// its latest entry first (`add_wait_queue` in kernel/sched/wait.c), so that whoever came after the witness
/// has been woken when the witness is.
struct Witness(Option<OwnedFd>);

impl Witness {
    fn of(fd: RawFd) -> io::Result<Self> {
        let set = epoll()?;
        let flags = libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        // What epoll refuses has no wake-ups.
        Ok(Self(epoll_add(&set, fd, flags).is_ok().then_some(set)))
    }

    /// Passes over what has happened so far.
    fn forget(&self) -> io::Result<()> {
        if let Self(Some(set)) = self {
            epoll_wait(set.as_raw_fd(), 0)?;
        }
        Ok(())
    }

    fn await_wake_up(&self, what: &str) -> io::Result<()> {
        let Self(Some(set)) = self else { return Ok(()) };
        loop {
            match epoll_wait(set.as_raw_fd(), PATIENCE_MS) {
                Ok(events) if events.is_empty() => {
                    let said = format!("no wake-up in {PATIENCE_MS} ms after: {what}");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, said));
                }
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
