//! The claims about cost and scale: each a list of parts.

mod special;

use model::schema::{ClaimResult, ClaimVerdict, Evidence, Finding};

use crate::base::Base;
use crate::part::{Expect, Found, Look, Seen, Weight};
use report::claims::decided;

use crate::base::Place::{FewBusy, FewestIdle, LargeMessages, ManyIdle, MostActive, MostIdle, SmallMessages};
use Expect::{AtLeast, AtMost, Better, Nothing, Worse};
use Look::{BenchGrowth, BenchRatio, Growth, Observed, Other, Quotient, Ratio, Slope, Value};
use Weight::{Bounding, Context, Essential};

/// The experiment of the semantics that counts connections under a limit of 1,024 descriptors.
pub const LIMITED: &str = "connections that an epoll server accepts with RLIMIT_NOFILE at 1024";

const SELECT: &str = "select";
const POLL: &str = "poll";
const LT: &str = "epoll-lt";
const ET: &str = "epoll-et";
const RING: &str = "io-uring";
/// An exponent up to which a cost is called flat: it grows by a quarter in a decade.
const FLAT: Expect = AtMost(0.1);
/// An exponent from which on a cost is called proportional.
const PROPORTIONAL: Expect = AtLeast(0.8);
/// An exponent up to which a cost over 10 to 10,000 descriptors may be called logarithmic: log 10,000 is four times log 10.
const LOGARITHMIC: Expect = AtMost(0.2);
/// The expectation of a count that should be zero: the edges of a window may add a little.
const NONE: Expect = AtMost(0.01);

/// A claim about cost.
pub struct CostClaim {
    /// Its name.
    pub id: &'static str,
    /// The section of the tutorial that makes it.
    pub section: &'static str,
    /// The claim in one sentence.
    pub text: &'static str,
    /// Its parts. The figure that it comes down to is that of the first which has one.
    pub(super) parts: &'static [(Weight, Look)],
}

