//! Tests of what one campaign has and the other lacks, or has beside another reference.

use model::schema::Exclude;

use super::*;

/// The figures that a gate of 900 % finds missing in `new`: the lines, and the outcome in words.
fn missing(base: &Campaign, new: &Campaign) -> (Vec<String>, String) {
    let comparison = compared(base, new, Some(9.0)).expect("comparable");
    assert_eq!(gate(&comparison), if comparison.missing.is_empty() { Gate::Passed } else { Gate::Undecided });
    let lines = missing::lines(&comparison.missing);
    assert!(lines.iter().all(|line| page::markdown(&comparison).contains(&grid_text(line))));
    (lines, page::outcome(&comparison))
}

fn grid_text(line: &str) -> String {
    format!("- {}\n", crate::grid::markdown(line))
}

/// Takes `name` out of a campaign, for a reason or none.
fn leave_out(campaign: &mut Campaign, name: &str, reason: Option<&str>) {
    campaign.plan.scenario.mechanisms.retain(|mechanism| mechanism != name);
    campaign
        .plan
        .points
        .iter_mut()
        .flat_map(|point| &mut point.groups)
        .for_each(|group| group.retain(|one| one != name));
    campaign.starts.iter_mut().for_each(|start| start.candidates.retain(|one| one.candidate != name));
    campaign.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != name));
    campaign.plan.scenario.excludes.extend(reason.map(|reason| Exclude {
        mechanism: name.to_owned(),
        reason: reason.to_owned(),
        ..Exclude::default()
    }));
}

/// A campaign with "poll" as the reference.
fn beside_poll(seed: u64) -> Campaign {
    let mut campaign = campaign(seed, "", 1.0);
    campaign.plan.reference = "poll".to_owned();
    for group in campaign.plan.points.iter_mut().flat_map(|point| &mut point.groups) {
        *group = ["poll", "epoll-lt", "epoll-et"].map(str::to_owned).into();
    }
    campaign
}

/// The lines about what `base` has and `new` does not set out to measure.
fn foreseen(base: &Campaign, new: &Campaign) -> Vec<String> {
    let planned = Campaign { starts: Vec::new(), rounds: Vec::new(), ..new.clone() };
    let (base, before) = decoded(base.clone());
    let after = Histograms::default();
    let base = Source { name: "base", campaign: &base, histograms: &before };
    let new = Source { name: "-", campaign: &planned, histograms: &after };
    prospect(base, new, &Options::default()).expect("comparable")
}

#[test]
fn whatever_was_left_out_is_missing_with_the_reason_in_one_line_and_known_before_anything_is_measured() {
    let base = campaign(1, "", 1.0);
    for (reason, told) in [
        (Some("this kernel refuses io_uring"), "left out: this kernel refuses io_uring"),
        (None, "NEW was not asked to measure it"),
    ] {
        let mut new = campaign(2, "", 1.0);
        leave_out(&mut new, "poll", reason);
        if reason.is_some() {
            new.plan.scenario.mechanisms.push("poll".to_owned());
        }
        let (lines, outcome) = missing(&base, &new);
        let expected = format!("missing: poll, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): {told}");
        assert_eq!(lines, [expected]);
        assert!(outcome.ends_with("; NEW measured less than BASE: it lacks poll at 2 points"), "{outcome}");
        assert_eq!(foreseen(&base, &new), lines);
        assert!(missing(&new, &base).0.is_empty(), "measuring more is no fault");
    }
    let mut new = campaign(2, "", 1.0);
    new.plan.points.truncate(1);
    new.rounds.retain(|round| round.point == 0);
    new.starts.retain(|start| start.point == 0);
    let (lines, _) = missing(&base, &new);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.ends_with("at 10k × 10 (idle-scaling): NEW does not measure at such a point"))
    );
}

