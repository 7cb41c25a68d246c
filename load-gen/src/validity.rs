//! When a run's figures may not be used: the generator accuses itself.

use report::histogram::Histogram;

use crate::fault::Faults;

/// What the generator may add to a response percentile in any case: a few system calls' time.
const ADDED_FLOOR_NS: u64 = 20_000;
/// Largest share of a response percentile that the generator's own lateness may make up. The tail of a shared
/// machine is the machine's on both sides, hence the wider bound there.
const ADDED_SHARE: [(f64, f64); 2] = [(0.5, 0.1), (0.99, 0.25)];
/// Largest share of the window in which a worker wanted a processor and had none.
const STARVED_SHARE: f64 = 0.05;
/// Largest share of the machine's time that the hypervisor may take.
const STEAL_SHARE: f64 = 0.05;
/// Largest share of the scheduled requests that may leave after the window.
const MISSED_RATE: f64 = 0.01;

/// What the rules look at.
pub struct Facts {
    /// Whether there was a schedule.
    pub open_loop: bool,
    /// Connections asked for and opened.
    pub asked: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections lost after they were opened, by fault.
    pub lost: Faults,
    /// Requests of the window.
    pub scheduled: u64,
    /// Of those, sent inside it.
    pub sent_in_time: u64,
    /// Of those, failed.
    pub failed: Faults,
    /// Of those, unanswered.
    pub outstanding: u64,
    /// Intended send to reply.
    pub response: Histogram,
    /// Actual send to reply.
    pub service: Histogram,
    /// Share of the window in which the worst worker had no processor.
    pub starved: f64,
    /// Share of the machine's time taken by the hypervisor.
    pub steal: f64,
    /// Whether the run was interrupted.
    pub interrupted: bool,
}

/// One sentence, with advice, for each rule of measurement that was broken.
pub fn broken_rules(facts: &Facts) -> Vec<String> {
    let mut reasons = Vec::new();
    if facts.interrupted {
        reasons.push("the run was interrupted: the figures cover what was measured until then".to_owned());
    }
    if facts.opened < facts.asked {
        reasons.push(format!("only {} of {} connections could be opened", facts.opened, facts.asked));
    }
    if facts.lost.total() > 0 {
        reasons.push(format!("{} connections were lost: {}", facts.lost.total(), named(&facts.lost)));
    }
    if facts.failed.total() > 0 {
        reasons.push(format!("{} requests failed: {}", facts.failed.total(), named(&facts.failed)));
    }
    if facts.outstanding > 0 {
        reasons.push(format!(
            "{} requests were still unanswered at the end: the server stalled, or --timeout is too short for this load",
            facts.outstanding
        ));
    }
    if facts.scheduled == 0 {
        reasons
            .push("no request fell into the measured window: lengthen --duration or raise --rate".to_owned());
    }
    if facts.open_loop {
        reasons.extend(missed_rate(facts));
        reasons.extend(lateness(facts));
    }
    if facts.starved > STARVED_SHARE {
        reasons.push(format!(
            "the generator had no processor for {:.1} % of the window: give it one of its own with --cpu, apart from the server's",
            facts.starved * 100.0
        ));
    }
    if facts.steal > STEAL_SHARE {
        reasons.push(format!(
            "the hypervisor took {:.1} % of the machine's time: measure again when the host is quieter",
            facts.steal * 100.0
        ));
    }
    reasons
}

fn missed_rate(facts: &Facts) -> Option<String> {
    let missed = facts.scheduled - facts.sent_in_time.min(facts.scheduled);
    let share = missed as f64 / facts.scheduled.max(1) as f64;
    (share > MISSED_RATE).then(|| {
        format!(
            "the offered rate was missed by {:.1} %: lower --rate, or give the generator more --threads and processors",
            share * 100.0
        )
    })
}

/// Response times include the generator's lateness, which keeps them honest; but where that is a good part of
/// a percentile, the percentile is no longer the server's. Service times start at the actual send: the
/// difference is what the generator added.
fn lateness(facts: &Facts) -> Option<String> {
    ADDED_SHARE.into_iter().find_map(|(quantile, share)| {
        let response = facts.response.value_at_quantile(quantile);
        let added = response.saturating_sub(facts.service.value_at_quantile(quantile));
        (added > ADDED_FLOOR_NS.max((share * response as f64) as u64)).then(|| {
            format!(
                "the generator was late: {:.0} us of the response's p{:.0} are its own ({:.0} %): give it a processor of its own, or more --threads",
                added as f64 / 1e3,
                quantile * 100.0,
                added as f64 / response as f64 * 100.0
            )
        })
    })
}

fn named(faults: &Faults) -> String {
    let parts: Vec<String> = faults.by_name().iter().map(|(name, count)| format!("{count} {name}")).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    fn all_of(value_ns: u64) -> Histogram {
        let mut histogram = report::histogram::empty();
        histogram.record_n(value_ns, 10_000).expect("in range");
        histogram
    }

    /// Judges a sound run after `spoil` had its way with it.
    fn judge(spoil: impl FnOnce(&mut Facts)) -> Vec<String> {
        let mut facts = Facts {
            open_loop: true,
            asked: 10,
            opened: 10,
            lost: Faults::default(),
            scheduled: 10_000,
            sent_in_time: 10_000,
            failed: Faults::default(),
            outstanding: 0,
            response: all_of(40_000),
            service: all_of(39_000),
            starved: 0.0,
            steal: 0.0,
            interrupted: false,
        };
        spoil(&mut facts);
        broken_rules(&facts)
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
        one(judge(|facts| facts.failed = reset), "1 reset");
        one(judge(|facts| facts.outstanding = 3), "3 requests");
        one(judge(|facts| facts.sent_in_time = 9_899), "rate was missed");
        one(judge(|facts| facts.starved = 0.2), "--cpu");
        one(judge(|facts| facts.steal = 0.1), "hypervisor");
        one(judge(|facts| facts.interrupted = true), "interrupted");
        one(judge(|facts| facts.response = all_of(400_000)), "late");
        one(judge(|facts| (facts.scheduled, facts.sent_in_time) = (0, 0)), "no request");
    }

    #[test]
    fn a_stalled_server_is_not_the_generators_fault() {
        assert_eq!(
            judge(|facts| (facts.response, facts.service) = (all_of(500_000_000), all_of(499_999_000))),
            Vec::<String>::new()
        );
    }
}