/// All of them, in the order of docs/CLAIMS.md.
pub static ALL: [CostClaim; 18] = [
    CostClaim {
        id: "many-idle-few-active",
        section: "6",
        text: "with many connections and few active ones epoll is more efficient than select and poll",
        parts: &[
            (Essential, Ratio("response_p50", [POLL, LT], MostIdle, Worse)),
            (Essential, Ratio("response_p50", [SELECT, LT], MostIdle, Worse)),
            (Essential, Ratio("cpu", [POLL, LT], MostIdle, Worse)),
            (Essential, Ratio("cpu", [SELECT, LT], MostIdle, Worse)),
            (Context, Value("utilisation", POLL, MostIdle, Nothing)),
            (Context, Value("utilisation", LT, MostIdle, Nothing)),
            (Bounding("not so in closed loop"), Ratio("throughput", [POLL, LT], MostIdle, Worse)),
            (Bounding("not so in closed loop"), Ratio("throughput", [SELECT, LT], MostIdle, Worse)),
            (Bounding(LITTLE), Ratio("response_p50", [POLL, LT], FewestIdle, Worse)),
            (Bounding(LITTLE), Ratio("response_p50", [SELECT, LT], FewestIdle, Worse)),
            (Context, Other(special::saturated)),
        ],
    },
    CostClaim {
        id: "few-and-busy",
        section: "6",
        text: "with few connections, highly active, select and poll may do better than epoll",
        parts: &[
            (Essential, Other(special::better_somewhere)),
            (Bounding("elsewhere they do worse"), Other(special::worse_nowhere)),
            (Bounding("not by throughput on the whole"), Ratio("throughput", [POLL, LT], FewBusy, Better)),
            (Bounding("not by throughput on the whole"), Ratio("throughput", [SELECT, LT], FewBusy, Better)),
            (Bounding("not by CPU time on the whole"), Ratio("saturation_cpu", [POLL, LT], FewBusy, Better)),
            (
                Bounding("not by CPU time on the whole"),
                Ratio("saturation_cpu", [SELECT, LT], FewBusy, Better),
            ),
            (Bounding("not by response on the whole"), Ratio("response_p50", [POLL, LT], FewBusy, Better)),
            (Bounding("not by response on the whole"), Ratio("response_p50", [SELECT, LT], FewBusy, Better)),
        ],
    },
    CostClaim {
        id: "epoll-flat",
        section: "6.1",
        text: "epoll's efficiency does not fall as the descriptors watched grow in number",
        parts: &[
            (Essential, Growth("cpu", LT, FLAT)),
            (Essential, BenchGrowth("wait", LT, 100, FLAT)),
            (
                Bounding("but the median response grows, which is more than the wait"),
                Growth("response_p50", LT, FLAT),
            ),
        ],
    },
    CostClaim {
        id: "select-poll-scan",
        section: "6",
        text: "select and poll walk the whole set of descriptors on every wake-up",
        parts: &[
            (Essential, Slope("cpu", POLL, AtLeast(f64::MIN_POSITIVE))),
            (Essential, Slope("cpu", SELECT, AtLeast(f64::MIN_POSITIVE))),
            (Essential, BenchGrowth("wait", POLL, 100, PROPORTIONAL)),
            (Essential, BenchGrowth("wait", SELECT, 100, PROPORTIONAL)),
        ],
    },
    CostClaim {
        id: "knee-1000-2000",
        section: "3.2",
        text: "select and poll fall off clearly at 1,000 to 2,000 connections",
        parts: &[
            (Essential, Other(|base| special::fall(base, POLL))),
            (Essential, Other(|base| special::fall(base, SELECT))),
            (Context, Growth("response_p50", POLL, Nothing)),
            (Context, Growth("response_p50", SELECT, Nothing)),
        ],
    },
    CostClaim {
        id: "poll-faster-than-select",
        section: "1.2",
        text: "poll is faster than select with many descriptors",
        parts: &[
            (Essential, Ratio("cpu", [SELECT, POLL], ManyIdle, Worse)),
            (Essential, BenchRatio("wait", [SELECT, POLL], Worse)),
            (Bounding("not by median response"), Ratio("response_p50", [SELECT, POLL], ManyIdle, Worse)),
            (
                Bounding("not where few descriptors have high numbers, which select walks as well"),
                BenchRatio("wait-sparse", [SELECT, POLL], Worse),
            ),
        ],
    },
    CostClaim {
        id: "linked-list",
        section: "1",
        text: "poll has no limit on descriptors because it is based on a linked list",
        parts: &[
            (
                Essential,
                Observed("poll of more descriptors than RLIMIT_NOFILE allows", "success", |seen| {
                    seen != "EINVAL"
                }),
            ),
            (Context, Slope("cpu", POLL, Nothing)),
            (Context, BenchGrowth("wait", POLL, 100, Nothing)),
        ],
    },
    CostClaim {
        id: "ctl-log-n",
        section: "3",
        text: "adding, changing and removing a descriptor is O(log n), and stable",
        parts: &[
            (Essential, BenchGrowth("ctl", "add", 0, LOGARITHMIC)),
            (Essential, BenchGrowth("ctl", "mod", 0, LOGARITHMIC)),
            (Essential, BenchGrowth("ctl", "del", 0, LOGARITHMIC)),
        ],
    },
    CostClaim {
        id: "ready-list",
        section: "3",
        text: "epoll_wait hands over exactly the descriptors that are ready, so that none has to be tested",
        parts: &[
            (Essential, Value("would_block", LT, MostIdle, NONE)),
            (Essential, Value("empty_wakeups", LT, MostIdle, NONE)),
            (
                Bounding(
                    "edge-triggered, a loop must read until it would block, so one call an event finds nothing",
                ),
                Value("would_block", ET, MostIdle, NONE),
            ),
            (Context, Value("would_block", POLL, MostIdle, Nothing)),
        ],
    },
    CostClaim {
        id: "wake-ups",
        section: "6",
        text: "select and poll sleep and wake several times for what epoll's callback does once, so that epoll saves CPU time",
        parts: &[
            (Essential, Quotient(["wakeups", "waits"], POLL, FewestIdle, AtLeast(1.1))),
            (Essential, Quotient(["wakeups", "waits"], SELECT, FewestIdle, AtLeast(1.1))),
            (Essential, Ratio("waits", [POLL, LT], FewestIdle, Worse)),
            (Essential, Ratio("waits", [SELECT, LT], FewestIdle, Worse)),
            (Essential, Ratio("cpu", [POLL, LT], MostIdle, Worse)),
            (Essential, Ratio("cpu", [SELECT, LT], MostIdle, Worse)),
        ],
    },
    CostClaim {
        id: "no-thread-switch",
        section: "3.2",
        text: "one thread collects and handles events with no cost of switching between threads",
        parts: &[
            (Essential, Value("saturation_wakeups", LT, MostActive, AtMost(0.05))),
            (
                Bounding(
                    "only where there is always work; with time to spare it goes to sleep after almost every wait",
                ),
                Quotient(["wakeups", "waits"], LT, MostActive, AtMost(0.05)),
            ),
            (
                Bounding("a thread for each connection switches no more"),
                Ratio("saturation_wakeups", ["threads", LT], MostActive, Worse),
            ),
        ],
    },
    CostClaim {
        id: "million",
        section: "3.2",
        text: "one machine holds tens of thousands to over a million connections",
        parts: &[
            (Essential, Other(|base| special::held(base, 10_000, "muxbench run many-idle-few-active"))),
            (
                Bounding(""),
                Other(|base| {
                    special::held(base, 1_000_000, "scenarios/million 1M --export json=results/million.json")
                }),
            ),
            (Context, Other(special::opened_in)),
        ],
    },
    CostClaim {
        id: "memory-100k-1g",
        section: "6.1",
        text: "1 GB of memory watches about 100,000 connections",
        parts: &[
            // Half and twice as many are about as many.
            (Essential, Other(|base| special::bytes_each(base, AtMost(20_000.0)))),
            (Bounding("it is more than that"), Other(|base| special::bytes_each(base, AtLeast(5_000.0)))),
        ],
    },
    CostClaim {
        id: "exclusive-herd",
        section: "5.2",
        text: "EPOLLEXCLUSIVE wakes exactly one waiter, and so avoids the thundering herd",
        parts: &[
            (Essential, Other(|base| special::by_accept(base, "accept_wakeups", "shared", Better))),
            (Essential, Other(special::empty_per_accept)),
        ],
    },
    CostClaim {
        id: "exclusive-scales",
        section: "5.2",
        text: "EPOLLEXCLUSIVE scales perfectly across processors",
        parts: &[
            (Essential, Other(special::scaling)),
            (
                Bounding("a listener for each loop does more"),
                Other(|base| special::by_accept(base, "throughput", "reuseport", Expect::NotWorse)),
            ),
        ],
    },
    CostClaim {
        id: "et-faster",
        section: "5.4",
        text: "edge-triggered with a loop that drains is the better way",
        parts: &[
            (Essential, Ratio("saturation_cpu", [ET, LT], SmallMessages, Better)),
            (
                Bounding("by that figure it is no better"),
                Ratio("response_p50", [ET, LT], SmallMessages, Better),
            ),
            (Bounding("it makes more calls"), Ratio("saturation_syscalls", [ET, LT], SmallMessages, Better)),
            (Bounding("not with large messages"), Ratio("saturation_cpu", [ET, LT], LargeMessages, Better)),
        ],
    },
    CostClaim {
        id: "sync-vs-async",
        section: "8",
        text: "with readiness each read and write is the program's own call; with asynchronous I/O the kernel does them",
        parts: &[
            (Essential, Value("saturation_syscalls", RING, MostActive, AtMost(1.0))),
            // A window's edges cut a request in two.
            (Essential, Value("saturation_syscalls", LT, MostActive, AtLeast(1.98))),
            (
                Bounding("fewer calls do not make a request cheaper here"),
                Ratio("saturation_cpu", [RING, LT], MostActive, Better),
            ),
            (Context, Ratio("throughput", [RING, LT], MostActive, Nothing)),
            (Context, Ratio("response_p50", [RING, LT], MostActive, Nothing)),
        ],
    },
    CostClaim {
        id: "epoll-1023",
        section: "4",
        text: "with the default limit of 1,024 descriptors at most 1,023 clients connect",
        parts: &[
            (
                Essential,
                Observed(LIMITED, "1,023 at most", |seen| seen.parse().is_ok_and(|held: u64| held <= 1_023)),
            ),
            (
                Bounding("the standard streams, the listener and the epoll set take descriptors too"),
                Observed(LIMITED, "1,023", |seen| seen == "1023"),
            ),
        ],
    },
];

