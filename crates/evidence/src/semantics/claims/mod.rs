//! The claims about semantics (docs/CLAIMS.md), each with the live calls that decide it.
//!
//! A claim is a list of parts; a part is one experiment, and what the claim expects of it, in the words in
//! which the outcome is printed. Looking and judging are apart: [`Part::weigh`] and [`report::claims::judge`]
//! see nothing but outcomes.

mod asleep;
mod ctl;
mod flags;
mod kinds;
mod limit;
mod poll;
mod poll_events;
mod socket_options;
mod triggers;
mod waits;

use std::io;

use model::schema::{ClaimResult, Evidence, Finding};

use super::situations::{self, Scene};
use super::system::outcome;
use super::watchers::{of_epoll, refused};
use super::{ObserveError, system};
pub use crate::part::Weight;

/// A claim, in the words of docs/CLAIMS.md.
pub struct Claim {
    /// Its name.
    pub id: &'static str,
    /// The section of the tutorial that makes it.
    pub section: &'static str,
    /// The claim in one sentence.
    pub text: &'static str,
    /// The experiments that decide it.
    pub parts: &'static [Part],
}

/// One experiment that bears on a claim.
pub struct Part {
    /// The experiment, in words.
    pub what: &'static str,
    /// The outcome that is claimed; `None` of context.
    pub claimed: Option<&'static str>,
    /// The meaning of another outcome to the claim.
    pub weight: Weight,
    /// Does it on this kernel.
    pub look: fn() -> io::Result<Seen>,
}

/// An outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The kernel's behaviour, in the notation of the claim.
    Is(String),
    /// The same, with what else is worth knowing.
    With(String, String),
    /// It could not be observed, and why.
    Open(String),
}

impl Seen {
    /// Returns whether the call failed for want of a resource, which says nothing about the claim.
    fn is_exhaustion(&self) -> bool {
        let (Self::Is(text) | Self::With(text, _)) = self else { return false };
        ["EMFILE", "ENFILE", "ENOMEM"].iter().any(|name| text.contains(name))
    }
}

impl From<&str> for Seen {
    fn from(seen: &str) -> Self {
        Self::Is(seen.to_owned())
    }
}

impl From<String> for Seen {
    fn from(seen: String) -> Self {
        Self::Is(seen)
    }
}

/// A part without which there is no claim.
const fn essential(what: &'static str, claimed: &'static str, look: fn() -> io::Result<Seen>) -> Part {
    Part { what, claimed: Some(claimed), weight: Weight::Essential, look }
}

/// A part that may turn out to be a condition.
const fn bounding(
    what: &'static str,
    claimed: &'static str,
    condition: &'static str,
    look: fn() -> io::Result<Seen>,
) -> Part {
    Part { what, claimed: Some(claimed), weight: Weight::Bounding(condition), look }
}

/// A part that is there for the reader.
const fn context(what: &'static str, look: fn() -> io::Result<Seen>) -> Part {
    Part { what, claimed: None, weight: Weight::Context, look }
}

impl Part {
    /// Returns the evidence that `seen` is for the claim or against it.
    pub fn weigh(&self, seen: &Seen) -> Evidence {
        let (observed, note) = match seen {
            Seen::Is(observed) => (Some(observed.clone()), None),
            Seen::With(observed, note) => (Some(observed.clone()), Some(note.clone())),
            Seen::Open(why) => (None, Some(why.clone())),
        };
        let finding = self.weight.finding(observed.as_deref().map(|observed| Some(observed) == self.claimed));
        let note = match (finding, self.weight) {
            (Finding::Condition, Weight::Bounding(condition)) => {
                Some(note.map_or_else(|| condition.to_owned(), |note| format!("{condition} ({note})")))
            }
            _ => note,
        };
        let claimed = self.claimed.map(str::to_owned);
        Evidence { what: self.what.to_owned(), claimed, observed, note, finding }
    }
}

impl Claim {
    /// Makes the calls, and judges what they did.
    ///
    /// # Errors
    ///
    /// When an experiment fails for a reason that is not its outcome.
    pub fn decide(&self) -> Result<ClaimResult, ObserveError> {
        let look = |part: &Part| match (part.look)() {
            Err(error) if situations::is_not_offered(&error) => Ok(Seen::Open(error.to_string())),
            Ok(seen) if seen.is_exhaustion() => {
                Err(io::Error::other(format!("out of descriptors or memory: {}: {seen:?}", part.what)))
            }
            seen => seen,
        };
        let seen = self.parts.iter().map(look).collect::<io::Result<Vec<_>>>();
        Ok(self.judge(&seen.map_err(|source| ObserveError { what: self.id, source })?))
    }

    /// The result when it could not be looked at.
    pub fn undecided(&self, why: &io::Error) -> ClaimResult {
        self.judge(&vec![Seen::Open(why.to_string()); self.parts.len()])
    }

    /// Returns the result that follows from `seen`, the outcome of each part.
    pub fn judge(&self, seen: &[Seen]) -> ClaimResult {
        let evidence: Vec<Evidence> =
            self.parts.iter().zip(seen).map(|(part, seen)| part.weigh(seen)).collect();
        report::claims::decided(self.id, self.section, self.text, evidence)
    }
}

