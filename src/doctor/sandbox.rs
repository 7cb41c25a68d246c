//! Does everything work that is vouched for? A container's seccomp filter refuses calls that the kernel has, so each is
//! tried.

use std::num::NonZeroU64;

use model::schema::{Health, Symptom};
use report::format::and;
use sys::{epoll_pwait2, processors};

use super::pass;
use crate::mechanisms;
use crate::server::Mechanism;

/// The remedy for a call that is refused.
const REMEDY: &str =
    "docker run --security-opt seccomp=unconfined, or a seccomp profile that allows what is named";

/// The outcome of each trial.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tried {
    /// The mechanisms of this build that answer a client.
    works: Vec<&'static str>,
    /// Those that should and do not, with the reason. A kernel without io_uring is a question of its own.
    fails: Vec<(&'static str, String)>,
    /// The reason that no thread can be bound to a processor; `None` if one can.
    unpinned: Option<String>,
    /// True if the generator can sleep until an instant that is exact to the nanosecond.
    naps_exactly: bool,
    /// True if a thread may have timers that are not 50 µs late.
    timers_on_time: bool,
}

impl Tried {
    /// Tries everything.
    pub fn here() -> Self {
        let has_probe_passed = |mechanism: &&'static Mechanism| (mechanism.probe)().is_ok();
        let outcomes = mechanisms::compiled().filter(has_probe_passed);
        let (mut works, mut fails) = (Vec::new(), Vec::new());
        for mechanism in outcomes {
            match mechanism.try_out() {
                Ok(_) => works.push(mechanism.name),
                Err(reason) => fails.push((mechanism.name, reason)),
            }
        }
        let cpus = processors::allowed();
        let pinned = cpus.and_then(|cpus| processors::can_pin_to(&cpus));
        let slack = || rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).is_ok();
        let on_time = std::thread::Builder::new().spawn(slack).map(|thread| thread.join().unwrap_or(false));
        Self {
            works,
            fails,
            unpinned: pinned.err().map(|error| error.to_string()),
            naps_exactly: epoll_pwait2::is_exact(),
            timers_on_time: on_time.unwrap_or(false),
        }
    }
}

/// The answers.
pub fn symptoms(tried: &Tried) -> [Symptom; 3] {
    [mechanisms(tried), binding(tried), naps(tried)]
}

fn mechanisms(tried: &Tried) -> Symptom {
    let why = "each has served a client on this machine, a moment ago";
    if tried.fails.is_empty() && !tried.works.is_empty() {
        return pass("mechanisms", format!("{} of them work: {}", tried.works.len(), and(&tried.works)), why);
    }
    let reasons: Vec<String> = tried.fails.iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
    let found = if reasons.is_empty() { "none works".to_owned() } else { reasons.join("; ") };
    pass("mechanisms", found, "what does not serve a client cannot be measured").but(Health::Fail, REMEDY)
}

fn binding(tried: &Tried) -> Symptom {
    let why =
        "server and generator are bound to a processor each, so that neither is moved while it is measured";
    let refused = tried.unpinned.as_ref().map(|error| format!("sched_setaffinity(2) is refused: {error}"));
    pass("binding", refused.as_deref().unwrap_or("threads can be bound to processors"), why)
        .warn_if(refused.is_some(), format!("{REMEDY} (sched_setaffinity), or start both with taskset -c"))
}

fn naps(tried: &Tried) -> Symptom {
    let why = "a generator that sleeps is as late as its sleep is coarse";
    let coarse = match (tried.naps_exactly, tried.timers_on_time) {
        (true, true) => return pass("sleeps", "exact to the nanosecond", why),
        (false, _) => {
            "rounded up to a millisecond, since epoll_pwait2(2) is refused or older than Linux 5.11"
        }
        (true, false) => "50 µs late, since prctl(PR_SET_TIMERSLACK) is refused",
    };
    let remedy = format!("let the generator spin (--wait spin), or {REMEDY}");
    pass("sleeps", coarse, why).but(Health::Warn, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Tried {
        Tried {
            works: vec!["poll", "epoll-lt"],
            naps_exactly: true,
            timers_on_time: true,
            ..Tried::default()
        }
    }

    #[test]
    fn what_is_granted_passes_and_what_is_refused_is_named_with_what_changes_it() {
        assert!(symptoms(&sound()).iter().all(|symptom| symptom.state == Health::Pass));
        let refused = Tried {
            works: vec!["poll"],
            fails: vec![("epoll-lt", "epoll_create1(2) failed".into())],
            unpinned: Some("Operation not permitted".into()),
            ..Tried::default()
        };
        let symptoms = symptoms(&refused);
        let states = symptoms.each_ref().map(|symptom| symptom.state);
        assert_eq!(states, [Health::Fail, Health::Warn, Health::Warn]);
        assert!(symptoms[0].found.contains("epoll-lt: epoll_create1(2) failed"), "{symptoms:?}");
        assert!(symptoms[1].found.contains("sched_setaffinity(2) is refused"), "{symptoms:?}");
        assert!(symptoms[2].found.contains("epoll_pwait2"), "{symptoms:?}");
        assert!(symptoms.iter().all(|symptom| symptom.remedy.is_some()));
    }

    #[test]
    fn a_machine_on_which_no_mechanism_works_is_not_fit() {
        let nothing = Tried { works: Vec::new(), ..sound() };
        assert_eq!(symptoms(&nothing)[0].state, Health::Fail);
    }
}