/// The condition of claims that few connections do not bear out.
const LITTLE: &str = "with few connections there is no such difference";

impl CostClaim {
    /// Decides it from what there is. Where nothing essential was measured it is open, and the result says which command
    /// measures that.
    pub fn decide(&self, base: &Base<'_>) -> ClaimResult {
        let (mut evidence, mut used, mut needs, mut more) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut figure, mut is_decided) = (None, false);
        for (weight, look) in self.parts {
            let seen = look.see(base);
            match &seen {
                Seen::Found(found) => {
                    let is_essential = matches!(weight, Essential);
                    is_decided |= is_essential && found.holds.is_some();
                    figure = figure.or_else(|| found.figure.clone());
                    found.used.iter().for_each(|place| add_once(&mut used, place));
                    if is_essential && found.holds.is_none() {
                        add_once(&mut more, &found.more);
                    }
                }
                // What only shows how far a claim reaches need not be there.
                Seen::Lacks(..) if matches!(weight, Context) => continue,
                Seen::Lacks(_, command) => add_once(&mut needs, command),
                Seen::Cannot(..) => {}
            }
            evidence.push(weighed(*weight, seen));
        }
        let mut result = decided(self.id, self.section, self.text, evidence);
        if !is_decided {
            more.iter().for_each(|command| add_once(&mut needs, command));
            result.verdict =
                if needs.is_empty() { ClaimVerdict::NotMeasurableHere } else { ClaimVerdict::Open };
        }
        ClaimResult { figure: figure.filter(|_| is_decided), used, needs, ..result }
    }
}