/// Every claim about semantics, in the order of docs/CLAIMS.md.
pub fn all() -> impl Iterator<Item = &'static Claim> {
    let poll = [&poll::TIMEOUT, &poll_events::TABLE, &poll::SET_ONCE, &poll::NO_MAX_PLUS_ONE];
    let control = [&kinds::POLLABLE, &kinds::SIZE_IGNORED, &ctl::OPERATIONS, &flags::EVENT_FLAGS];
    let special = [&ctl::EXCLUSIVE_ADD_ONLY, &flags::WAKEUP_CAPABILITY, &waits::ERRORS];
    let triggers =
        [&triggers::LT_REPEATS, &triggers::ET_ONCE, &triggers::LT_WRITABLE, &triggers::ET_WRITABLE];
    let others = [&triggers::ONESHOT, &kinds::LINUX_ONLY, &socket_options::SNDLOWAT, &socket_options::LINGER];
    poll.into_iter().chain(control).chain(special).chain(triggers).chain(others)
}

/// The claim called `id`.
pub fn find(id: &str) -> Option<&'static Claim> {
    all().find(|claim| claim.id == id)
}

/// The objects of a situation.
fn scene(name: &str) -> io::Result<Scene> {
    let situation = situations::find(name).ok_or_else(|| io::Error::other(format!("no situation {name}")))?;
    (situation.set_up)()
}

/// Returns epoll's report on a set, without waiting.
fn look(set: &std::os::fd::OwnedFd) -> String {
    system::epoll_look(set).map_or_else(refused, of_epoll).to_string()
}

/// Returns the reports on `fd`, alone in a set with `flags`, from `waits` waits in turn, or the refusal to add it.
fn watched(fd: std::os::fd::RawFd, flags: libc::c_int, waits: usize) -> io::Result<Seen> {
    let set = system::epoll()?;
    Ok(match system::epoll_add(&set, fd, flags) {
        Ok(()) => in_turn(&(0..waits).map(|_| look(&set)).collect::<Vec<_>>()),
        refused => outcome(refused).into(),
    })
}

/// Several outcomes in the order in which they came.
fn in_turn(outcomes: &[impl AsRef<str>]) -> Seen {
    outcomes.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" → ").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::schema::ClaimVerdict;

    /// The outcomes that are claimed.
    fn as_claimed(claim: &Claim) -> Vec<Seen> {
        let outcome = |part: &Part| Seen::from(part.claimed.unwrap_or("whatever"));
        claim.parts.iter().map(outcome).collect()
    }

    /// The verdict when the part at `index` has another outcome, all others being as claimed.
    fn verdict_with(claim: &Claim, index: usize, outcome: Seen) -> ClaimVerdict {
        let mut seen = as_claimed(claim);
        seen[index] = outcome;
        claim.judge(&seen).verdict
    }

    #[test]
    fn every_claim_is_confirmed_by_what_it_claims() {
        for claim in all() {
            let result = claim.judge(&as_claimed(claim));
            assert_eq!(result.verdict, ClaimVerdict::Confirmed, "{}: {:?}", claim.id, result.because);
        }
    }

    #[test]
    fn every_claim_is_refuted_by_any_essential_part_that_is_otherwise() {
        for claim in all() {
            let essential = |part: &&Part| matches!(part.weight, Weight::Essential);
            assert!(claim.parts.iter().any(|part| essential(&part)), "{} claims nothing", claim.id);
            for (index, part) in claim.parts.iter().enumerate().filter(|(_, part)| essential(part)) {
                let verdict = verdict_with(claim, index, "quite otherwise".into());
                assert_eq!(verdict, ClaimVerdict::Refuted, "{}: {}", claim.id, part.what);
            }
        }
    }

    #[test]
    fn a_bounding_part_that_is_otherwise_is_a_condition_and_context_is_not() {
        for claim in all() {
            for (index, part) in claim.parts.iter().enumerate() {
                let expected = match part.weight {
                    Weight::Essential => continue,
                    Weight::Bounding(_) => ClaimVerdict::ConfirmedWithConditions,
                    Weight::Context => ClaimVerdict::Confirmed,
                };
                let verdict = verdict_with(claim, index, "quite otherwise".into());
                assert_eq!(verdict, expected, "{}: {}", claim.id, part.what);
            }
        }
    }

    #[test]
    fn a_claim_of_which_nothing_can_be_observed_is_not_measurable_and_says_why() {
        for claim in all() {
            let blind = vec![Seen::Open("in the dark".to_owned()); claim.parts.len()];
            let result = claim.judge(&blind);
            assert_eq!(result.verdict, ClaimVerdict::NotMeasurableHere, "{}", claim.id);
            assert!(result.because.iter().all(|why| why.contains("in the dark")), "{:?}", result.because);
        }
    }

    #[test]
    fn a_condition_keeps_what_was_seen_beside_it() {
        let part = bounding("that file is on ext4", "yes", "it is elsewhere", || Ok("yes".into()));
        let evidence = part.weigh(&Seen::With("no".to_owned(), "tmpfs".to_owned()));
        assert_eq!(evidence.note.as_deref(), Some("it is elsewhere (tmpfs)"));
        assert_eq!(evidence.finding, Finding::Condition);
    }

    #[test]
    fn every_claim_is_explained_and_nothing_else_is() {
        let explained: Vec<_> = report::claims::explanation::ids().collect();
        let about_cost = crate::cost::ALL.iter().map(|claim| claim.id);
        assert_eq!(explained, about_cost.chain(all().map(|claim| claim.id)).collect::<Vec<_>>());
    }
}
