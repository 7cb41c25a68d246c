//! How far a run is: a bar on a terminal, a line a cell elsewhere.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::note;
use model::schema::{Campaign, Cell, CellStatus, Timing};
use muxbench::experiment::expectation::{self, Expectation};
use muxbench::experiment::run::Audience;
use report::format;

/// What a campaign is expected to take, in words: `324 cells, about 11 min`.
pub fn expected(expected: &Expectation) -> String {
    let certain = format!("{} cells, about {}", expected.cells(), minutes(expected.least_s()));
    match expected.repeats_at_most > expected.repeats {
        true => format!("{certain}, up to {} where ratios are unsteady", minutes(expected.most_s())),
        false => certain,
    }
}

/// A duration as a reader wants it: `54 s`, `11 min`, `2.5 h`.
pub fn minutes(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        ..6_000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Watches one campaign of a run.
pub struct Watcher {
    bar: ProgressBar,
    clock: Clock,
    timing: Timing,
    expectation: Expectation,
    done: usize,
    planned: usize,
}

impl Watcher {
    /// Watches `campaign`, after which the run is expected to take another `later_s` seconds.
    pub fn new(campaign: &Campaign, later_s: f64) -> Self {
        let expectation = Expectation::of(&campaign.plan);
        let timing = campaign.plan.scenario.timing;
        let tried: HashSet<_> =
            campaign.cells.iter().map(|cell| (&cell.mechanism, &cell.point, cell.repeat)).collect();
        let tried_s: f64 = tried.iter().map(|(_, point, _)| expectation::cell_s(&timing, point)).sum();
        // Of a campaign that is resumed, cells of further repeats show that there are some.
        let begun = campaign.cells.iter().map(|cell| cell.repeat + 1).max().unwrap_or(0);
        let repeats = expectation.repeats.max(begun);
        let planned = expectation.cells_a_repeat * repeats as usize;
        let left_s = (expectation.repeat_s * f64::from(repeats) - tried_s).max(0.0) + later_s;
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} cells  {elapsed}  {msg}")
            .expect("the template is valid");
        let bar = ProgressBar::with_draw_target(Some(planned as u64), target).with_style(style);
        Self { bar, clock: Clock::new(left_s), timing, expectation, done: tried.len(), planned }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Audience for Watcher {
    fn cell(&mut self, cell: &Cell) {
        self.done += usize::from(cell.attempt == 0);
        if cell.attempt == 0 {
            self.clock.done(expectation::cell_s(&self.timing, &cell.point));
        }
        let line = format!("{}; {} left", describe(cell), minutes(self.clock.left_s()));
        self.bar.set_position(self.done as u64);
        self.bar.set_message(line.clone());
        if self.bar.is_hidden() {
            note!("[{}/{}] {line}", self.done, self.planned);
        }
    }

    fn another_repeat(&mut self, repeats: u32) {
        self.planned += self.expectation.cells_a_repeat;
        self.bar.set_length(self.planned as u64);
        self.clock.more(self.expectation.repeat_s);
        let line = format!(
            "after {} some ratio is not as sure as asked: one more",
            format::plural(repeats as usize, "repeat")
        );
        match self.bar.is_hidden() {
            true => note!("muxbench: {line}"),
            false => self.bar.set_message(line),
        }
    }
}

/// What is left, by what was expected and how it turned out so far.
struct Clock {
    began: Instant,
    done_s: f64,
    left_s: f64,
}

impl Clock {
    fn new(left_s: f64) -> Self {
        Self { began: Instant::now(), done_s: 0.0, left_s }
    }

    fn done(&mut self, expected_s: f64) {
        self.done_s += expected_s;
        self.left_s -= expected_s;
    }

    fn more(&mut self, expected_s: f64) {
        self.left_s += expected_s;
    }

    fn left_s(&self) -> f64 {
        self.left_after(self.began.elapsed().as_secs_f64())
    }

    /// What is left when so many seconds have gone by.
    fn left_after(&self, elapsed_s: f64) -> f64 {
        let slower = if self.done_s > 0.0 { elapsed_s / self.done_s } else { 1.0 };
        self.left_s.max(0.0) * slower
    }
}

/// One line about a cell that has ended.
fn describe(cell: &Cell) -> String {
    let mut line = format!(
        "{} at {} connections, {} active",
        cell.mechanism,
        format::count(cell.point.connections.into()),
        format::count(cell.point.active.into())
    );
    for particular in format::particulars(&cell.point) {
        line += &format!(", {particular}");
    }
    let p50 = cell.latency.as_ref().and_then(|phase| phase.load.response.as_ref()?.p50_ns);
    if let Some(p50) = p50 {
        line += &format!(": p50 {}", format::duration_ns(p50 as f64));
    }
    if let Some(capacity) = &cell.capacity {
        line += &format!(", {} echoes/s", format::rate(capacity.load.throughput_per_s));
    }
    let word = match cell.status {
        CellStatus::Valid => return line,
        CellStatus::Invalid => "INVALID",
        CellStatus::Failed => "FAILED",
    };
    format!("{line}: {word}: {}", cell.reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_much_longer_as_what_is_done_did() {
        let mut clock = Clock::new(100.0);
        assert_eq!(clock.left_after(0.0), 100.0);
        clock.done(20.0);
        assert_eq!(clock.left_after(20.0), 80.0);
        assert_eq!(clock.left_after(40.0), 160.0);
        clock.more(50.0);
        assert_eq!(clock.left_after(20.0), 130.0);
    }

    #[test]
    fn durations_are_told_in_the_unit_that_fits() {
        assert_eq!([54.4, 660.0, 9_000.0].map(minutes), ["54 s", "11 min", "2.5 h"]);
    }
}
