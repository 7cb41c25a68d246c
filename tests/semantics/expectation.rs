//! The notation of expectations, and their comparison with what the kernel reported.

use std::sync::LazyLock;

use evidence::semantics::{self, Selection};
use model::schema::{Answer, ClaimResult, Semantics, WaitPhase};

/// Everything, observed once: the observation must have the process to itself.
pub fn observed() -> &'static Semantics {
    &OBSERVED.0
}

/// The descriptors that were open before and after.
pub fn descriptors_before_and_after() -> [usize; 2] {
    OBSERVED.1
}

/// All tests wait for this, so that none runs beside it.
static OBSERVED: LazyLock<(Semantics, [usize; 2])> = LazyLock::new(|| {
    let descriptors = || std::fs::read_dir("/proc/self/fd").expect("this process").count();
    let before = descriptors();
    let observation = semantics::observe(&Selection::all());
    assert!(observation.failures.is_empty(), "{:?}", observation.failures);
    (observation.semantics, [before, descriptors()])
});

/// Returns whether io_uring could be observed.
pub fn ring_is_there() -> bool {
    let ring = observed().mechanisms.iter().find(|observer| observer.name == "io-uring-poll");
    ring.expect("listed").unavailable.is_none()
}

/// The kernel's version: major and minor.
pub fn kernel() -> (u32, u32) {
    let mut numbers = observed().kernel.split(|end: char| !end.is_ascii_digit()).map(|number| number.parse());
    let mut next = || numbers.next().and_then(Result::ok).expect("a release like 6.18.44");
    (next(), next())
}

/// The mechanisms in the order in which expectations are written.
const COLUMNS: [&str; 7] =
    ["select", "poll", "epoll-lt", "epoll-et", "epoll-oneshot", "io-uring-poll", "io-uring-once"];

/// Phases, each with the answers of all seven mechanisms as tables print them.
pub type Rows<'a> = &'a [(WaitPhase, [&'a str; 7])];

/// Nobody reports anything.
pub const NONE: [&str; 7] = ["nothing"; 7];

/// Everybody reports what is there: select's sets, and everybody else's `events`.
pub const fn ready<'a>(sets: &'a str, events: &'a str) -> [&'a str; 7] {
    [sets, events, events, events, events, events, events]
}

/// The answers to what was reported before: select, poll and level-triggered epoll report it again, the others do not.
pub const fn told<'a>(sets: &'a str, events: &'a str) -> [&'a str; 7] {
    [sets, events, events, "nothing", "nothing", "nothing", "nothing"]
}

/// The answers to what has just changed: edge-triggered epoll reports `events` too, and multishot io_uring `wake_up`;
/// the mechanisms that report once have done so already.
pub const fn event<'a>(sets: &'a str, events: &'a str, wake_up: &'a str) -> [&'a str; 7] {
    [sets, events, events, events, "nothing", wake_up, "nothing"]
}

/// Asserts what is expected of a descriptor that is readable, cannot be written, and stays readable until all
/// is read; and that the arrival of more is `more`.
pub fn expect_readable(situation: &str, more: [&str; 7]) {
    expect(
        situation,
        &[
            (WaitPhase::FirstWait, ready("READ", "IN")),
            (WaitPhase::SecondWait, told("READ", "IN")),
            (WaitPhase::ArmedAgain, ready("READ", "IN")),
            (WaitPhase::PartialRead, told("READ", "IN")),
            (WaitPhase::MoreArrived, more),
            (WaitPhase::Drained, NONE),
        ],
    );
}

/// Asserts what is expected of a descriptor that has no room until the other end has read all. Nobody has
/// reported anything before, so that those who report once still do.
pub fn expect_full(situation: &str) {
    expect(
        situation,
        &[
            (WaitPhase::FirstWait, NONE),
            (WaitPhase::SecondWait, NONE),
            (WaitPhase::ArmedAgain, NONE),
            (WaitPhase::PartialRead, NONE),
            (WaitPhase::Drained, ready("WRITE", "OUT")),
        ],
    );
}

/// Asserts that in `situation` each mechanism reports what `rows` say, and that the phases which are not
/// there mean nothing in it.
pub fn expect(situation: &str, rows: Rows<'_>) {
    let report = observed().situations.iter().find(|report| report.name == situation).expect("observed");
    if let Some(why) = &report.unavailable {
        trials::cannot_run("situations", format!("{situation} is not offered here: {why}"));
    }
    let mut wrong = Vec::new();
    for phase in &report.phases {
        let Some((_, expected)) = rows.iter().find(|(wait, _)| *wait == phase.phase) else {
            assert_eq!(phase.action, None, "{situation}: {} has an action", phase.phase.words());
            continue;
        };
        for (mechanism, expected) in COLUMNS.iter().zip(expected) {
            match phase.answers.get(*mechanism) {
                Some(Answer::Unavailable) => {}
                // Multishot came with 5.13, and what wakes a request was rewritten in 5.17 (aa43477b0402):
                // what older kernels answer is observed, and nothing is expected of it.
                Some(_) if mechanism.starts_with("io-uring") && kernel() < (5, 17) => {}
                Some(answer) if answer.to_string() == *expected => {}
                other => wrong.push(format!(
                    "{mechanism}, {}: expected {expected}, observed {}",
                    phase.phase.words(),
                    other.map_or_else(|| "no answer".to_owned(), ToString::to_string)
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{situation} on Linux {}:\n{}", observed().kernel, wrong.join("\n"));
}

/// The claim called `id`, as decided here.
pub fn claim(id: &str) -> &'static ClaimResult {
    observed().claims.iter().find(|claim| claim.id == id).expect("decided")
}