#[test]
fn what_became_of_a_server_is_the_reason_why_it_is_missing() {
    let base = campaign(1, "", 1.0);
    let mut new = campaign(2, "", 1.0);
    new.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != "poll"));
    let mut interrupted = new.clone();
    for one in
        new.starts.iter_mut().flat_map(|start| &mut start.candidates).filter(|one| one.candidate == "poll")
    {
        one.failed = Some("the server died".to_owned());
    }
    let (lines, _) = missing(&base, &new);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with(": it failed in 6 of 6 starts: the server died"), "{lines:?}");
    interrupted.complete = false;
    assert!(missing(&base, &interrupted).0[0].ends_with(": the run was interrupted before it"));
    let mut dropped = campaign(2, "", 1.0);
    dropped.rounds.iter_mut().filter(|round| round.point == 1).for_each(|round| {
        round.dropped = Some("the generator stood still".to_owned());
    });
    let (lines, _) = missing(&base, &dropped);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.ends_with(": no round of it counts: the generator stood still")),
        "{lines:?}"
    );
}

#[test]
fn a_metric_that_is_gone_is_missing() {
    let base = campaign(1, "", 1.0);
    let mut new = campaign(2, "", 1.0);
    let slices = new.rounds.iter_mut().flat_map(|round| &mut round.slices);
    slices.filter(|slice| slice.candidate == "poll").for_each(|slice| slice.server.wakeups = None);
    let (lines, _) = missing(&base, &new);
    assert_eq!(lines.len(), 3, "under each load: {lines:?}");
    let told = "missing: poll, wake-ups per request, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): NEW has no value of it";
    assert!(lines.iter().any(|line| line == told), "{lines:?}");
}

#[test]
fn another_reference_is_no_comparison_and_known_before_anything_is_measured_but_nothing_is_left_out() {
    let (base, new) = (campaign(1, "", 1.0), beside_poll(2));
    let refused = compared(&base, &new, None).expect_err("nothing is the same");
    assert!(refused.0[0].starts_with("nothing to compare: "), "{refused:?}");
    let (lines, outcome) = missing(&base, &new);
    let told = |name: &str| {
        format!(
            "not comparable: {name}, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): \
             the reference is poll in NEW, and epoll-lt in BASE"
        )
    };
    assert_eq!(lines, CANDIDATES.map(told));
    assert_eq!(foreseen(&base, &new), lines);
    assert_eq!(
        outcome,
        "no figure could be compared; NEW has another reference for epoll-lt at 2 points, epoll-et at 2 points, poll at 2 points"
    );
    let comparison = compared(&base, &new, Some(0.1)).expect("a gate has an answer");
    assert!(comparison.only_in_new.is_empty(), "{:?}", comparison.only_in_new);
    assert!(comparison.missing.iter().all(|one| one.other_reference.as_deref() == Some("poll")));
    assert!(foreseen(&base, &campaign(2, "", 1.0)).is_empty());

    // What is left out besides is missing all the same, and so is what failed.
    let mut less = beside_poll(2);
    leave_out(&mut less, "epoll-et", Some("this kernel refuses it"));
    let (lines, outcome) = missing(&base, &less);
    let left_out = "missing: epoll-et, at 100 × 10 (idle-scaling), 10k × 10 (idle-scaling): left out: this kernel refuses it";
    assert_eq!(lines, [told("epoll-lt"), left_out.to_owned(), told("poll")]);
    assert_eq!(foreseen(&base, &less), lines);
    assert!(
        outcome.ends_with(
            "; NEW measured less than BASE: it lacks epoll-et at 2 points; NEW has another reference for epoll-lt at 2 points, poll at 2 points"
        ),
        "{outcome}"
    );
    let mut failed = beside_poll(2);
    failed.rounds.iter_mut().for_each(|round| round.slices.retain(|slice| slice.candidate != "epoll-et"));
    let started = failed.starts.iter_mut().flat_map(|start| &mut start.candidates);
    started
        .filter(|one| one.candidate == "epoll-et")
        .for_each(|one| one.failed = Some("the server died".to_owned()));
    let (lines, _) = missing(&base, &failed);
    assert!(
        lines[1].starts_with("missing: epoll-et, ") && lines[1].ends_with(": the server died"),
        "{lines:?}"
    );
}
