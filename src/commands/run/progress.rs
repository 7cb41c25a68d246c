//! The progress of a run: a bar on a terminal, a line for each start elsewhere, and the campaign's provisional answers.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::campaign::{Campaign, Histograms, Plan, Start};
use model::note;
use muxbench::experiment::plan;
use muxbench::experiment::rounds::Audience;
use report::format::{self, plural};
use report::rounds::{Analysis, answer};

/// Returns the size and the expected time of a campaign, in words: `6 points, 36 starts, about 4 min`.
pub fn expected(plan: &Plan) -> String {
    let points = plural(plan.points.len(), "point");
    format!("{points}, {}, about {}", plural(starts(plan), "start"), minutes(plan::expected_s(plan)))
}

/// A duration as a reader wants it: `54 s`, `11 min`, `2.5 h`.
pub fn minutes(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        ..6_000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Starts of all groups at all points, and those that were made in vain: their slices were too short.
fn starts_with_vain(campaign: &Campaign) -> usize {
    let groups = (0..).zip(&campaign.plan.points).flat_map(|(point, planned)| {
        (0..planned.groups.len() as u32).map(move |group| campaign.starts_beside(point, group).len())
    });
    starts(&campaign.plan) + groups.sum::<usize>()
}

/// Starts of all groups at all points.
fn starts(plan: &Plan) -> usize {
    groups(plan) * plan.scenario.rounds.starts as usize
}

fn groups(plan: &Plan) -> usize {
    plan.points.iter().map(|planned| planned.groups.len()).sum()
}

fn finished(campaign: &Campaign) -> usize {
    campaign.starts.iter().filter(|start| start.complete).count()
}

/// Watches one campaign of a run.
pub struct Watcher {
    bar: ProgressBar,
    began: Instant,
    /// Starts that were finished when it began.
    before: usize,
    /// Seconds that the rest of this campaign and of the run were expected to take then.
    expected_s: [f64; 2],
    /// Passes over all points at which a provisional answer was told last.
    told: usize,
}

impl Watcher {
    /// Watches `campaign`, after which the run is expected to take another `later_s` seconds.
    pub fn new(campaign: &Campaign, later_s: f64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} starts  {elapsed}  {msg}")
            .expect("the template is valid");
        let (planned, before) = (starts_with_vain(campaign), finished(campaign));
        let left = planned.saturating_sub(before) as f64 / planned.max(1) as f64;
        let bar = ProgressBar::with_draw_target(Some(planned as u64), target).with_style(style);
        bar.set_position(before as u64);
        Self {
            bar,
            began: Instant::now(),
            before,
            expected_s: [plan::expected_s(&campaign.plan) * left, later_s],
            told: 0,
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Tells what the campaign would answer now: of a point alone after its first start, and of all each time that there are twice as many.
    fn tell(&mut self, campaign: &Campaign, latest: &Start) {
        let passes = finished(campaign) / groups(&campaign.plan).max(1);
        let is_time = passes >= (self.told * 2).max(2);
        if !is_time && (self.told > 0 || latest.start > 0) {
            return;
        }
        if is_time {
            self.told = passes;
        }
        if let Ok(histograms) = Histograms::of(campaign) {
            let mut analysis = Analysis::of(campaign, &histograms);
            if !is_time {
                analysis.points = vec![analysis.points.swap_remove(latest.point as usize)];
            }
            let answer = answer::provisional(&analysis);
            self.bar.suspend(|| note!("{}", answer.trim_end()));
        }
    }
}

impl Audience for Watcher {
    fn round(&mut self, campaign: &Campaign) {
        self.bar.set_message(plural(campaign.rounds.len(), "round"));
    }

    fn start(&mut self, campaign: &Campaign) {
        let (done, planned) = (finished(campaign), starts_with_vain(campaign));
        let share = (done - self.before) as f64 / planned.saturating_sub(self.before).max(1) as f64;
        let left_s = left_s(share, self.began.elapsed().as_secs_f64(), self.expected_s);
        self.bar.set_length(planned as u64);
        self.bar.set_position(done as u64);
        let Some(latest) = campaign.starts.iter().rfind(|start| start.complete) else { return };
        if self.bar.is_hidden() {
            let point = &campaign.plan.points[latest.point as usize].point;
            note!("[{done}/{planned}] {}; {} left", format::place(point), minutes(left_s));
        }
        self.tell(campaign, latest);
    }
}

/// Seconds that are left when a share of a campaign is done, that and what follows were `expected_s` to take, and so many have gone by:
/// what follows takes as much longer as this does.
fn left_s(share: f64, elapsed_s: f64, [this_s, later_s]: [f64; 2]) -> f64 {
    let slower = if share * this_s > 0.0 { elapsed_s / (share * this_s) } else { 1.0 };
    ((1.0 - share).max(0.0) * this_s + later_s) * slower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_much_longer_as_what_is_done_did() {
        assert_eq!(left_s(0.0, 0.0, [100.0, 0.0]), 100.0);
        assert_eq!(left_s(0.25, 25.0, [100.0, 0.0]), 75.0);
        assert_eq!(left_s(0.25, 50.0, [100.0, 0.0]), 150.0);
        assert_eq!(left_s(0.25, 50.0, [100.0, 10.0]), 170.0);
    }

    #[test]
    fn durations_are_told_in_the_unit_that_fits() {
        assert_eq!([54.4, 660.0, 9_000.0].map(minutes), ["54 s", "11 min", "2.5 h"]);
    }
}
