//! When the repeats of a campaign end.

use crate::analysis::{self, Widest};
use crate::format;
use model::schema::{Campaign, Stopped};

/// Why no repeat follows after `made` whole ones; nothing when another does.
///
/// A pure function of what was measured, so that a campaign that was interrupted goes on by the same rule. Cells of a
/// further repeat are the trace of a decision to go on, which stands.
pub fn decide(campaign: &Campaign, made: u32) -> Option<Decision> {
    let scenario = &campaign.plan.scenario;
    let Some(stop) = scenario.stop else {
        return (made >= scenario.repeats).then_some(Decision::AsPlanned);
    };
    if made < scenario.repeats || campaign.cells.iter().any(|cell| cell.repeat >= made) {
        return None;
    }
    let asked = format::percent(stop.ratio_half_width);
    let at_bound = made >= stop.repeats_at_most;
    let (because, widest_half_width) = match analysis::widest(campaign) {
        None if !compares(campaign) => {
            ("there is nothing to compare, so no ratio to wait for".to_owned(), 0.0)
        }
        None if at_bound => {
            (format!("there are no more than {made}; too few cells are valid for any ratio"), 0.0)
        }
        Some(Widest { half_width: Some(reached), .. }) if reached <= stop.ratio_half_width => {
            (format!("every ratio of median responses is known to within {asked}"), reached)
        }
        Some(widest) if at_bound => {
            let known = |reached| format!("known to {}", format::percent(reached));
            let reached = widest.half_width.map_or_else(|| "without an interval".to_owned(), known);
            let because =
                format!("there are no more than {made}; {} is {reached}, not to {asked}", place(&widest));
            (because, widest.half_width.unwrap_or(0.0))
        }
        _ => return None,
    };
    Some(Decision::Stopped(Stopped { repeats: made, because, widest_half_width }))
}

/// Whether two contenders are planned at any point.
fn compares(campaign: &Campaign) -> bool {
    let scenario = &campaign.plan.scenario;
    let contenders =
        |point| scenario.contenders().filter(|name| scenario.exclusion(name, point).is_none()).count();
    campaign.plan.points.iter().any(|point| contenders(point) > 1)
}

/// That repeats have ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// There was a fixed number of them.
    AsPlanned,
    /// A rule ended them.
    Stopped(Stopped),
}

impl Decision {
    /// What the campaign's file says of it.
    pub fn stopped(self) -> Option<Stopped> {
        match self {
            Self::AsPlanned => None,
            Self::Stopped(stopped) => Some(stopped),
        }
    }
}

/// `poll at 100 connections, 10 active`.
fn place(widest: &Widest) -> String {
    let Widest { contender, point, .. } = widest;
    let mut place = format!("{contender} at {} connections, {} active", point.connections, point.active);
    for particular in format::particulars(point) {
        place += &format!(", {particular}");
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Shape, point};
    use model::schema::Stop;

    /// `poll` twice as slow as `epoll-lt`, from repeat to repeat by another `spread` of it, over `repeats` repeats.
    fn campaign(repeats: u32, spread: f64) -> Campaign {
        let points = [point("idle-scaling", 10, 10)];
        let mut campaign =
            testing::campaign(&["poll", "epoll-lt"], &points, repeats, |mechanism, _, repeat| {
                let slower = 2.0 + spread * (f64::from(repeat % 3) - 1.0);
                let p50_ns = if mechanism == "poll" { 30_000.0 * slower } else { 30_000.0 };
                Shape { p50_ns, ..Shape::default() }
            });
        campaign.plan.scenario.repeats = 3;
        campaign.plan.scenario.stop = Some(Stop { ratio_half_width: 0.1, repeats_at_most: 6 });
        campaign
    }

    fn stopped(campaign: &Campaign, made: u32) -> Option<Stopped> {
        decide(campaign, made).and_then(Decision::stopped)
    }

    #[test]
    fn steady_ratios_end_after_the_fewest_repeats() {
        assert_eq!(decide(&campaign(2, 0.01), 2), None);
        let stopped = stopped(&campaign(3, 0.01), 3).expect("steady");
        assert_eq!(stopped.repeats, 3);
        assert!(stopped.because.contains("within 10%") && stopped.widest_half_width < 0.1, "{stopped:?}");
    }

    #[test]
    fn unsteady_ratios_go_on_to_the_bound_and_the_reason_names_the_widest() {
        for made in 3..6 {
            assert_eq!(decide(&campaign(made, 1.0), made), None, "{made}");
        }
        let stopped = stopped(&campaign(6, 1.0), 6).expect("the bound");
        assert!(stopped.widest_half_width > 0.1, "{stopped:?}");
        assert!(stopped.because.contains("poll at 10 connections, 10 active"), "{stopped:?}");
    }

    #[test]
    fn a_decision_to_go_on_stands_after_an_interruption() {
        assert_eq!(decide(&campaign(4, 0.01), 3), None, "there are cells of the fourth repeat");
        assert!(decide(&campaign(4, 0.01), 4).is_some());
    }

    #[test]
    fn without_a_rule_there_are_as_many_as_were_planned() {
        let mut campaign = campaign(3, 1.0);
        campaign.plan.scenario.stop = None;
        assert_eq!(decide(&campaign, 2), None);
        assert_eq!(decide(&campaign, 3), Some(Decision::AsPlanned));
    }

    #[test]
    fn one_contender_alone_has_nothing_to_wait_for() {
        let mut campaign = campaign(3, 1.0);
        campaign.plan.scenario.mechanisms = vec!["poll".into()];
        let stopped = stopped(&campaign, 3).expect("nothing to compare");
        assert!(stopped.because.contains("nothing to compare") && stopped.widest_half_width == 0.0);
    }

    #[test]
    fn cells_that_do_not_count_are_repeated_until_the_bound() {
        let invalid = |repeats| {
            let mut campaign = campaign(repeats, 0.0);
            campaign.cells.iter_mut().for_each(|cell| cell.status = model::schema::CellStatus::Invalid);
            campaign
        };
        assert_eq!(decide(&invalid(3), 3), None);
        assert!(stopped(&invalid(6), 6).expect("the bound").because.contains("too few cells are valid"));
    }

    #[test]
    fn ratios_without_an_interval_are_waited_for_until_the_bound() {
        let mut campaign = campaign(6, 0.0);
        campaign.cells.retain(|cell| cell.mechanism != "poll" || cell.repeat < 2);
        assert!(stopped(&campaign, 6).expect("the bound").because.contains("without an interval"));
    }
}
