//! The rules by which the generator finds that a run's figures may not be used.

use model::schema::Check;
use report::format::thousands;

use crate::fault::Faults;
use crate::record::recorder::Recorder;
use crate::record::watch::Judgement;

/// The time that the generator may add to a response percentile in any case: that of a few system calls.
const ADDED_FLOOR_NS: u64 = 20_000;
/// Largest share of a response percentile that the generator's own lateness may make up. The tail of a shared
/// machine is the machine's on both sides, hence the wider bound there.
const ADDED_SHARE: [(f64, f64); 2] = [(0.5, 0.1), (0.99, 0.25)];
/// Largest share of the window in which a worker wanted a processor and had none.
const STARVED_SHARE: f64 = 0.05;
/// Largest share of the machine's time that the hypervisor may take.
const STEAL_SHARE: f64 = 0.05;
/// Largest share of the window in which a CPU quota may have held the generator back: beyond it the 99th percentile is the
/// quota's.
const HELD_BACK_SHARE: f64 = 0.01;
/// Largest share of the scheduled requests that may leave after the window, or never, on the generator's account.
const MISSED_RATE: f64 = 0.01;

/// The facts that the rules look at.
pub struct Facts {
    /// The counts and times of all workers together.
    pub recorder: Recorder,
    /// The judgement of the generator and its machine in that time.
    pub judgement: Judgement,
    /// Connections asked for.
    pub asked: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections lost after they were opened, by fault.
    pub lost: Faults,
    /// True if there are connections to carry requests; a shard may hold only idle ones.
    pub any_active: bool,
    /// True if the number of requests under way on a connection is bounded.
    pub is_capped: bool,
    /// True if the run was interrupted.
    pub interrupted: bool,
}

impl Facts {
    /// Returns whether its CPU quota held the generator back too long, and with it a server that shares the quota.
    pub fn is_held_back(&self) -> bool {
        self.judgement.quota.as_ref().is_some_and(|quota| quota.held_back > HELD_BACK_SHARE)
    }

    /// The advice for more processor time: `usual`, unless there is a CPU quota, which it would only use up sooner.
    pub fn more_time(&self, usual: &str) -> String {
        let Some(quota) = &self.judgement.quota else { return usual.to_owned() };
        let raise = format!("raise the CPU quota of {} processors ({})", quota.processors, quota.setting);
        match self.is_held_back() {
            true => raise,
            // Then others have the processors, and under the quota nothing can be kept from them by spinning.
            false => format!("end what else runs here, or {raise}, under which it has to sleep"),
        }
    }
}

/// One sentence, with advice, for each rule of measurement that was broken.
pub fn broken_rules(facts: &Facts) -> Vec<String> {
    let Facts { recorder, judgement, .. } = facts;
    let mut reasons = Vec::new();
    if facts.interrupted {
        reasons.push("the run was interrupted: the figures cover what was measured until then".to_owned());
    }
    if facts.opened < facts.asked {
        reasons.push(format!("only {} of {} connections could be opened", facts.opened, facts.asked));
    }
    if facts.lost.total() > 0 {
        reasons.push(format!("{} connections were lost: {}", facts.lost.total(), facts.lost));
    }
    if recorder.faults.total() > 0 {
        reasons.push(format!("{} requests failed: {}", recorder.faults.total(), recorder.faults));
    }
    // What the generator sent too late for a reply, or never, is no sign of a server that stalls.
    let own = recorder.missed_unsent + recorder.missed_unanswered;
    let outstanding = recorder.outstanding();
    if outstanding > own {
        let unsent = match recorder.unsent - recorder.missed_unsent {
            0 => String::new(),
            unsent => format!(" ({unsent} of them never sent)"),
        };
        let held = if facts.is_capped { ", or --pipeline holds too many back" } else { "" };
        reasons.push(format!(
            "{} requests were still unanswered at the end{unsent}: {}, or --timeout is too short for this load{held}",
            outstanding - own,
            if facts.is_held_back() { "the CPU quota held them up" } else { "the server stalled" }
        ));
    }
    if own > 0 && missed_rate(facts).advice.is_none() {
        reasons.push(format!(
            "the generator sent {own} requests too late for a reply, or never: lower --rate, or {}",
            facts.more_time("give it more --threads and processors")
        ));
    }
    if recorder.scheduled == 0 && facts.any_active {
        reasons
            .push("no request fell into the measured window: lengthen --duration or raise --rate".to_owned());
    }
    if judgement.stood_still_s > 0.0 {
        reasons.push(format!(
            "the generator itself stood still for {:.2} s of the window ({}): {}",
            judgement.stood_still_s,
            "stopped by a signal or a debugger, frozen, or given no processor",
            facts.more_time("measure again and leave it running")
        ));
    }
    reasons.extend(generator_checks(facts).into_iter().filter_map(|check| check.advice));
    reasons
}