/// The evidence that a part gives by what it saw.
fn weighed(weight: Weight, seen: Seen) -> Evidence {
    let not_seen = |what, note| {
        let finding = weight.finding(None);
        Evidence { what, claimed: None, observed: None, note: Some(note), finding }
    };
    let Found { what, claimed, observed, holds, .. } = match seen {
        Seen::Found(found) => *found,
        Seen::Lacks(what, command) => return not_seen(what, format!("needs {command}")),
        Seen::Cannot(what, why) => return not_seen(what, why),
    };
    let finding = weight.finding(holds);
    let note = match (finding, weight) {
        (Finding::Condition, Bounding(condition)) => Some(condition),
        (Finding::Open | Finding::OpenAside, _) => {
            Some("the interval is too wide to say; a longer run makes it narrower")
        }
        _ => None,
    };
    let note = note.map(str::to_owned);
    let claimed = (finding != Finding::Context).then_some(claimed);
    Evidence { what, claimed, observed: Some(observed), note, finding }
}

fn add_once(list: &mut Vec<String>, text: &str) {
    if !text.is_empty() && !list.iter().any(|known| known == text) {
        list.push(text.to_owned());
    }
}

/// Returns whether a claim about cost is called `id`.
pub fn is_one(id: &str) -> bool {
    ALL.iter().any(|claim| claim.id == id)
}

/// All verdicts.
pub fn decide_all(base: &Base<'_>) -> Vec<ClaimResult> {
    ALL.iter().map(|claim| claim.decide(base)).collect()
}

#[cfg(test)]
mod tests;
