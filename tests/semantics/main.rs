//! Tests of what each mechanism reports, against the expectation for the kernels that we know: Linux 5.11 to 6.18.
//!
//! The expectations are written from man pages and kernel source, which each test names. A cell that differs
//! on a new kernel is a change of its behaviour, and the table of `muxbench semantics` shows it.

mod claims;
mod expectation;
mod files;
mod local;
mod objects;
mod tcp;

use model::schema::WaitPhase;

use crate::expectation::{descriptors_before_and_after, expect, observed, ring_is_there};
use trials::test;

fn main() -> std::process::ExitCode {
    trials::main()
}

#[test]
fn every_situation_was_observed_through_every_mechanism() {
    let observed = observed();
    for situation in observed.situations.iter().filter(|situation| situation.unavailable.is_none()) {
        assert_eq!(situation.phases.len(), WaitPhase::ALL.len(), "{}", situation.name);
        for phase in &situation.phases {
            let answers = if phase.action.is_some() { observed.mechanisms.len() } else { 0 };
            assert_eq!(phase.answers.len(), answers, "{}: {}", situation.name, phase.phase.words());
        }
    }
}

#[test]
fn observing_leaves_no_descriptor_and_no_child() {
    let [before, after] = descriptors_before_and_after();
    assert_eq!(before, after);
    let child = rustix::process::waitpid(None, rustix::process::WaitOptions::NOHANG);
    assert_eq!(child.err(), Some(rustix::io::Errno::CHILD));
}

#[test]
fn a_ring_that_is_refused_is_told_apart_from_one_that_is_not_built() {
    let compiled = cfg!(any(feature = "io-uring", feature = "io-uring-poll"));
    for ring in observed().mechanisms.iter().filter(|observer| observer.name.starts_with("io-uring")) {
        match &ring.unavailable {
            None => assert!(compiled && ring_is_there()),
            Some(why) => assert_eq!(why.contains("this build"), !compiled, "{why}"),
        }
    }
}

#[test]
fn an_expectation_that_is_not_met_fails() {
    let waits = [WaitPhase::FirstWait, WaitPhase::SecondWait, WaitPhase::ArmedAgain];
    let panic = std::panic::catch_unwind(|| expect("fresh", &waits.map(|wait| (wait, ["nothing"; 7]))));
    let said = panic.expect_err("it is not met").downcast::<String>().expect("a text");
    assert!(said.contains("poll, first wait: expected nothing, observed OUT HUP"), "{said}");
}