/// The checks of what the generator and its machine did to the figures.
pub fn generator_checks(facts: &Facts) -> Vec<Check> {
    let Facts { recorder, judgement, .. } = facts;
    let mut checks = Vec::new();
    if recorder.is_open_loop() {
        checks.extend([missed_rate(facts), lateness(facts)]);
    }
    if let Some(quota) = &judgement.quota {
        let method = "share of the window in which the CPU quota of the control group held it back";
        let sample = (quota.held_back, HELD_BACK_SHARE);
        checks.push(Check::new("cpu_quota", method, sample, None, recorder.scheduled, || {
            format!(
                "the CPU quota of {} processors ({}) held the generator, and whatever shares it, back for {:.1} % of the window, \
                 so that the figures are the quota's: raise or remove it, or lower the load",
                quota.processors,
                quota.setting,
                quota.held_back * 100.0
            )
        }));
    }
    let starved = "share of the window in which the worst worker had no processor";
    let sample = (judgement.starved, STARVED_SHARE);
    checks.push(Check::new("starved", starved, sample, None, recorder.scheduled, || {
        format!(
            "the generator had no processor for {:.1} % of the window: {}",
            judgement.starved * 100.0,
            facts.more_time("give it one of its own with --cpu, apart from the server's")
        )
    }));
    let steal = "share of the machine's time that the hypervisor took";
    checks.push(Check::new("steal", steal, (judgement.steal, STEAL_SHARE), None, recorder.scheduled, || {
        format!(
            "the hypervisor took {:.1} % of the machine's time: measure again when the host is quieter",
            judgement.steal * 100.0
        )
    }));
    checks
}

fn missed_rate(facts: &Facts) -> Check {
    let recorder = &facts.recorder;
    let share = recorder.missed as f64 / recorder.scheduled.max(1) as f64;
    let method =
        "share of the requests that left after the window that they were due in, by the generator's fault";
    Check::new("missed_rate", method, (share, MISSED_RATE), None, recorder.scheduled, || {
        format!(
            "the generator sent {} of {} requests in the window that they were due in, so that the offered rate was missed by {:.1} %: \
             lower --rate, or {}",
            thousands(recorder.scheduled - recorder.missed),
            thousands(recorder.scheduled),
            share * 100.0,
            facts.more_time("give the generator more --threads and processors")
        )
    })
}

/// Response times include the generator's lateness, which keeps them honest; but where that is a good part of
/// a percentile, the percentile is no longer the server's. Service times start at the actual send: the
/// difference is what the generator added.
fn lateness(facts: &Facts) -> Check {
    let recorder = &facts.recorder;
    let own_lateness = recorder.own_lateness();
    let added = ADDED_SHARE.map(|(quantile, share)| {
        let response = recorder.response.value_at_quantile(quantile);
        // What is held back until others have been answered, or by a full socket, waits for the server, not for this side.
        let added = match &own_lateness {
            Some(own) => own.value_at_quantile(quantile),
            None => response.saturating_sub(recorder.service.value_at_quantile(quantile)),
        };
        let allowed = ADDED_FLOOR_NS.max((share * response as f64) as u64);
        (added as f64 / allowed as f64, quantile, added, response)
    });
    let (worst, quantile, added, response) =
        added.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).expect("two quantiles");
    let method = "what lateness added to the response's p50 or p99, beside what it may add";
    Check::new("lateness", method, (worst, 1.0), None, recorder.service.len(), || {
        format!(
            "the generator was late: {:.0} us of the response's p{:.0} are its own ({:.0} %): {}",
            added as f64 / 1e3,
            quantile * 100.0,
            added as f64 / response as f64 * 100.0,
            facts.more_time("give it a processor of its own, or more --threads")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::plan::window::Window;
    use model::histogram::Histogram;
    use model::schema::CpuQuota;
    use std::sync::Arc;

    fn all_of(value_ns: u64) -> Histogram {
        let mut histogram = model::histogram::empty();
        histogram.record_n(value_ns, 10_000).expect("in range");
        histogram
    }

    /// Judges a sound run after `spoil` had its way with it.
    fn judge(spoil: impl FnOnce(&mut Facts)) -> Vec<String> {
        let mut recorder = Recorder::new(Window::NEVER, true, Arc::default());
        (recorder.scheduled, recorder.completed) = (10_000, 10_000);
        (recorder.response, recorder.service) = (all_of(40_000), all_of(39_000));
        let mut facts = Facts {
            recorder,
            judgement: Judgement::default(),
            asked: 10,
            opened: 10,
            lost: Faults::default(),
            any_active: true,
            is_capped: false,
            interrupted: false,
        };
        spoil(&mut facts);
        broken_rules(&facts)
    }

    /// Leaves so many of its requests unanswered.
    fn leave(facts: &mut Facts, outstanding: u64) {
        facts.recorder.completed = facts.recorder.scheduled - outstanding;
    }

    #[test]
    fn a_sound_run_breaks_no_rule() {
        assert_eq!(judge(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_rule_accuses_by_itself_and_says_what_to_do() {
        let mut reset = Faults::default();
        reset.add(Fault::Reset);
        let one = |reasons: Vec<String>, word: &str| {
            assert!(reasons.len() == 1 && reasons[0].contains(word), "{word}: {reasons:?}");
        };
        one(judge(|facts| facts.opened = 9), "9 of 10");
        one(judge(|facts| facts.lost = reset), "1 reset");
        one(
            judge(|facts| {
                leave(facts, 1);
                facts.recorder.faults = reset;
            }),
            "1 reset",
        );
        one(judge(|facts| leave(facts, 3)), "3 requests");
        one(judge(|facts| facts.recorder.missed = 101), "sent 9,899 of 10,000 requests");
        one(judge(|facts| facts.judgement.starved = 0.2), "--cpu");
        one(judge(|facts| facts.judgement.steal = 0.1), "hypervisor");
        one(judge(|facts| facts.judgement.stood_still_s = 0.3), "stood still for 0.30 s");
        one(judge(|facts| facts.interrupted = true), "interrupted");
        one(judge(|facts| facts.recorder.response = all_of(400_000)), "late");
        one(judge(|facts| (facts.recorder.scheduled, facts.recorder.completed) = (0, 0)), "no request");
    }

    #[test]
    fn under_a_quota_it_is_the_quota_that_is_blamed_and_nothing_that_spends_it_sooner_is_advised() {
        let quota = |held_back| CpuQuota { processors: 0.5, setting: "/cpu.max".to_owned(), held_back };
        assert_eq!(judge(|facts| facts.judgement.quota = Some(quota(0.005))), Vec::<String>::new());
        let busy = judge(|Facts { judgement, .. }| {
            (judgement.quota, judgement.starved) = (Some(quota(0.005)), 0.4);
        });
        assert!(busy[0].contains("end what else runs here") && !busy[0].contains("--cpu"), "{busy:?}");
        let reasons = judge(|facts| {
            leave(facts, 7);
            let Facts { recorder, judgement, .. } = facts;
            (recorder.missed, recorder.response) = (500, all_of(400_000));
            (judgement.quota, judgement.starved, judgement.stood_still_s) = (Some(quota(0.4)), 0.4, 0.3);
        });
        assert_eq!(reasons.len(), 6, "{reasons:?}");
        for reason in reasons {
            assert!(reason.contains("CPU quota"), "{reason}");
            let spends =
                ["--cpu", "--threads", "spin", "server stalled"].iter().any(|word| reason.contains(word));
            assert!(!spends, "{reason}");
        }
    }

    #[test]
    fn what_the_generator_sent_too_late_or_never_is_not_put_down_to_the_server() {
        let late = |missed: u64, outstanding: u64| {
            judge(|facts| {
                leave(facts, outstanding);
                let Recorder { missed: all, missed_unsent, missed_unanswered, unsent, .. } =
                    &mut facts.recorder;
                (*all, *missed_unsent, *missed_unanswered, *unsent) = (missed, missed - 10, 10, missed - 10);
            })
        };
        for (missed, words) in [(9_000, "sent 1,000 of 10,000 requests"), (50, "sent 50 requests too late")] {
            let reasons = late(missed, missed);
            assert!(reasons.len() == 1 && reasons[0].contains(words), "{reasons:?}");
        }
        let both = late(9_000, 9_007);
        assert!(
            both.len() == 2 && both[0].starts_with("7 requests were still unanswered at the end:"),
            "{both:?}"
        );
    }

    #[test]
    fn without_active_connections_no_request_is_no_fault() {
        let idle = |facts: &mut Facts| {
            facts.any_active = false;
            facts.recorder = Recorder::new(Window::NEVER, true, Arc::default());
        };
        assert_eq!(judge(idle), Vec::<String>::new());
    }

    #[test]
    fn what_waits_for_earlier_replies_is_not_the_generators_lateness() {
        let held = |own_ns| {
            judge(|Facts { recorder, .. }| {
                recorder.response = all_of(400_000);
                (recorder.lateness, recorder.lateness_held) = (all_of(own_ns), all_of(390_000));
                recorder.lateness.add(&recorder.lateness_held).expect("same bounds");
            })
        };
        assert_eq!(held(5_000), Vec::<String>::new());
        assert!(held(300_000)[0].contains("late"));
    }

    #[test]
    fn a_stalled_server_is_not_the_generators_fault() {
        assert_eq!(
            judge(|Facts { recorder, .. }| {
                (recorder.response, recorder.service) = (all_of(500_000_000), all_of(499_999_000));
            }),
            Vec::<String>::new()
        );
    }
}
